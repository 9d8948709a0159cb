"""Figs 2a, 2b and the appendix's correlations of Hennick & De Baerdemacker (2025)."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdiffusion.figures.style import (
    BLUE,
    CYCLE,
    GREY,
    VERMILION,
    new_figure,
    panel_label,
    plain_log_ticks,
    published,
    published_range,
    style,
)
from sgdiffusion.papers.hennick2025.published import TABLE4

LOOKS = {"sgd": (BLUE, "o", "SGD"), "adam": (VERMILION, "s", "Adam")}
MEAN = r"$\bar{\lambda}$, time average"
FACTORS = {
    "rate": "learning rate",
    "batch_size": "batch size",
    "width": "width",
    "depth": "depth",
    "displacement": "displacement $R(T)$",
    "test_accuracy": "test accuracy",
}
CONTRASTS = {
    "mlps.batch_over_rate.mean_llc": r"SGD, $\bar{\lambda}$: batch size − rate",
    "mlps.batch_over_rate.spectral_dimension": r"SGD, $d_s$: batch size − rate",
    "mlps.displacement_sgd_over_adam": r"$\bar{\lambda}$ with $R(T)$: SGD − Adam",
    "mlps.accuracy_sgd": r"SGD, accuracy: $\bar{\lambda}$ − $d_s$",
    "mlps.accuracy_adam": r"Adam, accuracy: $d_s$ − $\bar{\lambda}$",
}
TARGETS = {
    "mean_llc": r"$\bar{\lambda}$",
    "llc": r"$\hat{\lambda}(T)$",
    "spectral_dimension": "$d_s$",
}


@style()
def fig2a(runs: pd.DataFrame) -> Figure:
    """(a) d_s against λ̄ with the line d_s = λ̄, (b) the slopes that alone decide on which side a run lies."""
    figure, (left, right) = new_figure(columns=2, height=3.4, ncols=2)
    shown = runs[(runs["mean_llc"] > 0) & (runs["spectral_dimension"] > 0)]
    for optimiser, (color, marker, label) in LOOKS.items():
        part = shown[shown["optimiser"] == optimiser]
        _cloud(left, part, color, marker, label)
        _slopes(right, runs[runs["optimiser"] == optimiser], color, label)
    known = [*shown["mean_llc"], *(_table4(optimiser)[0][0] for optimiser in LOOKS)]
    ends = np.array([0.8 * min(known), 1.25 * max(known)])
    published(left, x=ends, y=ends, curve=True, label=r"$d_s = \bar{\lambda}$")
    for optimiser, (_, marker, label) in LOOKS.items():
        _published_means(left, right, optimiser, marker, label)
    left.set(
        xscale="log",
        yscale="log",
        xlabel=r"$\bar{\lambda}$, time average",
        ylabel=r"$d_s = 2 \bar{\lambda} \times$ slope",
    )
    _published_deviations(left)
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.2), "ncols": 2, "fontsize": 6}
    left.legend(**place, title=_absent(runs, shown), title_fontsize=6)
    left.set_title(r"below the line $\Leftrightarrow$ slope < 1/2, by construction", fontsize=7, loc="right")
    published(right, x=0.5, label="1/2, Brownian motion")
    right.set(
        xlabel=r"slope of $\ln R$ on $\ln t$, 95 % interval", ylabel="share of the runs below", ylim=(0, 1)
    )
    right.legend(**place)
    for letter, ax in zip("ab", (left, right), strict=True):
        panel_label(ax, letter)
    return figure


def _table4(optimiser: str) -> list[tuple[float, float]]:
    """Mean and standard deviation of the final λ, then of d_s."""
    printed = (TABLE4[optimiser, name] for name in ("final λ", "d_s"))
    return [(float(mean), float(deviation)) for mean, deviation in printed]


def _published_means(left: Axes, right: Axes, optimiser: str, marker: str, label: str) -> None:
    """Table 4's means in (a), and their exponent d_s/(2λ) at the lower edge of (b)."""
    (coefficient, _), (dimension, _) = _table4(optimiser)
    look: dict[str, Any] = {"marker": marker, "markersize": 7, "markerfacecolor": "white"}
    published(left, x=[coefficient], y=[dimension], label=f"{label}: published mean, s.d.", **look)
    share = dimension / (2 * coefficient)
    words = f"published, {label}: {share:.2g} (Table 4)"
    published(right, x=[share], y=[0.0], label=words, clip_on=False, **look)


def _published_deviations(ax: Axes) -> None:
    """Table 4's deviations over runs; below they pass zero, so that the bars leave a logarithmic panel."""
    left, right, bottom, top = ax.axis()
    for optimiser in LOOKS:
        (coefficient, wide), (dimension, high) = _table4(optimiser)
        bars: dict[str, Any] = {"color": GREY, "linewidth": 0.8, "zorder": 1.4}
        ax.plot([max(left, coefficient - wide), coefficient + wide], [dimension] * 2, **bars)
        ax.plot([coefficient] * 2, [max(bottom, dimension - high), dimension + high], **bars)
    ax.axis((left, right, bottom, top))


def _cloud(ax: Axes, part: pd.DataFrame, color: str, marker: str, label: str) -> None:
    """Runs with intervals of d_s; hollow where an estimate of λ along the run has a diagnosis."""
    y = part["spectral_dimension"]
    bars = np.array([y - part["spectral_low"].clip(lower=0.02 * y), part["spectral_high"] - y])
    ax.errorbar(
        part["mean_llc"], y, np.abs(bars), fmt="none", color=color, linewidth=0.4, alpha=0.5, capsize=0
    )
    for marked, face in ((False, color), (True, "white")):
        some = part[(part["marks"] != "") == marked]
        name = f"{label}, flagged unreliable" if marked else label
        ax.plot(some["mean_llc"], some["spectral_dimension"], marker, color=color, markerfacecolor=face,
                markersize=3, markeredgewidth=0.6, label=f"{name} ({len(some)})")  # fmt: skip


def _slopes(ax: Axes, part: pd.DataFrame, color: str, label: str) -> None:
    """Cumulative distribution of the slopes, each with its interval."""
    known = part[np.isfinite(part["slope"])].sort_values("slope")
    level = (np.arange(len(known)) + 0.5) / max(len(known), 1)
    ax.hlines(level, known["slope_low"], known["slope_high"], color=color, linewidth=0.4, alpha=0.5)
    ax.plot(known["slope"], level, color=color, label=label)


def _absent(runs: pd.DataFrame, shown: pd.DataFrame) -> str:
    """What a logarithmic plot cannot show is said."""
    lost = int((runs["marks"] == "diverged").sum())
    below = len(runs) - len(shown) - lost
    words = [f"{lost} diverged"] * (lost > 0) + [f"{below} with λ̄ ≤ 0"] * (below > 0)
    return "not shown: " + ", ".join(words) if words else ""


@style()
def fig2b(runs: pd.DataFrame, correlations: pd.DataFrame) -> Figure:
    """λ̄ against the displacement at the end; strong colour: large batch and low rate, by the base reading."""
    figure, axes = new_figure(columns=2, height=3.0, ncols=2)
    for letter, ax, (optimiser, (color, marker, label)) in zip("ab", axes, LOOKS.items(), strict=True):
        part = runs[(runs["optimiser"] == optimiser) & np.isfinite(runs["mean_llc"])]
        quiet_runs = part[part["quiet"]]
        least, most = quiet_runs["batch_size"].min(), quiet_runs["rate"].max()
        words = f"batch ≥ {least:g}, rate ≤ {most:.2g}" if len(quiet_runs) else "large batch, low rate"
        for quiet, alpha, name in ((False, 0.3, "all other runs"), (True, 1.0, words)):
            some = part[part["quiet"] == quiet]
            ax.plot(some["displacement"], some["mean_llc"], marker, color=color, alpha=alpha,
                    markersize=3.5, markeredgewidth=0.7,
                    label=name + _rho(correlations, optimiser, quiet))  # fmt: skip
        ax.set(xscale="log", xlabel="displacement $R(T)$", ylabel=MEAN)
        ax.set_title(label)
        plain_log_ticks(ax.xaxis)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2))
        panel_label(ax, letter)
    return figure


def _rho(correlations: pd.DataFrame, optimiser: str, quiet: bool) -> str:
    subset = "large-batch-low-rate" if quiet else "all"
    keys = {"optimiser": optimiser, "x": "displacement", "y": "mean_llc", "subset": subset}
    found = correlations[(correlations[list(keys)] == pd.Series(keys)).all(axis=1)]
    if not len(found) or not np.isfinite(found["rho"].iloc[0]):
        return ""
    row = found.iloc[0]
    whole = "" if quiet else " of all runs"
    numbers = f"{row['rho']:.2f} [{row['low']:.2f}, {row['high']:.2f}]".replace("-", "\N{MINUS SIGN}")
    return f"\n$\\rho${whole} = {numbers}"


@style()
def correlations_figure(correlations: pd.DataFrame, readings: pd.DataFrame) -> Figure:
    """Figs 10 to 13 and 17: (a to c) correlations of λ̄, λ̂(T) and d_s with what varies and what results,
    (d) the differences of |ρ| that the paper asserts, by the base reading and at other lengths of the runs.
    """
    figure, whole_page = new_figure(columns=2, height=5.2)
    whole_page.remove()
    top, bottom = figure.subfigures(2, squeeze=False).flat
    axes = top.subplots(1, len(TARGETS), sharey=True)
    whole = correlations[correlations["subset"] == "all"]
    for letter, ax, (target, name) in zip("abc", axes, TARGETS.items(), strict=True):
        for i, (optimiser, (color, marker, label)) in enumerate(LOOKS.items()):
            part = whole[(whole["optimiser"] == optimiser) & (whole["y"] == target)].set_index("x")
            part = part.reindex(list(FACTORS))
            bars = np.abs([part["rho"] - part["low"], part["high"] - part["rho"]])
            rows = np.arange(len(FACTORS)) + 0.2 * (2 * i - 1)
            ax.errorbar(part["rho"], rows, xerr=bars, fmt=marker, color=color, markersize=3, linewidth=1,
                        label=f"{label}, 95 % interval over runs")  # fmt: skip
        ax.axvline(0, color=GREY, linewidth=0.7)
        ax.set(xlim=(-1.05, 1.05), xlabel=r"Spearman's $\rho$", title=name)
        panel_label(ax, letter)
    axes[0].set_yticks(range(len(FACTORS)), list(FACTORS.values()))
    axes[0].invert_yaxis()
    top.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    below = bottom.subplots()
    _contrasts(below, readings)
    bottom.legend(*below.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _contrasts(ax: Axes, readings: pd.DataFrame) -> None:
    """The asserted differences with their intervals; on the right of zero the published sign."""
    shown = [n for n in readings["reading"].unique() if n == "base" or _of_length(str(n))]
    for i, name in enumerate(shown):
        part = readings[readings["reading"] == name].set_index("quantity").reindex(list(CONTRASTS))
        rows = np.arange(len(CONTRASTS)) + 0.2 * (i - (len(shown) - 1) / 2)
        bars = np.abs([part["value"] - part["low"], part["high"] - part["value"]])
        ax.errorbar(part["value"], rows, xerr=bars, fmt="oDs^v"[i % 5], color=CYCLE[i % len(CYCLE)],
                    markersize=3, linewidth=1, label=str(name).replace("=", ": "))  # fmt: skip
    published_range(ax, 0, 1, upright=True, label="as published")
    ax.axvline(0, color=GREY, linewidth=0.7)
    ax.set_yticks(range(len(CONTRASTS)), list(CONTRASTS.values()))
    ax.invert_yaxis()
    ax.set(xlim=(-1, 1), xlabel=r"difference of $|\rho|$, 95 % over runs")
    panel_label(ax, "d")


def _of_length(name: str) -> bool:
    return name.startswith("length=") and ";" not in name
