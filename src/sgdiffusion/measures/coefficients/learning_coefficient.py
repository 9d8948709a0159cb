"""The local learning coefficient by Langevin sampling (Lau et al. 2024), with what can go wrong said aloud.

    λ̂(w*) = nβ (E[L(w)] − L(w*)),   w ∼ exp{−nβ L_n(w) − (γ/2)‖w − w*‖²},

the mean over chains that start at w*. All chains of all points are one batched computation (chains.sgld).
Near a minimum whose loss has curvatures a_i, λ̂ = ½ Σ nβ a_i/(nβ a_i + γ), which is r/2 for r curved
directions and weak localisation. nβ = n/ln n by default: the temperature of Watanabe's WBIC.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from sgdiffusion.dynamics.chains.averages import average_loss
from sgdiffusion.dynamics.chains.sgld import Chains, Sgld, chain_seeds, sample
from sgdiffusion.dynamics.ensembles.batched import Batched
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.statistics import convergence
from sgdiffusion.measures.statistics.intervals import student

Array = NDArray[np.float64]
Baseline = Literal["paired", "full"]

COLUMNS = {
    "point": "index of the weight vector w*",
    "llc": "λ̂, mean over the chains that stayed finite; NaN when none did (then flagged)",
    "low": "lower end of the 95 % interval over chains (Student), over draws with one chain",
    "high": "upper end of that interval",
    "chains": "chains that stayed finite",
    "draws": "draws per chain",
    "r_hat": "split rank-normalised R̂ of the losses of the draws",
    "ess": "effective sample size of all draws together",
    "drift": "(mean of last half − mean of first third) / standard error",
    "step_size": "ε",
    "baseline": "L(w*), nats or ½ squared error",
    "mean_loss": "E[L(w)] over chains and draws",
    "diverged": "chains whose loss became infinite",
    "diagnoses": "names of the diagnoses that apply, see EXPLANATIONS; empty: none",
}

EXPLANATIONS = {
    "diverged": "chains blew up; use a smaller step size (a quarter, or calibrate) and repeat",
    "negative": (
        "the chains found a lower loss than L(w*): w* is no minimum of the loss that was sampled. Train on, "
        "or localise more strongly; the estimate is kept, but has no meaning as a learning coefficient"
    ),
    "drifting": "the first third of the draws and the last half differ: burn in longer, then draw longer",
    "disagreeing": "chains from the same start disagree (R̂ above the limit): draw longer or localise more",
    "short": "fewer than ten effective draws per chain: draw longer or further apart",
    "above-regular": (
        "the estimate is above d/2, the value of a regular model: the chains left the neighbourhood of w* or "
        "the step size inflates the loss; use a smaller step or a stronger localisation"
    ),
}
_R_HAT, _DRIFT, _DRAWS_PER_CHAIN = 1.1, 3.0, 10.0


@dataclass(frozen=True)
class Coefficients:
    """One row per point (COLUMNS), and nβ (L(w) − L(w*)) of every draw, [points, chains, draws]."""

    table: pd.DataFrame
    traces: Array


def default_n_beta(examples: int) -> float:
    """n/ln n."""
    if examples < 2:
        raise MeasureError(f"nβ = n/ln n needs at least two examples, found {examples}")
    return examples / math.log(examples)


def learning_coefficients(
    net: Batched,
    data: Examples,
    points: Tensor,
    sgld: Sgld,
    *,
    chains: int = 4,
    seed: int = 0,
    baseline: Baseline = "paired",
    step_sizes: Tensor | None = None,
    on_divergence: Literal["raise", "flag"] = "raise",
    progress: Callable[[int, int], None] | None = None,
) -> Coefficients:
    """λ̂ at each row of `points` [S, d], from `chains` chains each.

    `baseline`: L(w*) on the very mini-batches of the draws ("paired": their common fluctuation cancels), or
    over all examples ("full").
    `step_sizes` [S] belong to the points.
    """
    starts = points.repeat_interleave(chains, dim=0)
    seeds = [s for point in chain_seeds(seed, len(points)) for s in chain_seeds(point, chains)]
    paths = sample(
        net,
        data,
        starts,
        sgld,
        seeds,
        step_sizes=None if step_sizes is None else step_sizes.repeat_interleave(chains, dim=0),
        references=starts if baseline == "paired" else None,
        progress=progress,
    )
    if on_divergence == "raise":
        _refuse_divergence(paths, sgld, chains, step_sizes)
    if baseline == "paired":
        assert paths.references is not None
        below = paths.references
    else:
        size = sgld.batch_size if net.couples else None
        level = average_loss(net, data.x, data.y, points, batch=size, order_seed=seed)
        below = level.repeat_interleave(chains)[:, None].expand_as(paths.losses)
    shape = (len(points), chains, sgld.draws)
    losses, levels = (v.cpu().numpy().reshape(shape) for v in (paths.losses, below))
    steps_used = np.full(len(points), sgld.step_size) if step_sizes is None else step_sizes.cpu().numpy()
    return summarise(losses, levels, sgld.n_beta, steps_used, points.shape[1])


def _refuse_divergence(paths: Chains, sgld: Sgld, chains: int, step_sizes: Tensor | None) -> None:
    lost = [(i, int(draw)) for i, draw in enumerate(paths.diverged) if draw >= 0]
    if not lost:
        return
    index, draw = lost[0]
    step = sgld.step_size if step_sizes is None else float(step_sizes[index // chains])
    raise MeasureError(
        f"{len(lost)} of {len(paths.diverged)} Langevin chains blew up, first at point {index // chains}, "
        f"chain {index % chains}, draw {draw}: its loss is not finite at step size {step:.3g}. "
        f"Try {step / 4:.3g}, or calibrate the step size"
    )


def summarise(
    losses: Array, baselines: Array, n_beta: float, step_sizes: Array, weights: int
) -> Coefficients:
    """Estimates, intervals and diagnoses from losses and baselines [points, chains, draws]; NaN: diverged."""
    traces = n_beta * (losses - baselines)
    rows = [
        _row(i, traces[i], losses[i], baselines[i], float(step_sizes[i]), weights) for i in range(len(traces))
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table.attrs["columns"] = dict(COLUMNS)
    return Coefficients(table, traces)


def _row(point: int, traces: Array, losses: Array, below: Array, step: float, weights: int) -> dict[str, Any]:
    alive = np.isfinite(traces).all(axis=-1)
    diverged = int((~alive).sum())
    row: dict[str, Any] = {"point": point, "chains": int(alive.sum()), "draws": traces.shape[-1]}
    row |= {"step_size": step, "diverged": diverged, "diagnoses": "diverged" if diverged else ""}
    if not alive.any():
        return row | dict.fromkeys(
            ("llc", "low", "high", "r_hat", "ess", "drift", "baseline", "mean_loss"), math.nan
        )
    kept = traces[alive]
    low, high = interval(kept)
    row |= {"llc": float(kept.mean()), "low": low, "high": high}
    row |= {"r_hat": float(convergence.r_hat(kept)), "ess": float(convergence.effective_sample_size(kept))}
    row |= {"drift": float(convergence.drift(kept))}
    row |= {"baseline": float(below[alive].mean()), "mean_loss": float(losses[alive].mean())}
    row["diagnoses"] = ", ".join(_flags(row, weights))
    return row


def interval(traces: Array, level: float = 0.95) -> tuple[float, float]:
    """mean ± t s/√chains over the chains' means; with one chain over its effective draws."""
    means = traces.mean(axis=-1)
    count = len(means)
    if count > 1:
        error, freedom = float(means.std(ddof=1)) / math.sqrt(count), count - 1.0
    else:
        error = float(convergence.mean_error(traces))
        freedom = max(1.0, float(convergence.effective_sample_size(traces)) - 1)
    half = float(student(freedom, level)) * error
    return float(means.mean()) - half, float(means.mean()) + half


def _flags(row: dict[str, Any], weights: int) -> Sequence[str]:
    conditions = {
        "diverged": row["diverged"] > 0,
        "negative": row["high"] < 0,
        "drifting": abs(row["drift"]) > _DRIFT,
        "disagreeing": row["r_hat"] > _R_HAT,
        "short": row["ess"] < _DRAWS_PER_CHAIN * row["chains"],
        "above-regular": row["low"] > weights / 2,
    }
    return [name for name, holds in conditions.items() if holds]
