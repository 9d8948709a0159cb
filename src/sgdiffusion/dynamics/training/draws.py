"""What chance decides in a training, from streams named by the training, the purpose and the epoch."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor

from sgdiffusion import streams

Names = tuple[int, *tuple[int | str, ...]]
"""Root seed, then the names of the training."""


def order(
    names: Names,
    epoch: int,
    *,
    examples: int,
    batch: int,
    sampling: Literal["reshuffle", "replacement"] = "reshuffle",
) -> Tensor:
    """(steps, b) indices of an epoch's examples: ⌊n/b⌋ batches of exactly b."""
    generator = streams.generator(*names, "order", epoch)
    steps = examples // batch
    if sampling == "reshuffle":
        flat = generator.permutation(examples)[: steps * batch]
    else:
        flat = generator.integers(0, examples, steps * batch)
    return torch.from_numpy(flat).view(steps, batch)


@contextmanager
def dropout(names: Names, block: int, device: torch.device) -> Iterator[None]:
    """Dropout can only draw from torch's global generator: it is seeded for a block of steps and put back."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(streams.seed(*names, "dropout", block))
        yield
