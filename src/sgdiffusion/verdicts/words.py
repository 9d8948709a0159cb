"""How numbers, intervals, regions and tables read: on the page, in Markdown and in LaTeX."""

import math

import pandas as pd

from sgdiffusion.config.models import Region
from sgdiffusion.verdicts.quantities import Measured, limits

TABLE_DIGITS = 4  # of numbers in tables; running text has three
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _parts(value: float, digits: int) -> tuple[str, int | None]:
    """Mantissa and power of ten; no power where the number is readable without."""
    if value == 0 or not math.isfinite(value) or 1e-3 <= abs(value) < 1e5:
        return f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:.0f}", None
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa, int(exponent)


def number(value: float, digits: int = 3) -> str:
    """A number to `digits` significant digits: 0.0123, 45.6, 1.23·10⁻⁵; a dash where there is none."""
    if math.isnan(value):
        return "–"
    mantissa, exponent = _parts(value, digits)
    text = mantissa.replace("-", "−").replace("inf", "∞")
    return text if exponent is None else f"{text}·10{str(exponent).translate(_SUPERSCRIPTS)}"


def latex(value: float, digits: int = TABLE_DIGITS) -> str:
    """The same for LaTeX, safe inside and outside of mathematics."""
    mantissa, exponent = _parts(value, digits)
    mantissa = mantissa.replace("inf", r"\infty")
    power = "" if exponent is None else rf"\times 10^{{{exponent}}}"
    return rf"\ensuremath{{{mantissa}{power}}}"


def span(low: float, high: float, digits: int = 3) -> str:
    """[0.9, 1.1]"""
    return f"[{number(low, digits)}, {number(high, digits)}]"


def interval(measured: Measured, digits: int = 3) -> str:
    """Where the number lies, and over what: [1.2, 1.4] over 5 seeds."""
    if measured.has_interval:
        return f"{span(measured.low, measured.high, digits)} over {measured.n} {measured.over}"
    if measured.over == "exact":
        return "exact"
    return "no interval (n = 1)" if measured.n <= 1 else f"the same in {measured.n} {measured.over}"


def with_interval(measured: Measured) -> str:
    """1 [0.9, 1.1], or the number alone where there is no interval."""
    text = number(measured.value)
    return f"{text} {span(measured.low, measured.high)}" if measured.has_interval else text


def bounds(region: Region) -> str:
    """The region in words: at least 0.5; from 0.8 to 1.2."""
    low, high = limits(region)
    if math.isinf(low):
        return f"at most {number(high)}"
    return f"at least {number(low)}" if math.isinf(high) else f"from {number(low)} to {number(high)}"


def cell(text: str) -> str:
    """A cell of a table that was read as text: numbers other than integers to four digits."""
    try:
        value = float(text)
    except ValueError:
        return text
    return text if text.lstrip("-").isdigit() else number(value, TABLE_DIGITS)


def _escaped(value: object) -> str:
    text = number(value, TABLE_DIGITS) if isinstance(value, float) else "" if value is None else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def markdown(table: pd.DataFrame, note: str = "") -> str:
    """A Markdown table, with the note about substitute data or scale above it where there is one."""
    rows = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy(dtype=object).tolist()]
    lines = ["| " + " | ".join(_escaped(v) for v in row) + " |" for row in rows]
    return "\n".join(([f"**{note}**", ""] if note else []) + lines) + "\n"
