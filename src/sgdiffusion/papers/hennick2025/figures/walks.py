"""Fig. 1 of Hennick & De Baerdemacker (2025), and how λ̂ depends on the settings of its chains (ours)."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdiffusion.figures.style import (
    BLUE,
    CYCLE,
    GREEN,
    GREY,
    PUBLISHED_LINE,
    VERMILION,
    new_figure,
    panel_label,
    plain_log_ticks,
    published,
    seed_band,
    style,
)
from sgdiffusion.papers.hennick2025.figures.laws import samples

LOOKS = {
    "moons": (GREEN, "D", "moons, SGD"),
    "sgd": (BLUE, "o", "MNIST, SGD"),
    "adam": (VERMILION, "s", "MNIST, Adam"),
}


@style()
def fig1(displacement: pd.DataFrame) -> Figure:
    """(a) Mean displacement of every ensemble over normalised time, (b) its exponent."""
    figure, (left, right) = new_figure(columns=2, height=2.8, ncols=2)
    parts = samples(displacement)
    for i, part in enumerate(parts):
        color = CYCLE[i % len(CYCLE)]
        left.plot(part["time"], part["mean"], color=color, linewidth=1, label=f"sample {i + 1}")
        right.plot(part["time"], part["local_slope"], color=color, linewidth=1)
        seed_band(right, part["time"], part["slope_low"], part["slope_high"], color)
    first = parts[0]
    seed_band(left, first["time"], first["low"], first["high"], CYCLE[0], "95 % of the nets, sample 1")
    ends = [float(part["mean"].iloc[-1]) for part in parts]
    brownian = np.exp(np.mean(np.log(ends))) * np.sqrt(first["time"])
    published(left, x=first["time"], y=brownian, curve=True, label=r"Brownian motion, $R \propto t^{1/2}$")
    left.set(xscale="log", yscale="log", ylabel=r"mean of $R(t) = \| w(t) - w(0) \|$")
    published(right, y=0.5, label=None)
    right.set(xscale="log", ylim=(0, None))
    right.set_ylabel(r"$\mathrm{d} \ln \langle R \rangle \, / \, \mathrm{d} \ln t$, 95 % over nets")
    small = {"color": GREY, "fontsize": 7, "transform": right.get_yaxis_transform()}
    right.text(0.02, 0.53, "super-diffusive", **small)
    right.text(0.02, 0.43, "sub-diffusive", **small)
    for letter, ax in zip("ab", (left, right), strict=True):
        ax.set_xlabel("time $t$ / length of the training")
        panel_label(ax, letter)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


@style()
def sensitivity_figure(moons: pd.DataFrame, mlps: pd.DataFrame) -> Figure:
    """What one changed setting does to λ̂: (a) to its mean, (b) to the order of the weight vectors."""
    names = [n for n in dict.fromkeys([*moons["variation"], *mlps["variation"]]) if n != "base"]
    figure, (left, right) = new_figure(columns=2, height=0.7 + 0.34 * len(names), ncols=2, sharey=True)
    groups = {"moons": moons, **{str(k): part for k, part in mlps.groupby("optimiser")}}
    for i, (key, table) in enumerate(sorted(groups.items(), key=lambda g: list(LOOKS).index(g[0]))):
        _ranges(left, table, names, key, i, ("ratio", "ratio_low", "ratio_high"))
        _ranges(right, table, names, key, i, ("rho", "rho_low", "rho_high"))
    left.axvline(1, **{**PUBLISHED_LINE, "label": "no change"})
    right.axvline(1, **PUBLISHED_LINE)
    left.set(xscale="log", xlabel=r"mean $\hat{\lambda}$ / mean $\hat{\lambda}$ of the base settings")
    right.set_xlabel("rank correlation with the base settings")
    plain_log_ticks(left.xaxis)
    left.set_yticks(range(len(names)), [n.replace("=", ": ") for n in names])
    left.set_ylim(len(names) - 0.4, -0.6)
    for letter, ax in zip("ab", (left, right), strict=True):
        panel_label(ax, letter)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _ranges(
    ax: Axes, table: pd.DataFrame, names: list[str], key: str, number: int, columns: tuple[str, str, str]
) -> None:
    """Estimates with 95 % intervals in the row of their change."""
    color, marker, label = LOOKS[key]
    part = table[table["variation"].isin(names)]
    rows = np.array([names.index(n) for n in part["variation"]]) + 0.22 * (number - 1)
    value, low, high = (part[c].to_numpy() for c in columns)
    bars = np.abs([value - low, high - value])
    look: dict[str, Any] = {"fmt": marker, "color": color, "markersize": 3, "linewidth": 1}
    ax.errorbar(value, rows, xerr=bars, label=f"{label} (95 %)", **look)
