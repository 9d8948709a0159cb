"""What this machine can do at best, measured on the spot: the floors that the times are set beside.

One thread, the fastest of some calls after a first one. A floor counts the arithmetic that the work cannot do
without, at these speeds; what it leaves out (calls, memory, everything else) is the share above it.
"""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

CALLS, SIDE, COPIED, DRAWN = 5, 1024, 2**26, 2**20


def fastest(run: Callable[[], Any]) -> float:
    """Processor seconds."""
    run()
    times = []
    for _ in range(CALLS):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return max(min(times), 1e-9)


@functools.cache
def eigenvalues(order: int) -> float:
    """Seconds for all eigenvalues of a symmetric matrix in single precision."""
    square = torch.randn(order, order, generator=torch.Generator().manual_seed(0))
    symmetric = square + square.T
    return fastest(lambda: torch.linalg.eigvalsh(symmetric))


@dataclass(frozen=True)
class Floors:
    """Speeds of one thread, a second."""

    products: float
    """Multiplications with addition of a matrix product in single precision."""
    copied: float
    """Bytes copied."""
    normals: float
    """Normal numbers of NumPy's generator, in double precision."""

    def said(self) -> str:
        return (
            f"{self.products / 1e9:.1f}·10⁹ multiplications with addition in single precision, "
            f"{self.copied / 1e9:.1f} GB copied, {self.normals / 1e6:.0f}·10⁶ normal numbers a second"
        )


@functools.cache
def measured() -> Floors:
    torch.set_num_threads(1)
    square, block = torch.ones(SIDE, SIDE), torch.ones(COPIED // 4)
    there, generator = torch.empty_like(block), np.random.default_rng(0)
    numbers = np.empty(DRAWN)
    return Floors(
        products=SIDE**3 / fastest(lambda: square @ square),
        copied=COPIED / fastest(lambda: there.copy_(block)),
        normals=DRAWN / fastest(lambda: generator.standard_normal(out=numbers)),
    )
