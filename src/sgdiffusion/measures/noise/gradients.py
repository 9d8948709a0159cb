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

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.noise.workers import in_order

Loss = Callable[[Tensor, Tensor], Tensor]
Data = tuple[Any, Any] | Iterable[tuple[Any, Any]]

BLOCK_BYTES = 2**28  # one block of gradients stays under 256 MiB, however wide the network
BLOCK_ROWS = 1024  # from here on the symmetric product runs at full speed
CHUNK = 128  # examples differentiated at once: larger chunks leave the cache (measured)


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of logits per example, shape (n,): the default loss f_k."""
    return nn.functional.cross_entropy(outputs, targets, reduction="none")


def half_squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """½ ‖output − target‖² per example, shape (n,)."""
    return 0.5 * (outputs - targets).flatten(1).square().sum(1)


def require_evaluation(module: nn.Module) -> None:
    """Refuse a module in which any part is in training mode, or whose batch-norm couples the examples."""
    training = [(name or "the module itself", m) for name, m in module.named_modules() if m.training]
    if training:
        # The layers whose outputs change with the mode come first: they are the ones that do the harm.
        training.sort(key=lambda entry: not _depends_on_mode(entry[1]))
        shown = ", ".join(f"{name} ({type(m).__name__})" for name, m in training[:3])
        more = f" and {len(training) - 3} more" if len(training) > 3 else ""
        raise MeasureError(
            f"per-example gradients need evaluation mode, but these are in training mode: {shown}{more}; "
            "call module.eval() first (batch-norm in training mode makes one example's gradient depend on "
            "the others, dropout makes it random)"
        )
    for name, part in module.named_modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is None:
            raise MeasureError(
                f"batch-norm {name or 'module'} keeps no running statistics (track_running_stats=False): "
                "it normalises by the batch at hand even in evaluation mode; let it keep running statistics"
            )


def _depends_on_mode(part: nn.Module) -> bool:
    return isinstance(part, nn.modules.batchnorm._BatchNorm | nn.modules.dropout._DropoutNd)


def batches(data: Data, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of at most ``size`` from a pair (inputs, targets) or from any loader of such pairs."""
    for inputs, targets in [data] if is_whole(data) else data:
        x, y = torch.as_tensor(inputs), torch.as_tensor(targets)
        if len(x) != len(y):
            raise MeasureError(f"{len(x)} inputs but {len(y)} targets: each example needs one target")
        for start in range(0, len(x), size):
            yield x[start : start + size], y[start : start + size]


def is_whole(data: Data) -> TypeGuard[tuple[Any, Any]]:
    """Whether the data are one pair of arrays, not a sequence of batches."""
    return isinstance(data, tuple) and len(data) == 2 and not isinstance(data[0], tuple | list)


class PerExampleGradients:
    """A stream of per-example gradients: iterating gives blocks (n, d), row k being g_k in the data's order.

    ``data`` is a pair (inputs, targets) of tensors or arrays, or a loader of such pairs (re-iterable where a
    measure needs several passes). ``loss(outputs, targets)`` returns one loss per example, without reduction.
    Blocks have the dtype and device of the module's weights; floating-point inputs are cast to that dtype.
    On the CPU as many chunks as torch has threads are differentiated side by side, each on one thread; the
    result does not depend on their number. ``vectorise=False`` differentiates one example at a time, for the
    few modules torch.func cannot vectorise.
    """

    def __init__(
        self,
        module: nn.Module,
        data: Data,
        loss: Loss = cross_entropy,
        *,
        chunk: int = CHUNK,
        vectorise: bool = True,
    ) -> None:
        require_evaluation(module)
        weights = {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}
        if not weights:
            raise MeasureError(
                "the module has no parameter that requires gradients: nothing to differentiate"
            )
        kinds = {(p.dtype, p.device) for p in weights.values()}
        if len(kinds) > 1:
            raise MeasureError(f"the module's weights differ in dtype or device: {sorted(map(str, kinds))}")
        self.module, self.data, self.loss = module, data, loss
        self.dtype, self.device = kinds.pop()
        self.names = list(weights)
        self.sizes = [p.numel() for p in weights.values()]
        self.weights = sum(self.sizes)
        self.rows = max(1, min(BLOCK_ROWS, BLOCK_BYTES // (self.weights * self.dtype.itemsize)))
        self.chunk = min(chunk, self.rows)
        self.vectorise = vectorise
        self._values = weights

    @property
    def examples(self) -> int | None:
        """N where the data are arrays; a loader does not tell before it has been read."""
        return len(self.data[0]) if is_whole(self.data) else None

    def __iter__(self) -> Iterator[Tensor]:
        require_evaluation(self.module)
        workers = torch.get_num_threads() if self.device.type == "cpu" else 1
        block, filled, seen = self._new_block(), 0, 0
        for gradients in in_order(self._differentiator, batches(self.data, self.chunk), workers):
            count = len(gradients[0])
            if filled + count > self.rows:
                yield block[:filled]
                block, filled = self._new_block(), 0
            rows = block[filled : filled + count]
            for column, part in zip(torch.split(rows, self.sizes, 1), gradients, strict=True):
                column.copy_(part.reshape(count, -1))
            self._require_finite(rows, seen)
            seen, filled = seen + count, filled + count
        if not seen:
            raise MeasureError("the data holds no example (or a one-shot iterator is spent): no gradients")
        yield block[:filled]

    def _new_block(self) -> Tensor:
        # A fresh block each time: a reader may keep what the stream gave.
        return torch.empty(self.rows, self.weights, dtype=self.dtype, device=self.device)

    def _to_module(self, values: Tensor) -> Tensor:
        return values.to(self.device, self.dtype if values.is_floating_point() else values.dtype)

    def _differentiator(self) -> Callable[[tuple[Tensor, Tensor]], list[Tensor]]:
        """The function batch -> gradients by parameter, with a module of its own to run on one thread."""
        module = copy.deepcopy(self.module)  # a functional call swaps the module's weights while it runs
        loss = partial(self._example_loss, module)
        differentiate = vmap(grad(loss), (None, 0, 0)) if self.vectorise else partial(_one_by_one, loss)

        def work(batch: tuple[Tensor, Tensor]) -> list[Tensor]:
            gradients = differentiate(self._values, *map(self._to_module, batch))
            return [gradients[name] for name in self.names]

        return work

    def _example_loss(self, module: nn.Module, weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        value = self.loss(functional_call(module, weights, (x.unsqueeze(0),)), y.unsqueeze(0))
        if value.shape != (1,):
            raise MeasureError(
                f"the loss of one example has shape {tuple(value.shape)}, expected (1,): return one loss per "
                "example, without averaging over the batch (reduction='none')"
            )
        return value[0]

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


@torch.enable_grad()
def _one_by_one(
    loss: Callable[..., Tensor], weights: dict[str, Tensor], inputs: Tensor, targets: Tensor
) -> dict[str, Tensor]:
    leaves = {name: p.clone().requires_grad_() for name, p in weights.items()}
    rows: list[tuple[Tensor, ...]] = []
    for x, y in zip(inputs, targets, strict=True):
        rows.append(torch.autograd.grad(loss(leaves, x, y), list(leaves.values()), materialize_grads=True))
    return {name: torch.stack(parts) for name, parts in zip(leaves, zip(*rows, strict=True), strict=True)}


def as_block(rows: Any) -> Tensor:
    """A block of gradients given as tensor or array, checked to be two-dimensional."""
    block = torch.as_tensor(rows)
    if block.ndim != 2:
        raise MeasureError(
            f"a block of gradients has shape {tuple(block.shape)}, expected (examples, weights)"
        )
    return block


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
    for block in map(as_block, gradients):
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
