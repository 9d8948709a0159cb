"""A specification curve: a claim's numbers under every admissible reading, and the choices of each."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from sgdiffusion.figures.style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    SKY,
    VERMILION,
    new_figure,
    published,
    style,
)

ROW, CURVE, MARGIN = 0.135, 1.35, 0.75  # inches: of a value of a choice, of a number's curve, around them
LONGEST_LABEL = 24  # characters, of a panel's height
LOGARITHMIC_FROM = 30.0  # ratio of largest to smallest from which a linear axis would hide the smaller
COMPRESSED_FROM = 5.0  # the same of numbers on both sides of zero: the largest over what most of them reach
FLAGGED_FROM = 0.05  # share of estimates with a diagnosis from which a reading is drawn hollow
LOOKS = {  # verdict: marker and colour; marks differ in shape as well
    "Holds": ("o", BLUE),
    "In part": ("s", SKY),
    "Fails": ("X", VERMILION),
    "Undecided": ("d", ORANGE),
}


@style()
def specification(
    readings: pd.DataFrame,
    values: pd.DataFrame,
    *,
    regions: Mapping[str, tuple[float | None, float | None, float | None]],
) -> Figure:
    """One panel per number, readings sorted by the first; below it a row per value of each choice.

    `readings` has reading, quantity, value, low, high, verdict, flagged; `values` [reading, choice] the
    value that each reading gives each choice; `regions` the accepted ends and the published number of each
    quantity.
    """
    if readings.empty:
        return _unmeasured()
    first = readings[readings["quantity"] == next(iter(regions))].sort_values("value", kind="stable")
    order = first["reading"].tolist()
    rows = [(str(c), str(v)) for c in values for v in sorted(set(values[c]), key=_as_number)]
    heights = [CURVE] * len(regions) + [max(ROW * len(rows), ROW)]
    figure, axes = new_figure(
        2,
        height=sum(heights) + MARGIN,
        nrows=len(heights),
        sharex=True,
        squeeze=False,
        gridspec_kw={"height_ratios": heights},
    )
    for ax, (quantity, region) in zip(axes[:-1, 0], regions.items(), strict=True):
        of_it = readings[readings["quantity"] == quantity].set_index("reading")
        _curve(ax, of_it.reindex(order), quantity, region)
    _matrix(axes[-1, 0], values.reindex(order), rows)
    _legend(figure, readings, any(r[2] is not None for r in regions.values()))
    return figure


def _unmeasured() -> Figure:
    figure, ax = new_figure(2, height=0.5)
    ax.axis("off")
    ax.text(0.5, 0.5, "not measured at this preset", ha="center", va="center", color=GREY)
    return figure


def _as_number(text: str) -> tuple[float, str]:
    try:
        return float(text), ""
    except ValueError:
        return np.inf, text


def _curve(
    ax: Axes, table: pd.DataFrame, quantity: str, region: tuple[float | None, float | None, float | None]
) -> None:
    low, high, printed = region
    ends = [e for e in region if e is not None]
    _scale(ax, table, ends)
    for x, row in enumerate(table.to_dict("records")):
        if np.isfinite(row["value"]):
            _point(ax, x, row)
    bottom, top = _limits(ax, low, high, ends)
    ax.axhspan(bottom if low is None else low, top if high is None else high, color=GREY, alpha=0.15, lw=0)
    ax.set_ylim(bottom, top)
    if printed is not None:
        published(ax, y=printed)
    ax.set_ylabel(_label(quantity), fontsize=6.5)
    if "base" in table.index:
        ax.axvline(list(table.index).index("base"), color=BLACK, lw=0.6, ls=":", zorder=0.5)


def _scale(ax: Axes, table: pd.DataFrame, ends: Sequence[float]) -> None:
    """A logarithmic axis for numbers of many sizes; of both signs, beyond what four fifths of them reach."""
    known = [*table["value"].dropna(), *ends]
    if min(known) > 0:
        if max(known) / min(known) > LOGARITHMIC_FROM:
            ax.set_yscale("log")
        return
    most = max(float(table["value"].abs().quantile(0.8)), *(abs(e) for e in ends), 0.0)
    farthest = np.nanmax(np.abs(table[["value", "low", "high"]].to_numpy(float)))
    if farthest > COMPRESSED_FROM * most > 0:
        ax.set_yscale("symlog", linthresh=most)
        # ticks inside the linear part would run into that of zero
        powers = 10.0 ** np.arange(np.ceil(np.log10(most / 2)), 12)
        ax.yaxis.set_major_locator(FixedLocator([*-powers[::-1], 0.0, *powers]))


def _label(quantity: str) -> str:
    """A quantity's name in lines that do not reach into the panels above and below."""
    lines = [""]
    for part in re.findall(r"[^._]+[._]?", quantity):
        if lines[-1] and len(lines[-1]) + len(part) > LONGEST_LABEL:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _limits(ax: Axes, low: float | None, high: float | None, ends: Sequence[float]) -> tuple[float, float]:
    """Limits that hold numbers and region; a region without an end is seen to go on beyond the other."""
    bottom, top = ax.get_ylim()
    bottom, top = min([bottom, *ends]), max([top, *ends])
    if ax.get_yscale() == "log":
        beyond = (top / bottom) ** 0.08
        less, more = bottom / beyond, top * beyond
    else:
        beyond = 0.08 * (top - bottom)
        less, more = bottom - beyond, top + beyond
    return (less if low is None else bottom), (more if high is None else top)


def _point(ax: Axes, x: int, row: Mapping[Any, Any]) -> None:
    """A number with its interval; hollow where its estimate carries diagnoses."""
    marker, color = LOOKS[row["verdict"]]
    ax.plot([x, x], [row["low"], row["high"]], color=color, lw=0.9)
    face = "white" if row["flagged"] > FLAGGED_FROM else color
    ax.plot(x, row["value"], marker, color=color, markerfacecolor=face, ms=4)


def _matrix(ax: Axes, values: pd.DataFrame, rows: Sequence[tuple[str, str]]) -> None:
    """A square where a reading has a value; black where it differs from the base."""
    base = values.loc["base"] if "base" in values.index else None
    for y, (choice, value) in enumerate(rows):
        at = np.flatnonzero(values[choice] == value)
        own = base is not None and base[choice] == value
        ax.plot(at, [y] * len(at), "s", ms=2.6, color=GREY if own else BLACK, alpha=0.45 if own else 1.0)
        if y and rows[y - 1][0] != choice:
            ax.axhline(y - 0.5, color=GREY, lw=0.4)
    ax.set_yticks(range(len(rows)), [f"{choice}: {value}" for choice, value in rows], fontsize=6)
    ax.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    ax.set_xlim(-0.7, len(values) - 0.3)
    ax.set_xticks([])
    ax.set_xlabel("readings, sorted by the first number; grey squares: value of the base")


def _legend(figure: Figure, readings: pd.DataFrame, printed: bool) -> None:
    seen = [v for v in LOOKS if v in set(readings["verdict"])]
    handles = [Line2D([], [], marker=LOOKS[v][0], color=LOOKS[v][1], lw=0.9, ms=4, label=v) for v in seen]
    if (readings["flagged"] > FLAGGED_FROM).any():
        hollow = Line2D([], [], marker="o", color=GREY, markerfacecolor="white", lw=0, label="with diagnoses")
        handles.append(hollow)
    handles.append(Line2D([], [], color=GREY, lw=6, alpha=0.3, label="accepted"))
    if printed:
        handles.append(Line2D([], [], color=GREY, ls=(0, (4, 2)), lw=1.2, label="published"))
    handles.append(Line2D([], [], color=BLACK, lw=0.6, ls=":", label="base reading"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=6.5)
