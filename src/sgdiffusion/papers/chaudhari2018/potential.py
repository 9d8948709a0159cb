"""What Φ depends on, and what its theory needs: Theorem 22's last sentence, Lemma 7, singular noise.

Theorem 22 ends with Φ being a function of architecture and data alone, whatever β is. In one dimension
Φ = ∫f′/D dx + β⁻¹ ln D in closed form, so that it is not; here the same is measured for the SDE, for SGD
with mini-batches on a regression, and on a network of two weights. β is changed by the batch size alone.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sgdiffusion.dynamics.chains.blocks import spaced_records
from sgdiffusion.dynamics.chains.tanh_scalar import run_tanh
from sgdiffusion.measures.laws.density import WithError, jackknife, most_likely_point
from sgdiffusion.papers.chaudhari2018.settings import TheoryChecks
from sgdiffusion.papers.chaudhari2018.theorems import (
    ANGLE,
    HESSIAN,
    REGRESSION,
    Noise,
    linear_chains,
    stationary_paths,
)
from sgdiffusion.papers.chaudhari2018.theory import linear_response as linear
from sgdiffusion.papers.chaudhari2018.theory import loops
from sgdiffusion.papers.chaudhari2018.theory.displacement import Regression, regression_of
from sgdiffusion.papers.tables import documented, quantity
from sgdiffusion.papers.task import Task
from sgdiffusion.streams import seed as stream_seed

Array = NDArray[np.float64]

# f = x²/2 and D = 50 (1 + x/2 + x²/2): at a learning rate of 0.02 a batch of one is β⁻¹ = 1/2 for D/50
SCALE, RATE = 50.0, 0.02
EXAMPLE = regression_of(curvature=1.0, constant=SCALE, linear=SCALE / 2, quadratic=SCALE / 2)
BATCHES = (1, 2, 4, 8, 16)
NETWORK_BATCHES = (1, 8)
SLOPE, LABEL_NOISE, NETWORK_RATE = 1.0, 0.5, 0.05  # of the teacher tanh(x), and of SGD on w tanh(ux)
SPREAD = 1.5  # half width of the window in which a mode is looked for, in standard deviations

MODE_COLUMNS = {
    "system": "sde: regression with Gaussian noise; batch: the same with mini-batches; network: w tanh(ux)",
    "batch_size": "b; the learning rate is the same for all of a system",
    "temperature": "β⁻¹ = η/(2b), times the scale of D",
    "mode": "most likely weight; of the network the output weight w",
    "error": "its standard error over blocks of chains",
    "closed": "argmin of Φ in closed form; of the network nothing is known: NaN",
    "sd": "standard deviation of the weight in the steady state",
}


def potential(x: Array, temperature: float, system: Regression = EXAMPLE) -> Array:
    """Φ(x) = −β⁻¹ ln ρ^ss at β⁻¹ = `temperature`, zero at its minimum on the points x."""
    phi = -temperature * system.log_density(x, temperature)
    return phi - phi.min()


def change_of_shape(temperatures: tuple[float, float], reach: float = 2.0) -> float:
    """Largest |ΔΦ| on (−reach, reach) between two β, zero at the minima, over the range of the first."""
    x = np.linspace(-reach, reach, 2001)
    cold, warm = (potential(x, t) for t in temperatures)
    return float(np.abs(warm - cold).max() / (cold.max() - cold.min()))


def regression_mode(
    noise: Noise, batch: int, *, chains: int, records: int, seed: int, threads: int
) -> tuple[WithError, float]:
    """Most likely weight and standard deviation of the regression at a batch size."""
    key = stream_seed(seed, "chaudhari2018", "potential", noise, f"batch={batch}")
    paths = stationary_paths(
        EXAMPLE, RATE, batch, noise, chains=chains, records=records, seed=key, threads=threads
    )
    return _mode(paths, bins=48, degree=6), float(paths.std())


def network_mode(
    batch: int, *, chains: int, records: int, seed: int, threads: int
) -> tuple[WithError, float]:
    """The same of the output weight of the network w tanh(ux), learning tanh(x) plus noise from new pairs."""
    every = round(1 / NETWORK_RATE)
    found = run_tanh(
        np.full((chains, 1, 2), 1.0),
        SLOPE,
        LABEL_NOISE,
        NETWORK_RATE,
        spaced_records(records, every=every, burn_in=40 * every),
        teacher="tanh",
        batch=batch,
        seed=stream_seed(seed, "chaudhari2018", "potential", "network", f"batch={batch}"),
        threads=threads,
    ).require_bounded()
    paths = found.weights[:, :, 0, 1:]
    return _mode(paths, bins=32, degree=4), float(paths.std())


def _mode(paths: Array, *, bins: int, degree: int) -> WithError:
    centre, width = (
        float(np.median(paths)),
        SPREAD * float(np.quantile(np.abs(paths - np.median(paths)), 0.683)),
    )
    found = most_likely_point(paths, [centre], [width], bins=bins, degree=degree)
    return WithError(found.value[0], found.error[0])


def mode_table(*, chains: int, records: int, seed: int, threads: int) -> pd.DataFrame:
    """The most likely weight against β⁻¹, for the SDE, for mini-batches and for the network."""
    plan = {"chains": chains, "records": records, "seed": seed, "threads": threads}
    noises: tuple[tuple[str, Noise], ...] = (("sde", "gaussian"), ("batch", "batch"))
    rows: list[tuple[Any, ...]] = []
    for name, noise in noises:
        for batch in BATCHES:
            temperature = RATE / (2 * batch)
            mode, sd = regression_mode(noise, batch, **plan)
            closed = EXAMPLE.mode(temperature)
            rows.append((name, batch, SCALE * temperature, float(mode.value), float(mode.error), closed, sd))
    for batch in NETWORK_BATCHES:
        mode, sd = network_mode(batch, **plan)
        temperature = NETWORK_RATE / (2 * batch)
        rows.append(("network", batch, temperature, float(mode.value), float(mode.error), math.nan, sd))
    return documented(rows, MODE_COLUMNS)


def mode_quantities(table: pd.DataFrame, chains: int) -> list[dict[str, Any]]:
    """How far argmin Φ moves between the largest and the smallest batch, in s.d. of the warmer law."""
    rows = [
        quantity("phi.closed.change", change_of_shape((RATE / (2 * BATCHES[-1]), RATE / 2))),
        quantity("phi.closed.argmin_shift", abs(EXAMPLE.mode(RATE / 2) - EXAMPLE.minimum)),
    ]
    for name, part in table.groupby("system", sort=False):
        ordered = part.sort_values("temperature")
        cold, warm = ordered.iloc[0], ordered.iloc[-1]
        shift = abs(warm["mode"] - cold["mode"]) / warm["sd"]
        half = 1.96 * math.hypot(warm["error"], cold["error"]) / warm["sd"]
        rows.append(quantity(f"phi.{name}.argmin_shift", shift, half, n=chains, unit="s.d.", over="chains"))
    return rows


def loop_quantities() -> list[dict[str, Any]]:
    """Lemma 7: does ẋ = j return to its start? In the plane, and in four dimensions."""
    rows = []
    for name, system in (("plane", loops.PLANE), ("four_dimensions", loops.FOUR)):
        force = loops.force_matrix(*system)
        start = np.ones(len(force))
        periods = loops.periods(force)
        rows += [
            quantity(f"lemma7.{name}.closest_return", loops.closest_return(force, start, turns=10.0)),
            quantity(f"lemma7.{name}.period_ratio", float(periods.max() / periods.min())),
            quantity(f"lemma7.{name}.divergence", abs(float(np.trace(force)))),
            quantity(f"lemma7.{name}.alignment", loops.alignment(*system)),
        ]
    return rows


def singular_quantities() -> list[dict[str, Any]]:
    """D of rank one in the plane: the least variance of the steady state, noise along an axis of F or not."""
    noise = np.diag([1.0, 0.0])
    systems = {"aligned": np.diag([2.0, 1.0]), "turned": HESSIAN}
    return [
        quantity(f"singular.{name}.least_variance", linear.least_variance(hessian, noise))
        for name, hessian in systems.items()
    ]


def noise_level_quantities(*, chains: int, records: int, seed: int, threads: int) -> list[dict[str, Any]]:
    """Remark 15: E f against (β⁻¹/2) Tr D for D of trace 2.12 and 3.18 (β = 1), the same F."""
    rows = []
    for ratio in (1.5, 8.0):
        diffusion = linear.anisotropic(ANGLE, ratio)
        plan = {"chains": chains, "records": records, "seed": seed, "threads": threads}
        paths = linear_chains(diffusion, name=f"remark 15, ratio={ratio:g}", **plan)
        scale = float(np.trace(diffusion)) / 2

        def excess(part: Array, scale: float = scale) -> float:
            return float(0.5 * np.einsum("cti,ij,ctj->ct", part, HESSIAN, part).mean() / scale)

        found = jackknife(paths, excess)
        half = 1.96 * float(found.error)
        label = f"remark15.excess_loss_ratio_{ratio:g}"
        rows.append(quantity(label, float(found.value), half, n=chains, over="chains"))
    return rows


def scaling_quantities(*, chains: int, records: int, seed: int, threads: int) -> list[dict[str, Any]]:
    """Remark 11: variance of the steady state when η and b grow together, by a factor of 8."""
    spreads = []
    for batch in (1, 8):
        rate = 0.01 * batch
        key = stream_seed(seed, "chaudhari2018", "remark 11", f"batch={batch}")
        paths = stationary_paths(
            REGRESSION, rate, batch, "batch", chains=chains, records=records, seed=key, threads=threads
        )
        spreads.append(jackknife(paths, lambda part: part.var()))
    one, many = spreads
    ratio = float(many.value / one.value)
    half = 1.96 * ratio * math.hypot(one.error / one.value, many.error / many.value)
    return [quantity("remark11.variance_ratio", ratio, half, n=chains, over="chains")]


def potential_table(temperatures: Sequence[float] = (0.01, 0.125, 0.5)) -> pd.DataFrame:
    """Φ of the example against x for several β⁻¹, divided by the scale of D."""
    x = np.linspace(-2, 2, 201)
    parts = [
        pd.DataFrame({"temperature": t, "x": x, "phi": SCALE * potential(x, t / SCALE)}) for t in temperatures
    ]
    columns = {"temperature": "β⁻¹", "x": "weight", "phi": "Φ for D/50, zero at its minimum"}
    return documented(pd.concat(parts, ignore_index=True), columns)


def measure(task: Task, run: TheoryChecks) -> dict[str, pd.DataFrame]:
    """Φ against β, Lemma 7 in the plane and beyond, singular noise, Remarks 11 and 15."""
    common: dict[str, Any] = {"chains": run.chains, "seed": task.root_seed, "threads": task.threads}
    modes = mode_table(records=run.potential_records, **common)
    rows = [
        *mode_quantities(modes, run.chains),
        *loop_quantities(),
        *singular_quantities(),
        *noise_level_quantities(records=run.linear_records, **common),
        *scaling_quantities(records=run.potential_records, **common),
    ]
    return {"modes": modes, "potential": potential_table(), "quantities": pd.DataFrame(rows)}
