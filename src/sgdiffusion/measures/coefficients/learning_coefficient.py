"""The local learning coefficient by Langevin sampling (Lau et al. 2024), with diagnoses of what can go wrong.

    λ̂(w*) = nβ (E[L(w)] − L(w*)),   w ∼ exp{−nβ L_n(w) − (γ/2)‖w − w*‖²},

the mean over chains that start at w*. All chains of all points are one batched computation (chains.sgld).
Near a minimum whose loss has curvatures a_i, λ̂ = ½ Σ nβ a_i/(nβ a_i + γ), which is r/2 for r curved
directions and weak localisation. nβ is n/ln n with all n examples: the temperature of Watanabe's WBIC
(`recipe`); the size of the mini-batches does not enter.

The interval is Student's over chains. Its lower end also allows for the step, which can only inflate λ̂
(`step_bias`). It says nothing of the limit n → ∞: of a singular model λ̂ at finite nβ is below λ, by about
(m − 1)/ln nβ, nor of chains that had no time to leave w*.
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
from sgdiffusion.dynamics.chains.sgld import Chains, Sgld, chain_seeds, interleave, sample
from sgdiffusion.dynamics.ensembles.batched import Batched
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.errors import ConfigError, MeasureError, require_choice
from sgdiffusion.measures.coefficients.step_bias import step_bias
from sgdiffusion.measures.statistics import convergence
from sgdiffusion.measures.statistics.intervals import student

Array = NDArray[np.float64]
Baseline = Literal["paired", "full"]
Divergence = Literal["raise", "flag"]

COLUMNS = {
    "point": "index of the weight vector w*",
    "llc": "λ̂, mean over the chains that stayed finite; NaN when none did (then flagged)",
    "low": "lower end of the 95 % interval over chains (Student; over draws with one), less step_bias",
    "high": "upper end of that interval",
    "step_bias": "by how much the step may have inflated λ̂",
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
    """n/ln n, n being the number of all examples."""
    if examples < 2:
        raise MeasureError(f"nβ = n/ln n needs at least two examples, found {examples}")
    return examples / math.log(examples)


def recipe(
    examples: int, *, batch_size: int | None = None, localisation: float = 10.0, draws: int = 200
) -> Sgld:
    """The recommended chain for n examples: nβ = n/ln n, averaged noise; `self_calibrated` finds its step and
    burns in longer where the localisation needs it.
    """
    beta = default_n_beta(examples)
    return Sgld(1.0, beta, localisation, draws, burn_in=500, every=5, batch_size=batch_size)


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
    starts: Tensor | None = None,
    on_divergence: Divergence = "raise",
    progress: Callable[[int, int], None] | None = None,
) -> Coefficients:
    """λ̂ at each row of `points` [S, d], from `chains` chains each.

    `baseline`: L(w*) on the very mini-batches of the draws ("paired": their common fluctuation cancels), or
    over all examples ("full").
    `step_sizes` [S] belong to the points; `starts` [S · chains, d] are where the chains begin, if not there.
    """
    require_choice("baseline", baseline, Baseline)
    require_choice("on_divergence", on_divergence, Divergence)
    _check(net, points, sgld, chains, step_sizes)
    centres = points.repeat_interleave(chains, dim=0)
    own = points.new_full((len(points),), sgld.step_size) if step_sizes is None else step_sizes
    steps = own.repeat_interleave(chains, dim=0)
    seeds = [s for point in chain_seeds(seed, len(points)) for s in chain_seeds(point, chains)]
    paths = _paths(
        net,
        data,
        centres if starts is None else starts,
        sgld,
        seeds,
        chains,
        centres=centres,
        step_sizes=steps,
        references=centres if baseline == "paired" else None,
        progress=progress,
    )
    if on_divergence == "raise":
        _refuse_divergence(paths, chains, own)
    if baseline == "paired":
        assert paths.references is not None
        below = paths.references
    else:
        size = sgld.batch_size if net.couples else None
        level = average_loss(net, data.x, data.y, points, batch=size, order_seed=seed)
        below = level.repeat_interleave(chains)[:, None].expand_as(paths.losses)
    shape = (len(points), chains, sgld.draws)
    losses, levels = (v.cpu().numpy().reshape(shape) for v in (paths.losses, below))
    bias = step_bias(net, data, paths, sgld, steps, seed=chain_seeds(seed, 1)[0]).numpy()
    return summarise(losses, levels, sgld.n_beta, own.cpu().numpy(), points.shape[1], bias.reshape(shape[:2]))


def _paths(
    net: Batched,
    data: Examples,
    starts: Tensor,
    sgld: Sgld,
    seeds: list[int],
    chains: int,
    *,
    centres: Tensor,
    step_sizes: Tensor,
    references: Tensor | None,
    progress: Callable[[int, int], None] | None,
) -> Chains:
    """`chains` chains from each point, one point's next to each other. With several points their k-th chains
    share mini-batches, those that the first point's would have alone: chains of one point stay independent.
    """
    given: dict[str, Any] = {"centres": centres, "step_sizes": step_sizes, "references": references}
    if sgld.batch_size is None or len(starts) == chains:
        return sample(net, data, starts, sgld, seeds, **given, progress=progress)
    parts = []
    for k in range(chains):
        own = slice(k, None, chains)
        its: dict[str, Any] = {name: None if v is None else v[own] for name, v in given.items()}
        parts.append(sample(net, data, starts[own], sgld, seeds[own], **its, examples_seed=seeds[k]))
        if progress is not None:
            progress((k + 1) * len(starts[own]) * sgld.steps, len(starts) * sgld.steps)
    return interleave(parts)


def _check(net: Batched, points: Tensor, sgld: Sgld, chains: int, step_sizes: Tensor | None) -> None:
    """What would otherwise be found after the sampling, or not at all."""
    if points.ndim != 2 or not len(points) or points.shape[1] != net.weights:
        raise ConfigError(
            f"points must be rows of {net.weights} weights, found {list(points.shape)}: make them by `stack`"
        )
    if chains < 1 or sgld.draws < convergence.LEAST:
        raise ConfigError(
            f"λ̂ needs at least one chain of {convergence.LEAST} draws, found {chains} of {sgld.draws}"
        )
    if step_sizes is not None and (len(step_sizes) != len(points) or not bool((step_sizes > 0).all())):
        raise ConfigError(f"{len(points)} points need a positive step size each, found {step_sizes.tolist()}")


def _refuse_divergence(paths: Chains, chains: int, step_sizes: Tensor) -> None:
    lost = [(i, int(draw)) for i, draw in enumerate(paths.diverged) if draw >= 0]
    if not lost:
        return
    index, draw = lost[0]
    step = float(step_sizes[index // chains])
    raise MeasureError(
        f"{len(lost)} of {len(paths.diverged)} Langevin chains blew up, first at point {index // chains}, "
        f"chain {index % chains}, draw {draw}: its loss is not finite at step size {step:.3g}. "
        f"Try {step / 4:.3g}, or calibrate the step size"
    )


def summarise(
    losses: Array, baselines: Array, n_beta: float, step_sizes: Array, weights: int, bias: Array
) -> Coefficients:
    """Estimates, intervals and diagnoses from losses and baselines [points, chains, draws], NaN: diverged,
    and the step's bias [points, chains].
    """
    traces = n_beta * (losses - baselines)
    rows = [
        _row(i, traces[i], losses[i], baselines[i], float(step_sizes[i]), weights, bias[i])
        for i in range(len(traces))
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table.attrs["columns"] = dict(COLUMNS)
    return Coefficients(table, traces)


def _row(
    point: int, traces: Array, losses: Array, below: Array, step: float, weights: int, bias: Array
) -> dict[str, Any]:
    alive = np.isfinite(traces).all(axis=-1)
    diverged = int((~alive).sum())
    row: dict[str, Any] = {"point": point, "chains": int(alive.sum()), "draws": traces.shape[-1]}
    row |= {"step_size": step, "diverged": diverged, "diagnoses": "diverged" if diverged else ""}
    if not alive.any():
        return row | dict.fromkeys(
            ("llc", "low", "high", "step_bias", "r_hat", "ess", "drift", "baseline", "mean_loss"), math.nan
        )
    kept = traces[alive]
    low, high = interval(kept)
    excess = float(bias[alive].mean())
    row |= {"llc": float(kept.mean()), "low": low - excess, "high": high, "step_bias": excess}
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
