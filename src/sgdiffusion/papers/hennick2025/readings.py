"""The designed runs and the moons under every admissible reading of Hennick & De Baerdemacker (2025).

A reading changes settings of a run; what it shares with the others (trainings, chains of the same settings)
is computed once.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from logging import Logger
from typing import Any, TypeVar

import pandas as pd

from sgdiffusion.config.models import Strict
from sgdiffusion.config.readings import Reading
from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.hennick2025 import contrasts, runs
from sgdiffusion.papers.hennick2025.coefficients import sensitivity_summary
from sgdiffusion.papers.hennick2025.design import Group, spread_over
from sgdiffusion.papers.hennick2025.settings import MlpRuns, MoonsEnsemble

Tables = dict[str, pd.DataFrame]

Settings = TypeVar("Settings", bound=Strict)
Runs = TypeVar("Runs", MlpRuns, MoonsEnsemble)


def revised(run: Settings, reading: Reading) -> Settings:
    """A run's settings under a reading, checked again."""
    return type(run).model_validate(reading.applied(run.model_dump(mode="json")))


def chains_of(run: MlpRuns | MoonsEnsemble) -> str:
    """What the chains of a reading depend on, as one word: the settings of its chains, and for the designed
    runs the length.
    """
    if isinstance(run, MlpRuns):
        parts: list[Any] = [run.length, run.coefficients.model_dump(mode="json")]
    else:
        parts = [chains.model_dump(mode="json") for chains in (run.coefficients, run.along)]
    return json.dumps(parts, sort_keys=True)


def other_chains(run: Runs, readings: Sequence[Reading]) -> dict[str, Runs]:
    """The settings of every reading whose chains are not the run's own, each set of chains once."""
    found = {chains_of(r): r for r in (revised(run, reading) for reading in readings)}
    return {key: r for key, r in found.items() if key != chains_of(run)}


def collected(
    readings: Sequence[Reading], measure: Callable[[Reading], tuple[pd.DataFrame, float]], log: Logger
) -> pd.DataFrame:
    """The quantities of every reading, with its name and the share of its points that carry a diagnosis.

    `measure` gives both; a reading under which something cannot be measured is logged and left out.
    """
    parts = []
    for reading in readings:
        try:
            quantities, flagged = measure(reading)
        except MeasureError as error:
            log.warning("reading %s has no numbers: %s", reading.name, error)
            continue
        parts.append(quantities.assign(reading=reading.name, flagged=flagged))
    return pd.concat(parts, ignore_index=True)


def flagged(*tables: pd.DataFrame) -> float:
    """Share of estimates of λ with a diagnosis."""
    return float((pd.concat(tables)["diagnoses"].fillna("") != "").mean())


@dataclass(frozen=True)
class Designed:
    """What was trained and measured of the designed runs of one optimiser."""

    name: str
    plan: MlpRuns
    table: pd.DataFrame
    groups: list[Group]
    coefficients: dict[str, pd.DataFrame]
    """By `chains_of`: of all runs for the plan's own chains, of some for others."""
    evaluations: pd.DataFrame
    known: dict[tuple[str, tuple[float, ...]], pd.DataFrame] = field(default_factory=dict)
    """Comparisons made so far."""

    def read(self, plan: MlpRuns) -> Tables:
        """The tables of these runs under the settings of one reading."""
        found = self.coefficients[chains_of(plan)]
        cut = [g.until(plan.length, plan.training.checkpoints) for g in self.groups]
        some = [g for g in (g.only(found["run"].unique()) for g in cut) if len(g.runs)]
        models = self._models(plan)
        return runs.optimiser_tables(self.table, some, found, self.evaluations, models, plan, self.name)

    def _models(self, plan: MlpRuns) -> pd.DataFrame:
        """The comparison of all runs at one length and window: slow, and the same for many readings."""
        key = plan.length, tuple(plan.window)
        if key not in self.known:
            cut = [g.until(plan.length, plan.training.checkpoints) for g in self.groups]
            self.known[key] = runs.compare_models(cut, window=plan.window)
        return self.known[key]

    def sensitivity(self, readings: Sequence[Reading]) -> pd.DataFrame:
        """What one changed setting of the chains does to λ̂ at the end, on the same runs."""
        ends: dict[str, tuple[str, pd.DataFrame]] = {}
        for reading in readings:
            plan = revised(self.plan, reading)
            if ";" not in reading.name and plan.length == self.plan.length:
                found = self.coefficients[chains_of(plan)]
                last = found.groupby("run")["step"].transform("max")
                ends.setdefault(chains_of(plan), (reading.name, found[found["step"] == last]))
        some = spread_over(self.table["run"].to_numpy(), self.plan.readings_every)
        parts = [
            end[end["run"].isin(some)].assign(point=lambda t: t["run"], variation=name)
            for name, end in ends.values()
        ]
        return sensitivity_summary(pd.concat(parts)).assign(optimiser=self.plan.optimiser)


def both_optimisers(designed: Sequence[Designed], reading: Reading | None = None) -> Tables:
    """The tables of SGD's and Adam's runs under one reading (the base), with correlations and contrasts."""
    plans = [d.plan if reading is None else revised(d.plan, reading) for d in designed]
    parts = [d.read(plan) for d, plan in zip(designed, plans, strict=True)]
    tables = {name: pd.concat([p[name] for p in parts], ignore_index=True) for name in parts[0]}
    kind = plans[0].correlation
    tables["correlations"] = contrasts.correlation_table(tables["runs"], kind)
    rho = contrasts.correlation_quantities(tables["correlations"])
    between = contrasts.contrast_quantities(tables["runs"], "mlps", kind)
    return {**tables, "quantities": pd.concat([tables["quantities"], rho, between], ignore_index=True)}
