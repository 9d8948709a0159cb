"""Fig 4 of Ziyin, Li & Ueda (2025), the phase diagram with simulated checks, and the located transition."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from sgdiffusion.figures.style import (
    BLACK,
    BLUE,
    GREY,
    PUBLISHED,
    PUBLISHED_MARK,
    PURPLE,
    SKY,
    VERMILION,
    instants_palette,
    legend_below,
    new_figure,
    panel_label,
    published,
    style,
)
from sgdiffusion.papers.ziyin2025.theory import phases
from sgdiffusion.papers.ziyin2025.theory.data_law import gaussian_linear

SIGMAS = 4.0  # of the diagram, in units of k: beyond √(14/3), where T* no longer ends the maximum
REGIMES = ("Ia", "Ib", "IIa", "IIb", "III")
SHADES = ("#d9d9d9", "#b3b3b3", "#cfe3f2", "#8fbfe0", "#fdebc8")


def _rows(table: pd.DataFrame) -> list[Any]:
    return list(table.itertuples())


@style()
def fig4(regimes: pd.DataFrame) -> Figure:
    """(a) The five regimes in the (σ, T) plane with the points that were simulated; (b) what they gave."""
    figure, (left, right) = new_figure(columns=2, height=3.3, ncols=2, width_ratios=[1.25, 1])
    _diagram(left, regimes)
    _checks(right, regimes)
    for letter, ax in zip("ab", (left, right), strict=True):
        panel_label(ax, letter)
    return figure


def _diagram(ax: Axes, regimes: pd.DataFrame) -> None:
    k = float(regimes["k"].iloc[0])
    noises, temperatures = np.linspace(0.02, SIGMAS * k, 160), np.linspace(0.003, 0.7 / k, 160)
    index = [
        [REGIMES.index(phases.regime(gaussian_linear(k, float(s)), float(t))) for s in noises]
        for t in temperatures
    ]
    ax.pcolormesh(
        noises, temperatures, index, cmap=ListedColormap(SHADES), vmin=-0.5, vmax=4.5, rasterized=True
    )
    lines = phases.boundaries(k, noises)
    ax.plot(noises, lines["T_c"], color=BLACK, label="$T_c$, published", gid=PUBLISHED)
    ax.plot(noises, lines["T_c/3"], color=BLACK, linestyle="--", label="$T_c/3$, published")
    star = lines["T* as printed"]
    ax.plot(
        noises,
        np.where(star < 0.7 / k, star, np.nan),
        color=VERMILION,
        linestyle=":",
        label="$T^*$, published",
    )
    ax.axvline(np.sqrt(14 / 3) * k, color=VERMILION, linewidth=0.8, linestyle="--",
               label=r"beyond: $T^*>$ end of maximum")  # fmt: skip
    points = regimes.drop_duplicates("regime")
    ax.plot(points["noise"], points["temperature"], "o", color=BLUE, markersize=5, label="simulated")
    for row in _rows(points):
        ax.annotate(str(row.regime), (row.noise, row.temperature), xytext=(5, 3), textcoords="offset points")
    ax.set(xlabel=r"noise $\sigma$", ylabel="$T$", xlim=(0, SIGMAS * k), ylim=(0, 0.7 / k))
    ax.set_title(rf"$y = x + \varepsilon$, $D = 1$, $k = {k:g}$")
    legend_below(ax, ncols=3)


def _checks(ax: Axes, regimes: pd.DataFrame) -> None:
    """Every check as measured over predicted: a share, an exponent + 3/2, or a ratio of densities."""
    labels = {
        "collapsed": "collapsed share",
        "origin": r"exponent at 0, $+\,3/2$",
        "maximum": "peak over valley",
    }
    rows = regimes.reset_index(drop=True)
    shift = np.where(rows["quantity"] == "origin", 1.5, 0.0)
    scale = rows["theory"] + shift
    value, low, high = ((rows[c] + shift) / scale for c in ("value", "low", "high"))
    y = np.arange(len(rows))[::-1]
    ax.errorbar(value, y, xerr=[value - low, high - value], fmt="o", color=BLUE, label="simulated ± 95 %")
    ax.plot(
        np.ones(len(rows)), y, label="published prediction", gid=PUBLISHED, **{**PUBLISHED_MARK, "zorder": 1}
    )
    ax.set_yticks(y, [f"{r.regime}: {labels[str(r.quantity)]}" for r in _rows(rows)])
    ax.set(xlabel="measured / predicted", ylim=(-2.4, len(rows) - 0.5))
    ax.legend(loc="lower right", ncols=1)


@style()
def transition_figure(located: pd.DataFrame, collapse: pd.DataFrame, scan: pd.DataFrame) -> Figure:
    """(a) T_c over β₂/α₃ against the signal, exact, printed and simulated; (b) collapse in finite time."""
    figure, (left, right) = new_figure(columns=2, height=3.4, ncols=2)
    _signals(left, located, scan)
    horizons, first = sorted(set(collapse["horizon"])), float(located["first_order"].iloc[0])
    for horizon, color in zip(horizons, instants_palette(len(horizons)), strict=True):
        part = collapse[collapse["horizon"] == horizon]
        bars = [part["collapsed"] - part["low"], part["high"] - part["collapsed"]]
        right.errorbar(part["temperature"] / first, part["collapsed"], bars, fmt="o-", color=color,
                       markersize=3, linewidth=0.8, label=f"t = {horizon:g}")  # fmt: skip
    sgd = located[(located["batch"] == 1) & (located["law"] == collapse["law"].iloc[0])]
    if len(sgd):
        right.axvline(float(sgd["exact"].iloc[0]) / first, color=GREY, linewidth=0.8, linestyle=":",
                      label="exact $T_c$; below it all leave zero")  # fmt: skip
    published(right, x=1, label="published $T_c$")
    right.set(xlabel=r"$T\,\alpha_3/\beta_2$", ylabel="collapsed share, SGD S = 1", ylim=(0, 1.02))
    legend_below(right, ncols=2)
    for letter, ax in zip("ab", (left, right), strict=True):
        panel_label(ax, letter)
    return figure


def _signals(ax: Axes, located: pd.DataFrame, scan: pd.DataFrame) -> None:
    batches = sorted(set(scan["batch"]))
    colors = dict(zip(batches, (BLUE, SKY, VERMILION, PURPLE), strict=False))
    for batch in batches:
        part = scan[scan["batch"] == batch].sort_values("k")
        ax.plot(part["k"] / part["noise"], part["exact"], color=colors[batch], label=f"exact, S = {batch}")
    printed = scan[scan["batch"] == batches[0]].sort_values("k")
    at = printed["k"] / printed["noise"]
    published(ax, x=at, y=printed["printed"], curve=True, label="published, second order")
    noise = float(scan["noise"].iloc[0])
    for row in _rows(located):
        color = colors.get(row.batch, BLACK)
        value = row.located / row.first_order
        bars = [[row.located - row.low], [row.high - row.located]]
        ax.errorbar([row.k / noise], [value], np.array(bars) / row.first_order, color=color,
                    fmt="s" if row.decay else "o", markersize=4,
                    mfc="none" if row.decay else color)  # fmt: skip
    for marker, fill, label in (("o", BLACK, "simulated; black: SDE"), ("s", "none", "SDE with decay")):
        ax.plot([], [], marker, color=BLACK, mfc=fill, markersize=4, label=label)
    published(ax, y=1, linestyle="-", linewidth=0.8, label="published, first order")
    ax.set(xlabel=r"signal $k/\sigma$", ylabel=r"$T_c\,\alpha_3/(\beta_2-\gamma)$")
    legend_below(ax, ncols=2)
