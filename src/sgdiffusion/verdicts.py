"""Compares measured quantities with claims stated before: a verdict for each, always with the numbers.

A claim has one or more regions, each for one quantity. A quantity is *inside* when its whole interval lies
in the region, *outside* when its interval and the region have nothing in common, *open* otherwise.

    all inside                       reproduced
    all outside                      not reproduced
    inside and outside, or some open beside some inside or outside
                                     reproduced in part
    all open; or the data, the scale or the measurement is missing
                                     not testable here
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from sgdiffusion.config.models import Claim, Region
from sgdiffusion.errors import MeasureError

Verdict = Literal["reproduced", "reproduced in part", "not reproduced", "not testable here"]
QUANTITY_COLUMNS = {
    "quantity": "id of the measured number",
    "value": "estimate",
    "low": "lower end of the 95 % interval (value itself where there is no sampling)",
    "high": "upper end of the 95 % interval (value itself where there is no sampling)",
    "n": "units of replication the interval is over (1: none)",
    "unit": "unit of value, low and high",
    "over": "what is replicated: seeds, chains, draws, exact",
}
TABLE_COLUMNS = ("claim", "source", "statement", "published", "measured", "interval", "verdict", "why")


@dataclass(frozen=True)
class Measured:
    """One row of a quantities table."""

    value: float
    low: float
    high: float
    n: int
    unit: str
    over: str


def read_quantities(tables: Iterable[pd.DataFrame]) -> dict[str, Measured]:
    """All measured quantities by id; a missing column, a NaN or a second value for one id is an error."""
    found: dict[str, Measured] = {}
    for table in tables:
        if missing := [c for c in QUANTITY_COLUMNS if c not in table.columns]:
            raise MeasureError(f"a table of quantities lacks the columns {', '.join(missing)}")
        for row in table.assign(unit=table["unit"].astype(object).fillna("")).to_dict("records"):
            name = str(row["quantity"])
            value, low, high = (float(row[k]) for k in ("value", "low", "high"))
            measured = Measured(value, low, high, int(row["n"]), str(row["unit"]), str(row["over"]))
            if name in found:
                raise MeasureError(f"quantity {name} is measured twice")
            if any(map(math.isnan, (measured.value, measured.low, measured.high))):
                raise MeasureError(f"quantity {name} is not a number: {measured}")
            found[name] = measured
    return found


def standing(measured: Measured, region: Region) -> Literal["inside", "outside", "open"]:
    """Where an interval lies with respect to a region (closed at its ends)."""
    low = -math.inf if region.low is None else region.low
    high = math.inf if region.high is None else region.high
    if low <= measured.low and measured.high <= high:
        return "inside"
    if measured.high < low or high < measured.low:
        return "outside"
    return "open"


def obstacle(claim: Claim, preset: str, embedded: Iterable[str]) -> str | None:
    """Why the claim cannot be tested at this preset, if so."""
    if substituted := [s for s in claim.needs_real if s in set(embedded)]:
        return f"needs the real {', '.join(substituted)}; this preset uses substitute data"
    if claim.needs_preset is not None and preset != claim.needs_preset:
        return f"speaks of the scale of the preset {claim.needs_preset}"
    return None


def _verdict(standings: Sequence[str]) -> Verdict:
    kinds = set(standings)
    if kinds == {"inside"}:
        return "reproduced"
    if kinds == {"outside"}:
        return "not reproduced"
    return "not testable here" if kinds == {"open"} else "reproduced in part"


def _bounds(region: Region) -> str:
    low = "−∞" if region.low is None else f"{region.low:.4g}"
    high = "∞" if region.high is None else f"{region.high:.4g}"
    return f"[{low}, {high}]"


def _interval(measured: Measured) -> str:
    if measured.n <= 1 and measured.low == measured.high:
        return "none (n = 1)" if measured.over != "exact" else "exact"
    return f"[{measured.low:.4g}, {measured.high:.4g}] over {measured.n} {measured.over}"


def _number(measured: Measured) -> str:
    return f"{measured.value:.4g} {measured.unit}".strip()


def judge(claim: Claim, quantities: Mapping[str, Measured], blocked: str | None = None) -> dict[str, str]:
    """One row of the verdict table."""
    row = {
        "claim": claim.id,
        "source": claim.source,
        "statement": claim.statement,
        "published": claim.published,
    }
    here = [(r, quantities[r.quantity]) for r in claim.accept if r.quantity in quantities]
    row["measured"] = "; ".join(f"{r.quantity} = {_number(m)}" for r, m in here) or "not run"
    row["interval"] = "; ".join(_interval(m) for _, m in here)
    absent = [r.quantity for r in claim.accept if r.quantity not in quantities]
    if blocked or absent:
        asked = f"not run: optional, measured by the target {claim.optional} when asked for"
        why = blocked or (asked if claim.optional else f"not run: {', '.join(absent)}")
        return {**row, "verdict": "not testable here", "why": why}
    standings = [standing(m, r) for r, m in here]
    why = "; ".join(f"{r.quantity} is {s} {_bounds(r)}" for (r, _), s in zip(here, standings, strict=True))
    return {**row, "verdict": _verdict(standings), "why": f"{why}. Rule: {claim.reason}"}


def was_judged(why: str) -> bool:
    """Whether the column "why" of a claim says how it was judged, not why it was not."""
    return ". Rule: " in why


def verdict_table(
    claims: Iterable[Claim],
    quantities: Mapping[str, Measured],
    preset: str,
    embedded: Iterable[str],
    left_out: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """All claims of a paper, judged; `left_out` says of claims why they were not run."""
    embedded, reasons = list(embedded), {c: f"not run: {r}" for c, r in (left_out or {}).items()}
    rows = [judge(c, quantities, reasons.get(c.id) or obstacle(c, preset, embedded)) for c in claims]
    return pd.DataFrame(rows, columns=list(TABLE_COLUMNS))


def join_verdicts(**papers: pd.DataFrame) -> pd.DataFrame:
    """The verdict tables of all papers, one below the other."""
    return pd.concat([t.assign(paper=p) for p, t in papers.items()])[["paper", *TABLE_COLUMNS]]


def _cell(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def markdown(table: pd.DataFrame, note: str = "") -> str:
    """A Markdown table, with the note about substitute data or scale above it where there is one."""
    rows = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy(dtype=object).tolist()]
    lines = ["| " + " | ".join(_cell(v) for v in row) + " |" for row in rows]
    return "\n".join(([f"**{note}**", ""] if note else []) + lines) + "\n"
