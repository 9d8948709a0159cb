"""The moons ensembles in the workflow: from training to laws (Figs 1, 3, 4, Table 2)."""

from typing import Any

import pandas as pd
from numpy.typing import NDArray

from sgdiffusion import streams
from sgdiffusion.measures.trajectories.dimensions import window_sensitivity
from sgdiffusion.papers.hennick2025 import laws, walks
from sgdiffusion.papers.hennick2025.coefficients import (
    points_of,
    sensitivity_quantities,
    sensitivity_summary,
    sensitivity_table,
)
from sgdiffusion.papers.hennick2025.moons import Moons, train_moons
from sgdiffusion.papers.hennick2025.posterior import (
    Posterior,
    convergence_table,
    coordinates,
    sample_posterior,
)
from sgdiffusion.papers.hennick2025.settings import (
    Langevin,
    LawPlan,
    MoonsEnsemble,
    MoonsTraining,
    PosteriorPlan,
    Sensitivity,
)
from sgdiffusion.papers.task import Task

Arrays = dict[str, NDArray[Any]]
Tables = dict[str, pd.DataFrame]
LAW_TABLES = {"laws": laws.law_table, "distances": laws.distance_table, "scan": laws.scan_table}


def train(task: Task, training: MoonsTraining) -> dict[str, Arrays]:
    """The ensemble of identical nets on two moons."""
    ensemble = train_moons(training, task.root_seed, task.progress("net steps"))
    return {"ensemble": dict(ensemble.arrays())}


def coefficients(
    task: Task, plan: Langevin, changes: list[Sensitivity], nets: int, ensemble: Arrays
) -> Tables:
    """Local learning coefficients: at the end, along the training, or under other settings."""
    which, moons = task.wildcards["which"], Moons.from_arrays(ensemble)
    progress = task.progress(which)
    if which != "sensitivity":
        along = which == "along"
        table = walks.net_coefficients(moons, plan, along=along, root_seed=task.root_seed, progress=progress)
        return {"coefficients": table}
    points = points_of(moons.theta[:nets])
    seed = streams.seed(task.root_seed, "hennick2025", "moons", "sensitivity")
    table = sensitivity_table(moons.net, moons.data, points, plan, changes, seed=seed, progress=progress)
    return {"coefficients": table}


def measure(
    task: Task,
    run: MoonsEnsemble,
    ensemble: Arrays,
    end: pd.DataFrame,
    along: pd.DataFrame,
    varied: pd.DataFrame,
) -> Tables:
    """Displacements, exponents, dimensions and the learning coefficient's sensitivity."""
    seed, moons = task.root_seed, Moons.from_arrays(ensemble)
    nets = walks.net_table(moons, end, along, window=run.window)
    models = walks.model_table(moons, window=run.window)
    independent = walks.independent_table(moons, nets, radii=run.radii, root_seed=seed)
    sensitivity = sensitivity_summary(varied)
    measured = walks.walk_quantities(moons, nets, models, independent, run, seed)
    return {
        "displacement": walks.displacement_table(moons, root_seed=seed),
        "nets": nets,
        "models": models,
        "windows": window_sensitivity(moons.steps, moons.displacements, run.windows),
        "independent": independent,
        "sensitivity": sensitivity,
        "quantities": pd.concat([measured, sensitivity_quantities(sensitivity, "moons")]),
    }


def posterior(task: Task, plan: PosteriorPlan, ensemble: Arrays, nets: pd.DataFrame) -> dict[str, Arrays]:
    """Draws of the posterior by Langevin dynamics, from the best nets of the ensemble."""
    moons, progress = Moons.from_arrays(ensemble), task.progress("chain steps")
    found = sample_posterior(moons, nets, plan, task.root_seed, progress)
    for chain in found.diverged:
        task.log.warning("posterior chain %d blew up and is left out", chain)
    return {"posterior": dict(found.arrays())}


def compare_laws(
    task: Task, plan: LawPlan, ensemble: Arrays, nets: pd.DataFrame, posterior: Arrays
) -> Tables:
    """Clusters of solutions under SGD, posterior and tempered SGD, their distances and the scan over ξ."""
    seed, moons, draws = task.root_seed, Moons.from_arrays(ensemble), Posterior.from_arrays(posterior)
    found = laws.all_laws(moons, draws, nets, plan)
    task.log.info("%d ways to compare the laws", len(found))
    tables = {
        name: pd.concat([measure(choice, plan, seed) for choice in found], ignore_index=True)
        for name, measure in LAW_TABLES.items()
    }
    tables["convergence"] = convergence_table(draws, coordinates(moons, draws, "function"))
    return {**tables, "quantities": laws.law_quantities(found, tables, plan, seed)}
