"""Compares measured quantities with claims stated before: a verdict for each, always with the numbers.

A claim has one or more regions, each for one quantity; `Standing` says where a quantity lies.

    all inside                                                      Holds
    all outside                                                     Fails
    inside and outside, or some open beside some inside or outside  In part
    all open                                                        Undecided
    the data, the scale or the measurement is missing               Not tested, with the obstacle
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

from sgdiffusion.config.models import Claim
from sgdiffusion.verdicts.quantities import Quantities, Standing, limits, standing
from sgdiffusion.verdicts.words import TABLE_DIGITS, interval, number, span


class Verdict(StrEnum):
    """The words for a judged claim, the same in every table, text and page."""

    HOLDS = "Holds"
    IN_PART = "In part"
    FAILS = "Fails"
    UNDECIDED = "Undecided"
    NOT_TESTED = "Not tested"

    @property
    def slug(self) -> str:
        """The verdict as a name in HTML and CSS."""
        return self.value.lower().replace(" ", "-")


class Obstacle(StrEnum):
    """What kept a claim from being tested."""

    LEFT_OUT = "left out"  # on purpose, by the setting left_out
    SUBSTITUTE_DATA = "substitute data"
    REDUCED_SCALE = "reduced scale"
    OPTIONAL = "optional"  # measured only when asked for
    NOT_RUN = "not run"  # a quantity is missing


VERDICT_COLUMNS = {
    "claim": "id",
    "source": "figure, table, equation or remark of the paper",
    "statement": "what the paper says",
    "published": "the published value as printed, or what is asserted",
    "measured": "the measured numbers that the claim names",
    "interval": "their 95 % intervals",
    "verdict": ", ".join(Verdict),
    "obstacle": f"why it was not tested: {', '.join(Obstacle)}; empty if it was",
    "why": "how each number lies to what is accepted, or the obstacle in detail",
    "rule": "why this is accepted",
}


@dataclass(frozen=True)
class Judgement:
    """What is found about a claim."""

    verdict: Verdict
    why: str
    obstacle: Obstacle | None = None


def obstructed(claim: Claim, preset: str, embedded: Iterable[str]) -> Judgement | None:
    """The judgement of a claim that cannot be tested at this preset, None for others."""
    if substituted := [s for s in claim.needs_real if s in set(embedded)]:
        needs = f"needs the real {', '.join(substituted)}"
        return Judgement(Verdict.NOT_TESTED, needs, Obstacle.SUBSTITUTE_DATA)
    if claim.needs_preset is not None and preset != claim.needs_preset:
        needs = f"needs the scale of the preset {claim.needs_preset}"
        return Judgement(Verdict.NOT_TESTED, needs, Obstacle.REDUCED_SCALE)
    return None


def judge(claim: Claim, quantities: Quantities) -> Judgement:
    """The judgement of a claim by what was measured."""
    standings = [standing(quantities, region) for region in claim.accept]
    if Standing.NOT_RUN in standings:
        return _unmeasured(claim, quantities)
    why = "; ".join(
        f"{region.quantity}: {found}, accepted {span(*limits(region), TABLE_DIGITS)}"
        for region, found in zip(claim.accept, standings, strict=True)
    )
    return Judgement(_verdict(standings), why)


def _unmeasured(claim: Claim, quantities: Quantities) -> Judgement:
    if claim.optional:
        asked = f"the target {claim.optional} measures it when asked for"
        return Judgement(Verdict.NOT_TESTED, asked, Obstacle.OPTIONAL)
    absent = ", ".join(r.quantity for r in claim.accept if r.quantity not in quantities)
    return Judgement(Verdict.NOT_TESTED, f"no measurement of {absent}", Obstacle.NOT_RUN)


def _verdict(standings: Sequence[Standing]) -> Verdict:
    alike = {
        Standing.INSIDE: Verdict.HOLDS,
        Standing.OUTSIDE: Verdict.FAILS,
        Standing.OPEN: Verdict.UNDECIDED,
    }
    return alike[standings[0]] if len(set(standings)) == 1 else Verdict.IN_PART


def verdict_row(claim: Claim, quantities: Quantities, found: Judgement) -> dict[str, str]:
    """A claim with its numbers and its judgement, as one row of the verdict table."""
    here = [(r.quantity, quantities[r.quantity]) for r in claim.accept if r.quantity in quantities]
    values = [f"{name} = {number(m.value, TABLE_DIGITS)} {m.unit}".strip() for name, m in here]
    return {
        "claim": claim.id,
        "source": claim.source,
        "statement": claim.statement,
        "published": claim.published,
        "measured": "; ".join(values) or str(Standing.NOT_RUN),
        "interval": "; ".join(interval(m, TABLE_DIGITS) for _, m in here),
        "verdict": str(found.verdict),
        "obstacle": str(found.obstacle or ""),
        "why": found.why,
        "rule": claim.reason,
    }


def verdict_table(
    claims: Iterable[Claim],
    quantities: Quantities,
    preset: str,
    embedded: Iterable[str],
    left_out: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """All claims of a paper, judged; `left_out` says of claims why they were not run."""
    embedded, rows = list(embedded), []
    omitted = {
        name: Judgement(Verdict.NOT_TESTED, reason, Obstacle.LEFT_OUT)
        for name, reason in (left_out or {}).items()
    }
    for claim in claims:
        found = omitted.get(claim.id) or obstructed(claim, preset, embedded) or judge(claim, quantities)
        rows.append(verdict_row(claim, quantities, found))
    return pd.DataFrame(rows, columns=list(VERDICT_COLUMNS))


def join_verdicts(**papers: pd.DataFrame) -> pd.DataFrame:
    """The verdict tables of all papers, one below the other; cells that are empty stay so."""
    joined = pd.concat([t.assign(paper=p) for p, t in papers.items()])[["paper", *VERDICT_COLUMNS]]
    return joined.astype(object).fillna("")
