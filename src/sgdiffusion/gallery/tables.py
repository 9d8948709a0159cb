"""Two tables of all papers: what they left open and what was chosen, and what was found wrong in them."""

from collections.abc import Iterable, Mapping

import pandas as pd

from sgdiffusion.config.models import Assumption
from sgdiffusion.config.readings import BASE, changed_choices
from sgdiffusion.config.texts import Finding, Texts
from sgdiffusion.gallery.fill import fill
from sgdiffusion.verdicts import Quantities, Standing, read_quantities, standing
from sgdiffusion.verdicts.words import number

ASSUMPTION_COLUMNS = {
    "paper": "name of the paper",
    "runs": "runs that the choice is made for",
    "topic": "what the paper leaves open",
    "choice": "what is done here",
    "reason": "why",
    "sensitivity": "what difference another choice makes, if that was measured",
}
FINDING_COLUMNS = {
    "paper": "name of the paper",
    "finding": "id",
    "source": "figure, table, equation or remark of the paper",
    "kind": "error, ambiguity, scope, null or construction",
    "statement": "what was found, with the measured numbers",
    "demonstrated": "yes, no, undecided or not tested: whether the numbers of this run lie where they must",
    "by": "the measured numbers",
    "shown in": "figures and tables that show it",
}


def assumptions_table(
    choices: Iterable[tuple[str, str, Assumption]],
    readings: Mapping[str, pd.DataFrame],
    quantities: Mapping[str, pd.DataFrame],
) -> pd.DataFrame:
    """One row per choice, from (paper, run, assumption); runs that make the same choice share a row.

    `readings` has of each paper its claims under every reading, `quantities` its measured numbers.
    """
    measured = {p: read_quantities([t]) for p, t in quantities.items()}
    rows: dict[tuple[str, Assumption], list[str]] = {}
    for paper, run, assumption in choices:
        rows.setdefault((paper, assumption), []).append(run)
    table = [
        (
            paper,
            ", ".join(runs),
            a.topic,
            a.choice,
            a.reason,
            _sensitivity(a, measured.get(paper, {}), readings.get(paper)),
        )
        for (paper, a), runs in rows.items()
    ]
    return pd.DataFrame(table, columns=list(ASSUMPTION_COLUMNS))


def _sensitivity(assumption: Assumption, quantities: Quantities, readings: pd.DataFrame | None) -> str:
    """What was measured of another choice, or why none can matter."""
    found = [fill(assumption.sensitivity, quantities)] if assumption.sensitivity else []
    if assumption.varied and readings is not None:
        found.append(effect_of(assumption.varied, readings))
    if assumption.no_effect:
        found.append(f"cannot change a verdict: {assumption.no_effect}")
    return "; ".join(found) or "not measured"


def effect_of(choice: str, readings: pd.DataFrame) -> str:
    """What a choice does to the claims that depend on it when the others stay at their base, in words."""
    only = [set(changed_choices(name)) <= {choice} for name in readings["reading"]]
    alone = readings[pd.Series(only, index=readings.index, dtype=bool)]  # a list of none would choose columns
    turned, moved = [], []
    for claim, rows in alone.groupby("claim", sort=False):
        if (rows["reading"] == BASE).all():
            continue
        moved.append(claim)
        if rows["verdict"].nunique() > 1:
            turned.append(str(claim))
    if not moved:
        return f"{choice} is not varied at this preset"
    verdicts = f"it changes the verdict of {', '.join(turned)}" if turned else "it changes no verdict"
    return f"varied in {len(moved)} claims: {verdicts} (specification curves)"


def findings_table(texts: Mapping[str, Texts], **quantities: pd.DataFrame) -> pd.DataFrame:
    """One row per finding of every paper, with the numbers that demonstrate it."""
    rows = []
    for paper, words in texts.items():
        measured = read_quantities([quantities[paper]]) if paper in quantities else {}
        rows += [_finding_row(paper, finding, measured) for finding in words.findings]
    return pd.DataFrame(rows, columns=list(FINDING_COLUMNS))


def _finding_row(paper: str, finding: Finding, quantities: Quantities) -> tuple[str, ...]:
    return (
        paper,
        finding.id,
        finding.source,
        finding.kind,
        fill(finding.statement, quantities),
        demonstrated(finding, quantities),
        "; ".join(
            f"{r.quantity} = {number(quantities[r.quantity].value)}"
            for r in finding.demonstrated_by
            if r.quantity in quantities
        ),
        ", ".join(finding.shown_in),
    )


def demonstrated(finding: Finding, quantities: Quantities) -> str:
    """yes: every number lies where it must; no: some lies elsewhere; undecided or not tested otherwise."""
    found = {standing(quantities, region) for region in finding.demonstrated_by}
    words = {Standing.OUTSIDE: "no", Standing.NOT_RUN: "not tested", Standing.OPEN: "undecided"}
    for where, word in words.items():
        if where in found:
            return word
    return "yes"
