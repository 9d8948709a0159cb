"""Whether SGD's solutions have low learning coefficients (Fig 4a of Hennick & De Baerdemacker 2025).

Low is said against the posterior: a draw with Gaussian prior goes down the gradient of L_n, over all
examples, to the minimum below it, and λ̂ is measured there by the chains that measure it at SGD's solutions.
A draw itself is no minimum, so that λ̂ has no meaning at it.
"""

from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from sgdiffusion import streams
from sgdiffusion.dynamics.chains.averages import average_loss
from sgdiffusion.dynamics.ensembles import ensemble
from sgdiffusion.measures.statistics.bootstrap import median
from sgdiffusion.measures.statistics.intervals import mean_interval
from sgdiffusion.papers.hennick2025.coefficients import COLUMNS, Progress, coefficient_table
from sgdiffusion.papers.hennick2025.moons import Moons
from sgdiffusion.papers.hennick2025.posterior import Posterior
from sgdiffusion.papers.hennick2025.settings import Descent, Langevin
from sgdiffusion.papers.tables import documented, estimated, finite_quantities, shares_bounded

COLUMNS_OF_MINIMA = {
    "start": "net from which the chain of the draw started",
    **COLUMNS,
    "loss": "L_n over all examples at the minimum, nats",
}


def descend(
    moons: Moons, draws: Posterior, plan: Descent, progress: Progress | None = None
) -> dict[str, NDArray[Any]]:
    """The weights below some draws of every chain, `theta` [draws, d], and the `start` of the chain; what
    blew up is left out.
    """
    some = np.unique(np.linspace(0, draws.kept.shape[1] - 1, plan.of_each_chain).astype(int))
    kept = torch.from_numpy(draws.kept[:, some]).flatten(0, 1)
    count, examples = len(kept), len(moons.data)
    found = ensemble.train(
        moons.net, moons.data, kept, "sgd", steps=plan.steps, rates=[plan.rate] * count,
        batch_sizes=[examples] * count, seeds=list(range(count)), record=np.array([1]), progress=progress,
    )  # fmt: skip
    good = ~found.diverged
    starts = np.repeat(draws.starts, len(some))
    return {"theta": found.theta.numpy()[good], "start": starts[good], "blown_up": np.array((~good).sum())}


def minima_table(
    moons: Moons, descents: dict[str, NDArray[Any]], plan: Langevin, root_seed: int
) -> pd.DataFrame:
    """λ̂ and loss at every minimum."""
    points, data = torch.from_numpy(descents["theta"]), moons.data
    seed = streams.seed(root_seed, "hennick2025", "moons", "descents")
    table = coefficient_table(moons.net, data, points, plan, seed=seed)
    loss = average_loss(moons.net, data.x, data.y, points).numpy()
    return documented(table.assign(start=descents["start"], loss=loss), COLUMNS_OF_MINIMA)


def minima_quantities(nets: pd.DataFrame, descents: pd.DataFrame) -> pd.DataFrame:
    """How often an SGD net has the smaller λ̂ than a minimum of the posterior, P(λ̂_SGD < λ̂_posterior) with
    ties as halves: 1/2 where both have the same law. The interval is over the chains' starts.
    """
    own = np.sort(nets.loc[np.isfinite(nets["llc"]), "llc"])
    others = descents[np.isfinite(descents["llc"])]
    sides = [np.searchsorted(own, others["llc"], side) for side in ("left", "right")]
    smaller = pd.Series((sides[0] + sides[1]) / 2 / len(own), index=others["start"])
    share = mean_interval(smaller.groupby(level=0).mean())
    over = "starts of the posterior's chains"
    rows = [
        estimated("moons.llc_below_posterior", share, unit="share of pairs", over=over),
        estimated("moons.llc_posterior", median(others["llc"])),
        estimated("moons.loss_sgd", median(nets["loss"].dropna())),
        estimated("moons.loss_posterior", median(others["loss"])),
    ]
    return shares_bounded(finite_quantities(rows))
