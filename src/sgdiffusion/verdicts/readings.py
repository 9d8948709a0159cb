"""A claim under every admissible reading: how often it holds, what decides, which reading comes nearest.

One reading gives one verdict (see judging.py). The label over all of them:

    Holds                    holds in at least nine readings of ten
    Fails                    fails in at least nine readings of ten
    Depends on the reading   neither, and decided readings disagree
    In part                  every decided reading finds it true in part
    Undecided                otherwise: too few readings have intervals narrow enough
    Not comparable           the published number has no meaning without what the paper leaves open

Nine of ten, because each verdict rests on a 95 % interval: of twenty readings of a claim that is true, one
may miss by chance, and its label should not turn on it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from sgdiffusion.config.models import Claim
from sgdiffusion.config.readings import BASE, changed_choices
from sgdiffusion.errors import MeasureError
from sgdiffusion.verdicts.judging import Verdict, verdict_of
from sgdiffusion.verdicts.quantities import Measured, Quantities, read_quantities
from sgdiffusion.verdicts.words import number, with_interval

NEARLY_ALL = 0.9
CONVERGED = 0.05  # largest share of flagged points of a reading that counts as converged, as in its figure
READING_COLUMNS = {
    "claim": "id",
    "reading": 'the choices that differ from the base and their values; "base": none',
    "verdict": "of the claim under this reading alone",
    "quantity": "a measured number that the claim names",
    "value": "estimate",
    "low": "lower end of its 95 % interval",
    "high": "upper end",
    "flagged": "share of its points whose estimate carries a diagnosis; empty: none can",
}


@dataclass(frozen=True)
class Reading:
    """What is measured under one reading."""

    name: str
    quantities: Quantities
    flagged: Mapping[str, float]  # share of flagged points by quantity

    @property
    def changes(self) -> dict[str, str]:
        return changed_choices(self.name)


@dataclass(frozen=True)
class Judged:
    """A claim under one reading."""

    reading: Reading
    verdict: Verdict

    def first(self, claim: Claim) -> Measured:
        """The number of the claim's first region."""
        return self.reading.quantities[claim.accept[0].quantity]

    def converged(self, claim: Claim) -> bool:
        """Whether nearly all points behind the claim's numbers carry no diagnosis."""
        shares = [self.reading.flagged.get(region.quantity, 0.0) for region in claim.accept]
        return max(shares) <= CONVERGED


def read_readings(tables: Iterable[pd.DataFrame]) -> list[Reading]:
    """Every reading of tables of quantities with a column `reading`, each number under its own reading."""
    whole = [t if "flagged" in t else t.assign(flagged=math.nan) for t in tables]
    if not whole:
        return []
    if any("reading" not in t for t in whole):
        raise MeasureError("a table of readings lacks the column reading")
    table = pd.concat(whole, ignore_index=True)
    found = []
    for name, rows in table.groupby("reading", sort=False):
        known = rows[rows["flagged"].notna()]
        shares = {str(q): float(s) for q, s in zip(known["quantity"], known["flagged"], strict=True)}
        found.append(Reading(str(name), read_quantities([rows]), shares))
    return found


def judged_readings(claim: Claim, base: Quantities, readings: Sequence[Reading]) -> list[Judged]:
    """The claim under each reading of its choices, the base first; a number that a reading does not touch is
    the base's.
    """
    ours = {r.quantity for r in claim.accept}
    flags = next((r.flagged for r in readings if r.name == BASE), {})
    apt = [
        r
        for r in readings
        if r.name != BASE and set(r.changes) <= set(claim.choices) and ours & set(r.quantities)
    ]
    whole = [Reading(r.name, {**base, **r.quantities}, {**flags, **r.flagged}) for r in apt]
    return [Judged(r, verdict_of(claim, r.quantities)) for r in [Reading(BASE, base, flags), *whole]]


def label(claim: Claim, verdicts: Sequence[Verdict]) -> Verdict:
    """The label over all readings; see above."""
    if claim.incomparable:
        return Verdict.NOT_COMPARABLE
    for same in (Verdict.HOLDS, Verdict.FAILS):
        if verdicts.count(same) >= NEARLY_ALL * len(verdicts):
            return same
    decided = {v for v in verdicts if v is not Verdict.UNDECIDED}
    if len(decided) > 1:
        return Verdict.DEPENDS
    return Verdict.IN_PART if decided == {Verdict.IN_PART} else Verdict.UNDECIDED


def counts(judged: Sequence[Judged]) -> str:
    """ "17 of 24 hold, 5 fail, 2 undecided"."""
    found = [j.verdict for j in judged]
    verbs = {Verdict.HOLDS: "hold", Verdict.IN_PART: "hold in part", Verdict.FAILS: "fail"}
    words = [f"{found.count(v)} {verb}" for v, verb in verbs.items() if v in found]
    if Verdict.UNDECIDED in found:
        words.append(f"{found.count(Verdict.UNDECIDED)} undecided")
    return f"of {len(found)} readings " + ", ".join(words)


def summary(claim: Claim, judged: Sequence[Judged]) -> str:
    """The counts, and those of the converged readings where some are not."""
    if len(judged) == 1:
        return claim.no_choices or ""
    sound = [j for j in judged if j.converged(claim)]
    if len(sound) == len(judged):
        return counts(judged)
    return f"{counts(judged)}; converged: " + (counts(sound) if sound else "none")


def distance(value: float, published: float) -> float:
    """How far a number lies from the published one: the ratio's logarithm, or the difference across zero."""
    if value * published > 0:
        return abs(math.log(value / published))
    return abs(value - published) / (abs(published) or 1.0)


def nearest(claim: Claim, judged: Sequence[Judged]) -> str:
    """The reading whose number comes nearest to the published one, and how near."""
    published = claim.accept[0].published
    if published is None or len(judged) == 1:
        return ""
    best = min(judged, key=lambda j: distance(j.first(claim).value, published))
    return f"{best.reading.name}: {with_interval(best.first(claim))}, published {number(published)}"


@dataclass(frozen=True)
class Effect:
    """What a choice does to a claim's first number when the others stay at their base."""

    choice: str
    low: float  # smallest estimate over its values
    high: float  # largest
    error: float  # half of the 95 % interval of their difference
    verdicts: frozenset[Verdict]

    @property
    def spread(self) -> float:
        return self.high - self.low


def effects(claim: Claim, judged: Sequence[Judged]) -> list[Effect]:
    """Each choice's effect, the largest first."""
    found = []
    for choice in claim.choices:
        alone = [j for j in judged if set(j.reading.changes) <= {choice}]
        if len(alone) > 1:
            ordered = sorted((j.first(claim) for j in alone), key=lambda m: m.value)
            least, most = ordered[0], ordered[-1]
            error = math.hypot(least.high - least.low, most.high - most.low) / 2
            seen = frozenset(j.verdict for j in alone)
            found.append(Effect(choice, least.value, most.value, error, seen))
    return sorted(found, key=lambda e: -e.spread)


def decides(claim: Claim, judged: Sequence[Judged]) -> str:
    """The choice that moves the number most, how far, and whether it alone changes the verdict."""
    ranked = effects(claim, judged)
    if not ranked:
        return ""
    first = ranked[0]
    moved = f"{first.choice} (from {number(first.low)} to {number(first.high)}, ± {number(first.error)})"
    turning = [e.choice for e in ranked if len(e.verdicts) > 1]
    return f"{moved}; the verdict turns on {', '.join(turning) or 'no single choice'}"


def readings_table(judged: Mapping[str, tuple[Claim, Sequence[Judged]]]) -> pd.DataFrame:
    """Every claim's numbers under every reading: what the specification curves are drawn from."""
    rows = [
        (name, j.reading.name, str(j.verdict), r.quantity, m.value, m.low, m.high,
         j.reading.flagged.get(r.quantity))
        for name, (claim, all_of_it) in judged.items()
        for j in all_of_it
        for r in claim.accept
        if (m := j.reading.quantities.get(r.quantity)) is not None
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(READING_COLUMNS))


def values_of_choices(names: Iterable[str], claim: Claim, bases: Mapping[str, str]) -> pd.DataFrame:
    """The value that each reading gives each of the claim's choices that is varied at all."""
    changed = {name: changed_choices(name) for name in names}
    varied = [c for c in claim.choices if any(c in changes for changes in changed.values())]
    rows = {name: {c: changes.get(c, bases[c]) for c in varied} for name, changes in changed.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=varied)
