"""The rescaling symmetries of a network: which weights u and w have ℓ(λu, w/λ) = ℓ(u, w) for every λ > 0.

Found on the tape of one forward pass (`tape`): the weights and bias of a layer, the scale and shift of a
norm, or an embedding are a u; what they make is followed through functions of degree one (ReLU, pooling,
views, dropout in evaluation mode, products with what does not scale) to the layers that take it up, whose
weights are w. Attention has two more: values with the output layer, and queries with keys. A layer whose
output is normalised at once is invariant by itself: ℓ(λu) = ℓ(u), once the norm's running statistics follow.

Each is then tried: the losses of a few examples, in double precision, before and after the transformation.
What fails is listed with its reason, never given.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._pytree import tree_map

from sgdiffusion.inputs.data import Inputs
from sgdiffusion.inputs.model import copied
from sgdiffusion.measures.noise.gradients import ExampleLosses, PerExampleGradients
from sgdiffusion.measures.noise.tape import Call, Tape, recorded

Kind = Literal[
    "layer-layer", "norm-layer", "embedding-layer", "value-output", "query-key", "invariant", "given"
]  # fmt: skip

TRIED, FACTOR = 4, 1.25
EXACT = 1e-8  # relative change of the loss in double precision that is rounding
NEARLY = 1e-2  # for invariances: batch-norm and layer-norm add ε to a variance, which breaks them a little

LAYERS = {"linear", "conv1d", "conv2d", "conv3d", "conv_transpose2d", "addmm", "conv_transpose1d"}
NORMS = {"batch_norm", "layer_norm", "group_norm", "rms_norm", "instance_norm"}
PRODUCTS = {
    "matmul", "bmm", "__matmul__", "mul", "__mul__", "__rmul__", "mul_", "__imul__", "einsum", "baddbmm",
    "div", "__truediv__", "true_divide", "div_", "__itruediv__", "multiply",
}  # fmt: skip
SUMS = {"add", "__add__", "__radd__", "add_", "__iadd__", "sub", "__sub__", "cat", "concat", "stack"}
DEGREE_ONE = {
    "relu", "relu_", "leaky_relu", "leaky_relu_", "prelu", "dropout", "dropout1d", "dropout2d", "dropout_",
    "feature_dropout", "flatten", "view", "reshape", "transpose", "permute", "contiguous", "unsqueeze",
    "squeeze", "expand", "expand_as", "split", "chunk", "unbind", "select", "narrow", "__getitem__",
    "__get__", "clone", "max_pool1d", "max_pool2d", "max_pool3d", "_max_pool2d", "avg_pool1d", "avg_pool2d",
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d", "mean",
    "sum", "pad", "to", "type_as", "float", "neg", "__neg__", "unflatten", "movedim", "swapaxes", "flip",
    "roll", "masked_fill", "abs", "interpolate", "repeat", "repeat_interleave", "t", "tril", "triu", "amax",
    "max_pool2d_with_indices", "detach", "pixel_shuffle", "tensor_split", "view_as", "reshape_as",
    "identity", "rot90", "unfold",
}  # fmt: skip
SCORES = {"softmax", "_softmax"}
ATTENTION, PACKED = "scaled_dot_product_attention", "multi_head_attention_forward"


class Part(NamedTuple):
    """A parameter, or the entries of it where ``mask`` holds (a third of a packed attention weight)."""

    name: str
    mask: Tensor | None = None

    def __str__(self) -> str:
        return self.name if self.mask is None else f"{self.name}[part]"


@dataclass(frozen=True)
class Symmetry:
    """u → λu, w → w/λ leaves every example's loss as it is; w is empty for what is invariant by itself."""

    kind: Kind
    u: tuple[Part, ...]
    w: tuple[Part, ...]
    means: tuple[str, ...] = ()  # running means that go with λ
    variances: tuple[str, ...] = ()  # running variances that go with λ²

    @property
    def name(self) -> str:
        """Such as "bn1 → conv2"."""
        return f"{_modules(self.u)} → {_modules(self.w)}" if self.w else _modules(self.u)


class Skipped(NamedTuple):
    """Weights that are no side u of a symmetry, and why."""

    name: str
    reason: str


@dataclass
class Symmetries:
    """What was found in the order of use, and what was not."""

    found: list[Symmetry] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def _modules(parts: Iterable[Part]) -> str:
    names: dict[str, None] = {}
    for part in parts:
        module = part.name.rpartition(".")[0] or part.name
        names[module + ("[part]" if part.mask is not None else "")] = None
    return " + ".join(names)


class _NoSymmetry(Exception):
    """Why a u has none."""


def find_symmetries(gradients: PerExampleGradients) -> Symmetries:
    """The symmetries of the module of these gradients, each tried on the first few examples."""
    assert isinstance(gradients.data, Inputs)
    few, batch = in_double(gradients), gradients.data.part(slice(0, TRIED))
    tape, end = recorded(few.module, lambda: few.example_losses(batch))
    search, out = _Search(tape, end), Symmetries()
    for symmetry, reason, name in search.candidates():
        if symmetry is None:
            out.skipped.append(Skipped(name, reason))
        elif (fault := fault_of(symmetry, few, batch)) is not None:
            out.skipped.append(Skipped(symmetry.name, fault))
        else:
            out.found.append(symmetry)
    split = {
        part.name.rpartition(".")[0] for s in out.found for part in (*s.u, *s.w) if part.mask is not None
    }
    out.skipped = [s for s in out.skipped if s.name not in split]  # of whose parts a symmetry was found
    return out


def in_double(gradients: PerExampleGradients) -> PerExampleGradients:
    """The same of a copy of the module in double precision, in which a symmetry is exact."""
    return PerExampleGradients(copied(gradients.module).double(), gradients.data, forward=gradients.forward)


def fault_of(symmetry: Symmetry, gradients: PerExampleGradients, batch: Any) -> str | None:
    """Why the transformation is no symmetry: by how much it changes a loss; None where it changes none."""
    losses = ExampleLosses(gradients.module, gradients.forward)
    with torch.no_grad():
        before = gradients.example_losses(batch)
        values = {f"model.{k}": v for k, v in transformed(gradients.module, symmetry, FACTOR).items()}
        # a copy, as in example_losses: the module may change it in place
        after = functional_call(losses, values, (tree_map(torch.clone, gradients.to_module(batch)),))
    change = float(((after - before).abs() / (1 + before.abs())).max())
    allowed = EXACT if symmetry.w else NEARLY
    if change <= allowed:
        return None
    return f"the loss changes by {change:.1e} of itself when the pair is rescaled by {FACTOR}"


def transformed(module: nn.Module, symmetry: Symmetry, factor: float) -> dict[str, Tensor]:
    """The parameters and buffers that the transformation changes, with their new values."""
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    powers = [(part, factor) for part in symmetry.u] + [(part, 1 / factor) for part in symmetry.w]
    powers += [(Part(name), factor) for name in symmetry.means]
    powers += [(Part(name), factor**2) for name in symmetry.variances]
    out: dict[str, Tensor] = {}
    for (name, mask), power in powers:
        value = out.get(name, state[name].detach())
        out[name] = value * power if mask is None else torch.where(mask, value * power, value)
    return out


class _Search:
    """Candidates on one tape."""

    def __init__(self, tape: Tape, end: int) -> None:
        self._tape, self._end = tape, end
        self._maker = {number: call for call in tape.calls for number in call.outputs}
        self._uses: dict[str, int] = {}
        for call in tape.calls:
            for name in call.weights:
                self._uses[name] = self._uses.get(name, 0) + 1

    def candidates(self) -> Iterable[tuple[Symmetry | None, str, str]]:
        """(symmetry or None, reason, name of the u) in the order of use."""
        for call in self._tape.calls:
            if call.weights and (call.function in LAYERS | NORMS or call.function == "embedding"):
                yield self._tried(lambda call=call: self._from_call(call), call)
            if call.function == PACKED:
                yield from ((pair, "", pair.name) for pair in _packed(call, self._tape))
            elif call.function == ATTENTION:
                query, key, value = call.inputs[:3]
                yield from self._attention(call, query, key, value, first=call)
            elif call.function in SCORES:
                yield from self._written_out(call)

    def _tried(self, make: Any, call: Call) -> tuple[Symmetry | None, str, str]:
        name = _modules([Part(w) for w in call.weights])
        try:
            return make(), "", name
        except _NoSymmetry as reason:
            return None, str(reason), name

    def _from_call(self, call: Call) -> Symmetry:
        self._require_once(call)
        kind: Kind = "layer-layer" if call.function in LAYERS else "norm-layer"
        kind = "embedding-layer" if call.function == "embedding" else kind
        u = tuple(map(Part, call.weights))
        taken, norm = self._follow(call.outputs[0], call)
        if norm is not None:
            means, variances = norm.buffers[:1], norm.buffers[1:2]
            return Symmetry("invariant", u, (), means, variances)
        return Symmetry(kind, u, taken)

    def _require_once(self, call: Call) -> None:
        for name in call.weights:
            if self._uses[name] > 1:
                raise _NoSymmetry(f"{name} is used {self._uses[name]} times")

    def _follow(self, start: int, begin: Call) -> tuple[tuple[Part, ...], Call | None]:
        """The weights that take up the scale of a tensor; or the norm that takes it away."""
        scaled, taken, norms = {start}, [], []
        for call in self._tape.calls[begin.place + 1 :]:
            touched = [number for number in call.inputs if number in scaled]
            if not touched:
                continue
            if call.function in LAYERS:
                taken.append(self._weight_of(call, touched))
            elif call.function in NORMS:
                norms.append(call)
            elif self._keeps_degree(call, touched):
                scaled |= set(call.outputs)
            elif call.function == PACKED and set(call.inputs[:3]) <= scaled:
                taken.append(Part(next(w for w in call.weights if w.endswith("in_proj_weight"))))
            else:
                raise _NoSymmetry(_why(call))
        if self._end in scaled or not (taken or norms):
            raise _NoSymmetry("what it makes reaches the loss without a layer that could take up the scale")
        if norms and (taken or len(norms) > 1):
            raise _NoSymmetry("what it makes goes to a norm and elsewhere")
        return tuple(taken), norms[0] if norms else None

    def _weight_of(self, call: Call, touched: list[int]) -> Part:
        matrices = [name for name in call.weights if not name.rpartition(".")[2].startswith("bias")]
        if not matrices or len(touched) > 1:
            raise _NoSymmetry(f"it goes to a {call} whose weights are no parameter")
        if self._uses[matrices[0]] > 1:
            raise _NoSymmetry(f"{matrices[0]}, which takes it up, is used {self._uses[matrices[0]]} times")
        return Part(matrices[0])

    def _keeps_degree(self, call: Call, touched: list[int]) -> bool:
        if call.function in DEGREE_ONE:
            return True
        if call.function in PRODUCTS:
            divides = "div" in call.function
            return len(touched) == 1 and (not divides or call.inputs[0] == touched[0])
        if call.function in SUMS:
            return len(touched) == len(call.inputs) and not call.weights
        return call.function == ATTENTION and touched == [call.inputs[2]]

    def _attention(
        self, last: Call, query: int, key: int, value: int, first: Call
    ) -> Iterable[tuple[Symmetry | None, str, str]]:
        """Values with what takes up the output of ``last``; queries with keys of the scores of ``first``."""
        try:
            u, w = self._source(query), self._source(key)
            yield Symmetry("query-key", u, w), "", _modules(u)
        except _NoSymmetry as reason:
            yield None, str(reason), f"queries and keys of {first} {first.place}"
        try:
            u = self._source(value)
            taken, _ = self._follow(last.outputs[0], last)
            if taken and any(part.mask is not None for part in u):
                yield Symmetry("value-output", u, taken), "", _modules(u)
        except _NoSymmetry as reason:
            yield None, str(reason), f"values of {first} {first.place}"

    def _written_out(self, scores: Call) -> Iterable[tuple[Symmetry | None, str, str]]:
        """softmax(q kᵀ) v in single steps: the product before the softmax, and the one after it."""
        before = self._maker.get(scores.inputs[0])
        while before is not None and not (before.function in PRODUCTS and len(before.inputs) == 2):
            before = self._maker.get(before.inputs[0]) if before.inputs else None
        after = next(
            (c for c in self._tape.calls[scores.place + 1 :] if c.function in PRODUCTS and len(c.inputs) == 2
             and self._comes_from(c.inputs[0], scores)), None
        )  # fmt: skip
        if before is None or after is None or before.place > scores.place:
            return
        if self._maker.get(before.inputs[0]) is None or self._maker.get(before.inputs[1]) is None:
            return
        yield from self._attention(after, before.inputs[0], before.inputs[1], after.inputs[1], first=scores)

    def _comes_from(self, number: int, call: Call) -> bool:
        maker = self._maker.get(number)
        while maker is not None and maker is not call:
            maker = (
                self._maker.get(maker.inputs[0]) if maker.inputs and maker.function in DEGREE_ONE else None
            )
        return maker is call

    def _source(self, number: int) -> tuple[Part, ...]:
        """The weights and bias that a tensor is linear in, their entries told by its gradient."""
        makers, todo = set(), [number]
        while todo:
            call = self._maker.get(todo.pop())
            if call is None:
                continue  # a constant
            if call.function in LAYERS | NORMS and call.weights:
                makers.add(call.place)
            elif call.function in DEGREE_ONE | PRODUCTS | SUMS:
                todo += call.inputs
            else:
                raise _NoSymmetry(_why(call))
        if len(makers) != 1:
            raise _NoSymmetry("it comes from more than one layer" if makers else "it comes from no layer")
        call = self._tape.calls[makers.pop()]
        self._require_once(call)
        return self._entries(number, call.weights)

    def _entries(self, number: int, names: tuple[str, ...]) -> tuple[Part, ...]:
        tensor = self._tape.tensors[number]
        weights = [self._tape.weight(name) for name in names]
        generator = torch.Generator().manual_seed(0)
        along = torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype).to(tensor.device)
        slopes = torch.autograd.grad(tensor, weights, along, retain_graph=True, materialize_grads=True)
        masks = [slope != 0 for slope in slopes]
        return tuple(
            Part(name, None if bool(mask.all()) else _whole_rows(mask))
            for name, mask in zip(names, masks, strict=True)
        )


def _whole_rows(mask: Tensor) -> Tensor:
    """Entries that happen to have no slope belong to their row, or in a transposed weight to their column."""
    if mask.ndim < 2:
        return mask
    rows, columns = mask.flatten(1).any(1), mask.flatten(1).any(0)
    if bool(rows.all()) and not bool(columns.all()):
        return columns.view(1, *mask.shape[1:]).expand_as(mask)
    return rows.view(-1, *[1] * (mask.ndim - 1)).expand_as(mask)


def _why(call: Call) -> str:
    if call.function in SUMS:
        return "what it makes is added to, or joined with, what does not scale"
    if call.function in PRODUCTS:
        return f"what it makes meets itself in a {call}"
    return f"{call} is not homogeneous of degree one"


def _packed(call: Call, tape: Tape) -> list[Symmetry]:
    """torch's own attention: queries, keys and values are thirds of one weight and one bias."""
    ends = {name.rpartition(".")[2]: name for name in call.weights}
    packed, out = ends.get("in_proj_weight"), [n for n in call.weights if n.endswith("out_proj.weight")]
    if packed is None or len(out) != 1:
        return []
    names = [packed] + ([ends["in_proj_bias"]] if "in_proj_bias" in ends else [])

    def third(which: int) -> tuple[Part, ...]:
        parts = []
        for name in names:
            mask = torch.zeros_like(tape.weight(name), dtype=torch.bool)
            mask.chunk(3)[which].fill_(True)
            parts.append(Part(name, mask))
        return tuple(parts)

    return [
        Symmetry("query-key", third(0), third(1)),
        Symmetry("value-output", third(2), (Part(out[0]),)),
    ]
