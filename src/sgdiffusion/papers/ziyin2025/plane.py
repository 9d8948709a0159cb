"""Fig 1 of Ziyin, Li & Ueda (2025), the journal's figure of u² − w² over time, and the rate of Corollary 3.3.

One hidden unit, ℓ = (u w x − y)², y = kx + ε. GD on the expected loss conserves u² − w² up to O(η); SGD
contracts it, since a step multiplies u² − w² by exactly 1 − η²G², G = ∂ℓ/∂(uw); GD with isotropic Gaussian
noise lets it diffuse. With noise of variance s² per weight and unit of time u² − w² is a martingale of
gradient flow, E(u² − w²)² growing by 4s² ∫E(u² + w²)dt. GD has to take small steps to show it: large ones
are unstable where the noise carries a weight far out, and pull u² − w² back.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sgdiffusion.config.readings import Reading
from sgdiffusion.dynamics.chains.diagonal import DataLaw, Paths, Population, run_sgd
from sgdiffusion.dynamics.chains.sde_diagonal import run_weights
from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.statistics.intervals import Estimate
from sgdiffusion.papers.tables import documented, estimated, quantity
from sgdiffusion.papers.task import Task
from sgdiffusion.papers.ziyin2025.common import NORMAL, Array, Linear, law_named, named_seed, plain
from sgdiffusion.papers.ziyin2025.readings import measured
from sgdiffusion.papers.ziyin2025.settings import Plane
from sgdiffusion.papers.ziyin2025.theory.phases import balance_rate

METHODS = ("gd", "sgd", "gd-noise")
START = (2.0, 0.2)  # (u, w) of every chain: |u² − w²| is about four times u² at balance
RATE = 0.05  # η of Fig 1, batch size one
NOISE_RATES = (0.05, 0.01, 0.0025)  # η of GD with noise, the same noise per unit of time; the last is drawn
DRAWN = 3  # chains whose paths are drawn

PATH_COLUMNS = {
    "method": "gd: expected loss; sgd: S = 1; gd-noise: gd and independent Gaussian noise on every weight",
    "chain": "number of the chain",
    "step": "step",
    "u": "first weight",
    "w": "second weight",
}
IMBALANCE_COLUMNS = {
    "method": PATH_COLUMNS["method"],
    "time": "step · η",
    "median": "median over chains of (u² − w²)/(u₀² − w₀²)",
    "low": "its 5 % quantile over chains",
    "high": "its 95 % quantile over chains",
    "rate": "η",
    "mean": "its mean over chains",
    "mean_error": "standard error of the mean",
    "rms": "root mean square over chains of (u² − w²)/(u₀² − w₀²)",
    "martingale": "the rms of a martingale, (1 + 4s² ∫E(u² + w²)dt/(u₀² − w₀²)²)^½; NaN without noise",
}
RATE_COLUMNS = {
    "simulator": "sgd: S = 1; sde: weights' SDE, Milstein",
    "decay": "γ in ℓ + γ‖θ‖²",
    "temperature": "T",
    "rate": "−d log|u² − w²|/dt, mean over chains",
    "noise_variance": "C₀ = Var[∂ℓ/∂(uw)] averaged along the paths",
    "over_derived": "rate/(T C₀ + 4γ)",
    "low": "lower end of its 95 % interval over chains",
    "high": "upper end",
    "over_printed": "rate/(T C₀ + γ)",
}


def matched_noise(law: Linear, rate: float) -> float:
    """Standard deviation, per weight and step of size `rate`, of noise with SGD's variance per unit of time.

    SGD's at η = RATE, S = 1 and the balanced minimum, where u² = w² = v*: T · 4 g(v*) v*.
    """
    c = law.constants
    return 2 * float(np.sqrt(RATE * rate * c.noise(c.minimiser) * c.minimiser))


def _imbalance(paths: Paths) -> Array:
    """u² − w² per chain and record."""
    return np.asarray(paths.weights[:, :, 0, 0] ** 2 - paths.weights[:, :, 0, 1] ** 2)


def _run(method: str, law: Linear, rate: float, chains: int, times: Array, seed: int, threads: int) -> Paths:
    c = law.constants
    data: DataLaw = law.data if method == "sgd" else Population(c.beta1, c.beta2)
    injected = matched_noise(law, rate) if method == "gd-noise" else 0.0
    start = np.tile(np.array(START), (DRAWN if method == "gd" else chains, 1, 1))
    stream = named_seed(seed, "plane", method, f"{rate:g}")
    steps = np.round(times / rate).astype(int)
    return run_sgd(
        start, data, rate, steps, injected=injected, seed=stream, threads=threads
    ).require_bounded()  # fmt: skip


def contrast(
    *, law: str = "between", chains: int = 2000, steps: int = 4000, seed: int = 0, threads: int = 1
) -> dict[str, pd.DataFrame]:
    """Paths in the (u, w) plane and the imbalance over time of GD, SGD and GD with noise; `steps` of SGD."""
    times = RATE * np.unique(np.round(np.linspace(0, steps, min(steps, 400) + 1)))
    drawn, curves, rows = [], [], []
    for method in METHODS:
        for rate in NOISE_RATES if method == "gd-noise" else (RATE,):
            paths = _run(method, law_named(law), rate, chains, times, seed, threads)
            curve, relative = _curve(method, rate, law_named(law), paths), _imbalance(paths)
            relative = relative / relative[:, :1]
            curves.append(curve)
            if method == "gd-noise":
                rows += _diffusion_quantities(f"fig7.gd-noise.e{rate:g}", curve, chains)
        drawn += [_path(method, c, paths) for c in range(min(DRAWN, len(relative)))]
        rows += _contrast_quantities(method, relative)
    return {
        "paths": documented(pd.concat(drawn, ignore_index=True), PATH_COLUMNS),
        "imbalance": documented(pd.concat(curves, ignore_index=True), IMBALANCE_COLUMNS),
        "quantities": pd.DataFrame(rows),
    }


def _path(method: str, chain: int, paths: Paths) -> pd.DataFrame:
    u, w = paths.weights[chain, :, 0].T
    return pd.DataFrame({"method": method, "chain": chain, "step": paths.steps, "u": u, "w": w})


def _curve(method: str, rate: float, law: Linear, paths: Paths) -> pd.DataFrame:
    q = _imbalance(paths)
    relative = q / q[:, :1]
    low, median, high = np.quantile(relative, [0.05, 0.5, 0.95], axis=0)
    martingale: Array | float = np.nan
    if method == "gd-noise":
        size = (paths.weights[:, :, 0] ** 2).sum(-1).mean(0)
        area = np.concatenate([[0.0], np.cumsum(np.diff(paths.times) * (size[1:] + size[:-1]) / 2)])
        martingale = np.sqrt(1 + 4 * matched_noise(law, rate) ** 2 / rate * area / q[0, 0] ** 2)
    return pd.DataFrame(
        {"method": method, "rate": rate, "time": paths.times, "median": median, "low": low, "high": high,
         "mean": relative.mean(0), "mean_error": relative.std(0) / np.sqrt(len(q)),
         "rms": np.sqrt((relative**2).mean(0)), "martingale": martingale}
    )  # fmt: skip


def _diffusion_quantities(name: str, curve: pd.DataFrame, chains: int) -> list[dict[str, Any]]:
    last = curve.iloc[-1]
    return [
        quantity(f"{name}.mean", last["mean"], NORMAL * last["mean_error"], n=chains, over="chains"),
        quantity(f"{name}.rms_over_martingale", last["rms"] / last["martingale"], n=chains, over="chains"),
    ]


def _contrast_quantities(method: str, relative: Array) -> list[dict[str, Any]]:
    if method == "gd":  # every chain is the same
        return [quantity("fig1.gd.change", float(np.abs(relative[0] - 1).max()))]
    if method == "sgd":
        last, n = np.abs(relative[:, -1]), len(relative)
        return [
            quantity("fig1.sgd.remaining", last.mean(), NORMAL * last.std() / np.sqrt(n), n=n, over="chains")
        ]
    spread = (relative - 1) ** 2
    n, half, end = len(spread), spread[:, spread.shape[1] // 2], spread[:, -1]
    # Diffusion: the mean square grows in proportion to time, so doubling the time doubles it.
    growth = end.mean() / half.mean()
    error = growth * np.sqrt((end.std() / end.mean()) ** 2 + (half.std() / half.mean()) ** 2) / np.sqrt(n)
    rms, slope = np.sqrt(end.mean()), end.std() / np.sqrt(n) / (2 * np.sqrt(end.mean()))
    return [
        quantity("fig1.gd-noise.rms", rms, NORMAL * slope, n=n, over="chains"),
        quantity("fig1.gd-noise.growth", growth, NORMAL * error, n=n, over="chains"),
    ]


def balance_rates(
    *,
    law: str = "between",
    temperature: float = 0.01,
    decays: Sequence[float] = (0.0, 0.01, 0.03),
    chains: int = 2000,
    duration: float = 20.0,
    seed: int = 0,
    threads: int = 1,
) -> dict[str, pd.DataFrame]:
    """The rate at which |u² − w²| falls, against T C₀ + 4γ (derived) and T C₀ + γ (printed).

    η = T, S = 1 and a quarter of the duration as warm-up, so that v is at its stationary law.
    """
    rows, quantities = [], []
    for simulator in ("sgd", "sde"):
        for decay in decays:
            paths = _rate_paths(
                simulator, law_named(law), temperature, decay, chains, duration, seed, threads
            )
            size, times = np.abs(_imbalance(paths)), paths.times
            if size.min() < np.finfo(float).tiny:
                raise MeasureError("u² − w² reached zero to rounding: shorten the measurement")
            rate = np.log(size[:, 0] / size[:, -1]) / (times[-1] - times[0])
            variance = 4 * law_named(law).constants.noise(paths.v).mean(1)
            derived = _ratio(rate, temperature * variance + balance_rate(0.0, temperature, decay))
            printed = _ratio(rate, temperature * variance + decay)
            means = (rate.mean(), variance.mean(), *derived[:3], printed.value)
            rows.append((simulator, decay, temperature, *means))
            name = f"cor33.{simulator}.g{decay:g}"
            quantities.append(estimated(f"{name}.over_derived", derived, over="chains"))
            bound = np.exp(-bound_rate(law_named(law), temperature, decay) * (times - times[0]))
            largest = float((size / size[:, :1] / bound).max())
            quantities.append(
                quantity(f"eq7.{simulator}.g{decay:g}.largest", largest, n=chains, over="chains")
            )
            quantities.append(estimated(f"{name}.over_printed", printed, over="chains"))
    return {"rates": documented(rows, RATE_COLUMNS), "quantities": pd.DataFrame(quantities)}


def bound_rate(law: Linear, temperature: float, decay: float) -> float:
    """4TΔ/α₁ + 4γ: the least rate of |u² − w²| whatever the weights, since g(v) ≥ Δ/α₁ (after eq. 8)."""
    c = law.constants
    return 4 * temperature * c.delta / c.alpha1 + 4 * decay


def _rate_paths(
    simulator: str,
    law: Linear,
    temperature: float,
    decay: float,
    chains: int,
    duration: float,
    seed: int,
    threads: int,
) -> Paths:
    # Unequal weights at the minimum: u² − w² = 1.5 v*, uw = v*.
    start = np.tile(np.sqrt(law.k * np.array([2.0, 0.5])), (chains, 1, 1))
    stream = named_seed(seed, "rates", simulator, f"{decay:g}")
    times = np.linspace(duration / 4, duration, 101)
    if simulator == "sde":
        return run_weights(
            start, plain(law.constants), temperature, times, decay=decay, seed=stream, threads=threads
        ).require_bounded()
    steps = np.unique(np.round(times / temperature)).astype(int)
    return run_sgd(
        start, law.data, temperature, steps, weight_decay=decay, seed=stream, threads=threads
    ).require_bounded()


def _ratio(measured: Array, expected: Array) -> Estimate:
    """Ratio of the means of paired samples; its error from the residuals measured − ratio·expected."""
    ratio, n = float(measured.mean() / expected.mean()), measured.size
    half = NORMAL * float((measured - ratio * expected).std(ddof=1)) / (np.sqrt(n) * float(expected.mean()))
    return Estimate(ratio, ratio - half, ratio + half, n)


def contrast_readings(task: Task, run: Plane, readings: list[Reading]) -> dict[str, pd.DataFrame]:
    """Fig 1's numbers under other readings."""
    return measured(contrast, task, run, readings)
