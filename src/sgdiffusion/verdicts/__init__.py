"""Measured quantities, claims judged by them, and how numbers read."""

from sgdiffusion.verdicts.judging import Obstacle, Verdict
from sgdiffusion.verdicts.quantities import (
    QUANTITY_COLUMNS,
    Measured,
    Quantities,
    Standing,
    read_quantities,
    standing,
)
from sgdiffusion.verdicts.readings import read_readings
from sgdiffusion.verdicts.table import join_verdicts, verdict_table
from sgdiffusion.verdicts.words import markdown

__all__ = [
    "QUANTITY_COLUMNS",
    "Measured",
    "Obstacle",
    "Quantities",
    "Standing",
    "Verdict",
    "join_verdicts",
    "markdown",
    "read_quantities",
    "read_readings",
    "standing",
    "verdict_table",
]
