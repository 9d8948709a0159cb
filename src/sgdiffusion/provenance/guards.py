"""What a finished job's own tables say against it: named in its record, marked on all that is drawn of it.

An impossible measurement stops its job with an error, and nothing is drawn of it. Here is what ends well and
still cannot be trusted: a training that did not learn, a number that is none, chains that did not mix.
"""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

LEAST_EPOCHS = 2  # rows of metrics: with one there is nothing to compare
MOST_FLAGGED = 0.5  # share of rows whose chains were diagnosed, beyond which a table as a whole is named
FLAGS = ("diagnoses", "marks")  # columns that say what is wrong with a row; empty where nothing is
ESTIMATES = ("quantity", "value", "low", "high")
METRICS = ("epoch", "train_loss", "train_error")
JUDGED = {*FLAGS, *ESTIMATES, *METRICS, "test_loss"}


def warnings(outputs: Iterable[Path]) -> list[str]:
    """One line for each thing that is wrong with the tables among a job's outputs."""
    found: list[str] = []
    for path in outputs:
        if path.suffix in (".csv", ".parquet") and path.is_file():
            found += _of_table(_judged(path), path)
    return found


def _judged(path: Path) -> Any:
    """Those columns of a table that are judged: paths and spectra, the large tables, have none."""
    import pandas as pd  # slow to import, and not every job writes a table

    if path.suffix == ".csv":
        names = pd.read_csv(path, nrows=0).columns
        chosen = [name for name in names if name in JUDGED]
        return pd.read_csv(path, usecols=chosen) if chosen else pd.DataFrame()
    from pyarrow.parquet import read_schema  # what pandas reads parquet with

    return pd.read_parquet(path, columns=[name for name in read_schema(path).names if name in JUDGED])


def _of_table(table: Any, path: Path) -> Iterator[str]:
    columns = set(table.columns)
    if columns.issuperset(METRICS):
        yield from _of_training(table, f"{path.parent.parent.name} {path.parent.name}")
    if columns.issuperset(ESTIMATES):
        bad = table.loc[table[["value", "low", "high"]].isna().any(axis=1), "quantity"]
        yield from (f"{name} is not a number" for name in bad)
    for column in FLAGS:
        if column in columns and len(table):
            reasons = table[column].fillna("").astype(str)
            flagged = reasons[reasons != ""]
            if len(flagged) > MOST_FLAGGED * len(table):
                most = flagged.mode().iloc[0]
                yield f"{path.stem}: {len(flagged)} of {len(table)} rows flagged ({most})"


def _of_training(table: Any, name: str) -> Iterator[str]:
    """A loss that is not finite or has grown, an error that has not fallen: a diverged or dead network's."""
    first, last = table.iloc[0], table.iloc[-1]
    if not all(math.isfinite(v) for key in ("train_loss", "test_loss") if key in table for v in table[key]):
        yield f"{name}: the loss is not finite"
    elif len(table) >= LEAST_EPOCHS and last["train_loss"] > first["train_loss"]:
        yield f"{name}: the loss grew from {first['train_loss']:.3g} to {last['train_loss']:.3g}"
    elif len(table) >= LEAST_EPOCHS and last["train_error"] >= first["train_error"] > 0:
        yield f"{name}: the error did not fall, {last['train_error']:.0%} at the end"
