"""Figs 3, 4a and 4b of Hennick & De Baerdemacker (2025): SGD's solutions beside the posterior, on every
random sample of the moons."""

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
    PUBLISHED,
    new_figure,
    panel_label,
    published,
    seed_band,
    style,
)
from sgdiffusion.papers.hennick2025.published import TABLE2, XI

LAWS = {"sgd": (BLUE, "SGD"), "posterior": (BLACK, "posterior (SGLD)"), "tempered": (ORANGE, "tempered SGD")}
LEAST_KL = 2e-5  # nats; a smaller minimum is drawn here
_MARKS = "osD^vPX*"


@style()
def fig3(scan: pd.DataFrame) -> Figure:
    """(a) KL of SGD's law and the theory's over ξ on every sample, (b) the pairs of ξ and m/γ that are one
    and the same minimum.
    """
    figure, (left, right) = new_figure(columns=2, height=3.2, ncols=2)
    curves = samples(scan)
    for i, part in enumerate(curves):
        color = CYCLE[i % len(CYCLE)]
        left.plot(part["xi"], part["kl"], color=color, linewidth=1)
        _minimum(left, part, color, _MARKS[i % len(_MARKS)], f"sample {i + 1}")
        _ridge(right, part, color, _MARKS[i % len(_MARKS)], f"sample {i + 1}")
    first = curves[0]
    seed_band(left, first["xi"], first["low"], first["high"], CYCLE[0], "95 %, sample 1")
    published(left, x=XI, label=rf"published, $\xi = {XI:g}$")
    strength = float(first["strength"].iloc[0])
    left.set(xscale="log", yscale="log", xlabel=rf"scale $\xi$ at $m/\gamma = {strength:g}$")
    left.set_ylabel("KL(SGD ‖ theory) / nats")
    lowest = float(scan.loc[scan["kl"] > 0, "kl"].min())
    left.set_ylim(max(0.3 * lowest, 0.5 * LEAST_KL), 3 * float(scan["kl"].max()))
    right.set(xscale="log", yscale="log", xlabel=r"scale $\xi$", ylabel=r"$m/\gamma$ of the same minimum")
    published(right, x=XI, label=None)
    place = {"loc": "outside lower center", "ncols": 4, "fontsize": 6}
    figure.legend(*left.get_legend_handles_labels(), **place)
    for letter, ax in zip("ab", (left, right), strict=True):
        panel_label(ax, letter)
    return figure


def _minimum(ax: Axes, part: pd.DataFrame, color: str, mark: str, label: str) -> None:
    """The smallest KL with the interval of its ξ; a hollow mark where it lies at an end of the scan."""
    best, low, high = (float(part[c].iloc[0]) for c in ("best", "best_low", "best_high"))
    at_end = best in (part["xi"].min(), part["xi"].max())
    bars = [[max(best - low, 0)], [max(high - best, 0)]]
    floor = max(float(part["kl"].min()), LEAST_KL)
    ax.errorbar([best], [floor], xerr=bars, fmt=mark, color=color, markersize=4, linewidth=0.8,
                markerfacecolor="white" if at_end else color,
                label=label + " (end of the scan)" * at_end)  # fmt: skip


def _ridge(ax: Axes, part: pd.DataFrame, color: str, mark: str, label: str) -> None:
    """e = (m/γ) ξ^{2−2λ/d_s} is one number: every point of this line has the same KL."""
    row = part.iloc[0]
    power = 2 - 2 * float(row["ratio"])
    xi = part["xi"].to_numpy()
    line = float(row["strength"]) * (float(row["best"]) / xi) ** power
    ax.plot(xi, line, color=color, linewidth=1, label=label)
    here = float(row["strength"]) * (float(row["best"]) / XI) ** power
    ax.plot([XI], [here], mark, color=color, markersize=4)


@style()
def fig4a(nets: pd.DataFrame, descents: pd.DataFrame) -> Figure:
    """Histogram of λ̂ over the nets of every ensemble, flagged estimates apart, and as an outline, scaled to
    as many, over the minima below draws of the posterior.
    """
    parts, others = samples(nets), samples(descents)
    figure, axes = _grid(len(parts), height=1.7)
    low, high = np.quantile(nets["llc"].dropna(), [0.002, 0.998])
    edges = np.linspace(low, high, 31).tolist()
    for i, (ax, part) in enumerate(zip(axes, parts, strict=True)):
        marked = part["diagnoses"] != ""
        values = part["llc"].clip(low, high)
        names = [f"not flagged ({(~marked).sum()})", f"flagged unreliable ({marked.sum()})"]
        ax.hist([values[~marked].dropna(), values[marked].dropna()], edges, stacked=True,
                color=[BLUE, ORANGE])  # fmt: skip
        below = others[i]["llc"].dropna().clip(low, high)
        weights = np.full(len(below), part["llc"].count() / max(len(below), 1))
        ax.hist(below, edges, weights=weights, histtype="step", color=BLACK, linewidth=0.9)
        ax.axvline(float(part["llc"].median()), color=BLACK, linewidth=1, linestyle="--")
        ax.set_title(f"sample {i + 1}: {names[0]}\n{names[1]}", fontsize=6)
        half = float((part["high"] - part["low"]).median() / 2)
        top = 1.15 * ax.dataLim.y1
        ax.errorbar([high - half], [top], xerr=[half], color=GREY, fmt="none", linewidth=1)
        ax.set_ylim(0, 1.3 * ax.dataLim.y1)
    for ax in axes[-3:]:
        ax.set_xlabel(r"$\hat{\lambda}$")
    axes[0].set_ylabel("nets")
    figure.suptitle(
        "SGD's nets, blue: not flagged, orange: flagged, dashed: their median; outline: minima below draws\n"
        "of the posterior, scaled to as many; grey: 95 % of one net; end bars: what is beyond",
        fontsize=6,
    )
    return figure


@style()
def fig4b(laws: pd.DataFrame, distances: pd.DataFrame) -> Figure:
    """Probability of each cluster under SGD, posterior and tempered SGD on every sample, 95 % intervals."""
    parts, away = samples(laws), samples(distances)
    figure, axes = _grid(len(parts), height=1.7)
    for i, (ax, table) in enumerate(zip(axes, parts, strict=True)):
        for j, (law, (color, label)) in enumerate(LAWS.items()):
            part = table[table["law"] == law].sort_values("cluster")
            p, place = part["probability"], part["cluster"] + 1 + 0.27 * (j - 1)
            bars = np.maximum([p - part["low"], part["high"] - p], 0)
            ax.errorbar(place, p, bars, fmt="osD"[j], color=color, markersize=4, linewidth=1, label=label)
        kl = away[i][away[i]["distance"] == "kl"].set_index("law")["value"]
        numbers = f"SGD {kl['sgd']:.2g}, tempered {kl['tempered']:.2g}, chance {kl['null']:.1g}"
        ax.set_title(f"sample {i + 1}, KL:\n{numbers}", fontsize=6)
        ax.set_xticks(sorted(set(table["cluster"] + 1)))
        ax.set_ylim(0, 1)
    for ax in axes[-3:]:
        ax.set_xlabel("cluster, by its size among SGD's")
    axes[0].set_ylabel("probability")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    words = f"published: KL {TABLE2['kl']:g} of the posterior from tempered SGD (Table 2)"
    figure.suptitle(words, fontsize=6.5, color=GREY, gid=PUBLISHED)
    return figure


def samples(table: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows of every random sample of the moons."""
    return [part for _, part in table.groupby("sample")]


def _grid(count: int, height: float) -> tuple[Figure, list[Axes]]:
    """As many panels as samples, three in a row."""
    columns = min(count, 3)
    rows = -(-count // columns)
    figure, axes = new_figure(2, 0.5 + height * rows, nrows=rows, ncols=columns, squeeze=False)
    panels = list(axes.flat)
    for unused in panels[count:]:
        unused.remove()
    return figure, panels[:count]
