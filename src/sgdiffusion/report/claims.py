"""The table of claims: what is published beside what was measured, and the verdict over all readings."""

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from sgdiffusion.config.models import Claim
from sgdiffusion.gallery.content import sentence
from sgdiffusion.report.words import breakable, words
from sgdiffusion.verdicts import Quantities, Standing, Verdict
from sgdiffusion.verdicts.words import with_interval

Row = dict[str, Any]


def measured(claim: Claim, quantities: Quantities) -> list[str]:
    """Every number of a claim, its name before it where there are several."""
    found = {r.quantity: quantities[r.quantity] for r in claim.accept if r.quantity in quantities}
    if not found:
        return [str(Standing.NOT_RUN)]
    texts = [with_interval(m) + (" %" if m.unit == "%" else "") for m in found.values()]
    if len(texts) == 1:
        return texts
    names = distinct(list(found))
    return [f"{breakable(name)} {text}" for name, text in zip(names, texts, strict=True)]


def distinct(names: Sequence[str]) -> list[str]:
    """Names of quantities without the words that all begin or end with: a.x_n, a.y_n -> x, y."""
    parts = [re.split(r"([._](?!\d))", name) for name in names]  # a point before a digit is a decimal one
    first = _common(parts)
    last = _common([p[first:][::-1] for p in parts])
    for end in (last, 0):
        short = ["".join(p[first : len(p) - end]).strip("._") for p in parts]
        if all(short):
            return short
    return list(names)


def _common(parts: Sequence[Sequence[str]]) -> int:
    """How many words all begin with."""
    return sum(1 for _ in takewhile(lambda same: len(set(same)) == 1, zip(*parts, strict=False)))


def claim_row(claim: Claim, verdict: Row, quantities: Quantities) -> Row:
    """A claim as the template shows it."""
    label = Verdict(verdict["verdict"])
    counts = verdict["readings"].split(";")[0] if claim.choices else ""  # of all, converged or not
    return {
        "source": words(sentence(claim.source)),
        "statement": words(sentence(claim.statement)),
        "published": words(claim.published),
        "measured": [words(text) for text in measured(claim, quantities)],
        "label": str(label),
        "slug": label.slug,
        "detail": words(verdict["obstacle"] or counts),
    }
