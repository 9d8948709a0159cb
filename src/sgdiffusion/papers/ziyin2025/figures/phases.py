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
    GREEN,
    GREY,
    PUBLISHED_MARK,
    VERMILION,
    instants_palette,
    new_figure,
    panel_label,
    style,
)
from sgdiffusion.papers.ziyin2025.theory import phases
from sgdiffusion.papers.ziyin2025.theory.data_law import gaussian_linear

REGIMES = ("Ia", "Ib", "IIa", "IIb", "III")
SHADES = ("#d9d9d9", "#b3b3b3", "#cfe3f2", "#8fbfe0", "#fdebc8")


def _rows(table: pd.DataFrame) -> list[Any]:
    return list(table.itertuples())


@style()
def fig4(regimes: pd.DataFrame) -> Figure:
    """(a) The five regimes in the (σ, T) plane with the points that were simulated; (b) what they gave."""
    figure, (left, right) = new_figure(columns=2, height=3.0, ncols=2, width_ratios=[1.25, 1])
    _diagram(left, regimes)
    _checks(right, regimes)
    for letter, ax in zip("ab", (left, right), strict=True):
        panel_label(ax, letter)
    return figure


def _diagram(ax: Axes, regimes: pd.DataFrame) -> None:
    k = float(regimes["k"].iloc[0])
    noises, temperatures = np.linspace(0.02, 2.0, 160), np.linspace(0.003, 0.7, 160)
    index = [
        [REGIMES.index(phases.regime(gaussian_linear(k, float(s)), float(t))) for s in noises]
        for t in temperatures
    ]
    ax.pcolormesh(
        noises, temperatures, index, cmap=ListedColormap(SHADES), vmin=-0.5, vmax=4.5, rasterized=True
    )
    lines = phases.boundaries(k, noises)
    ax.plot(noises, lines["T_c"], color=BLACK, label="$T_c$")
    ax.plot(noises, lines["T_c/3"], color=BLACK, linestyle="--", label="$T_c/3$")
    star = lines["T* as printed"]
    ax.plot(noises, np.where(star < 0.7, star, np.nan), color=VERMILION, linestyle=":", label="$T^*$")
    points = regimes.drop_duplicates("regime")
    ax.plot(points["noise"], points["temperature"], "o", color=BLUE, markersize=5, label="simulated")
    for row in _rows(points):
        ax.annotate(str(row.regime), (row.noise, row.temperature), xytext=(5, 3), textcoords="offset points")
    ax.set(xlabel=r"noise $\sigma$", ylabel="$T$", xlim=(0, 2), ylim=(0, 0.7))
    ax.set_title(rf"$y = x + \varepsilon$, $D = 1$, $k = {k:g}$")
    ax.legend(loc="upper right", frameon=True, framealpha=0.9)


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
    ax.plot(np.ones(len(rows)), y, label="predicted", **{**PUBLISHED_MARK, "zorder": 1})
    ax.set_yticks(y, [f"{r.regime}: {labels[str(r.quantity)]}" for r in _rows(rows)])
    ax.set(xlabel="measured / predicted", ylim=(-2.4, len(rows) - 0.5))
    ax.legend(loc="lower right", ncols=1)


@style()
def transition_figure(growth: pd.DataFrame, located: pd.DataFrame, collapse: pd.DataFrame) -> Figure:
    """(a) Growth of ⟨log v⟩ at v = 0, (b) its zero against theory, (c) collapse in finite time."""
    figure, (left, middle, right) = new_figure(columns=2, height=2.7, ncols=3, width_ratios=[1, 1.1, 1])
    first = float(located["first_order"].iloc[0])
    colors = dict(zip(located["batch"], (BLACK, BLUE, VERMILION, GREEN), strict=False))
    for row in _rows(located):
        part = growth[growth["batch"] == row.batch]
        label = "SDE" if row.batch == 0 else f"SGD, S = {row.batch}"
        left.errorbar(part["temperature"] / first, part["growth"], 1.96 * part["error"], fmt="o-",
                      color=colors[row.batch], markersize=3, linewidth=0.8, label=label)  # fmt: skip
    left.axhline(0, color=GREY, linewidth=0.7)
    left.set(xlabel=r"$T\,\alpha_3/\beta_2$", ylabel=r"$d\langle\log v\rangle/dt$ at $v \to 0$")
    left.legend(loc="lower left")
    _located(middle, located, first, colors)
    horizons = sorted(set(collapse["horizon"]))
    for horizon, color in zip(horizons, instants_palette(len(horizons)), strict=True):
        part = collapse[collapse["horizon"] == horizon]
        bars = [part["collapsed"] - part["low"], part["high"] - part["collapsed"]]
        right.errorbar(part["temperature"] / first, part["collapsed"], bars, fmt="o-", color=color,
                       markersize=3, linewidth=0.8, label=f"t = {horizon:g}")  # fmt: skip
    sgd = located[located["batch"] == 1]
    if len(sgd):
        right.axvline(float(sgd["exact"].iloc[0]) / first, color=GREY, linewidth=0.8, linestyle=":")
    right.set(xlabel=r"$T\,\alpha_3/\beta_2$", ylabel=r"collapsed share, SGD S = 1", ylim=(0, 1.02))
    right.legend(loc="lower right")
    for letter, ax in zip("abc", (left, middle, right), strict=True):
        panel_label(ax, letter)
    return figure


def _located(ax: Axes, located: pd.DataFrame, first: float, colors: dict[int, str]) -> None:
    for i, row in enumerate(_rows(located)):
        value = row.located / first
        bars = [[(row.located - row.low) / first], [(row.high - row.located) / first]]
        ax.errorbar([i], [value], bars, fmt="o", color=colors[row.batch], zorder=5)
        for reference, marker, color, name in (
            (row.first_order, "_", GREY, "first order"),
            (row.second_order, "x", GREEN, "second order"),
            (row.exact, "D", BLACK, "exact"),
        ):
            look: dict[str, Any] = {
                "markersize": 7 if marker == "_" else 4,
                "mfc": "none",
                "linestyle": "none",
            }
            ax.plot(
                [i + 0.22], [reference / first], marker, color=color, label=name if i == 0 else None, **look
            )
    names = ["SDE" if b == 0 else f"S = {b}" for b in located["batch"]]
    ax.set_xticks(range(len(located)), names)
    ax.set(ylabel=r"$T_c\,\alpha_3/\beta_2$", xlim=(-0.4, len(located) - 0.3))
    ax.legend(loc="lower left")
