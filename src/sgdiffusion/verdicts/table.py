"""The table of verdicts: every claim of a paper judged under all its readings, always with the numbers."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from sgdiffusion.config.models import Claim
from sgdiffusion.verdicts.judging import (
    VERDICT_COLUMNS,
    Judgement,
    Obstacle,
    Verdict,
    lie,
    obstructed,
    unmeasured,
)
from sgdiffusion.verdicts.quantities import Quantities, Standing
from sgdiffusion.verdicts.readings import (
    Judged,
    Reading,
    decides,
    judged_readings,
    label,
    nearest,
    readings_table,
    summary,
)
from sgdiffusion.verdicts.words import TABLE_DIGITS, interval, number


def judge(claim: Claim, quantities: Quantities, judged: Sequence[Judged]) -> Judgement:
    """The judgement of a claim that nothing keeps from being tested."""
    found = label(claim, [j.verdict for j in judged])
    why = [claim.incomparable] if claim.incomparable else []
    return Judgement(found, "; ".join([*why, lie(claim, quantities)]))


def verdict_row(
    claim: Claim, quantities: Quantities, judged: Sequence[Judged], found: Judgement
) -> dict[str, str]:
    """A claim with its numbers and its judgement, as one row of the verdict table."""
    here = [(r.quantity, quantities[r.quantity]) for r in claim.accept if r.quantity in quantities]
    values = [f"{name} = {number(m.value, TABLE_DIGITS)} {m.unit}".strip() for name, m in here]
    tested = found.verdict is not Verdict.NOT_TESTED
    return {
        "claim": claim.id,
        "source": claim.source,
        "statement": claim.statement,
        "published": claim.published,
        "measured": "; ".join(values) or str(Standing.NOT_RUN),
        "interval": "; ".join(interval(m, TABLE_DIGITS) for _, m in here),
        "nature": claim.nature,
        "verdict": str(found.verdict),
        "at base": str(judged[0].verdict) if tested else "",
        "readings": summary(claim, judged) if tested else "",
        "nearest": nearest(claim, judged) if tested else "",
        "decides": decides(claim, judged) if tested else "",
        "obstacle": str(found.obstacle or ""),
        "why": found.why,
        "rule": claim.reason,
    }


def judged_claims(
    claims: Iterable[Claim], quantities: Quantities, readings: Sequence[Reading]
) -> dict[str, tuple[Claim, list[Judged]]]:
    """Every claim whose numbers were measured, under each of its readings."""
    return {
        c.id: (c, judged_readings(c, quantities, readings)) for c in claims if not unmeasured(c, quantities)
    }


def verdict_table(
    claims: Iterable[Claim],
    quantities: Quantities,
    preset: str,
    embedded: Iterable[str],
    left_out: Mapping[str, str] | None = None,
    readings: Sequence[Reading] = (),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All claims of a paper judged, and their numbers under every reading; `left_out` says of claims why they
    were not run.
    """
    claims, embedded, rows = list(claims), list(embedded), []
    under = judged_claims(claims, quantities, readings)
    omitted = {
        name: Judgement(Verdict.NOT_TESTED, reason, Obstacle.LEFT_OUT)
        for name, reason in (left_out or {}).items()
    }
    for claim in claims:
        judged = under[claim.id][1] if claim.id in under else []
        found = omitted.get(claim.id) or obstructed(claim, preset, embedded) or unmeasured(claim, quantities)
        rows.append(verdict_row(claim, quantities, judged, found or judge(claim, quantities, judged)))
    return pd.DataFrame(rows, columns=list(VERDICT_COLUMNS)), readings_table(under)


def join_verdicts(**papers: pd.DataFrame) -> pd.DataFrame:
    """The verdict tables of all papers, one below the other; cells that are empty stay so."""
    joined = pd.concat([t.assign(paper=p) for p, t in papers.items()])[["paper", *VERDICT_COLUMNS, "note"]]
    return joined.astype(object).fillna("")
