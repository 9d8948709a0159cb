"""How often the tests behind Fig. 3 say yes: on processes without cycles, and on injected loops.

A test that finds nothing says something only if it would have found what is looked for. Every number that a
claim on Fig. 3a is judged by is taken from paths of known kind, as long as the measured one; counted is how
often it lies in the region that the claim accepts. Of Fig. 3b's two tests it is the mean share that they
reject, of lags and of weights.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sgdiffusion.measures.statistics.intervals import mean_interval, share
from sgdiffusion.measures.trajectories import drift
from sgdiffusion.measures.trajectories.fluctuations import autocorrelation, power_below
from sgdiffusion.measures.trajectories.nulls import Fit, brownian, ornstein_uhlenbeck
from sgdiffusion.papers.chaudhari2018.motion import (
    LONGEST,
    circulation_table,
    common_autocorrelation,
    common_walks,
)
from sgdiffusion.papers.chaudhari2018.settings import CycleTests
from sgdiffusion.papers.chaudhari2018.trajectories import brownian_tests
from sgdiffusion.papers.chaudhari2018.trajectory_numbers import DRIFT_CYCLES, LEVEL
from sgdiffusion.papers.tables import estimated
from sgdiffusion.papers.task import Task
from sgdiffusion.streams import generator

Array = NDArray[Any]
Make = Callable[[np.random.Generator, int], Array]

WEIGHTS = 20  # directions; all of one variance, which is hardest for a loop that lies in two of them
MEMORY = (
    300  # the bound path forgets within a 300th of its length, as the measured ones do of their fast part
)
DISTANCE = 300  # of a drift over the whole path, in units of its fluctuations, about what is measured
COHERENCE = 10  # turns after which a loop of diffusing phase has forgotten where it was
SHARES = {"half": 0.5, "tenth": 0.1}  # of all variance that an injected loop makes
LOOPS = {  # period in snapshots of a path of n, and whether the phase diffuses
    "loop-100": (lambda n: 100, True),
    "loop-hundredth": (lambda n: n / 100, False),
    "loop-tenth": (lambda n: n / 10, False),
    "loop-third": (lambda n: 0.3 * n, False),
}


def bound(rng: np.random.Generator, n: int) -> Array:
    """Ornstein–Uhlenbeck paths of unit variance: a steady state."""
    phi = np.exp(-MEMORY / n)
    fit = Fit(np.array([phi]), np.array([np.sqrt(1 - phi**2)]), np.zeros(1))
    return ornstein_uhlenbeck(rng, n, fit, WEIGHTS, burn_in=10 * n // MEMORY)


def trending(rng: np.random.Generator, n: int, power: float) -> Array:
    """A bound path carried along a straight line in weight space, as the power of time, much further than
    it fluctuates."""
    time = np.linspace(1 / n, 1, n) ** power
    return bound(rng, n) + DISTANCE * np.outer(time, rng.standard_normal(WEIGHTS))


def looping(rng: np.random.Generator, n: int, period: float, diffusing: bool, part: float) -> Array:
    """A bound path plus a loop in a plane at random that makes `part` of all variance."""
    steps = np.full(n, 2 * np.pi / period)
    if diffusing:
        steps += rng.standard_normal(n) * np.sqrt(2 / (COHERENCE * period))
    angle = np.cumsum(steps)
    plane, _ = np.linalg.qr(rng.standard_normal((WEIGHTS, 2)))
    radius = np.sqrt(WEIGHTS * part / (1 - part))
    return bound(rng, n) + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1) @ plane.T


def processes() -> Iterator[tuple[str, Make]]:
    """Name and maker of every kind of path: those without a cycle first."""
    yield "walk", lambda rng, n: brownian(rng, n, WEIGHTS)
    yield "bound", bound
    yield "line", lambda rng, n: trending(rng, n, 1.0)
    yield "slowing", lambda rng, n: trending(rng, n, 0.5)
    for name, (period, diffusing) in LOOPS.items():
        for size, part in SHARES.items():
            yield (
                f"{name}-{size}",
                lambda rng, n, t=period, d=diffusing, p=part: looping(rng, n, t(n), d, p),  # type: ignore[misc]
            )


def battery(path: Array, rng: np.random.Generator) -> dict[str, float]:
    """The numbers of Fig. 3a's claims, by the ends of their names, from one path."""
    n = len(path)
    squares = drift.squared_displacement(path, n // LONGEST)
    lags = np.unique(np.geomspace(1, n // LONGEST, 60).astype(int))
    rest, _ = drift.detrended(path, 3)
    turns = circulation_table(path, 1, rng, 0)
    return {
        "drift_power": float(power_below(path, DRIFT_CYCLES).mean()),
        "drift_power_detrended": float(power_below(rest, DRIFT_CYCLES).mean()),
        "displacement_exponent": drift.growth_exponent(lags, np.sqrt(squares[lags]), n / 100, n / 10),
        "return_fall": float(drift.falls(squares).max()),
        "leading_rotation": float(turns["leading"].max()),
        "circulation_p": float(turns["p_value"].iloc[0]),
    }


def outside_brownian(path: Array, rng: np.random.Generator) -> float:
    """Share of the large lags at which the mean autocorrelation leaves the 99 % region of common walks."""
    n = len(path)
    lags = np.linspace(0.1 * n, 0.5 * n, 100).astype(int)
    null = common_autocorrelation(common_walks(path, rng), lags, n)
    low, high = np.quantile(null, [0.005, 0.995], axis=1)
    mean = autocorrelation(path, lags).values.mean(axis=1)
    return float(((mean < low) | (mean > high)).mean())


def rejected_walks(path: Array) -> float:
    """Share of the weights whose variance ratios reject a random walk, as Fig. 3b's claim counts them."""
    return float((brownian_tests(path)["ratio_p_holm"] < LEVEL).mean())


REJECTED = {"outside_brownian": "lags", "not_brownian_weights": "weights"}  # by Fig. 3b's tests


def _of_process(
    name: str, make: Make, run: CycleTests, rng: np.random.Generator
) -> tuple[list[dict[str, float]], dict[str, list[float]]]:
    """The battery of each path, and of the first few what Fig. 3b's tests reject."""
    found: list[dict[str, float]] = []
    rejected: dict[str, list[float]] = {number: [] for number in REJECTED}
    for repeat in range(run.repeats):
        path = make(rng, run.snapshots)
        found.append(battery(path, rng))
        if repeat < run.autocorrelations:
            rejected["not_brownian_weights"].append(rejected_walks(path))
            if not name.startswith("loop"):
                rejected["outside_brownian"].append(outside_brownian(path, rng))
    return found, rejected


def measure(task: Task, run: CycleTests, regions: dict[str, tuple[float, float]]) -> dict[str, pd.DataFrame]:
    """Share of paths of each kind whose numbers lie in what the claims accept: size and power."""
    rows = []
    for name, make in processes():
        rng = generator(task.root_seed, "chaudhari2018", "cycle-tests", name)
        found, rejected = _of_process(name, make, run, rng)
        label = f"cycle-tests.{name}"
        for number, (low, high) in regions.items():
            accepted = sum(low <= numbers[number] <= high for numbers in found)
            estimate = share(accepted, run.repeats)
            rows.append(estimated(f"{label}.{number}", estimate, unit="share of paths", over="paths"))
        for number, values in rejected.items():
            if values:
                estimate = mean_interval(values)
                rows.append(estimated(f"{label}.{number}", estimate, unit=REJECTED[number], over="paths"))
    return {"quantities": pd.DataFrame(rows)}
