"""The tails of Fig 5 left and the diverging E[v²] of Ziyin, Li & Ueda (2025), each against simulation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sgdiffusion.dynamics.chains.diagonal import GaussianData, balanced, run_sgd
from sgdiffusion.dynamics.chains.sde_diagonal import run_effective
from sgdiffusion.measures.laws.tails import Tail, tail_exponent
from sgdiffusion.measures.statistics.intervals import Estimate
from sgdiffusion.papers.tables import documented, estimated, quantity
from sgdiffusion.papers.ziyin2025.common import NORMAL, Array, Linear, law_named, named_seed, plain, shifted
from sgdiffusion.papers.ziyin2025.theory import discrete, phases
from sgdiffusion.papers.ziyin2025.theory.data_law import gaussian_linear, uncorrelated

TAIL_COLUMNS = {
    "simulator": "sde, sgd",
    "depth": "D",
    "temperature": "T = η/S",
    "exponent": "τ of p(v) ~ v^{−τ}, generalised Pareto fit above a threshold chosen by the data",
    "low": "lower end of the 95 % interval",
    "high": "upper end",
    "threshold": "|v| above which the fit is made",
    "exceedances": "draws above it",
    "theory": "exponent of the SDE's law: 5 − 3/(D+1), at depth 0 2 + β₁/(Tα₁)",
    "exact": "exponent of discrete SGD (Kesten), where it is known; else NaN",
}
SURVIVAL_COLUMNS = {
    "simulator": TAIL_COLUMNS["simulator"],
    "depth": "D",
    "temperature": "T = η/S",
    "low": "left edge of the bin of |v|",
    "high": "right edge",
    "density": "share of draws in the bin per unit of |v|",
    "error": "its standard error",
    "slope": "d log density/d log |v| over half a decade about the bin; NaN where a bin at its ends is empty",
    "slope_error": "its standard error",
}
MOMENT_COLUMNS = {
    "simulator": "sde, sgd (S = 1)",
    "temperature": "T = η/S",
    "second_moment": "mean of v² over chains at depth 0",
    "low": "lower end of its 95 % interval (normal; valid where E[v⁴] exists)",
    "high": "upper end",
    "theory": "closed form of the simulator: eq. 12's or exact discrete SGD's; infinite where it does "
    "not exist",
    "fourth_exists": "whether E[v⁴] exists, so that the interval is meaningful",
}

GROWTH_COLUMNS = {
    "simulator": MOMENT_COLUMNS["simulator"],
    "temperature": "T = η/S",
    "growth": "d log E[v²]/dt far from the minimum, per unit of time; E[v²] exists where it is negative",
    "error": "its standard error over chains",
}
FAR = 1e8  # of v: everything but the noise proportional to v is then below rounding of a percent

# The data of the tails: E[x²] = 1, E[x⁴] = 21, xy independent of x² with mean 1 and variance 1. The
# exponents of D ≥ 1 are those of any data; this law has α₂ = 0, so that its tail begins where draws are
# plentiful.
TAIL_DATA = uncorrelated(1.0, 21.0, 1.0, 1.0)
# At D = 0 both signs of v have a tail; with xy of mean 1 they differ by terms of order 1/(Tv), which bias the
# fitted exponent by −0.1 at the coldest temperature, with mean 0 they are alike.
SHALLOW_TAIL_DATA = uncorrelated(1.0, 21.0, 0.0, 1.0)


def _survival(simulator: str, depth: int, temperature: float, draws: Array) -> pd.DataFrame:
    """Density of |v| in logarithmic bins, eight a decade, as far as three draws reach."""
    top = np.sort(draws)[-3]
    edges = np.geomspace(1e-2, max(top, 2e-2), max(2, round(8 * np.log10(max(top, 2e-2) / 1e-2))) + 1)
    counts, _ = np.histogram(draws, edges)
    width, n = np.diff(edges), draws.size
    slope, slope_error = _local_slope(counts / width, counts, float(np.log(edges[1] / edges[0])))
    return pd.DataFrame(
        {"simulator": simulator, "depth": depth, "temperature": temperature, "low": edges[:-1],
         "high": edges[1:], "density": counts / n / width, "error": np.sqrt(counts) / n / width,
         "slope": slope, "slope_error": slope_error}
    )  # fmt: skip


def _local_slope(density: Array, counts: Array, step: float, reach: int = 2) -> tuple[Array, Array]:
    """Slope of log density between the bins `reach` to either side, `step` apart each in log |v|."""
    slope, error = np.full(density.size, np.nan), np.full(density.size, np.nan)
    if density.size <= 2 * reach:
        return slope, error
    first, last, inner = slice(None, -2 * reach), slice(2 * reach, None), slice(reach, -reach)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.log(density[last] / density[first]) / (2 * reach * step)
        spread = np.sqrt(1 / counts[last] + 1 / counts[first]) / (2 * reach * step)
    known = np.isfinite(found)
    slope[inner], error[inner] = np.where(known, found, np.nan), np.where(known, spread, np.nan)
    return slope, error


def _tail_row(simulator: str, depth: int, temperature: float, fit: Tail, exact: float) -> tuple[Any, ...]:
    theory = phases.tail_exponent(TAIL_DATA, temperature, depth)
    measured = (fit.exponent, fit.low, fit.high, fit.threshold, fit.exceedances)
    return (simulator, depth, temperature, *measured, theory, exact)


def tails(
    *,
    depths: Sequence[int] = (1, 2, 3, 4, 5),
    temperature: float = 0.5,
    shallow_temperatures: Sequence[float] = (0.025, 0.05, 0.1),
    chains: int = 100_000,
    warm_up: float = 8.0,
    records: int = 20,
    sgd_rates: Sequence[float] = (0.3, 0.5),
    accuracy: float = 0.15,
    seed: int = 0,
    threads: int = 1,
) -> dict[str, pd.DataFrame]:
    """Tail exponents of the SDE at D = 1 … 5 and D = 0, and of discrete SGD at D = 0.

    Each chain is recorded `records` times, so far apart that extremes are independent draws: at D ≥ 1 an
    excursion to v lasts ~1/v², at D = 0 log|v| falls by 2(β₁ + α₁T) per unit of time, whatever v.
    """
    rows, curves, quantities = [], [], []
    cases = [(d, temperature) for d in depths] + [(0, t) for t in shallow_temperatures]
    for depth, t in cases:
        stream = named_seed(seed, "tails", depth, f"{t:g}")
        times = warm_up + (0.5 if depth else 1.5) * np.arange(records)
        data = TAIL_DATA if depth else SHALLOW_TAIL_DATA
        paths = run_effective(
            np.full(chains, data.minimiser / 4), plain(data), t, times, depth=depth, accuracy=accuracy,
            seed=stream, threads=threads,
        ).require_bounded()  # fmt: skip
        draws = np.abs(paths.v.ravel())
        fit = tail_exponent(draws, power=2.0)
        rows.append(_tail_row("sde", depth, t, fit, np.nan))
        curves.append(_survival("sde", depth, t, draws))
        name = f"tail.d{depth}" if depth else f"tail.d0.t{t:g}"
        found = Estimate(fit.exponent, fit.low, fit.high, fit.exceedances)
        quantities.append(estimated(f"{name}.exponent", found, over="draws"))
        theory = phases.tail_exponent(TAIL_DATA, t, depth)
        quantities.append(estimated(f"{name}.minus_theory", shifted(found, theory), over="draws"))
    for rate in sgd_rates:
        fit, exact, curve = _sgd_tail(rate, chains, seed, threads)
        rows.append(
            ("sgd", 0, rate, fit.exponent, fit.low, fit.high, fit.threshold, fit.exceedances,
             phases.tail_exponent(gaussian_linear(1, 1), rate, 0), exact)
        )  # fmt: skip
        curves.append(curve)
        found = Estimate(fit.exponent, fit.low, fit.high, fit.exceedances)
        quantities.append(estimated(f"tail.sgd.t{rate:g}.exponent", found, over="draws"))
        quantities.append(estimated(f"tail.sgd.t{rate:g}.minus_exact", shifted(found, exact), over="draws"))
    return {
        "exponents": documented(rows, TAIL_COLUMNS),
        "survival": documented(pd.concat(curves, ignore_index=True), SURVIVAL_COLUMNS),
        "quantities": pd.DataFrame(quantities),
    }


def _sgd_tail(rate: float, chains: int, seed: int, threads: int) -> tuple[Tail, float, pd.DataFrame]:
    """Discrete SGD at depth 0, S = 1, y = x + ε: |v − 1| after 200 steps and every 20 from then on."""
    paths = run_sgd(
        balanced(np.full(chains, 1.0), 0), GaussianData(1.0, 1.0), rate, 200 + 20 * np.arange(10),
        seed=named_seed(seed, "tails", "sgd", f"{rate:g}"), threads=threads,
    ).require_bounded()  # fmt: skip
    draws = np.abs(paths.v.ravel() - 1.0)
    return (
        tail_exponent(draws, power=2.0),
        discrete.tail_exponent(rate),
        _survival("sgd", 0, rate, draws),
    )


def second_moments(
    *,
    law: str = "above",
    temperatures: Sequence[float] = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4),
    chains: int = 100_000,
    duration: float = 8.0,
    seed: int = 0,
    threads: int = 1,
) -> dict[str, pd.DataFrame]:
    """E[v²] at depth 0 against T, for the SDE and for SGD with S = 1, and where it diverges."""
    data, rows = law_named(law), []
    c, start = data.constants, np.full(chains, data.k)
    for t in temperatures:
        for name in ("sde", "sgd"):
            stream = named_seed(seed, "moments", f"{t:g}", name)
            v = _depth_zero(name, data, start, t, duration, stream, threads)
            mean, half = float((v**2).mean()), NORMAL * float((v**2).std()) / np.sqrt(v.size)
            tail = phases.tail_exponent(c, t, 0) if name == "sde" else discrete_tail(t)
            rows.append((name, t, mean, mean - half, mean + half, _moment_theory(name, data, t), tail > 5))
    growth, limits = [], []
    for name, limit in (("sde", phases.second_moment_limit(c)), ("sgd", 1 / 3)):
        found = moment_growth(name, data, limit * np.linspace(0.8, 1.2, 5), chains, seed, threads)
        growth.append(found)
        limits.append(_limit(found, limit, chains))
    return {
        "moments": documented(rows, MOMENT_COLUMNS),
        "rising": documented(pd.concat(growth, ignore_index=True), GROWTH_COLUMNS),
        "quantities": pd.DataFrame(limits),
    }


def _depth_zero(
    simulator: str, data: Linear, start: Array, t: float, duration: float, seed: int, threads: int
) -> Array:
    """v after `duration` from `start` at depth 0."""
    if simulator == "sde":
        c = plain(data.constants)
        return run_effective(start, c, t, [duration], depth=0, seed=seed, threads=threads).v[:, 0]
    steps = [max(1, round(duration / t))]
    return run_sgd(balanced(start, 0), data.data, t, steps, seed=seed, threads=threads).v[:, 0]


def _moment_theory(simulator: str, data: Linear, t: float) -> float:
    """E[v²] in closed form; infinite where it does not exist."""
    if simulator == "sgd":
        return discrete.second_moment(data.k, data.noise, t) if t < 1 / 3 else np.inf
    c = data.constants
    return phases.second_moment(c, t) if t < phases.second_moment_limit(c) else np.inf


def discrete_tail(rate: float) -> float:
    """Kesten's exponent of depth-0 SGD at S = 1; very light tails count as infinite."""
    return discrete.tail_exponent(rate) if rate > 0.01 else np.inf


def moment_growth(
    simulator: str, data: Linear, temperatures: Array, chains: int, seed: int, threads: int
) -> pd.DataFrame:
    """Growth rate of E[v²] far from the minimum, per unit of time, against T.

    There the noise in v is proportional to v and E[v²] grows as exp(−4(β₁ − α₁T)t) (SDE) or by the factor
    E(1 − 2ηx²)² a step (SGD); the stationary E[v²] exists where that is negative. Far shorter than the
    stationary mean of v² needs, which has no variance there.
    """
    rows = []
    for t in temperatures:
        stream = named_seed(seed, "moment-growth", f"{t:.6g}", simulator)
        duration = t if simulator == "sgd" else 0.1
        ratio = (_depth_zero(simulator, data, np.full(chains, FAR), t, duration, stream, threads) / FAR) ** 2
        error = float(ratio.std() / ratio.mean() / np.sqrt(chains)) / duration
        rows.append((simulator, t, float(np.log(ratio.mean())) / duration, error))
    return documented(rows, GROWTH_COLUMNS)


def _limit(found: pd.DataFrame, limit: float, chains: int) -> dict[str, Any]:
    """The T at which a line through growth against T is zero, relative to theory, with its interval."""
    t, y, sigma = (found[name].to_numpy() for name in ("temperature", "growth", "error"))
    # A parabola: SGD's growth is log(1 − 4η + 12η²)/η.
    design = np.stack([np.ones_like(t), t - limit, (t - limit) ** 2], axis=1) / sigma[:, None]
    covariance = np.linalg.inv(design.T @ design)
    a, b, _ = covariance @ design.T @ (y / sigma)
    # Near the limit the zero is at −a/b to first order; a is small, so b's error does not matter.
    half = NORMAL * float(np.sqrt(covariance[0, 0])) / b
    name = f"moments.{found['simulator'].iloc[0]}.divergence_over_theory"
    return quantity(name, (limit - a / b) / limit, half / limit, n=chains, over="chains")
