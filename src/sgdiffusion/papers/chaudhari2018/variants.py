"""A training again and again, each time with one other setting: spectra, constancy of D and errors.

Variants that are admissible readings of the paper give the numbers of its claims under these readings.
"""

import itertools
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from torch import nn

from sgdiffusion.config.models import Training
from sgdiffusion.data.store import Prepared, subset
from sgdiffusion.dynamics.training import checkpoints as stored
from sgdiffusion.measures.noise.gradients import Data, PerExampleGradients
from sgdiffusion.measures.noise.spectra import spectrum
from sgdiffusion.papers.chaudhari2018 import constancy
from sgdiffusion.papers.chaudhari2018.errors import error_quantities, error_table
from sgdiffusion.papers.chaudhari2018.spectra import (
    contrast,
    distance_quantities,
    distances,
    eigenvalue_table,
    quantities,
    require_every_class,
    statistics_of,
)
from sgdiffusion.papers.task import Task

EARLY = 0.2  # the instant that Remark 13 compares with the end
# ratios of Remarks 14 and 16 in which a training's spectrum stands above or below that of another run
RATIOS = {
    "small-fc": (("r16.fc-over-lenet", True, ("rank", "rank_percent")),),
    "small-lenet": (
        ("r16.fc-over-lenet", False, ("rank", "rank_percent")),
        ("r14.cifar10-over-mnist", False, ("mean", "sd")),
    ),
}


def of_variant(
    trained: Mapping[int, Mapping[float, nn.Module]], data: Data, *, early: bool
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Eigenvalues of D of every seed at the end, and `early` as well: then also how alike the two are."""
    require_every_class(data)
    spectra, rows = {}, []
    for seed, instants in trained.items():
        if not early:
            spectra[seed, 1.0] = spectrum(PerExampleGradients(instants[1.0], data))
            continue
        start, end = (constancy.measured(instants[fraction], data) for fraction in (EARLY, 1.0))
        for fraction, (matrix, _) in ((EARLY, start), (1.0, end)):
            spectra[seed, fraction] = matrix.eigenvalues()
        rows.append(("training", seed, seed, EARLY, 1.0, *constancy.alike(start, end)))
    return eigenvalue_table(spectra), constancy.table_of(rows) if early else None


def read_quantities(
    eigenvalues: pd.DataFrame, alike: pd.DataFrame | None, others: Mapping[str, pd.DataFrame], name: str
) -> pd.DataFrame:
    """The numbers of the claims on one run; `others` has statistics of what ratios compare it with."""
    found = statistics_of(eigenvalues)
    parts = [quantities(found, name), distance_quantities(distances(eigenvalues), name)]
    if alike is not None:
        parts.append(constancy.quantities(alike, name))
    for ratio, above, columns in RATIOS.get(name, ()):
        if ratio in others:
            pair = (found, others[ratio]) if above else (others[ratio], found)
            parts += [contrast(*pair, column, f"{ratio}.{column}") for column in columns]
    return pd.concat(parts, ignore_index=True)


def measure(
    task: Task,
    of: str,
    variants: dict[str, Training],
    readings: dict[str, str],
    constant: list[str],
    data: list[Prepared],
    checkpoints: list[Path],
    metrics: list[pd.DataFrame],
    **others: pd.DataFrame,
) -> dict[str, pd.DataFrame]:
    """Spectrum and errors at the end of every variant of a training, and the readings among them.

    `readings` names the variants that are admissible readings, `constant` those under which Remark 13 is
    tried as well; `data` has every preparation that is used.
    """
    sets = {prepared.meta["preparation"]: prepared for prepared in data}
    files, logs = iter(checkpoints), iter(metrics)
    measured, read = [], []
    for variant, settings in variants.items():
        chosen = subset(sets[settings.data.preparation], settings.data.n_train)
        loaded = [stored.load(path) for path in itertools.islice(files, settings.seeds)]
        logged = pd.concat(itertools.islice(logs, settings.seeds))
        early = variant in constant and variant in readings
        trained = {
            seed: {
                f: stored.rebuild(content["meta"], content["states"][f]).to(task.device)
                for f in ((EARLY, 1.0) if early else (1.0,))
            }
            for seed, content in enumerate(loaded)
        }
        values, alike = of_variant(trained, (chosen.x_train, chosen.y_train), early=early)
        errors = error_table([content["meta"] for content in loaded])
        name = f"{of}.{variant}"
        measured += [quantities(statistics_of(values), name), error_quantities(errors, logged, name)]
        if variant in readings:
            numbers = [read_quantities(values, alike, others, of), error_quantities(errors, logged, of)]
            read.append(pd.concat(numbers).assign(reading=readings[variant]))
        task.log.info("%s %s measured", of, variant)
    found = {"quantities": pd.concat(measured, ignore_index=True)}
    return {**found, "readings": pd.concat(read, ignore_index=True)} if "readings" in task.outputs else found
