"""One row of the list of findings: what is printed, what is derived, and one number that tells them apart.

The version read is the manuscript of 2024 (NeurIPS 2024), whose equation numbers the sources give.
"""

import math
from typing import TypedDict


class Discrepancy(TypedDict):
    """One row of the table."""

    finding: str
    source: str
    kind: str
    printed: str
    derived: str
    measure: str
    printed_value: float
    derived_value: float


def row(name: str, source: str, kind: str, printed: str, derived: str, measure: str) -> Discrepancy:
    return Discrepancy(
        finding=name,
        source=source,
        kind=kind,
        printed=printed,
        derived=derived,
        measure=measure,
        printed_value=math.nan,
        derived_value=math.nan,
    )
