"""Per-example gradients g_k = ∇f_k(x) of any torch module in evaluation mode, streamed in blocks.

The weights x ∈ R^d are the module's parameters that require gradients, flattened in the order of
``named_parameters``; f_k is the loss of example k alone. Chaudhari & Soatto (2018) build their diffusion
matrix (Def. 1) from these gradients with the network in evaluation mode: running batch-norm statistics and
no dropout, so that the gradient of one example does not depend on the others.
"""

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeGuard

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.utils._pytree import tree_leaves, tree_map

from sgdiffusion.errors import InputError, MeasureError
from sgdiffusion.inputs.data import Forward, Inputs
from sgdiffusion.inputs.losses import Loss, cross_entropy
from sgdiffusion.inputs.model import copied, require_evaluation, require_module
from sgdiffusion.inputs.precision import full_precision
from sgdiffusion.measures.noise.workers import in_order

Data = tuple[Any, Any] | Iterable[tuple[Any, Any]] | Inputs

BLOCK_BYTES = 2**28  # one block of gradients stays under 256 MiB, however wide the network
BLOCK_ROWS = 1024  # from here on the symmetric product runs at full speed
REPEATED = 4  # of a chunk's examples that are differentiated twice, to see whether anything is random
CHUNK = 256  # examples differentiated at once: more leave the cache, fewer pay for the calls (measured)


def batches(data: Data, size: int) -> Iterator[Any]:
    """Batches of at most ``size`` from a pair (inputs, targets), a tree of examples or a loader of pairs."""
    if isinstance(data, Inputs):
        yield from data.batches(size)
        return
    for inputs, targets in [data] if is_whole(data) else data:
        x, y = torch.as_tensor(inputs), torch.as_tensor(targets)
        if len(x) != len(y):
            raise InputError("data", f"{len(x)} inputs but {len(y)} targets", "each example needs one target")
        for start in range(0, len(x), size):
            yield x[start : start + size], y[start : start + size]


def is_whole(data: Data) -> TypeGuard[tuple[Any, Any]]:
    """Whether the data are one pair of arrays, not a sequence of batches."""
    return isinstance(data, tuple) and len(data) == 2 and not isinstance(data[0], tuple | list)


class ExampleLosses(nn.Module):
    """A model and how its losses come from a batch, as one module from batch to losses (n,)."""

    def __init__(self, model: nn.Module, forward: Forward) -> None:
        super().__init__()
        self.model, self._forward = model, forward
        self.training = model.training

    def forward(self, batch: Any) -> Tensor:
        return self._forward(self.model, batch)


class PerExampleGradients:
    """A stream of per-example gradients: iterating gives blocks (n, d), row k being g_k in the data's order.

    ``data`` is a pair (inputs, targets) of tensors or arrays, a loader of such pairs (re-iterable where a
    measure needs several passes), or what `inputs.data.read_data` made of anything else.
    ``loss(outputs, targets)`` returns one loss per example, without reduction; or ``forward(module, batch)``
    does, for other batches. Blocks have the dtype and device of the module's weights; floating-point inputs
    are cast to that dtype. On the CPU as many chunks as torch has threads are differentiated side by side,
    each on one thread; the result does not depend on their number. ``vectorise=False`` differentiates one
    example at a time, for the few modules torch.func cannot vectorise. ``reuse=True`` gives the same memory
    again and again: for readers that keep no block.
    """

    def __init__(
        self,
        module: nn.Module,
        data: Data,
        loss: Loss = cross_entropy,
        *,
        forward: Forward | None = None,
        chunk: int = CHUNK,
        vectorise: bool = True,
        reuse: bool = False,
    ) -> None:
        require_module(module)
        require_evaluation(module)
        weights = {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}
        if not weights:
            raise InputError(
                "model", "it has no parameter that requires gradients", "give one with trainable weights"
            )
        kinds = {(p.dtype, p.device) for p in weights.values()}
        if len(kinds) > 1:
            raise InputError(
                "model",
                f"the module's weights differ in dtype or device: {sorted(map(str, kinds))}",
                "bring them together: model.float().to(device)",
            )
        self.module, self.data, self.loss = module, data, loss
        self.forward: Forward = forward or (lambda model, batch: loss(model(batch[0]), batch[1]))
        self.dtype, self.device = kinds.pop()
        self.names = list(weights)
        self.sizes = [p.numel() for p in weights.values()]
        self.weights = sum(self.sizes)
        self.rows = max(1, min(BLOCK_ROWS, BLOCK_BYTES // (self.weights * self.dtype.itemsize)))
        self.chunk = min(chunk, self.rows)
        self.vectorise, self._reuse = vectorise, reuse
        self._values = {f"model.{name}": p for name, p in weights.items()}

    @property
    def examples(self) -> int | None:
        """N where the data are arrays; a loader does not tell before it has been read."""
        if isinstance(self.data, Inputs):
            return len(self.data)
        return len(self.data[0]) if is_whole(self.data) else None

    def __iter__(self) -> Iterator[Tensor]:
        require_evaluation(self.module)
        workers = torch.get_num_threads() if self.device.type == "cpu" else 1
        block, filled, seen = self._new_block(), 0, 0
        for gradients in in_order(self._differentiator, batches(self.data, self.chunk), workers):
            count = len(gradients[0])
            if filled + count > self.rows:
                yield block[:filled]
                block, filled = block if self._reuse else self._new_block(), 0
            rows = block[filled : filled + count]
            for column, part in zip(torch.split(rows, self.sizes, 1), gradients, strict=True):
                column.copy_(part.reshape(count, -1))
            self._require_finite(rows, seen)
            seen, filled = seen + count, filled + count
        if not seen:
            raise InputError("data", "it holds no example (or a one-shot iterator is spent)", "give some")
        yield block[:filled]

    def of(self, names: Iterable[str], data: Data | None = None) -> "PerExampleGradients":
        """The same with respect to some of the parameters, or over other examples."""
        wanted = set(names)
        other = copy.copy(self)
        kept = [(n, s) for n, s in zip(self.names, self.sizes, strict=True) if n in wanted]
        other.names, other.sizes = [n for n, _ in kept], [s for _, s in kept]
        other.weights = sum(other.sizes)
        other.rows = max(1, min(BLOCK_ROWS, BLOCK_BYTES // (other.weights * other.dtype.itemsize)))
        other.chunk = min(CHUNK, other.rows)
        other.data = self.data if data is None else data
        other._values = {f"model.{n}": self._values[f"model.{n}"] for n in other.names}
        return other

    def example_losses(self, batch: Any) -> Tensor:
        """The losses (n,) of a batch, with the module itself; the batch stays as it is."""
        return self.forward(self.module, tree_map(torch.clone, self.to_module(batch)))

    def to_module(self, batch: Any) -> Any:
        """A batch on the module's device, floating-point parts in its dtype."""
        return tree_map(self._to_module, batch)

    def _new_block(self) -> Tensor:
        # A fresh block each time: a reader may keep what the stream gave. NumPy asks for large pages, which
        # halves the time of first touching them.
        if self.device.type == "cpu":
            kind = torch.empty(0, dtype=self.dtype).numpy().dtype
            return torch.from_numpy(np.empty((self.rows, self.weights), kind))
        return torch.empty(self.rows, self.weights, dtype=self.dtype, device=self.device)

    def _to_module(self, values: Tensor) -> Tensor:
        return values.to(self.device, self.dtype if values.is_floating_point() else values.dtype)

    def _differentiator(self) -> Callable[[Any], list[Tensor]]:
        """The function batch -> gradients by parameter, with a module of its own to run on one thread."""
        # a copy: a functional call swaps the module's weights while it runs
        losses = ExampleLosses(copied(self.module).requires_grad_(False), self.forward)
        loss = partial(_example_loss, losses)
        differentiate = vmap(grad(loss), (None, 0)) if self.vectorise else partial(_one_by_one, loss)

        def work(batch: Any) -> list[Tensor]:
            try:
                with full_precision():
                    gradients = differentiate(self._values, self.to_module(batch))
            except RuntimeError as error:
                raise _explained(error, self.vectorise) from error
            return [gradients[name] for name in self._values]

        return work

    def _require_finite(self, rows: Tensor, first: int) -> None:
        # A finite sum proves finite terms; only a suspicious sum pays for the exact look.
        if torch.isfinite(rows.sum()):
            return
        bad = ~torch.isfinite(rows)
        if not bad.any():
            return
        examples = (first + bad.any(1).nonzero().flatten()).tolist()
        owners = torch.tensor_split(bad.any(0), torch.tensor(self.sizes).cumsum(0)[:-1])
        names = [name for name, part in zip(self.names, owners, strict=True) if part.any()]
        shown = ", ".join(map(str, examples[:5])) + (", …" if len(examples) > 5 else "")
        raise MeasureError(
            f"non-finite gradients of {len(examples)} example(s) among the first {first + len(rows)} "
            f"(index {shown}) in {', '.join(names)}: check these inputs, and the weights for divergence"
        )


def _example_loss(losses: ExampleLosses, weights: dict[str, Tensor], example: Any) -> Tensor:
    # a copy: a module that changes its inputs in place shall not change the user's
    batch = tree_map(lambda part: part.unsqueeze(0).clone(), example)
    value = functional_call(losses, weights, (batch,))
    if value.shape != (1,):
        raise InputError(
            "loss",
            f"the loss of one example has shape {tuple(value.shape)}, expected (1,)",
            "return one loss per example, without averaging over the batch (reduction='none')",
        )
    return value[0]


def _explained(error: RuntimeError, vectorised: bool) -> Exception:
    """torch.func's refusals in one line each; an error of one example by itself, or of memory, is itself."""
    text = str(error)
    if "random operation" in text or "randomness" in text:
        return InputError("model", "something in it is random", "switch its dropout or noise off")
    if vectorised and "memory" not in text:
        line = text.strip().partition("\n")[0][:120]
        return InputError(
            "model",
            f"torch.func cannot vectorise it ({line})",
            "use vectorise=False (--no-vectorise), slower by a small factor",
        )
    return error


@torch.enable_grad()
def _one_by_one(loss: Callable[..., Tensor], weights: dict[str, Tensor], batch: Any) -> dict[str, Tensor]:
    leaves = {name: p.clone().requires_grad_() for name, p in weights.items()}

    def gradient(k: int) -> tuple[Tensor, ...]:
        value = loss(leaves, tree_map(lambda part: part[k], batch))
        return torch.autograd.grad(value, list(leaves.values()), materialize_grads=True)

    rows = [gradient(k) for k in range(len(tree_leaves(batch)[0]))]
    again = [gradient(k) for k in range(min(REPEATED, len(rows)))]
    if not all(
        torch.equal(a, b)
        for old, new in zip(rows, again, strict=False)
        for a, b in zip(old, new, strict=True)
    ):
        raise InputError(
            "model",
            "the gradient of one example comes out differently when it is taken again: something is random",
            "switch its dropout or noise off (F.dropout with training=self.training)",
        )
    return {name: torch.stack(parts) for name, parts in zip(leaves, zip(*rows, strict=True), strict=True)}


def as_block(rows: Any) -> Tensor:
    """A block of gradients given as tensor or array, checked to be two-dimensional."""
    block = torch.as_tensor(rows)
    if block.ndim != 2:
        raise MeasureError(
            f"a block of gradients has shape {tuple(block.shape)}, expected (examples, weights)"
        )
    return block


def blocks_of(gradients: Iterable[Any]) -> Iterator[Tensor]:
    """The blocks of a stream; a module in its place is refused."""
    if isinstance(gradients, nn.Module):
        raise InputError(
            "gradients", f"a module ({type(gradients).__name__})", "give PerExampleGradients(module, data)"
        )
    return map(as_block, gradients)


@dataclass(frozen=True)
class Moments:
    """What one pass tells exactly: N, d, ḡ (float64) and Σ_k ‖g_k − ḡ‖², which is N Tr D (Def. 1)."""

    examples: int
    mean: Tensor
    spread: float


def moments(gradients: Iterable[Any]) -> Moments:
    """N, the full gradient ḡ and the total spread Σ_k ‖g_k − ḡ‖², summed in double precision in one pass."""
    examples, squares = 0, 0.0
    shift = total = torch.empty(0)
    for block in blocks_of(gradients):
        if not examples:  # centring on the first rows keeps the sum of squares free of cancellation
            shift = block.mean(0)
            total = torch.zeros_like(shift, dtype=torch.float64)
        centred = block - shift
        total += centred.sum(0, dtype=torch.float64)
        squares += float(torch.linalg.vector_norm(centred, dtype=torch.float64)) ** 2
        examples += len(block)
    if not examples:
        raise MeasureError("no gradients: the stream is empty")
    offset = total / examples
    spread = squares - examples * float(offset @ offset)
    if not math.isfinite(spread):
        raise MeasureError("the gradients' squared norms are not finite: check the network and its data")
    return Moments(examples, shift.double() + offset, spread)
