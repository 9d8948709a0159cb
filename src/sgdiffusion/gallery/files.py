"""Reads what a preset's folder or the reference set holds; what is missing is named with what to do."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from sgdiffusion.config.models import Claim
from sgdiffusion.errors import DataError
from sgdiffusion.verdicts import Verdict


def existing(path: Path, advice: str) -> Path:
    """The path, if there is a file."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; {advice}")
    return path


def read_json(path: Path) -> dict[str, Any]:
    """numbers.json or items.json."""
    existing(path, f"run the preset {path.parent.name} to its end first")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(content, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not readable as JSON ({str(error)[:200]}); make it again") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds a {type(content).__name__}, not names and values; make it again")
    return content


def read_csv(path: Path) -> pd.DataFrame:
    """A published table as text; the column that repeats the note is left out."""
    existing(path, "build the preset's tables first")
    return pd.read_csv(path, dtype=str, keep_default_na=False).drop(columns="note", errors="ignore")


def read_verdicts(path: Path) -> pd.DataFrame:
    """A table of verdicts; why a claim was not tested stands in the column `untested`, empty for others."""
    table = read_csv(path)
    if unknown := sorted(set(table["verdict"]) - {str(verdict) for verdict in Verdict}):
        words = f"{', '.join(unknown)}; the verdicts are {', '.join(Verdict)}"
        raise DataError(f"{path}: judged by an earlier version, judge again: {words}")
    tested = table["verdict"] != Verdict.NOT_TESTED
    return table.assign(untested=(table["obstacle"] + ": " + table["why"]).mask(tested, ""))


def verdicts_on(claims: Iterable[Claim], path: Path) -> dict[str, dict[str, str]]:
    """The rows of a paper's table of verdicts by claim; it must judge these claims and no others."""
    rows = read_verdicts(path).to_dict("records")
    found = {str(row["claim"]): {str(k): str(v) for k, v in row.items()} for row in rows}
    if unlike := sorted(set(found) ^ {claim.id for claim in claims}):
        raise DataError(f"{path}: judge again, the claims have changed: {', '.join(unlike)}")
    return found
