"""The spectra of Figs 1 and 2 read otherwise: another instant, other eigenvalues, images or precision.

All but the precision is taken from the eigenvalues that the runs' own studies have stored.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from sgdiffusion.config.models import Strict, Training
from sgdiffusion.config.readings import BASE, Reading
from sgdiffusion.data.store import Prepared, subset
from sgdiffusion.dynamics.training import checkpoints as stored
from sgdiffusion.papers.chaudhari2018.spectra import (
    diversity_quantities,
    quantities,
    spectra_table,
    statistics_of,
)
from sgdiffusion.papers.task import Task

PAIR = ("mean", "sd")


class SpectrumReading(Strict):
    """How the printed λ(D) and rank are read; the defaults are the base."""

    fraction: float = 1.0
    above: bool = False  # whether mean and s.d. are over the eigenvalues above threshold
    images: str = "augmented"  # over which D is evaluated after a training with augmentation


def under(eigenvalues: pd.DataFrame, reading: SpectrumReading) -> pd.DataFrame:
    """The statistics at the reading's instant, if there is one, as if they were those of the end."""
    at = eigenvalues[eigenvalues["fraction"] == reading.fraction]
    if at.empty:
        return at
    found = statistics_of(at)
    return found.assign(**{c: found[f"{c}_above"] for c in PAIR}) if reading.above else found


def read(
    eigenvalues: Mapping[str, pd.DataFrame], names: Mapping[str, str], reading: SpectrumReading
) -> pd.DataFrame:
    """The numbers of every spectrum and of Remarks 14 and 16; `names` has the first part of their ids."""
    given = dict(eigenvalues)
    if reading.images == "plain" and {"plain", "augmented"} <= set(given):
        given["augmented"] = given["plain"]
    given.pop("plain", None)
    statistics = {key: under(table, reading) for key, table in given.items()}
    return _numbers({key: table for key, table in statistics.items() if len(table)}, names)


def _numbers(statistics: Mapping[str, pd.DataFrame], names: Mapping[str, str]) -> pd.DataFrame:
    parts = [quantities(table, names[key]) for key, table in statistics.items()]
    return pd.concat([*parts, diversity_quantities(statistics)], ignore_index=True)


def measure(
    task: Task, readings: list[Reading], names: dict[str, str], **eigenvalues: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """The numbers of the claims on spectra under every reading but the base."""
    parts = [
        read(eigenvalues, names, SpectrumReading(**reading.set)).assign(reading=reading.name)
        for reading in readings
        if reading.name != BASE
    ]
    return {"readings": pd.concat(parts, ignore_index=True)}


def measure_double(
    task: Task,
    runs: dict[str, Training],
    names: dict[str, str],
    reading: str,
    data: list[Prepared],
    **checkpoints: list[Path],
) -> dict[str, pd.DataFrame]:
    """The spectra of some runs at the end of training with D and ε in double precision, as one reading."""
    statistics = {}
    for (key, run), prepared in zip(runs.items(), data, strict=True):
        chosen = subset(prepared, run.data.n_train)
        modules = [stored.modules(path)[1.0].to(task.device) for path in checkpoints[key]]
        ends = {(seed, 1.0): module for seed, module in enumerate(modules)}
        _, statistics[key] = spectra_table(ends, (chosen.x_train, chosen.y_train), precision="float64")
    return {"readings": _numbers(statistics, names).assign(reading=reading)}
