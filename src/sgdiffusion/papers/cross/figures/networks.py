"""Each paper's measurement on the other papers' networks, in four panels."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdiffusion.figures.style import (
    BLACK,
    BLUE,
    CYCLE,
    GREY,
    ORANGE,
    VERMILION,
    legend_below,
    new_figure,
    panel_label,
    published_range,
    style,
)

RANKS = (0.3, 1.8)  # % of d, the range Chaudhari & Soatto print for their networks


@style()
def cross_figure(curves: pd.DataFrame, coefficients: pd.DataFrame, nets: pd.DataFrame) -> Figure:
    """Displacement and learning coefficient of trainings; rank of D and noise balance of ensembles."""
    figure, first = new_figure(columns=2, height=5.4)
    first.remove()
    panels = figure.subplots(2, 2)
    _displacements(panels[0, 0], curves)
    _coefficients(panels[0, 1], coefficients)
    _ranks(panels[1, 0], nets)
    _balances(panels[1, 1], nets)
    for ax, letter in zip(panels.flat, "abcd", strict=True):
        panel_label(ax, letter)
    return figure


def _displacements(ax: Axes, curves: pd.DataFrame) -> None:
    """R(t) of every seed, and Brownian motion through the middle of the first origin's last decade."""
    for (origin, part), color in zip(curves.groupby("origin"), CYCLE, strict=False):
        for i, (_, curve) in enumerate(part.groupby("seed")):
            label = f"since epoch {origin:,}" if i == 0 else None
            ax.plot(curve["time"], curve["displacement"], color=color, linewidth=0.9, label=label)
    longest = curves["time"].max()
    t = np.array([longest / 30, longest])
    level = curves.loc[curves["time"] == longest, "displacement"].median()
    ax.plot(t, 0.6 * level * np.sqrt(t / longest), color=GREY, linestyle="--", label="slope 1/2 (Brownian)")
    ax.set(xscale="log", yscale="log", xlabel="epochs since the origin", ylabel="displacement $R$ of tiny-fc")
    legend_below(ax, ncols=2)


def _coefficients(ax: Axes, coefficients: pd.DataFrame) -> None:
    """λ̂ over the share of the training, with its interval over chains; flagged estimates are hollow."""
    for (network, table), color in zip(
        coefficients.groupby("network", sort=False), (BLUE, VERMILION), strict=False
    ):
        known = table[np.isfinite(table["llc"])]
        share = known["time"] / known["time"].max()
        bars = np.maximum([known["llc"] - known["low"], known["high"] - known["llc"]], 0)
        ax.errorbar(share, known["llc"], bars, fmt="none", color=color, elinewidth=0.7)
        for flagged, face in ((False, color), (True, "white")):
            chosen = (known["diagnoses"] != "") == flagged
            ax.plot(
                share[chosen], known["llc"][chosen], "o", color=color, markerfacecolor=face, markersize=3.5
            )
        ax.plot(
            [], [], "o", color=color, markersize=3.5, label=f"{network}, d = {known['weights'].iloc[0]:,}"
        )
    if (coefficients["diagnoses"] != "").any():
        ax.plot([], [], "o", color=GREY, markerfacecolor="white", markersize=3.5, label="flagged unreliable")
    ax.set(xscale="log", xlabel="share of the training", ylabel=r"learning coefficient $\hat{\lambda}$")
    legend_below(ax, ncols=2)


def _ranks(ax: Axes, nets: pd.DataFrame) -> None:
    names = list(dict.fromkeys(nets.loc[nets["measured"] == "rank", "network"]))
    for i, (measured, color) in enumerate({"rank": BLACK, "participation": ORANGE}.items()):
        label = {"rank": "rank of $D$", "participation": r"$(\mathrm{Tr}\,D)^2/\|D\|_F^2$"}[measured]
        for j, name in enumerate(names):
            values = _values(nets, name, measured)
            _strip(ax, j + 0.3 * (i - 0.5), values, color, label if j == 0 else None)
    published_range(ax, *RANKS, upright=False, label="published ranks of other nets")
    ax.set(yscale="log", ylabel="share of $d$ / %")
    ax.set_xticks(range(len(names)), names)
    legend_below(ax, ncols=3, columnspacing=1)


def _balances(ax: Axes, nets: pd.DataFrame) -> None:
    """Ratios of noise and of squared norms of every layer pair; the pairs of a network side by side."""
    names = list(dict.fromkeys(nets["network"]))
    for i, (kind, color) in enumerate({"noise": BLUE, "norms": ORANGE}.items()):
        label = {"noise": r"$u^TC_1u\,/\,w^TC_2w$", "norms": r"$\|u\|^2/\|w\|^2$"}[kind]
        for j, name in enumerate(names):
            pairs = [m for m in nets.loc[nets["network"] == name, "measured"].unique() if kind in m]
            for k, pair in enumerate(pairs):
                place = j + 0.4 * (i - 0.5) + 0.3 * ((k + 0.5) / len(pairs) - 0.5)
                values, first = 10 ** _values(nets, name, pair), j == k == 0
                _strip(ax, place, values, color, label if first else None, 0.13 / len(pairs))
    ax.axhline(1, color=GREY, linestyle="--", linewidth=1, label="balance")
    ax.set(yscale="log", ylabel="ratio, every pair of layers")
    ax.set_xticks(range(len(names)), names, rotation=25, ha="right", rotation_mode="anchor")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.24), ncols=3, fontsize=6, columnspacing=1)


def _values(nets: pd.DataFrame, network: str, measured: str) -> pd.Series:
    return nets.loc[(nets["network"] == network) & (nets["measured"] == measured), "value"]


def _strip(ax: Axes, x: float, values: pd.Series, color: str, label: str | None, width: float = 0.13) -> None:
    """Every net as a dot, their median as a bar."""
    known = values[np.isfinite(values)].to_numpy()
    # steps of the golden ratio: even, and without an order that would look like a trend
    spread = 1.5 * width * ((np.arange(len(known)) * 0.618) % 1 - 0.5) if len(known) > 1 else np.zeros(1)
    ax.plot(x + spread, np.sort(known), ".", color=color, markersize=2.5, alpha=0.6)
    ax.plot([x - width, x + width], [np.median(known)] * 2, color=color, linewidth=1.6, label=label)
