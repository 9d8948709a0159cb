"""A normalised stationary density on the line or a part of it: density, distribution, sampler, moments.

A law is given by its unnormalised log-density in a coordinate t ∈ ℝ in which both ends of the support lie at
infinity (v = eᵗ on a half-line, v = k/(1 + e^{−t}) on an interval, v = c + s·sinh t on the line). All
integrals are taken there, in log space (see :mod:`sgdiffusion.papers.ziyin2025.theory.quadrature`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.ziyin2025.theory.quadrature import NODES, WEIGHTS, LogDensity, Panels, integrate

Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Coordinate:
    """A smooth monotone map t ↦ v from the line onto the support (low, high), with log|dv/dt| and log|v|.

    The logarithms hold where v itself would overflow.
    """

    low: float
    high: float
    value: Function
    position: Function
    log_jacobian: Function
    log_size: Function


def _log_size(value: Function, far: Function) -> Function:
    """log|v| from v where it is moderate, from its asymptote where it is huge."""

    def log_size(t: np.ndarray) -> np.ndarray:
        v = np.abs(value(t))
        return np.where(v < 1e100, np.log(np.maximum(v, 1e-300)), far(t))

    return log_size


def line(centre: float, scale: float) -> Coordinate:
    """v = centre + scale·sinh t: a power law in v is an exponential in t."""

    def value(t: np.ndarray) -> np.ndarray:
        return centre + scale * np.sinh(np.clip(t, -700, 700))

    def log_jacobian(t: np.ndarray) -> np.ndarray:
        return math.log(scale) + np.logaddexp(t, -t) - math.log(2)

    def position(v: np.ndarray) -> np.ndarray:
        return np.arcsinh((v - centre) / scale)

    return Coordinate(-math.inf, math.inf, value, position, log_jacobian, _log_size(value, log_jacobian))


def above(edge: float = 0.0) -> Coordinate:
    """v = edge + eᵗ on (edge, ∞)."""

    def value(t: np.ndarray) -> np.ndarray:
        return edge + np.exp(np.clip(t, -745, 700))

    def log_size(t: np.ndarray) -> np.ndarray:
        return np.logaddexp(t, math.log(edge)) if edge > 0 else t

    return Coordinate(edge, math.inf, value, lambda v: np.log(v - edge), lambda t: t, log_size)


def below(edge: float) -> Coordinate:
    """v = edge − e^{−t} on (−∞, edge)."""

    def value(t: np.ndarray) -> np.ndarray:
        return edge - np.exp(np.clip(-t, -745, 700))

    log_size = _log_size(value, lambda t: -t)
    return Coordinate(-math.inf, edge, value, lambda v: -np.log(edge - v), lambda t: -t, log_size)


def between(edge: float) -> Coordinate:
    """v = edge/(1 + e^{−t}) on (0, edge)."""

    def log_size(t: np.ndarray) -> np.ndarray:
        return math.log(edge) - np.logaddexp(0, -t)

    return Coordinate(
        0.0,
        edge,
        lambda t: np.exp(log_size(t)),
        lambda v: np.log(v) - np.log(edge - v),
        lambda t: log_size(t) - np.logaddexp(0, t),
        log_size,
    )


@dataclass(frozen=True)
class PointMass:
    """The law δ(v − location): what remains where no density can be normalised."""

    location: float
    reason: str


@dataclass(frozen=True)
class TwoPoints:
    """The law (1 − z) δ(v) + z δ(v − location): both attract, and the start decides z, `weight`(start)."""

    location: float
    weight: Callable[[float], float]
    reason: str


@dataclass(frozen=True)
class StationaryLaw:
    """A normalisable density p(v).

    `log_mass` is log[p(v(t)) dv/dt] up to a constant: with the Jacobian, because the two nearly cancel
    where the law is close to a transition (p ~ v^{−1+0}, t → −∞). `tail` is τ in p ~ |v|^{−τ} at infinity
    (None on a bounded support), `origin` is a in p ~ v^a at v → 0+ (None where p vanishes faster than any
    power there, or where 0 is no end of the support).
    """

    name: str
    log_mass: LogDensity
    coordinate: Coordinate
    hints: tuple[float, ...]
    tail: float | None
    origin: float | None = None

    @cached_property
    def panels(self) -> Panels:
        """The normalisation integral; raises MeasureError where there is none."""
        return integrate(self.log_mass, self.hints)

    def _inside(self, v: np.ndarray) -> np.ndarray:
        return (v > self.coordinate.low) & (v < self.coordinate.high)

    def _positions(self, v: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        v = np.asarray(v, dtype=float)
        inside = self._inside(v)
        anywhere = float(self.coordinate.value(np.array(self.panels.mode)))
        return self.coordinate.position(np.where(inside, v, anywhere)), inside

    def log_density(self, v: ArrayLike) -> np.ndarray:
        """log p(v), normalised; −∞ outside the support."""
        t, inside = self._positions(v)
        return np.where(
            inside, self.log_mass(t) - self.coordinate.log_jacobian(t) - self.panels.log_integral, -np.inf
        )

    def density(self, v: ArrayLike) -> np.ndarray:
        """p(v)."""
        return np.exp(self.log_density(v))

    def cdf(self, v: ArrayLike) -> np.ndarray:
        """P(V ≤ v)."""
        t, inside = self._positions(v)
        return np.where(
            inside, self.panels.below(t), np.where(np.asarray(v) >= self.coordinate.high, 1.0, 0.0)
        )

    def sf(self, v: ArrayLike) -> np.ndarray:
        """P(V > v), with full relative precision in the upper tail."""
        t, inside = self._positions(v)
        return np.where(
            inside, self.panels.above(t), np.where(np.asarray(v) >= self.coordinate.high, 0.0, 1.0)
        )

    def quantile(self, q: ArrayLike) -> np.ndarray:
        """The inverse of the cumulative distribution: Newton steps, kept inside a shrinking bracket."""
        q = np.asarray(q, dtype=float)
        if np.any((q <= 0) | (q >= 1)):
            raise MeasureError("quantiles are defined for probabilities strictly between 0 and 1")
        grid, below = self._table
        cell = np.clip(np.searchsorted(below, q), 1, grid.size - 1)
        low, high, t = grid[cell - 1], grid[cell], np.interp(q, below, grid)
        for _ in range(8):  # Newton from the table's start: three steps, the others are for the far tails
            error = self.panels.below(t) - q
            low, high = np.where(error < 0, t, low), np.where(error < 0, high, t)
            newton = t - error / np.exp(self.log_mass(t) - self.panels.log_integral)
            found = np.abs(error) <= 1e-13
            if found.all():
                break
            t = np.where(found, t, np.where((newton > low) & (newton < high), newton, (low + high) / 2))
        return self.coordinate.value(t)

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        """The distribution function on a grid, sixteen points a panel: where the search of a quantile
        starts.
        """
        edges = self.panels.edges
        grid = np.append((edges[:-1, None] + np.diff(edges)[:, None] * np.arange(16) / 16).ravel(), edges[-1])
        return grid, np.maximum.accumulate(self.panels.below(grid))

    def sample(self, generator: np.random.Generator, size: int) -> np.ndarray:
        """Independent draws, by inversion."""
        smallest = np.finfo(float).tiny
        return self.quantile(np.clip(generator.random(size), smallest, 1 - 2**-53))

    def moment_exists(self, order: float) -> bool:
        """Whether E|v|^order is finite: order < τ − 1 at infinity and order > −1 − a at zero."""
        upper = self.tail is None or order < self.tail - 1
        return upper and (self.origin is None or order > -1 - self.origin)

    def moment(self, order: int) -> float:
        """E[v^order]; a MeasureError where it does not exist."""
        if not self.moment_exists(order):
            raise MeasureError(
                f"E[v^{order}] of {self.name} does not exist: its density falls as |v|^-{self.tail} at "
                "infinity "
                f"and as v^{self.origin} at zero; ask for an order below {(self.tail or math.inf) - 1:.4g}"
            )
        panels = integrate(lambda t: self.log_mass(t) + self._envelope(t, order), self.hints)
        half, middle = np.diff(panels.edges) / 2, (panels.edges[1:] + panels.edges[:-1]) / 2
        t = middle[:, None] + half[:, None] * NODES
        size = self.log_mass(t) - self.panels.log_integral + order * self.coordinate.log_size(t)
        return float(half @ ((np.sign(self.coordinate.value(t)) ** order * np.exp(size)) @ WEIGHTS))

    def _envelope(self, t: np.ndarray, order: int) -> np.ndarray:
        """log of a smooth positive function that grows like |v|^order."""
        size = self.coordinate.log_size(t)
        if self.coordinate.low >= 0:
            return order * size
        scale = math.log(abs(float(self.coordinate.value(np.array(self.panels.mode)))) + 1e-9)
        return order / 2 * np.logaddexp(2 * size, 2 * scale)

    def mean(self) -> float:
        """E[v]."""
        return self.moment(1)

    def variance(self) -> float:
        """Var[v]."""
        return self.moment(2) - self.moment(1) ** 2
