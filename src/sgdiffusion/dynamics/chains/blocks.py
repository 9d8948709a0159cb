"""Many chains by one compiled kernel: blocks of chains side by side, one per thread.

A kernel is called as kernel(out, escape, initial, moments, *parameters, seed, first). It writes the states of
its block of chains at the recording moments into `out` and, for each chain, the step at which it left |x| ≤
ESCAPE into `escape` (−1 for chains that did not). It holds no lock, and chain c of the block draws from the
stream of number `first` + c (chain_random), so that nothing depends on how chains are blocked.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdiffusion.errors import ConfigError

ESCAPE = 1e12
"""A state beyond this has left every stationary law; the next steps would overflow."""


def run_chains(
    kernel: Callable[..., None],
    initial: NDArray[np.float64],
    moments: NDArray[Any],
    parameters: tuple[Any, ...],
    *,
    seed: int,
    threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """States (chains, moments, …) from `initial` (chains, …), and the step of each chain's escape or −1."""
    chains = len(initial)
    out = np.empty((chains, moments.size, *initial.shape[1:]))
    escape = np.empty(chains, np.int64)
    edges = np.linspace(0, chains, max(1, threads) + 1).astype(int)

    def run(first: int, end: int) -> None:
        rows = slice(first, end)
        kernel(out[rows], escape[rows], initial[rows], moments, *parameters, np.uint64(seed), first)

    blocks = [(int(first), int(end)) for first, end in pairwise(edges) if end > first]
    with ThreadPoolExecutor(len(blocks)) as pool:
        list(pool.map(lambda block: run(*block), blocks))
    return out, escape


def check_records(records: ArrayLike) -> NDArray[np.int64]:
    """Steps at which to record, as increasing non-negative integers."""
    steps = np.atleast_1d(np.asarray(records))
    if steps.size == 0 or steps.min() < 0 or np.any(np.diff(steps) <= 0) or np.any(steps != np.floor(steps)):
        raise ConfigError(f"records must be increasing whole numbers of steps ≥ 0, got {steps[:8].tolist()}…")
    return steps.astype(np.int64)


def spaced_records(count: int, *, every: int, burn_in: int) -> NDArray[np.int64]:
    """`count` steps `every` steps apart, the first `every` steps after the burn-in."""
    return burn_in + every * np.arange(1, count + 1)
