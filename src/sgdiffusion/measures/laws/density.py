"""Stationary densities from independent chains: histograms, their distance from a law, their modes.

Samples are arrays (chains, records, d). Records of one chain are correlated, chains are not, so every
standard error here is over chains.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdiffusion.errors import MeasureError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class WithError:
    """A number or array with its standard error over chains."""

    value: Array
    error: Array

    def interval(self, width: float = 1.96) -> tuple[Array, Array]:
        """The normal 95 % interval by default."""
        return self.value - width * self.error, self.value + width * self.error


def over_chains(per_chain: ArrayLike) -> WithError:
    """Mean over the first axis and its standard error, s.d./√chains with 1/(chains − 1)."""
    values = np.asarray(per_chain, dtype=np.float64)
    if len(values) < 2:
        raise MeasureError(f"a standard error needs at least 2 chains, there is {len(values)}")
    return WithError(values.mean(0), values.std(0, ddof=1) / math.sqrt(len(values)))


def jackknife(samples: Array, statistic: Callable[[Array], ArrayLike], blocks: int = 20) -> WithError:
    """``statistic(samples)`` and its delete-one-block jackknife error over blocks of chains."""
    groups = np.array_split(np.arange(len(samples)), min(blocks, len(samples)))
    if len(groups) < 2:
        raise MeasureError("a jackknife error needs at least 2 chains")
    left_out = np.stack([np.asarray(statistic(np.delete(samples, group, axis=0))) for group in groups])
    spread = np.sqrt((len(groups) - 1) * left_out.var(axis=0))
    return WithError(np.asarray(statistic(samples), dtype=np.float64), spread)


def cell_masses(samples: ArrayLike, edges: list[Array]) -> WithError:
    """Share of the samples in each cell of the product grid; the shares of what lies outside are left out."""
    x = np.asarray(samples, dtype=np.float64)
    chains, records, size = x.shape
    if size != len(edges):
        raise MeasureError(
            f"a histogram needs edges for each of the {size} coordinates, there are {len(edges)} arrays"
        )
    if chains < 2:
        raise MeasureError(f"a standard error needs at least 2 chains, there is {chains}")
    shape = tuple(len(e) - 1 for e in edges)
    index = [np.searchsorted(e, x[..., k], side="right") - 1 for k, e in enumerate(edges)]
    inside = np.logical_and.reduce([(i >= 0) & (i < n) for i, n in zip(index, shape, strict=True)])
    cell = np.ravel_multi_index([i[inside] for i in index], shape)
    # sums over chains of the counts and of their squares, without an array of shape (chains, cells)
    chain = np.broadcast_to(np.arange(chains)[:, None], inside.shape)[inside]
    keys, counts = np.unique(chain * math.prod(shape) + cell, return_counts=True)
    total, square = (np.bincount(keys % math.prod(shape), counts**k, math.prod(shape)) for k in (1, 2))
    variance = (square - total**2 / chains) / (chains - 1)
    mean, error = total / (chains * records), np.sqrt(variance / chains) / records
    return WithError(mean.reshape(shape), error.reshape(shape))


@dataclass(frozen=True)
class TotalVariation:
    """Total variation ½Σ|p̂ − p| with what sampling noise alone would give: its expectation and spread."""

    total_variation: float
    expected: float
    spread: float

    @property
    def ratio(self) -> float:
        """1 when all of the distance is noise of the sample; large when the sample has another law."""
        return self.total_variation / self.expected


FEW = 25  # records in a cell below which its own standard error is too uncertain to be used


def total_variation(masses: WithError, law: ArrayLike, records: int) -> TotalVariation:
    """Distance of a histogram of ``records`` samples in all from a law's cell masses.

    Under the law a cell's deviation is normal with its standard error σ, so E|p̂ − p| = σ√(2/π), with variance
    σ²(1 − 2/π); cells are taken as independent. In cells with few samples σ comes from the law instead,
    scaled by the mean ratio of σ²/p elsewhere, so that the chains' correlation is counted there too.
    """
    p = np.asarray(law, dtype=np.float64)
    counted = masses.value * records >= FEW
    if not counted.any():
        raise MeasureError(f"no cell holds {FEW} samples: use more chains, longer ones, or larger cells")
    per_mass = (masses.error[counted] ** 2).sum() / masses.value[counted].sum()
    sigma = np.where(counted, masses.error, np.sqrt(per_mass * p))
    expected = 0.5 * math.sqrt(2 / math.pi) * float(sigma.sum())
    spread = 0.5 * math.sqrt((1 - 2 / math.pi) * float((sigma**2).sum()))
    return TotalVariation(0.5 * float(np.abs(masses.value - p).sum()), expected, spread)


def _monomials(t: Array, degree: int) -> Array:
    """All products of coordinates up to ``degree``, constant first; t has shape (..., d)."""
    columns = [np.ones(t.shape[:-1])]
    for order in range(1, degree + 1):
        for factors in combinations_with_replacement(range(t.shape[-1]), order):
            columns.append(np.prod(t[..., list(factors)], axis=-1))
    return np.stack(columns, axis=-1)


def _fit_log_counts(design: Array, counts: Array) -> Array:
    """Maximum likelihood of Poisson counts with log-mean design·β, by Newton's method."""
    weight = np.sqrt(counts)
    beta = np.linalg.lstsq(design * weight[:, None], weight * np.log(counts + 0.5), rcond=None)[0]
    for _ in range(50):
        mean = np.exp(np.minimum(design @ beta, 50.0))
        step = np.linalg.lstsq((design * mean[:, None]).T @ design, design.T @ (counts - mean), rcond=None)[0]
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            break
    return beta


def _summit(beta: Array, degree: int, size: int) -> Array:
    """The maximum of the polynomial inside the window [−1, 1]^d: best of a grid, then ever finer ones."""
    centre, reach = np.zeros(size), 1.0
    for _ in range(4):
        axes = [np.linspace(max(-1.0, c - reach), min(1.0, c + reach), 41) for c in centre]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, size)
        centre = grid[int(np.argmax(_monomials(grid, degree) @ beta))]
        reach /= 15
    return centre


def most_likely_point(
    samples: ArrayLike, centre: ArrayLike, half_width: ArrayLike, bins: int = 24, degree: int = 4
) -> WithError:
    """The mode of the samples' density in a window about ``centre``, with its error over chains, shape (d,).

    The log-density in the window is fitted by a polynomial of ``degree`` (maximum likelihood of bin counts);
    its maximum inside the window is the estimate. A maximum at the border is an error.
    """
    x, middle = np.asarray(samples, dtype=np.float64), np.atleast_1d(np.asarray(centre, dtype=np.float64))
    scaled = (x - middle) / np.asarray(half_width, dtype=np.float64)
    size = x.shape[-1]
    edges = [np.linspace(-1, 1, bins + 1)] * size
    mids = [(e[1:] + e[:-1]) / 2 for e in edges]
    design = _monomials(np.stack(np.meshgrid(*mids, indexing="ij"), axis=-1).reshape(-1, size), degree)

    def mode(part: Array) -> Array:
        counts = np.histogramdd(part.reshape(-1, size), edges)[0].ravel()
        if counts.sum() < 20 * design.shape[1]:
            raise MeasureError(f"only {int(counts.sum())} samples lie in the window about {middle}: too few")
        return _summit(_fit_log_counts(design, counts), degree, size)

    found = jackknife(scaled, mode)
    if np.abs(found.value).max() > 1 - 1e-3:
        raise MeasureError(f"the density has no maximum inside the window about {middle}: move or widen it")
    scale = np.asarray(half_width, dtype=np.float64)
    return WithError(middle + scale * found.value, scale * found.error)
