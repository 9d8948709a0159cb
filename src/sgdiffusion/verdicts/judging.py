"""Compares measured quantities with claims stated before: a verdict under one reading, with the numbers.

A claim has one or more regions, each for one quantity; `Standing` says where a quantity lies. The label over
all admissible readings of the paper is made in readings.py.

    all inside                                                      Holds
    all outside                                                     Fails
    inside and outside, or some open beside some inside or outside  In part
    all open                                                        Undecided
    the data, the scale or the measurement is missing               Not tested, with the obstacle
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sgdiffusion.config.models import Claim
from sgdiffusion.verdicts.quantities import Quantities, Standing, limits, standing
from sgdiffusion.verdicts.words import TABLE_DIGITS, span


class Verdict(StrEnum):
    """The words for a judged claim, the same in every table, text and page."""

    HOLDS = "Holds"
    IN_PART = "In part"
    FAILS = "Fails"
    DEPENDS = "Depends on the reading"
    UNDECIDED = "Undecided"
    NOT_COMPARABLE = "Not comparable"
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
    "nature": "claim: the paper's own; others are reported apart and not counted",
    "verdict": f"over all readings: {', '.join(Verdict)}",
    "at base": "verdict under the base reading alone",
    "readings": "in how many readings it holds and fails; or why no choice matters",
    "nearest": "reading nearest to the published number",
    "decides": "open choice that moves the number most, and those that turn the verdict",
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


def standings(claim: Claim, quantities: Quantities) -> list[Standing]:
    """Where each of the claim's numbers lies."""
    return [standing(quantities, region) for region in claim.accept]


def lie(claim: Claim, quantities: Quantities) -> str:
    """How each number lies to what is accepted, in words."""
    return "; ".join(
        f"{region.quantity}: {found}, accepted {span(*limits(region), TABLE_DIGITS)}"
        for region, found in zip(claim.accept, standings(claim, quantities), strict=True)
    )


def unmeasured(claim: Claim, quantities: Quantities) -> Judgement | None:
    """The judgement of a claim one of whose numbers was not measured, None for others."""
    if all(r.quantity in quantities for r in claim.accept):
        return None
    if claim.optional:
        asked = f"the target {claim.optional} measures it when asked for"
        return Judgement(Verdict.NOT_TESTED, asked, Obstacle.OPTIONAL)
    absent = ", ".join(r.quantity for r in claim.accept if r.quantity not in quantities)
    return Judgement(Verdict.NOT_TESTED, f"no measurement of {absent}", Obstacle.NOT_RUN)


def verdict_of(claim: Claim, quantities: Quantities) -> Verdict:
    """The verdict under one reading; every number of the claim is measured."""
    alike = {
        Standing.INSIDE: Verdict.HOLDS,
        Standing.OUTSIDE: Verdict.FAILS,
        Standing.OPEN: Verdict.UNDECIDED,
    }
    found = standings(claim, quantities)
    return alike[found[0]] if len(set(found)) == 1 else Verdict.IN_PART
