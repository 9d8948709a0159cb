"""Every measured number of a run in one file, for citing and for comparing: numbers.json and numbers.tex."""

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, FiniteFloat, NonNegativeInt, ValidationError

from sgdiffusion.config.load import config_digest, doubled
from sgdiffusion.errors import DataError, MeasureError
from sgdiffusion.gallery.files import read_json
from sgdiffusion.provenance import read_record
from sgdiffusion.verdicts import Measured, read_quantities
from sgdiffusion.verdicts.words import latex

_WORDS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


def _some_number(end: float) -> float:
    if math.isnan(end):
        raise ValueError("is not a number")
    return end


End = Annotated[float, AfterValidator(_some_number)]  # of an interval; it may be infinite


class Number(BaseModel):
    """A measured number in numbers.json."""

    model_config = ConfigDict(strict=True)

    macro: str
    value: FiniteFloat
    low: End
    high: End
    n: NonNegativeInt
    unit: str
    over: str
    runs: list[str]
    data: list[str]
    table: str = ""  # of quantities that it stands in


class Numbers(BaseModel):
    """numbers.json."""

    model_config = ConfigDict(strict=True)

    preset: str
    note: str
    papers: dict[str, dict[str, Number]]
    runs: dict[str, str]
    data: dict[str, dict[str, Any]]


def read(path: Path) -> dict[str, Any]:
    """A numbers.json, checked."""
    content = read_json(path)
    try:
        Numbers.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{path}: {place}: {first['msg']}; make it again") from error
    return content


def macro(paper: str, quantity: str) -> str:
    """A LaTeX name of letters alone: fig4c.limit_cycles -> chaudhariFigFourcLimitCycles."""
    author = re.match(r"[a-z]+", paper)
    parts = [p for p in re.split(r"[^A-Za-z0-9]+|(?<=[A-Za-z])(?=\d)", quantity) if p]
    letters = "".join(part[0].upper() + part[1:] for part in parts)
    return (author[0] if author else "") + re.sub(r"\d", lambda digit: _WORDS[int(digit[0])], letters)


def run_digest(settings: Mapping[str, Any]) -> str:
    """What a run is, but for how often it is repeated and for what is said about it."""
    return config_digest(
        {k: v for k, v in settings.items() if k not in ("seeds", "data_sets", "assumptions")}
    )


def collect(
    preset: str, note: str, files: Mapping[str, Iterable[Path]], runs: Mapping[str, Any]
) -> dict[str, Any]:
    """All quantities by paper and id, each with its macro, its data and the runs it comes from.

    `files` are the tables of quantities of each paper; `runs` the settings by "<paper>/<run>". What a
    quantity comes from is read in the record beside its table.
    """
    content: dict[str, Any] = {"preset": preset, "note": note, "papers": {}}
    content["runs"] = {name: run_digest(settings) for name, settings in runs.items()}
    content["data"] = {}
    for paper, paths in files.items():
        quantities: dict[str, Any] = {}
        for path in paths:
            record = read_record(path) or {}
            data = {f"{d['set']}/{d['preparation']}": d for d in record.get("data", [])}
            content["data"] |= {k: {"real": d["real"], "digest": d["digest"]} for k, d in data.items()}
            names = [f"{paper}/{r}" for r in record.get("runs", []) if f"{paper}/{r}" in runs]
            for name, measured in read_quantities([pd.read_csv(path)]).items():
                if name in quantities:
                    raise MeasureError(f"{path}: quantity {name} is measured twice in {paper}")
                entry = {"macro": macro(paper, name), **vars(measured)}
                quantities[name] = {**entry, "runs": names, "data": list(data), "table": path.stem}
        content["papers"][paper] = quantities
    if alike := doubled(q["macro"] for found in content["papers"].values() for q in found.values()):
        raise MeasureError(f"two quantities have the same LaTeX name: {alike}")
    return content


def measured(content: Mapping[str, Any], paper: str) -> dict[str, Measured]:
    """The quantities of one paper of a numbers.json."""
    return of_entries(content["papers"].get(paper, {}))


def of_entries(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Measured]:
    """Its entries as quantities."""
    fields = Measured.__dataclass_fields__
    return {name: Measured(**{k: entry[k] for k in fields}) for name, entry in entries.items()}


def tex(content: Mapping[str, Any]) -> str:
    r"""\newcommand of every value, and of every interval under the same name with Interval."""
    lines = ["% Generated: one macro per measured number; ...Interval is its 95 % interval."]
    if content["note"]:
        lines.append(f"% {content['note']}")
    for paper in content["papers"]:
        lines.append(f"% {paper}")
        for name, entry in sorted(measured(content, paper).items()):
            command = content["papers"][paper][name]["macro"]
            lines.append(rf"\newcommand{{\{command}}}{{{latex(entry.value)}}} % {name}")
            if entry.has_interval:
                ends = f"[{latex(entry.low)}, {latex(entry.high)}]"
                lines.append(rf"\newcommand{{\{command}Interval}}{{{ends}}}")
    return "\n".join(lines) + "\n"
