"""What a run is, as numbers that the report's words may name."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from sgdiffusion.config.models import Claim
from sgdiffusion.verdicts import Measured, Quantities, read_quantities
from sgdiffusion.verdicts.readings import NEARLY_ALL


def exact(value: float) -> Measured:
    return Measured(float(value), float(value), float(value), 1, "", "exact")


def facts(
    numbers: Mapping[str, Any], verdicts: pd.DataFrame, findings: pd.DataFrame, choices: pd.DataFrame
) -> dict[str, Measured]:
    """Counts of what was measured, judged, found and chosen, by the names that texts use."""
    counted = {
        "run.papers": len(numbers["papers"]),
        "run.quantities": sum(len(found) for found in numbers["papers"].values()),
        "run.claims": int((verdicts["nature"] == "claim").sum()),
        "run.apart": int((verdicts["nature"] != "claim").sum()),
        "run.findings": len(findings),
        "run.findings_shown": int((findings["demonstrated"] == "yes").sum()),
        "run.assumptions": len(choices),
        "run.assumptions_measured": int((choices["sensitivity"] != "not measured").sum()),
        "rule.nearly_all": NEARLY_ALL,
    }
    return {name: exact(value) for name, value in counted.items()}


def published(claims: Iterable[Claim]) -> dict[str, Measured]:
    """What a paper prints for the numbers that its claims name."""
    printed = {r.quantity: r.published for claim in claims for r in claim.accept if r.published is not None}
    return {f"published.{name}": exact(value) for name, value in printed.items()}


def across(table: pd.DataFrame) -> Quantities:
    """The numbers of the cross-examination's table, by their names there."""
    return read_quantities([table.assign(unit="")])
