"""The variance of mini-batch gradients, measured by drawing batches (Chaudhari & Soatto 2018, App. A)."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.noise.diffusion import Convention, normalisation
from sgdiffusion.measures.noise.gradients import Moments, blocks_of, moments
from sgdiffusion.measures.statistics.intervals import mean_interval

COLUMNS = {
    "batch_size": "b, examples per mini-batch",
    "sampling": "how the examples of one batch are drawn; also the convention of D",
    "draws": "independent mini-batches measured",
    "measured": "mean over draws of ‖∇f_b − ∇f‖², an unbiased estimate of Tr Var(∇f_b)",
    "low": "lower end of the 95 % Student t interval over draws",
    "high": "upper end of that interval",
    "predicted": "Tr D / b with replacement, (1 − b/N) Tr D / b without (App. A)",
}


def minibatch_variance(
    gradients: Iterable[Any],
    batch_sizes: Sequence[int],
    *,
    convention: Convention,
    draws: int,
    generator: np.random.Generator,
) -> pd.DataFrame:
    """Tr Var(∇f_b) over drawn mini-batches against App. A's prediction, one row per batch size.

    With replacement Var(∇f_b) = D/b with D = (1/N) Σ (g_k − ḡ)(g_k − ḡ)ᵀ; without, Var(∇f_b) =
    (1/b)(1 − b/N) D with 1/(N−1) in place of 1/N, which vanishes at b = N. Two passes over the gradients, for
    all batch sizes and draws together; memory: draws · len(batch_sizes) rows of length N and of length d.
    """
    if draws < 2:
        raise MeasureError(f"an interval needs at least two draws, found {draws}")
    full = moments(gradients)
    trace = normalisation(full.examples, convention) * full.spread
    counts = [_counts(full.examples, b, convention, draws, generator) for b in batch_sizes]
    squares = _squared_deviations(gradients, np.concatenate(counts), full)
    rows = []
    for b, errors in zip(
        batch_sizes, squares.reshape(len(batch_sizes), draws) / np.square(batch_sizes)[:, None], strict=True
    ):
        share = 1.0 if convention == "with_replacement" else 1.0 - b / full.examples
        measured = mean_interval(errors)
        rows.append((b, convention, draws, *measured[:3], share * trace / b))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table.attrs["columns"] = COLUMNS
    return table


def _counts(
    examples: int, size: int, convention: Convention, draws: int, generator: np.random.Generator
) -> NDArray[np.float32]:
    """How often each example is in each drawn batch, shape (draws, N)."""
    replace = convention == "with_replacement"
    if size < 1 or (size > examples and not replace):
        raise MeasureError(f"cannot draw batches of {size} from {examples} examples {convention}")
    counts = np.empty((draws, examples), np.float32)
    for row in counts:
        drawn = (
            generator.integers(examples, size=size) if replace else generator.choice(examples, size, False)
        )
        row[:] = np.bincount(drawn, minlength=examples)
    return counts


def _squared_deviations(
    gradients: Iterable[Any], counts: NDArray[np.float32], full: Moments
) -> NDArray[np.float64]:
    """‖Σ_k n_k (g_k − ḡ)‖² for each row n of counts, from one pass over the gradients."""
    sums = torch.zeros(len(counts), len(full.mean), dtype=full.mean.dtype, device=full.mean.device)
    start = 0
    for rows in blocks_of(gradients):
        weights = torch.from_numpy(counts[:, start : start + len(rows)]).to(rows.device, rows.dtype)
        sums += weights @ (rows - full.mean.to(rows.dtype))
        start += len(rows)
    if start != full.examples:
        raise MeasureError(f"the gradients changed between passes: {full.examples} examples, then {start}")
    return sums.square().sum(1).cpu().numpy()
