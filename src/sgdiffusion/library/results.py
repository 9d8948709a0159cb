"""What every result can do: show itself, become a table or a picture, be kept and be read again.

A kept result is a JSON file of its fields, readable without this package: arrays are lists, tables lists by
column, numbers that are not finite the words nan, inf, -inf.
"""

import dataclasses
import importlib
import json
import math
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sgdiffusion import __version__
from sgdiffusion.errors import UNREADABLE, InputError, brief
from sgdiffusion.library.names import PUBLIC


class Result:
    """Base of the results, which are frozen dataclasses."""

    shown: ClassVar[int] = 8  # rows of the table in the representation

    def to_frame(self) -> pd.DataFrame:
        """The result as a table; the words that explain its columns are in ``.attrs["columns"]``."""
        raise NotImplementedError

    def plot(self) -> Figure:
        """The result as a matplotlib figure; ``.savefig`` keeps it."""
        raise NotImplementedError

    def summary(self) -> list[str]:
        """The lines that the representation begins with."""
        raise NotImplementedError

    def explained(self) -> list[str]:
        """What is wrong with the numbers, in words."""
        return list(getattr(self, "diagnoses", ()))

    def __repr__(self) -> str:
        lines = [type(self).__name__, *(f"  {line}" for line in self.summary())]
        lines += [f"  diagnosis: {words}" for words in self.explained()]
        lines += [f"  note: {note}" for note in getattr(self, "notes", ())]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """What ``save`` writes."""
        fields = {f.name: _encoded(getattr(self, f.name)) for f in dataclasses.fields(self)}  # type: ignore[arg-type]
        return {"kind": type(self).__name__, "sgdiffusion": __version__, **fields}

    def save(self, path: str | Path) -> Path:
        """Write the result to a JSON file, which ``load`` reads."""
        target = Path(path)
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"
        try:
            target.write_text(text, encoding="utf-8")
        except OSError as error:
            raise InputError(
                "path", f"{path} cannot be written ({error.strerror})", "name another"
            ) from error
        return target

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a result of this class."""
        found = load(path)
        if not isinstance(found, cls):
            raise InputError(
                "path", f"{path} holds a {type(found).__name__}", f"use {type(found).__name__}.load"
            )
        return found


def load(path: str | Path) -> Any:
    """The result that ``save`` wrote, of whatever class.

    >>> import tempfile, pathlib, torch, sgdiffusion as sd
    >>> net = torch.nn.Linear(3, 2).eval()
    >>> found = sd.spectrum(net, (torch.randn(9, 3), torch.arange(9) % 2), progress=False)
    >>> path = found.save(pathlib.Path(tempfile.mkdtemp()) / "spectrum.json")
    >>> bool(sd.load(path).trace == found.trace)
    True
    """
    try:
        written = json.loads(Path(path).read_text(encoding="utf-8"))
        name = str(written.pop("kind"))
        written.pop("sgdiffusion")
    except (*UNREADABLE, KeyError, AttributeError, TypeError) as error:
        raise InputError(
            "path", f"{path} is no saved result ({brief(error)})", "give a file written by .save()"
        ) from error
    try:
        module, _, attribute = PUBLIC[name].partition(":")
        kind = getattr(importlib.import_module(module), attribute)
        if not (isinstance(kind, type) and issubclass(kind, Result)):  # a file may call nothing else
            raise TypeError(f"{name} is no result")
        return kind(**{k: _decoded(v) for k, v in written.items()})
    except (*UNREADABLE, LookupError, AttributeError, TypeError) as error:
        line = f"{type(error).__name__}: {error}"[:160]
        raise InputError(
            "path", f"{path} holds no whole {name[:60]} ({line})", "measure and save it anew"
        ) from error


def _encoded(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {"array": _encoded(value.tolist()), "dtype": str(value.dtype)}
    if isinstance(value, pd.DataFrame):
        return {"table": {str(k): _encoded(v.tolist()) for k, v in value.items()}, "columns": value.attrs}
    if isinstance(value, dict):
        return {str(k): _encoded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_encoded(v) for v in value]
    if isinstance(value, np.generic):
        return _encoded(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": str(value)}
    return value


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_decoded(v) for v in value)
    if not isinstance(value, dict):
        return value
    if value.keys() == {"number"}:
        return float(value["number"])
    if value.keys() == {"array", "dtype"}:
        if (kind := np.dtype(value["dtype"])).kind not in "biuf":
            raise ValueError(f"an array of {kind}")
        return np.array(_decoded(value["array"]), dtype=kind)
    if value.keys() == {"table", "columns"}:
        table = pd.DataFrame({k: list(_decoded(v)) for k, v in value["table"].items()})
        table.attrs.update({k: dict(v) for k, v in value["columns"].items()})
        return table
    return {k: _decoded(v) for k, v in value.items()}
