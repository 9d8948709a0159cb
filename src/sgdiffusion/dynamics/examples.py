"""Examples that many nets or chains share, and how each takes its own from them."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Examples:
    """Inputs x [n, …] and targets y [n, …] as tensors."""

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.x)


def gather(values: Tensor, chosen: Tensor) -> Tensor:
    """values[chosen] for indices [C, b]; several times faster on the CPU than indexing by a matrix."""
    return values.index_select(0, chosen.flatten()).view(*chosen.shape, *values.shape[1:])
