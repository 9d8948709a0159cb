"""Measured numbers as text: plain, in LaTeX, and in the place of placeholders."""

import math
import re
from collections.abc import Mapping
from typing import Literal

from sgdiffusion.config.models import Region
from sgdiffusion.verdicts import Measured, standing

PLACEHOLDER = re.compile(r"\{([a-z0-9][\w.-]*)(?:\|(value|percent))?\}")
NOT_RUN = "(not run)"
_DIGITS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

Quantities = Mapping[str, Measured]
Standing = Literal["inside", "outside", "open", "not run"]


def _parts(value: float, digits: int) -> tuple[str, int | None]:
    """Mantissa and power of ten; no power where the number is readable without."""
    if value == 0 or not math.isfinite(value) or 1e-3 <= abs(value) < 1e5:
        return f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:.0f}", None
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa, int(exponent)


def number(value: float, digits: int = 3) -> str:
    """A number to `digits` significant digits: 0.0123, 45.6, 1.23·10⁻⁵."""
    mantissa, exponent = _parts(value, digits)
    text = mantissa.replace("-", "−").replace("inf", "∞")
    return text if exponent is None else f"{text}·10{str(exponent).translate(_DIGITS)}"


def latex(value: float, digits: int = 4) -> str:
    """The same for LaTeX, safe inside and outside of mathematics."""
    mantissa, exponent = _parts(value, digits)
    mantissa = mantissa.replace("inf", r"\infty")
    power = "" if exponent is None else rf"\times 10^{{{exponent}}}"
    return rf"\ensuremath{{{mantissa}{power}}}"


def has_interval(measured: Measured) -> bool:
    """False for a single observation or an exact number."""
    return measured.low != measured.high


def interval(measured: Measured) -> str:
    """Where the number lies, and over what: [1.2, 1.4] over 5 seeds."""
    if not has_interval(measured):
        if measured.over == "exact":
            return "exact"
        return "no interval (n = 1)" if measured.n <= 1 else f"the same in {measured.n} {measured.over}"
    return f"[{number(measured.low)}, {number(measured.high)}] over {measured.n} {measured.over}"


def with_interval(measured: Measured) -> str:
    text = number(measured.value)
    if not has_interval(measured):
        return text
    return f"{text} [{number(measured.low)}, {number(measured.high)}]"


def fill(text: str, quantities: Quantities) -> str:
    """The text with its placeholders filled in; what was not measured reads "(not run)"."""

    def value(match: re.Match[str]) -> str:
        measured, form = quantities.get(match[1]), match[2]
        if measured is None:
            return NOT_RUN
        if form == "percent":
            return f"{number(100 * measured.value)}\N{NO-BREAK SPACE}%"
        return number(measured.value) if form == "value" else with_interval(measured)

    return PLACEHOLDER.sub(value, text)


def named_in(text: str) -> set[str]:
    """The quantities that a text has placeholders for."""
    return {match[1] for match in PLACEHOLDER.finditer(text)}


def lies(region: Region, quantities: Quantities) -> Standing:
    """Where a region's quantity lies, or that it was not measured."""
    measured = quantities.get(region.quantity)
    return "not run" if measured is None else standing(measured, region)


def carries(region: Region, quantities: Quantities) -> bool:
    """Whether the estimate itself, whatever its interval, lies in the region."""
    found = quantities.get(region.quantity)
    if found is None:
        return False
    point = Measured(found.value, found.value, found.value, found.n, found.unit, found.over)
    return standing(point, region) == "inside"


def bounds(region: Region) -> str:
    """The region in words: at least 0.5; from 0.8 to 1.2."""
    if region.low is None and region.high is not None:
        return f"at most {number(region.high)}"
    if region.high is None and region.low is not None:
        return f"at least {number(region.low)}"
    assert region.low is not None
    assert region.high is not None
    return f"from {number(region.low)} to {number(region.high)}"
