"""The posterior of the moons net (Hennick & De Baerdemacker 2025): a Langevin reference with its convergence,
beside SGD's solutions in the same coordinates."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from sgdiffusion import streams
from sgdiffusion.data.moons import grid
from sgdiffusion.dynamics.chains.sgld import Sgld, chain_seeds, sample
from sgdiffusion.errors import DataError, MeasureError
from sgdiffusion.measures.coefficients.langevin_calibration import calibrate
from sgdiffusion.measures.laws.solutions import canonical, function_values, principal
from sgdiffusion.measures.statistics import convergence
from sgdiffusion.papers.hennick2025.coefficients import Progress, n_beta
from sgdiffusion.papers.hennick2025.moons import Moons
from sgdiffusion.papers.hennick2025.settings import PosteriorPlan
from sgdiffusion.papers.tables import documented

Array = NDArray[np.float64]
Space = Literal["function", "weights"]
SPACES: tuple[Space, ...] = ("function", "weights")
_GRID = 24  # points per side: 576 inputs on which functions are compared


@dataclass(frozen=True)
class Posterior:
    """Draws of the Langevin reference as arrays."""

    starts: NDArray[np.int64]
    """[chains]: the net a chain starts from."""
    losses: Array
    """[chains, draws]."""
    kept: NDArray[np.float32]
    """[chains, kept, d]."""
    step_sizes: Array
    n_beta: float
    diverged: NDArray[np.int64]

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "Posterior":
        if missing := [f.name for f in fields(cls) if f.name not in arrays]:
            raise DataError(f"a file of posterior draws lacks {', '.join(missing)}: sample it again")
        values: dict[str, Any] = {f.name: arrays[f.name] for f in fields(cls)}
        return cls(**values | {"n_beta": float(values["n_beta"])})


def sample_posterior(
    ensemble: Moons, nets: pd.DataFrame, plan: PosteriorPlan, root_seed: int, progress: Progress | None = None
) -> Posterior:
    """Chains of p(w|X) ∝ exp{−nβ L_n(w) − (γ/2)‖w − c‖²} from the best nets, all with the smallest calibrated
    ε.

    The best are those of smallest rank sum of loss and λ̂ (the paper: low loss and low coefficient); c is zero
    (a Gaussian prior) or where the chain starts (a local posterior, whose chains stay near their starts).
    """
    trusted = nets[np.isfinite(nets["llc"]) & np.isfinite(nets["loss"])]
    if len(trusted) < plan.starts:
        raise MeasureError(f"{plan.starts} starts are wanted, but only {len(trusted)} nets have λ̂ and loss")
    order = (trusted["loss"].rank() + trusted["llc"].rank()).sort_values(kind="stable").index[: plan.starts]
    chosen = trusted.loc[order, "net"].to_numpy()
    points, data, net = torch.from_numpy(ensemble.theta[chosen]), ensemble.data, ensemble.net
    beta = n_beta(plan.temperature, len(data), None)
    chain = Sgld(1.0, beta, plan.precision, plan.draws, plan.burn_in, plan.every, integrator="averaged")
    seed = streams.seed(root_seed, "hennick2025", "moons", "posterior")
    # at the start, not at the prior's centre: the curvature is the loss's by far
    found = calibrate(net, data, points, chain, share=plan.share, rounds=2, pilots=1, seed=seed % 2**32)
    wide = points.repeat_interleave(plan.chains, 0)
    paths = sample(
        net,
        data,
        wide,
        chain,
        chain_seeds(seed, len(wide)),
        centres=torch.zeros_like(wide) if plan.centre == "zero" else wide,
        step_sizes=found.step_sizes.min().expand(len(wide)),
        keep=plan.keep,
        progress=progress,
    )
    good = (paths.diverged < 0).numpy()
    if not good.any():
        draws = sorted(set(paths.diverged.tolist()))
        raise MeasureError(
            f"all {len(good)} posterior chains blew up, first at draw {draws[0]}, at step size "
            f"{float(found.step_sizes.min()):.3g}: use a smaller share than {plan.share}"
        )
    return Posterior(
        starts=np.repeat(chosen, plan.chains)[good],
        losses=paths.losses.numpy()[good],
        kept=paths.kept.numpy()[good],
        step_sizes=np.full(int(good.sum()), float(found.step_sizes.min())),
        n_beta=beta,
        diverged=np.flatnonzero(~good),
    )


@dataclass(frozen=True)
class Coordinates:
    """Nets [M, q] and posterior draws [chains, kept, q] along the nets' principal axes in one space."""

    nets: Array
    draws: Array


def coordinates(ensemble: Moons, posterior: Posterior, space: Space) -> Coordinates:
    """Function values on a grid, or weights modulo symmetry (matched to the net of lowest recorded loss)."""
    net, theta = ensemble.net, torch.from_numpy(ensemble.theta)
    draws = torch.from_numpy(posterior.kept).flatten(0, 1)
    if space == "function":
        x = torch.from_numpy(grid(_GRID))
        own, others = (function_values(net, t, x) for t in (theta, draws))
    else:
        reference = theta[int(np.argmin(ensemble.losses[:, -1]))]
        own, others = (canonical(net, t, reference) for t in (theta, draws))
    shape = posterior.kept.shape[:2]
    return Coordinates(principal(own), principal(others, fitted_on=own).reshape(*shape, -1))


CONVERGENCE_COLUMNS = {
    "observable": "loss, or a principal axis of the nets in function space",
    "r_hat": "split rank-normalised R̂ over all chains",
    "ess": "effective draws over all chains",
    "between": "share of the variance that is between chains",
    "mean": "mean over draws",
    "sd": "standard deviation over draws",
}


def convergence_table(posterior: Posterior, functions: Coordinates, axes: int = 3) -> pd.DataFrame:
    """Whether the chains forgot where they started."""
    traces = {"loss": posterior.losses}
    traces |= {f"axis {i + 1}": functions.draws[..., i] for i in range(min(axes, functions.draws.shape[-1]))}
    rows = []
    for name, values in traces.items():
        between = values.mean(1).var() / max(values.var(), 1e-300)
        facts = (float(convergence.r_hat(values)), float(convergence.effective_sample_size(values)))
        rows.append((name, *facts, between, values.mean(), values.std()))
    return documented(rows, CONVERGENCE_COLUMNS)
