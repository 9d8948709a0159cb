"""Closed orbits of a planar flow about the origin: Poincaré's return map, limit cycles, Floquet multipliers.

A flow is a function ẋ = v(x) of one point (two floats in, two floats out). The section is the positive
x₁-axis; a point (r, 0) is followed until it has gone once round the origin and meets the section again.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

Array = NDArray[np.float64]
Flow = Callable[[Array], Array]

RTOL, ATOL = 1e-11, 1e-13


@dataclass(frozen=True)
class Return:
    """Where and when the orbit through (radius, 0) comes back after one turn; NaN if it never does."""

    radius: float
    returned: float
    time: float


@dataclass(frozen=True)
class LimitCycle:
    """An isolated closed orbit: its radius on the section, its mean radius over time, period and multiplier.

    It attracts if the Floquet multiplier is below 1 in absolute value; ``sense`` is +1 for anticlockwise.
    """

    section_radius: float
    mean_radius: float
    period: float
    multiplier: float
    sense: int


def _polar(flow: Flow) -> Callable[[float, Array], Array]:
    """The flow in (ln r, θ): no orbit meets the origin, and one turn is a change of θ by 2π."""

    def field(_: float, state: Array) -> Array:
        radius, angle = math.exp(state[0]), state[1]
        c, s = math.cos(angle), math.sin(angle)
        v = flow(np.array([radius * c, radius * s]))
        return np.array([(c * v[0] + s * v[1]) / radius, (c * v[1] - s * v[0]) / radius])

    return field


def _turn(flow: Flow, radius: float, horizon: float):  # type: ignore[no-untyped-def]
    def whole_turn(_: float, state: Array) -> float:
        return abs(state[1]) - 2 * math.pi

    whole_turn.terminal = True  # type: ignore[attr-defined]
    start = [math.log(radius), 0.0]
    return solve_ivp(
        _polar(flow),
        (0.0, horizon),
        start,
        "DOP853",
        events=whole_turn,
        rtol=RTOL,
        atol=ATOL,
        dense_output=True,
    )


def first_return(flow: Flow, radius: float, horizon: float = 100.0) -> Return:
    """Follow (radius, 0) for one turn about the origin, for at most ``horizon`` units of time."""
    solution = _turn(flow, radius, horizon)
    if solution.t_events[0].size == 0:
        return Return(radius, math.nan, math.nan)
    return Return(radius, float(np.exp(solution.y_events[0][0][0])), float(solution.t_events[0][0]))


def _excess(flow: Flow, radius: float) -> float:
    return math.log(first_return(flow, radius).returned / radius)


def _divergence(flow: Flow, x: Array, step: float = 1e-5) -> float:
    """∇·v by central differences, accurate to about step²."""
    shifts = step * np.eye(2)
    return sum(float(flow(x + e)[k] - flow(x - e)[k]) for k, e in enumerate(shifts)) / (2 * step)


def _describe(flow: Flow, radius: float) -> LimitCycle:
    """The cycle through (radius, 0). In the plane its Floquet multiplier is exp ∮ ∇·v dt (Liouville)."""
    solution = _turn(flow, radius, 100.0)
    period, count = float(solution.t[-1]), 2048  # the midpoint rule is spectrally accurate on closed orbits
    log_radius, angle = solution.sol(period * (np.arange(count) + 0.5) / count)
    orbit = np.exp(log_radius)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    expansion = period * float(np.mean([_divergence(flow, x) for x in orbit]))
    sense = 1 if solution.y[1, -1] > 0 else -1
    return LimitCycle(radius, float(np.exp(log_radius).mean()), period, math.exp(expansion), sense)


def return_map(flow: Flow, radii: Iterable[float]) -> list[Return]:
    """The first returns to the section from each of ``radii``."""
    return [first_return(flow, float(radius)) for radius in radii]


def limit_cycles(flow: Flow, returns: Sequence[Return]) -> list[LimitCycle]:
    """The limit cycles about the origin that cross the section within the range of a :func:`return_map`.

    Each change of sign of ln(returned/radius) between neighbours is refined by Brent's method. Two cycles
    between neighbouring radii escape, so the map has to be fine.
    """
    cycles = []
    for inner, outer in itertools.pairwise(sorted(returns, key=lambda r: r.radius)):
        signs = [math.log(r.returned / r.radius) for r in (inner, outer)]
        if signs[0] * signs[1] < 0:  # false for NaN: orbits that never come back bound no cycle
            radius = brentq(lambda r: _excess(flow, r), inner.radius, outer.radius, xtol=1e-10)
            cycles.append(_describe(flow, float(radius)))
    return cycles


def path(flow: Flow, start: Sequence[float] | Array, times: Array) -> Array:
    """The noise-free orbit from ``start`` at the given times, shape (len(times), 2)."""
    solution = solve_ivp(
        lambda _, x: flow(x),
        (0.0, float(times[-1])),
        list(start),
        "DOP853",
        t_eval=times,
        rtol=RTOL,
        atol=ATOL,
    )
    return np.asarray(solution.y.T, dtype=np.float64)
