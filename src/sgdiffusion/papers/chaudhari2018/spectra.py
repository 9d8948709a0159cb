"""Figures 1 and 2 of Chaudhari & Soatto (2018), the table of eigenvalue statistics, remarks R13–R16, App. A.

Seeds are the unit of replication: a quantity is a mean over seeds with a Student t interval; with one seed,
as in the paper, it has no interval (low = high = value, n = 1).
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from sgdiffusion.config.models import Training
from sgdiffusion.data.store import Prepared, subset
from sgdiffusion.dynamics.training import checkpoints as stored
from sgdiffusion.dynamics.training.augmentation import augmented
from sgdiffusion.errors import MeasureError
from sgdiffusion.inputs.losses import Loss, cross_entropy
from sgdiffusion.measures.noise.alignment import noise
from sgdiffusion.measures.noise.diffusion import Convention
from sgdiffusion.measures.noise.gradients import Data, PerExampleGradients, is_whole, moments
from sgdiffusion.measures.noise.minibatch import minibatch_variance
from sgdiffusion.measures.noise.products import Precision
from sgdiffusion.measures.noise.spectra import spectral_distance, spectrum, statistics
from sgdiffusion.measures.statistics.intervals import Estimate, mean_interval, ratio_interval
from sgdiffusion.papers.chaudhari2018.planning import quantity_name
from sgdiffusion.papers.chaudhari2018.settings import MinibatchNoise
from sgdiffusion.papers.tables import QUANTITY_COLUMNS, documented, estimated, quantity
from sgdiffusion.papers.task import Task
from sgdiffusion.streams import generator

Checkpoints = Mapping[tuple[int, float], nn.Module]

CONTRASTS = {
    "r14": (
        {
            "one-network": ("grey", "mnist"),
            "cifar10-over-mnist": ("cifar10", "mnist"),
            "cifar100-over-cifar10": ("cifar100", "cifar10"),
            "augmented-over-plain": ("augmented", "cifar10"),
        },
        ("mean", "sd", "rank_percent"),
    ),
    "r16": ({"fc-over-lenet": ("fc", "mnist")}, ("rank", "rank_percent")),
}
_KEYS = {
    "seed": "number of the training run",
    "fraction": "share of the training that was over",
    "evaluation": "over which examples D is evaluated",
}
EIGENVALUE_COLUMNS = {
    **_KEYS,
    "index": "position in descending order, 1 is the largest",
    "eigenvalue": "λ(D), squared loss gradient",
}
STATISTICS_COLUMNS = {
    **_KEYS,
    "convention": "factor before the sum of g gᵀ: with_replacement 1/N, without_replacement 1/(N−1)",
    "precision": "arithmetic of D and ε of the threshold",
    "weights": "d",
    "mean": "mean of λ(D) over all d eigenvalues",
    "sd": "population s.d. of λ(D) over all d eigenvalues",
    "mean_above": "mean of λ(D) over the eigenvalues above threshold",
    "sd_above": "population s.d. of λ(D) over the eigenvalues above threshold",
    "trace": "Tr D",
    "frobenius": "‖D‖_F",
    "largest": "λ_max(D)",
    "threshold": "λ_max · d · ε",
    "rank": "eigenvalues above threshold",
    "rank_percent": "rank / d, per cent",
}
DISTANCE_COLUMNS = {
    "kind": "training: two instants of one seed; seeds: two seeds at the last instant",
    "seed": "first spectrum's seed",
    "other_seed": "second spectrum's seed",
    "fraction": "first spectrum's instant",
    "other_fraction": "second spectrum's instant",
    "distance": "Wasserstein-1 between log₁₀ λ above threshold, decades",
}
_UNITS = {
    "weights": "", "mean": "λ", "sd": "λ", "mean_above": "λ", "sd_above": "λ", "trace": "λ",
    "frobenius": "λ", "largest": "λ", "rank": "", "rank_percent": "%",
}  # fmt: skip


def spectra_table(
    checkpoints: Checkpoints,
    data: Data,
    *,
    evaluation: str = "plain",
    loss: Loss = cross_entropy,
    convention: Convention = "with_replacement",
    precision: Precision = "float32",
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Full spectrum of D and its statistics for each checkpoint (seed, fraction of training): two tables.

    ``data`` is the training set as arrays, or a loader, e.g. of augmented images drawn several times; name
    what it holds in ``evaluation``. Each module is evaluated as it is: in evaluation mode, or it is refused.
    """
    require_every_class(data)
    spectra = {
        key: spectrum(PerExampleGradients(module, data, loss), convention=convention, precision=precision)
        for key, module in sorted(checkpoints.items())
    }
    if not spectra:
        raise MeasureError("no checkpoint was given: expected a mapping (seed, fraction) -> module")
    eigenvalues = eigenvalue_table(spectra, evaluation)
    return eigenvalues, statistics_of(eigenvalues, convention=convention, precision=precision)


def eigenvalue_table(spectra: Mapping[tuple[int, float], Any], evaluation: str = "plain") -> pd.DataFrame:
    """One row per eigenvalue, from the descending spectrum of each (seed, fraction of training)."""
    parts = []
    for (seed, fraction), values in spectra.items():
        key = {"seed": seed, "fraction": fraction, "evaluation": evaluation}
        index = np.arange(1, len(values) + 1)
        parts.append(pd.DataFrame({**key, "index": index, "eigenvalue": values}))
    return documented(pd.concat(parts, ignore_index=True), EIGENVALUE_COLUMNS)


def statistics_of(
    eigenvalues: pd.DataFrame,
    *,
    convention: Convention = "with_replacement",
    precision: Precision = "float32",
) -> pd.DataFrame:
    """The statistics of each spectrum of a table of eigenvalues."""
    keys = ["seed", "fraction", "evaluation"]
    rows = []
    for key, part in eigenvalues.groupby(keys, sort=False):
        found = statistics(part["eigenvalue"].to_numpy(), precision).row()
        rows.append(
            {**dict(zip(keys, key, strict=True)), "convention": convention, "precision": precision, **found}
        )
    return documented(rows, STATISTICS_COLUMNS)


def require_every_class(data: Data) -> None:
    """Refuse a labelled set in which a class below the largest label has no example."""
    if not is_whole(data):
        return  # a loader is not read twice for this
    labels = torch.as_tensor(data[1])
    if labels.is_floating_point() or labels.ndim != 1 or not len(labels):
        return
    empty = sorted(set(range(int(labels.max()) + 1)) - set(labels.tolist()))
    if empty:
        raise MeasureError(
            f"class {', '.join(map(str, empty))} has no example among {len(labels)} (labels go up to "
            f"{int(labels.max())}): D would be that of another problem; check the subset of the data"
        )


def _one_evaluation(table: pd.DataFrame) -> None:
    found = sorted(set(table["evaluation"]))
    if len(found) != 1:
        raise MeasureError(f"expected the spectra of one evaluation of D, found {found}: select one first")


def _last(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["fraction"] == table["fraction"].max()]


def quantities(statistics_table: pd.DataFrame, name: str) -> pd.DataFrame:
    """``<name>.mean``, ``.sd``, ``.mean_above``, ``.sd_above``, ``.rank_percent`` … at the end of training.

    The table holds one evaluation of D; give those of different evaluations different names.
    """
    _one_evaluation(statistics_table)
    last = _last(statistics_table)
    rows = [estimated(f"{name}.{c}", mean_interval(last[c]), unit=unit) for c, unit in _UNITS.items()]
    for over in ("", "_above"):
        spread = mean_interval(last[f"sd{over}"] / last[f"mean{over}"])
        rows.append(estimated(f"{name}.sd_over_mean{over}", spread))
    return pd.DataFrame(rows)


def distances(eigenvalues: pd.DataFrame, precision: Precision = "float32") -> pd.DataFrame:
    """Remark R13: distances between the instants of each seed, and between seeds at the last instant."""
    _one_evaluation(eigenvalues)
    groups = eigenvalues.groupby(["seed", "fraction"])["eigenvalue"]
    spectra: dict[Any, Any] = {key: part.to_numpy() for key, part in groups}
    final = max(fraction for _, fraction in spectra)
    rows = []
    for (seed, fraction), (other_seed, other_fraction) in itertools.combinations(sorted(spectra), 2):
        if seed != other_seed and not fraction == other_fraction == final:
            continue
        kind = "training" if seed == other_seed else "seeds"
        d = spectral_distance(spectra[seed, fraction], spectra[other_seed, other_fraction], precision)
        rows.append((kind, seed, other_seed, fraction, other_fraction, d))
    return documented(rows, DISTANCE_COLUMNS)


def distance_quantities(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """R13 as quantities, in decades: how far the spectrum moves in training, beside the distance of seeds.

    ``<name>.distance_20_100`` …: between two instants (per cent), ``.distance_training``: mean over the pairs
    of instants; ``.distance_seeds``: mean distance to the other seeds at the end; ``.distance_ratio``: the
    first over the second, seed by seed: at most about 1 where training moves the spectrum no more than a
    change of seed. Each seed enters several pairs, which the interval over seeds does not account for.
    """
    training = table[table["kind"] == "training"]
    rows = []
    for (a, b), part in training.groupby(["fraction", "other_fraction"]):
        label = f"{name}.distance_{100 * float(a):g}_{100 * float(b):g}"  # type: ignore[arg-type]
        rows.append(estimated(label, mean_interval(part["distance"]), unit="decades"))
    moved = training.groupby("seed")["distance"].mean()
    if len(moved):
        rows.append(estimated(f"{name}.distance_training", mean_interval(moved), unit="decades"))
    between = table[table["kind"] == "seeds"]
    if len(between):
        swapped = between.assign(seed=between["other_seed"])
        baseline = pd.concat([between, swapped]).groupby("seed")["distance"].mean()
        rows.append(estimated(f"{name}.distance_seeds", _of_pairs(baseline), unit="decades"))
        if len(moved) and baseline.min() > 0:
            ratio = _of_pairs(
                (moved / baseline).dropna()
            )  # seeds that are measured at the end alone have none
            rows.append(estimated(f"{name}.distance_ratio", ratio))
    return pd.DataFrame(rows, columns=QUANTITY_COLUMNS)


def _of_pairs(values: pd.Series) -> Estimate:
    """Interval over seeds of what pairs of seeds gave; two seeds make one pair, hence no replication."""
    estimate = mean_interval(values)
    return estimate if len(values) > 2 else Estimate(estimate.value, estimate.value, estimate.value, 1)


def contrast(first: pd.DataFrame, second: pd.DataFrame, column: str, name: str) -> pd.DataFrame:
    """Remark R14: ratio first/second of one statistic at the end of training, as the quantity ``name``.

    Above 1 with its whole interval: the first set (more diverse data, augmentation) has the larger one.
    """
    estimate = ratio_interval(_last(first)[column], _last(second)[column])
    return pd.DataFrame([estimated(name, estimate)])


def diversity_quantities(spectra: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Remarks R14 and R16: ratios of the statistics of two spectra, as far as both are there.

    ``r14.<pair>.mean``, ``.sd``, ``.rank_percent``; ``r16.fc-over-lenet.rank``, ``.rank_percent``.
    """
    rows = []
    for remark, (pairs, columns) in CONTRASTS.items():
        for pair, (first, second) in pairs.items():
            if first in spectra and second in spectra:
                tables = spectra[first], spectra[second]
                rows += [contrast(*tables, c, f"{remark}.{pair}.{c}") for c in columns]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=QUANTITY_COLUMNS)


def minibatch_table(
    gradients: Iterable[Any], batch_sizes: Sequence[int], *, draws: int, generator: np.random.Generator
) -> pd.DataFrame:
    """App. A on one network: Tr Var(∇f_b), measured and predicted, with and without replacement."""
    conventions: tuple[Convention, ...] = ("with_replacement", "without_replacement")
    parts = [
        minibatch_variance(gradients, batch_sizes, convention=c, draws=draws, generator=generator)
        for c in conventions
    ]
    table = pd.concat(parts, ignore_index=True)
    table.attrs["columns"] = parts[0].attrs["columns"]
    return table


def minibatch_quantities(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """``<name>.variance_<sampling>_b<b>``: measured over predicted Tr Var(∇f_b), 1 where App. A holds.

    Where the prediction is 0 (b = N without replacement) the quantity is the measured variance over Tr D.
    """
    trace = float((table["predicted"] * table["batch_size"]).max())
    rows = []
    for row in table.to_dict("records"):
        scale = row["predicted"] or trace
        estimate = Estimate(row["measured"] / scale, row["low"] / scale, row["high"] / scale, row["draws"])
        label = f"{name}.variance_{row['sampling']}_b{row['batch_size']}"
        rows.append(estimated(label, estimate, over="draws"))
    return pd.DataFrame(rows)


def single_example_quantity(gradients: PerExampleGradients, name: str) -> pd.DataFrame:
    """``<name>.variance_with_replacement_b1``: Tr Var(∇f_b) for b = 1 over Tr D, both without any drawing.

    The N batches of one example are equally likely, so the variance is the mean of ‖g_k − ḡ‖²; the trace is
    that of D as a matrix. Drawn batches of one would not do: single gradients are so unequal in size that a
    Student interval over a hundred of them excludes the truth half of the time.
    """
    full = moments(gradients)
    ratio = full.spread / full.examples / noise(gradients).trace()
    return pd.DataFrame([quantity(f"{name}.variance_with_replacement_b1", ratio)])


def measure(
    task: Task, run: Training, instants: list[float], data: Prepared, checkpoints: Path
) -> dict[str, pd.DataFrame]:
    """Spectrum of the diffusion matrix D at chosen instants of one training (Figs 1 and 2).

    For the augmented evaluation D is that of the augmented distribution: every image in one random version.
    """
    evaluation, seed = task.wildcards["evaluation"], int(task.wildcards["seed"])
    chosen = subset(data, run.data.n_train)
    examples: Data = (chosen.x_train, chosen.y_train)
    if evaluation == "augmented":
        names = (task.wildcards["run"], seed, "augmented evaluation")
        examples = augmented(chosen.x_train, chosen.y_train, 1, generator(task.root_seed, *names))
    kept = {f: module for f, module in stored.modules(checkpoints).items() if f in instants}
    modules = {(seed, f): module.to(task.device) for f, module in kept.items()}
    eigenvalues, found = spectra_table(modules, examples, evaluation=evaluation)
    return {"eigenvalues": eigenvalues, "statistics": found}


def collect(
    task: Task, eigenvalues: list[pd.DataFrame], statistics: list[pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """Joins the spectra of a run's seeds; statistics at the end of training and distances as quantities."""
    name = quantity_name(task.wildcards["run"], task.wildcards["evaluation"])
    values, found = (pd.concat(parts, ignore_index=True) for parts in (eigenvalues, statistics))
    apart = distances(values)
    numbers = pd.concat([quantities(found, name), distance_quantities(apart, name)])
    return {"eigenvalues": values, "statistics": found, "distances": apart, "quantities": numbers}


def measure_diversity(task: Task, **spectra: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Remarks R14 and R16: what data, augmentation and architecture do to the spectrum, as ratios."""
    return {"quantities": diversity_quantities(spectra)}


def measure_minibatch(
    task: Task, run: MinibatchNoise, network: Training, data: Prepared, checkpoints: Path
) -> dict[str, pd.DataFrame]:
    """Variance of mini-batch gradients on a trained network against D/b and (1 − b/N)D/b (App. A)."""
    chosen = subset(data, network.data.n_train)
    module = stored.modules(checkpoints)[1.0].to(task.device)
    sizes = [*(b for b in run.batch_sizes if b < len(chosen.x_train)), len(chosen.x_train)]
    gradients = PerExampleGradients(module, (chosen.x_train, chosen.y_train))
    table = minibatch_table(
        gradients,
        sizes,
        draws=run.draws,
        generator=generator(task.root_seed, "chaudhari2018", "minibatch"),
    )
    parts = [minibatch_quantities(table, "app-a"), single_example_quantity(gradients, "app-a")]
    return {"minibatch": table, "quantities": pd.concat(parts)}
