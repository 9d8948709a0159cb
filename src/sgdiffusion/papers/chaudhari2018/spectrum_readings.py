"""The spectra of Figs 1 and 2 read otherwise: another instant, another threshold, other eigenvalues, images.

Everything is taken from the eigenvalues that the runs' own studies have stored.
"""

from collections.abc import Mapping

import pandas as pd

from sgdiffusion.config.models import Strict
from sgdiffusion.config.readings import BASE, Reading
from sgdiffusion.measures.noise.spectra import Rule
from sgdiffusion.papers.chaudhari2018.spectra import (
    distance_quantities,
    distances,
    diversity_quantities,
    quantities,
    statistics_of,
)
from sgdiffusion.papers.task import Task

PAIR = ("mean", "sd")


class SpectrumReading(Strict):
    """How the printed λ(D) and rank are read; the defaults are the base."""

    fraction: float = 1.0
    rule: Rule = "dimension"
    above: bool = False  # whether mean and s.d. are over the eigenvalues above threshold
    images: str = "augmented"  # over which D is evaluated after a training with augmentation


def under(eigenvalues: pd.DataFrame, reading: SpectrumReading) -> pd.DataFrame:
    """The statistics at the reading's instant, if there is one, as if they were those of the end."""
    at = eigenvalues[eigenvalues["fraction"] == reading.fraction]
    if at.empty:
        return at
    found = statistics_of(at, rule=reading.rule)
    return found.assign(**{c: found[f"{c}_above"] for c in PAIR}) if reading.above else found


def read(
    eigenvalues: Mapping[str, pd.DataFrame], names: Mapping[str, str], reading: SpectrumReading
) -> pd.DataFrame:
    """The numbers of every spectrum and of Remarks 14 and 16; `names` has the first part of their ids.

    Distances between instants are Remark 13's own and are read at the base instant alone.
    """
    given = dict(eigenvalues)
    if reading.images == "plain" and {"plain", "augmented"} <= set(given):
        given["augmented"] = given["plain"]
    given.pop("plain", None)
    statistics = {key: under(table, reading) for key, table in given.items()}
    known = {key: table for key, table in statistics.items() if len(table)}
    parts = [quantities(table, names[key]) for key, table in known.items()]
    if reading.fraction == 1.0:
        apart = {key: distances(table, rule=reading.rule) for key, table in given.items()}
        parts += [distance_quantities(table, names[key]) for key, table in apart.items()]
    return pd.concat([*parts, diversity_quantities(known)], ignore_index=True)


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
