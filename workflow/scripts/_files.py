"""Reads the inputs and writes the outputs of a job, each by its kind."""

from pathlib import Path
from typing import Any

import _job  # noqa: F401  (puts the package on the path)
import pandas as pd

from sgdiffusion.provenance import marks
from sgdiffusion.verdicts import markdown


def read(path: str) -> Any:
    """A table, prepared data, arrays by name; checkpoints, histories and the rest stay a path."""
    suffix = Path(path).suffix
    if suffix == ".npz":
        return read_arrays(path)
    if suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path) if suffix == ".csv" else Path(path)


def read_arrays(path: str) -> Any:
    if path.startswith("data/prepared/"):
        from sgdiffusion.data.store import load

        return load(path)
    import numpy as np

    return dict(np.load(path))


def read_inputs(named: dict[str, Any]) -> dict[str, Any]:
    """Every input by its name; several files under one name are a list."""
    return {
        name: read(given) if isinstance(given, str) else [read(path) for path in given]
        for name, given in named.items()
    }


def read_tables(named: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """The same for figures and tables: several files under one name are one table, none are no table."""
    return {
        name: found if isinstance(found, pd.DataFrame) else pd.concat(found, ignore_index=True)
        for name, found in read_inputs(named).items()
        if isinstance(found, pd.DataFrame) or found
    }


def write(path: str, content: Any) -> None:
    """A table or arrays by name; parquet keeps the docs of its columns in its attributes."""
    if path.endswith(".npz"):
        import numpy as np

        np.savez(path, **content)
    elif path.endswith(".parquet"):
        content.to_parquet(path)
    else:
        content.to_csv(path, index=False)


def publish(output: Any, table: pd.DataFrame, record: dict[str, Any]) -> None:
    """Writes a final table as csv, Markdown and LaTeX, each with the note on data and scale.

    A table with a column `note` has its own, row by row.
    """
    note = "" if "note" in table else marks(record)
    (table.assign(note=note) if note else table).to_csv(output.csv, index=False)
    Path(output.md).write_text(markdown(table, note), encoding="utf-8")
    caption = f"% {note}\n" if note else ""
    latex = table.to_latex(index=False, escape=True, float_format="%.4g")
    Path(output.tex).write_text(caption + latex, encoding="utf-8")
