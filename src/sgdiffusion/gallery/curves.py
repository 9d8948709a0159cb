"""The numbers of a specification curve, from which a script of the page draws it (templates/curves.js)."""

import json
import math
from typing import Any

import pandas as pd

from sgdiffusion.config.models import Claim, Region

_FIGURES = 5  # significant


def curve(readings: pd.DataFrame, claim: Claim) -> str:
    """A claim's numbers under every reading, sorted by the first number, as JSON; empty if none was measured.

    `readings` is the table readings.csv of the claim's paper.
    """
    table = readings[readings["claim"] == claim.id].assign(value=lambda t: pd.to_numeric(t["value"]))
    if table.empty:
        return ""
    by_quantity = {
        r.quantity: table[table["quantity"] == r.quantity].set_index("reading") for r in claim.accept
    }
    first = next(t for t in by_quantity.values() if len(t)).sort_values("value", kind="stable")
    order = [str(name) for name in first.index]
    content = {
        "readings": order,
        "verdicts": [str(v) for v in first["verdict"]],
        "numbers": [_numbers(r, by_quantity[r.quantity].reindex(order)) for r in claim.accept],
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _numbers(region: Region, table: pd.DataFrame) -> dict[str, Any]:
    columns = [pd.to_numeric(table[name]) for name in ("value", "low", "high", "flagged")]
    return {
        "name": region.quantity,
        "accepted": [_plain(region.low), _plain(region.high)],
        "published": _plain(region.published),
        "rows": [[_plain(v) for v in row] for row in zip(*columns, strict=True)],
    }


def _plain(value: float | None) -> float | None:
    """With few figures; what is no finite number is null."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{_FIGURES}g}")
