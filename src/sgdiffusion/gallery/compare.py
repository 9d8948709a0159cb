"""Where a run's numbers differ from the reference beyond their intervals.

Two estimates a, b of one quantity with 95 % intervals of half-widths h = t·s (t of Student with n − 1
degrees of freedom) are compared by Welch's statistic (a − b)/√(s_a² + s_b²), on a logarithmic axis where the
intervals are symmetric there. Each number is tested at 1 %, so that one in a hundred is marked by chance; an
alarm needs a difference that survives Holm's correction for all numbers tested. A number from other data or
from a run with other settings is listed, and is no alarm.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from scipy import special

from sgdiffusion.gallery import numbers
from sgdiffusion.measures.statistics.multiple import holm
from sgdiffusion.verdicts import Measured
from sgdiffusion.verdicts.words import with_interval

LEVEL = 0.01
EXACT = 1e-6  # relative difference from which exact numbers differ: beyond libraries and machines
Outcome = Literal[
    "agrees", "differs", "other data", "other settings", "no interval", "only here", "only there"
]
NOT_COMPARED: dict[Outcome, str] = {
    "other data": "come from other data and need not agree",
    "other settings": "come from runs with other settings or at another scale and need not agree",
    "no interval": "have no interval in either run",
    "only here": "are not in the reference",
    "only there": "are in the reference alone",
}


@dataclass(frozen=True)
class Comparison:
    """One quantity of both runs."""

    paper: str
    quantity: str
    outcome: Outcome
    detail: str = ""
    p: float = math.nan
    alarm: bool = False


def _logarithmic(measured: Measured) -> bool:
    """Whether the interval is symmetric about its value on a logarithmic axis and not on a linear one."""
    if measured.low <= 0 or not measured.has_interval:
        return False
    below, above = measured.value - measured.low, measured.high - measured.value
    ratio = (measured.value / measured.low) / (measured.high / measured.value)
    return abs(ratio - 1) < 1e-6 and abs(below - above) > 1e-6 * above


@cache
def _quantile(degrees: int) -> float:
    """The 97.5 % point of Student's t."""
    return float(special.stdtrit(degrees, 0.975))


def _standard_error(measured: Measured, low: float, high: float) -> tuple[float, int]:
    """Half the interval over Student's 97.5 % point, and the degrees of freedom."""
    degrees = max(measured.n - 1, 1)
    return (high - low) / 2 / _quantile(degrees), degrees


def difference(one: Measured, other: Measured) -> float | None:
    """The p-value of two estimates being of one number; None where neither has an interval."""
    if "exact" in (one.over, other.over):
        near = math.isclose(one.value, other.value, rel_tol=EXACT, abs_tol=EXACT)
        return 1.0 if near else 0.0
    if not one.has_interval and not other.has_interval:
        return None
    given = [m for m in (one, other) if m.has_interval]
    take = math.log if all(map(_logarithmic, given)) and min(one.value, other.value) > 0 else float
    parts = [_standard_error(m, take(m.low), take(m.high)) for m in (one, other)]
    variance = sum(error**2 for error, _ in parts)
    degrees = variance**2 / sum(error**4 / n for error, n in parts)
    t = abs(take(one.value) - take(other.value)) / math.sqrt(variance)
    return float(2 * special.stdtr(degrees, -t))


def compare(mine: Mapping[str, Any], reference: Mapping[str, Any]) -> list[Comparison]:
    """Every quantity of two numbers.json, those of papers that both have."""
    papers = [p for p in reference["papers"] if p in mine["papers"]]
    found = [c for paper in papers for c in _of_paper(paper, mine, reference)]
    tested = [i for i, c in enumerate(found) if c.outcome in ("agrees", "differs")]
    adjusted = holm([found[i].p for i in tested])
    fallen = {i for i, p in zip(tested, adjusted, strict=True) if p <= LEVEL}
    return [Comparison(**{**vars(c), "alarm": i in fallen}) for i, c in enumerate(found)]


def _of_paper(paper: str, mine: Mapping[str, Any], reference: Mapping[str, Any]) -> list[Comparison]:
    here, there = (numbers.measured(run, paper) for run in (mine, reference))
    rows = []
    for name in dict.fromkeys([*there, *here]):
        if name not in here or name not in there:
            rows.append(Comparison(paper, name, "only there" if name in there else "only here"))
            continue
        detail = f"{with_interval(here[name])} here, {with_interval(there[name])} in the reference"
        if unlike := _not_the_same(paper, name, mine, reference):
            rows.append(Comparison(paper, name, unlike, detail))
            continue
        p = difference(here[name], there[name])
        if p is None:
            rows.append(Comparison(paper, name, "no interval", detail))
        else:
            rows.append(Comparison(paper, name, "differs" if p < LEVEL else "agrees", detail, p))
    return rows


def _not_the_same(
    paper: str, name: str, mine: Mapping[str, Any], reference: Mapping[str, Any]
) -> Literal["other data", "other settings"] | None:
    """Whether a number comes from other data, or from runs with other settings than the reference."""

    def of(run: Mapping[str, Any], kind: str) -> dict[str, Any]:
        return {item: run[kind].get(item) for item in run["papers"][paper][name][kind]}

    if of(mine, "data") != of(reference, "data"):
        return "other data"
    return "other settings" if of(mine, "runs") != of(reference, "runs") else None


def report(rows: list[Comparison], reference: str) -> str:
    """What to tell: alarms, marked numbers against their expected count, and what could not be compared."""
    tested = [r for r in rows if r.outcome in ("agrees", "differs")]
    differing, alarms = [r for r in tested if r.outcome == "differs"], [r for r in rows if r.alarm]
    lines = [f"{len(tested)} numbers of {len(rows)} can be compared with {reference}."]
    if tested:
        lines.append(
            f"{len(differing)} differ at 1 % each, where {LEVEL * len(tested):.1f} are expected by chance; "
            f"{len(alarms)} still do after correction for all of them."
        )
    for row in differing:
        sign = "!" if row.alarm else " "
        lines.append(f"  {sign} {row.paper} {row.quantity}: {row.detail} (p = {row.p:.2g})")
    for kind, words in NOT_COMPARED.items():
        if count := sum(r.outcome == kind for r in rows):
            lines.append(f"{count} {words}.")
    return "\n".join(lines)
