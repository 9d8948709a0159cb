"""The moons ensembles in the workflow: from training to laws (Figs 1, 3, 4, Table 2)."""

from functools import cache
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from sgdiffusion.config.readings import Reading
from sgdiffusion.measures.laws.solutions import Clusters
from sgdiffusion.measures.trajectories.dimensions import window_sensitivity
from sgdiffusion.papers.hennick2025 import laws, minima, walks
from sgdiffusion.papers.hennick2025.coefficients import sensitivity_quantities, sensitivity_summary
from sgdiffusion.papers.hennick2025.moons import Moons, train_moons
from sgdiffusion.papers.hennick2025.posterior import (
    Coordinates,
    Posterior,
    convergence_table,
    coordinates,
    sample_posterior,
)
from sgdiffusion.papers.hennick2025.readings import (
    chains_of,
    collected,
    flagged,
    other_chains,
    revised,
)
from sgdiffusion.papers.hennick2025.settings import (
    Descent,
    Langevin,
    LawPlan,
    MoonsEnsemble,
    MoonsTraining,
    PosteriorPlan,
)
from sgdiffusion.papers.tables import documented, quantity
from sgdiffusion.papers.task import Task

Arrays = dict[str, NDArray[Any]]
Tables = dict[str, pd.DataFrame]
LAW_TABLES = {"laws": laws.law_table, "distances": laws.distance_table, "scan": laws.scan_table}


def train(task: Task, training: MoonsTraining) -> dict[str, Arrays]:
    """The ensemble of identical nets on two moons."""
    ensemble = train_moons(training, task.root_seed, task.progress("net steps"))
    return {"ensemble": dict(ensemble.arrays())}


def coefficients(task: Task, plan: Langevin, ensemble: Arrays) -> Tables:
    """Local learning coefficients of all nets, at the end or along the training."""
    which, moons = task.wildcards["which"], Moons.from_arrays(ensemble)
    along, progress = which == "along", task.progress(which)
    table = walks.net_coefficients(moons, plan, along=along, root_seed=task.root_seed, progress=progress)
    return {"coefficients": table}


def vary(task: Task, run: MoonsEnsemble, readings: list[Reading], ensemble: Arrays) -> Tables:
    """Local learning coefficients of some nets, at the end and along the training, by the chains of every
    reading that are not the run's own.
    """
    some, parts = Moons.from_arrays(ensemble).first(run.readings_nets), []
    for chains, settings in other_chains(run, readings).items():
        for along, plan in ((False, settings.coefficients), (True, settings.along)):
            table = walks.net_coefficients(some, plan, along=along, root_seed=task.root_seed)
            parts.append(table.assign(chains_of=chains, along=along))
        task.log.info("%d of the settings of chains measured", len(parts) // 2)
    columns = walks.COEFFICIENT_COLUMNS | {
        "chains_of": "see readings.chains_of",
        "along": "whether at every kept step, by the chains that are lighter",
    }
    return {"coefficients": documented(pd.concat(parts, ignore_index=True) if parts else [], columns)}


def measure(
    task: Task,
    run: MoonsEnsemble,
    readings: list[Reading],
    ensemble: Arrays,
    end: pd.DataFrame,
    along: pd.DataFrame,
    varied: pd.DataFrame,
) -> Tables:
    """Displacements, exponents, dimensions and the learning coefficient's sensitivity."""
    seed, moons = task.root_seed, Moons.from_arrays(ensemble)
    by_chains = {
        str(chains): {which: part[part["along"] == which] for which in (False, True)}
        for chains, part in varied.groupby("chains_of")
    }
    # a net's chains are those it would have among fewer nets
    by_chains[chains_of(run)] = {
        which: table[table["net"] < run.readings_nets] for which, table in ((False, end), (True, along))
    }
    few = moons.first(run.readings_nets)

    @cache
    def models_of(own: bool, window: tuple[float, ...]) -> pd.DataFrame:
        return walks.model_table(moons if own else few, window=window)

    def read(settings: MoonsEnsemble) -> tuple[Tables, float]:
        own = chains_of(settings) == chains_of(run)
        found = {False: end, True: along} if own else by_chains[chains_of(settings)]
        some = moons if own else few
        nets = walks.net_table(some, found[False], found[True], window=settings.window)
        models = models_of(own, tuple(settings.window))
        quantities = walks.walk_quantities(some, nets, models, settings, seed)
        tables = {"nets": nets, "models": models, "quantities": quantities}
        return tables, flagged(*found.values())

    def measured(reading: Reading) -> tuple[pd.DataFrame, float]:
        tables, share = read(revised(run, reading))
        return tables["quantities"], share

    base, _ = read(run)
    base["nets"] = _numbered(task, base["nets"])
    independent = walks.independent_table(moons, base["nets"], radii=run.radii, root_seed=seed)
    sensitivity = sensitivity_summary(_at_ends(run, readings, by_chains))
    more = [walks.independent_quantities(independent), sensitivity_quantities(sensitivity, "moons")]
    return {
        **base,
        "quantities": pd.concat([base["quantities"], *more]),
        "displacement": _numbered(task, walks.displacement_table(moons, root_seed=seed)),
        "windows": window_sensitivity(moons.steps, moons.displacements, run.windows),
        "independent": independent,
        "sensitivity": sensitivity,
        "readings": collected(readings, measured, task.log),
    }


def _numbered(task: Task, table: pd.DataFrame) -> pd.DataFrame:
    """The table of one ensemble with the number of its random sample: moons is 0, moons-1 is 1, …"""
    numbered = table.assign(sample=int(task.wildcards["ensemble"].partition("-")[2] or 0))
    numbered.attrs["columns"] = table.attrs["columns"] | {
        "sample": "number of the random sample of the moons"
    }
    return numbered


def _at_ends(
    run: MoonsEnsemble, readings: list[Reading], by_chains: dict[str, dict[bool, pd.DataFrame]]
) -> pd.DataFrame:
    """λ̂ at the ends of the nets that were measured with every setting of the chains."""
    names = {chains_of(run): "base"}
    for reading in readings:
        if ";" not in reading.name:
            names.setdefault(chains_of(revised(run, reading)), reading.name)
    parts = [
        by_chains[chains][False].assign(point=lambda t: t["net"], variation=name)
        for chains, name in names.items()
    ]
    return pd.concat(parts, ignore_index=True)


def posterior(task: Task, plan: PosteriorPlan, ensemble: Arrays, nets: pd.DataFrame) -> dict[str, Arrays]:
    """Draws of the posterior by Langevin dynamics, from the best nets of the ensemble."""
    moons, progress = Moons.from_arrays(ensemble), task.progress("chain steps")
    found = sample_posterior(moons, nets, plan, task.root_seed, progress)
    for chain in found.diverged:
        task.log.warning("posterior chain %d blew up and is left out", chain)
    return {"posterior": dict(found.arrays())}


def descend(task: Task, plan: Descent, ensemble: Arrays, posterior: Arrays) -> dict[str, Arrays]:
    """The minima below the draws of a posterior."""
    draws, progress = Posterior.from_arrays(posterior), task.progress("steps down")
    found = minima.descend(Moons.from_arrays(ensemble), draws, plan, progress)
    if found["blown_up"]:
        task.log.warning("%d descents blew up and are left out", found["blown_up"])
    return {"descents": found}


def measure_minima(task: Task, plan: Langevin, ensemble: Arrays, descents: Arrays) -> Tables:
    """λ̂ at these minima, by the chains that measure it at SGD's solutions."""
    table = minima.minima_table(Moons.from_arrays(ensemble), descents, plan, task.root_seed)
    return {"minima": _numbered(task, table)}


def compare_laws(
    task: Task,
    run: MoonsEnsemble,
    readings: list[Reading],
    ensemble: Arrays,
    nets: pd.DataFrame,
    descents: pd.DataFrame,
    **posteriors: Arrays,
) -> Tables:
    """Clusters of solutions under SGD, posterior and tempered SGD, their distances and the scan over ξ."""
    seed, moons = task.root_seed, Moons.from_arrays(ensemble)
    draws = {name: Posterior.from_arrays(arrays) for name, arrays in posteriors.items()}
    known: dict[tuple[str, str], Coordinates] = {}

    def points(plan: LawPlan) -> Coordinates:
        key = plan.posterior, plan.space
        if key not in known:
            known[key] = coordinates(moons, draws[plan.posterior], plan.space)
        return known[key]

    clusters: dict[tuple[str, str, int | None], Clusters] = {}

    def read(plan: LawPlan) -> Tables:
        key = plan.space, plan.method, plan.clusters
        if key not in clusters:
            clusters[key] = laws.clusters_of(points(plan), plan)
        found = laws.laws_of(points(plan), clusters[key], nets, plan, seed)
        tables = {name: table(found, seed) for name, table in LAW_TABLES.items()}
        return {**tables, "quantities": laws.law_quantities(found, tables, seed)}

    def measured(reading: Reading) -> tuple[pd.DataFrame, float]:
        return read(revised(run, reading).laws)["quantities"], float("nan")

    functions = {name: coordinates(moons, d, "function") for name, d in draws.items()}
    convergence = [convergence_table(d, functions[name]).assign(posterior=name) for name, d in draws.items()]
    tables = read(run.laws)
    tables |= {name: _numbered(task, tables[name]) for name in LAW_TABLES}
    tables["convergence"] = pd.concat(convergence, ignore_index=True)
    worst = tables["convergence"].groupby("posterior")["r_hat"].max()
    facts = [quantity(f"moons.posterior.r_hat.{name}", float(v)) for name, v in worst.items()]
    more = [pd.DataFrame(facts), minima.minima_quantities(nets, descents)]
    tables["quantities"] = pd.concat([tables["quantities"], *more], ignore_index=True)
    return {**tables, "readings": collected(readings, measured, task.log)}
