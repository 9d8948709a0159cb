"""Integrals of exp(f(t)) over the whole line, in log space, on panels refined until they agree.

The stationary laws have power-law tails, power-law singularities at zero and, at low temperature, peaks of
width √T. In a coordinate t in which both ends are exponentials (t = log v, arsinh v, logit v) the log-density
is asymptotically linear, so panels that double in length away from the mode resolve all of it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sgdiffusion.errors import MeasureError

LogDensity = Callable[[np.ndarray], np.ndarray]

NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
# exp(-50) = 2e-22: what lies beyond the last panel is below double precision of the whole.
DROP = 50.0
# Agreement of a panel with its two halves, relative to the panel itself: rounding of a log-density of size
# 1/T allows no better, and the halves are far closer to the truth than to the whole.
TOLERANCE = 1e-10
NEGLIGIBLE = 1e-25
MAX_DOUBLINGS = 200
MAX_PANELS = 20_000


@dataclass(frozen=True)
class Panels:
    """Accepted panels of ∫ exp(f − shift): edges, mass of each, and the shift (the maximum of f)."""

    log_density: LogDensity
    edges: np.ndarray
    mass: np.ndarray
    shift: float
    mode: float

    @property
    def log_integral(self) -> float:
        """log ∫ exp(f(t)) dt."""
        return self.shift + math.log(self.mass.sum())

    def _partial(self, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        return _gauss_legendre(self.log_density, self.shift, start, stop)

    def below(self, t: np.ndarray) -> np.ndarray:
        """∫_{−∞}^t exp(f)/∫ exp(f), summed from the left."""
        t = np.clip(t, self.edges[0], self.edges[-1])
        panel = np.clip(np.searchsorted(self.edges, t, side="right") - 1, 0, self.mass.size - 1)
        left = np.concatenate([[0.0], np.cumsum(self.mass)])
        return (left[panel] + self._partial(self.edges[panel], t)) / left[-1]

    def above(self, t: np.ndarray) -> np.ndarray:
        """∫_t^∞ exp(f)/∫ exp(f), summed from the right so that small tails keep their relative precision."""
        t = np.clip(t, self.edges[0], self.edges[-1])
        panel = np.clip(np.searchsorted(self.edges, t, side="left") - 1, 0, self.mass.size - 1)
        right = np.concatenate([np.cumsum(self.mass[::-1])[::-1], [0.0]])
        return (right[panel + 1] + self._partial(t, self.edges[panel + 1])) / right[0]


def _gauss_legendre(f: LogDensity, shift: float, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    half, middle = (stop - start) / 2, (stop + start) / 2
    values = np.exp(f(middle[..., None] + half[..., None] * NODES) - shift)
    return half * (values @ WEIGHTS)


def find_mode(f: LogDensity, hints: ArrayLike) -> float:
    """The maximum of f: the best of a scan that is fine near the hints and wide far from them, then
    refined.
    """
    offsets = np.concatenate([[0.0], np.geomspace(1e-6, 1e4, 600)])
    scan = np.unique((np.asarray(hints, dtype=float)[:, None] + np.concatenate([-offsets, offsets])).ravel())
    values = f(scan)
    best = int(np.nanargmax(values))
    low, high = scan[max(best - 1, 0)], scan[min(best + 1, scan.size - 1)]
    for _ in range(30):
        grid = np.linspace(low, high, 11)
        best = int(np.nanargmax(f(grid)))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, 10)]
        if high - low < 1e-12 * max(1.0, abs(low)):
            break
    return float((low + high) / 2)


def _edges_to(f: LogDensity, mode: float, top: float, width: float, end: float) -> list[float]:
    """Panel edges from the mode outwards, doubling, past `end` and until f has dropped twice in a row."""
    side = 1 if end >= mode else -1
    edges: list[float] = []
    step, below = width, 0
    for _ in range(MAX_DOUBLINGS):
        edges.append((edges[-1] if edges else mode) + side * step)
        below = below + 1 if f(np.array([edges[-1]]))[0] < top - DROP else 0
        if below >= 2 and side * (edges[-1] - end) > 0:
            return edges
        step *= 2
    raise MeasureError(
        f"the density does not decay towards the {'right' if side > 0 else 'left'} end of its support "
        f"(log-density {f(np.array([edges[-1]]))[0]:.4g} at t = {edges[-1]:.3g}, maximum {top:.4g}): "
        "it cannot be normalised"
    )


def _width(f: LogDensity, mode: float, top: float) -> float:
    """Distance from the mode over which f drops by about one half, by doubling."""
    width = 1e-8
    while width < 1.0 and min(f(np.array([mode - width, mode + width]))) > top - 0.5:
        width *= 2
    return width


def integrate(f: LogDensity, hints: ArrayLike) -> Panels:
    """Panels of ∫ exp(f(t)) dt over the line; `hints` are places where f may peak."""
    mode = find_mode(f, hints)
    top = float(f(np.array([mode]))[0])
    if not math.isfinite(top):
        raise MeasureError(f"the log-density has no finite maximum (found {top} at t = {mode:.4g})")
    width = _width(f, mode, top)
    places = np.asarray(hints, dtype=float)
    outward = _edges_to(f, mode, top, width, max(mode, float(places.max())))
    inward = _edges_to(f, mode, top, width, min(float(np.nextafter(mode, -np.inf)), float(places.min())))
    edges = np.array([*inward[::-1], mode, *outward])
    edges, mass = _refine(f, top, edges)
    return Panels(f, edges, mass, top, mode)


def _refine(f: LogDensity, shift: float, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Halve every panel whose rule disagrees with its two halves, until none does."""
    start, stop = edges[:-1], edges[1:]
    done: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    total = _gauss_legendre(f, shift, start, stop).sum()
    while True:
        middle = (start + stop) / 2
        whole = _gauss_legendre(f, shift, start, stop)
        halves = _gauss_legendre(f, shift, start, middle) + _gauss_legendre(f, shift, middle, stop)
        good = (np.abs(whole - halves) <= TOLERANCE * halves) | (halves < NEGLIGIBLE * total)
        done.append((start[good], stop[good], halves[good]))
        total = sum(part[2].sum() for part in done) + halves[~good].sum()
        if good.all():
            break
        if start.size > MAX_PANELS:
            raise MeasureError(
                f"the normalisation integral did not converge on {MAX_PANELS} panels: the density is too "
                "singular"
            )
        start, stop = (
            np.concatenate([start[~good], middle[~good]]),
            np.concatenate([middle[~good], stop[~good]]),
        )
    left, right, mass = (np.concatenate(parts) for parts in zip(*done, strict=True))
    order = np.argsort(left)
    return np.append(left[order], right[order][-1]), mass[order]
