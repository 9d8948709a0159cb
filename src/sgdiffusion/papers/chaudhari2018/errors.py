"""The errors that Chaudhari & Soatto (2018) report for their networks, per seed and over seeds."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from sgdiffusion.dynamics.training import checkpoints as stored
from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.statistics.intervals import mean_interval
from sgdiffusion.papers.tables import documented, estimated
from sgdiffusion.papers.task import Task

ERROR_COLUMNS = {
    "seed": "number of the training run",
    "fraction": "share of the training that was over",
    "train_loss": "mean cross-entropy over the training set, evaluation mode, nats",
    "train_error": "share of the training set classified wrongly, evaluation mode",
    "test_loss": "mean cross-entropy over the test set, evaluation mode, nats",
    "test_error": "share of the test set classified wrongly, evaluation mode",
}
_SPLITS = {"train_error": "train_error_percent", "test_error": "test_error_percent"}


def error_table(metas: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per seed and checkpoint, from the meta data of the seeds' checkpoint files."""
    rows = [
        {"seed": meta["seed"], "fraction": fraction, **values}
        for meta in metas
        for fraction, values in meta["evaluations"].items()
    ]
    table = pd.DataFrame(rows, columns=list(ERROR_COLUMNS))
    return documented(table.sort_values(["seed", "fraction"], ignore_index=True), ERROR_COLUMNS)


def error_quantities(errors: pd.DataFrame, metrics: pd.DataFrame, name: str) -> pd.DataFrame:
    """`<name>.train_error_percent`, `.test_error_percent` at the end, mean and t interval over seeds.

    `.train_error_training_mode_percent` is the last epoch's running error with dropout and batch statistics,
    from the seeds' `metrics`: papers that plot training curves report this one.
    """
    last = errors[errors["fraction"] == errors["fraction"].max()]
    running = metrics[metrics["epoch"] == metrics["epoch"].max()]
    if last.empty or set(last["seed"]) != set(running["seed"]):
        raise MeasureError(
            f"errors of seeds {sorted(set(last['seed']))}, metrics of seeds {sorted(set(running['seed']))}: "
            "both must come from the same trainings"
        )
    samples = {quantity: last[column] for column, quantity in _SPLITS.items()}
    samples["train_error_training_mode_percent"] = running["train_error"]
    rows = [
        estimated(f"{name}.{quantity}", mean_interval(100 * values), unit="%")
        for quantity, values in samples.items()
    ]
    return pd.DataFrame(rows)


def measure(task: Task, checkpoints: list[Path], metrics: list[pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Training and test errors of a run's seeds, beside those that the paper reports."""
    errors = error_table([stored.load(path)["meta"] for path in checkpoints])
    logged = pd.concat(metrics, ignore_index=True)
    return {"errors": errors, "quantities": error_quantities(errors, logged, task.wildcards["run"])}
