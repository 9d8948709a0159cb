"""Measured numbers in the place of the placeholders of a text (see config/texts.py)."""

import re

from sgdiffusion.verdicts import Quantities, Standing
from sgdiffusion.verdicts.words import number, with_interval

PLACEHOLDER = re.compile(r"\{([a-z0-9][\w.-]*)(?:\|(value|percent))?\}")


def measured_all(text: str, quantities: Quantities) -> bool:
    """Whether every number that the text names was measured."""
    return all(match[1] in quantities for match in PLACEHOLDER.finditer(text))


def fill(text: str, quantities: Quantities) -> str:
    """The text with its placeholders filled in; what was not measured reads "(not run)"."""

    def value(match: re.Match[str]) -> str:
        measured, form = quantities.get(match[1]), match[2]
        if measured is None:
            return f"({Standing.NOT_RUN})"
        if form == "percent":
            return f"{number(100 * measured.value)}\N{NO-BREAK SPACE}%"
        return number(measured.value) if form == "value" else with_interval(measured)

    return PLACEHOLDER.sub(value, text)
