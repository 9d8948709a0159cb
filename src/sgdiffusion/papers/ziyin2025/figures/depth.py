"""Fig 5 of Ziyin, Li & Ueda (2025): tails, fluctuation inversion and depth scaling; Theorem 4.1 over time."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdiffusion.figures.style import (
    BLACK,
    BLUE,
    CYCLE,
    GREY,
    VERMILION,
    instants_palette,
    legend_below,
    new_figure,
    panel_label,
    plain_log_ticks,
    published,
    seed_band,
    style,
)

LEAST = {"variance": 1e-6, "norm": 1e-5, "excess": 1e-4}  # of Fig 5 mid: what lies below is marked there
FLOOR = 1e-12  # below it a mean over chains is the square of a weight at rest


@style()
def fig5a(exponents: pd.DataFrame, survival: pd.DataFrame) -> Figure:
    """(a) Densities of |v| at D ≥ 1, (b) local slopes, (c) exponents against −5 + 3/(D+1), (d) D = 0."""
    figure, ((left, slopes), (middle, right)) = new_figure(columns=2, height=5.7, nrows=2, ncols=2)
    deep = survival[(survival["simulator"] == "sde") & (survival["depth"] > 0)]
    depths = sorted(set(deep["depth"]))
    for depth, color, marker in zip(depths, CYCLE, "os^Dv", strict=False):
        part = deep[(deep["depth"] == depth) & (deep["density"] > 0)]
        middle_of = np.sqrt(part["low"] * part["high"])
        left.errorbar(middle_of, part["density"], 1.96 * part["error"], fmt=marker, color=color,
                      markersize=2.5, elinewidth=0.6, capsize=0, label=f"D = {depth}")  # fmt: skip
    guide = np.array([1.0, 10.0])
    for power, height, words in ((3.5, 0.1, "D = 1"), (5.0, 0.005, "limit")):
        look = {"linestyle": "-" if power < 4 else ":", "label": rf"published, {words}: $|v|^{{-{power:g}}}$"}
        published(left, x=guide, y=height * guide**-power, curve=True, **look)
    left.set(xscale="log", yscale="log", xlabel="$|v|$", ylabel="density", ylim=(1e-7, None))
    legend_below(left, ncols=3)
    _slopes(slopes, deep, depths)
    _exponents(middle, exponents[(exponents["simulator"] == "sde") & (exponents["depth"] > 0)])
    _shallow(right, exponents[exponents["depth"] == 0])
    for letter, ax in zip("abcd", (left, slopes, middle, right), strict=True):
        panel_label(ax, letter)
    return figure


def _slopes(ax: Axes, deep: pd.DataFrame, depths: list[int]) -> None:
    """Local slopes where their error is below a half, and the exponents that they are to reach."""
    for depth, color, marker in zip(depths, CYCLE, "os^Dv", strict=False):
        part = deep[(deep["depth"] == depth) & (deep["slope_error"] < 0.5)]
        middle_of = np.sqrt(part["low"] * part["high"])
        ax.errorbar(middle_of, part["slope"], 1.96 * part["slope_error"], fmt=marker, color=color,
                    markersize=2.5, elinewidth=0.6, capsize=0)  # fmt: skip
        published(ax, y=-5 + 3 / (depth + 1), color=color, linewidth=0.8, label=None)
    ax.plot([], [], color=GREY, linewidth=0.8, linestyle="--", label=r"published, $-5+3/(D+1)$")
    ax.set(xscale="log", xlabel="$|v|$", ylabel="local slope of the density", ylim=(-6.5, 2.5))
    legend_below(ax)


def _bars(table: pd.DataFrame) -> list[pd.Series]:
    return [table["high"] - table["exponent"], table["exponent"] - table["low"]]


def _exponents(ax: Axes, table: pd.DataFrame) -> None:
    d = np.linspace(0.8, 5.2, 100)
    published(ax, x=d, y=-5 + 3 / (d + 1), curve=True, label=r"published, $-5+3/(D+1)$")
    ax.errorbar(table["depth"], -table["exponent"], _bars(table), fmt="o", color=BLUE, label="SDE ± 95 %")
    ax.set(xlabel="depth $D$", ylabel="tail exponent", xticks=sorted(set(table["depth"])))
    legend_below(ax)


def _shallow(ax: Axes, table: pd.DataFrame) -> None:
    sde, sgd = (table[table["simulator"] == s].sort_values("temperature") for s in ("sde", "sgd"))
    law = pd.concat([sde, sgd])
    published(ax, x=law["temperature"], y=-law["theory"], label=r"published, $-2-\beta_1/(T\alpha_1)$")
    for part, marker, color, label in ((sde, "o", BLUE, "SDE ± 95 %"), (sgd, "s", VERMILION, "SGD, S = 1")):
        at, exponent = part["temperature"], -part["exponent"]
        ax.errorbar(at, exponent, _bars(part), fmt=marker, markersize=3, color=color, zorder=5, label=label)
    ax.plot(sgd["temperature"], -sgd["exact"], "x", color=BLACK, label="SGD, exact", markersize=5)
    ax.set(xlabel="$T$", ylabel="tail exponent", title="D = 0", xscale="log", ylim=(-5.2, -1.7))
    _plain_ticks(ax, table["temperature"])
    legend_below(ax, ncols=2)


def _plain_ticks(ax: Axes, values: pd.Series) -> None:
    """Ticks of a logarithmic axis at the values themselves."""
    ticks = sorted(set(values))
    ax.set_xticks(ticks, [f"{t:.3g}" for t in ticks], rotation=45 if len(ticks) > 5 else 0)
    ax.xaxis.minorticks_off()


@style()
def fig5b(inversion: pd.DataFrame) -> Figure:
    """Variance of v, squared norm and excess loss of one tanh unit against the learning rate."""
    figure, axes = new_figure(columns=2, height=2.6, ncols=3)
    names = {
        "variance": r"$\mathrm{Var}\,v$",
        "norm": "trained weights, squared norm",
        "excess": "loss above that of noise",
    }
    for letter, ax, (column, label) in zip("abc", axes, names.items(), strict=True):
        for depth, color in ((0, VERMILION), (1, BLUE)):
            part = inversion[(inversion["depth"] == depth) & inversion[column].notna()].sort_values("rate")
            shown = part[part[column] > LEAST[column]]
            ax.errorbar(shown["rate"], shown[column], 1.96 * shown[f"{column}_error"], fmt="o", color=color,
                        markersize=3, label=f"D = {depth}")  # fmt: skip
            joined = part[column].where(part[column] > LEAST[column])
            ax.plot(part["rate"], joined, color=color, linewidth=0.8)
            below = part[part[column] <= LEAST[column]]
            ax.plot(below["rate"], np.full(len(below), LEAST[column]), "v", color=color, mfc="none",
                    markersize=4, label=f"D = {depth}, below" if len(below) else None)  # fmt: skip
        published(ax, x=float(inversion["critical"].iloc[0]), label="published $T_c$, linear model")
        ax.set(xscale="log", yscale="log", xlabel=r"learning rate $\eta$ (S = 1)", ylabel=label)
        ax.set_ylim(LEAST[column] / 2, None)
        _overflow(ax, inversion[inversion["depth"] == 1].sort_values("rate"))
        panel_label(ax, letter)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=6)
    return figure


def _overflow(ax: Axes, table: pd.DataFrame) -> None:
    """The rates at which most chains of depth 1 overflow, shaded from half-way to the rate below them."""
    rates, lost = table["rate"].to_numpy(), (table["escaped"] > 0.5).to_numpy()
    if lost.any():
        first = int(lost.argmax())
        start = np.sqrt(rates[first] * rates[max(0, first - 1)])
        ax.axvspan(start, 1.2 * rates[-1], color=GREY, alpha=0.25, linewidth=0, label="D = 1 overflows")
        ax.set_xlim(0.8 * rates[0], 1.2 * rates[-1])


@style()
def fig5c(errors: pd.DataFrame, title: str) -> Figure:
    """Test error of tanh nets over depths, (a) at one η, (b) at one ηD, (c) at one η and width ∝ D."""
    figure, axes = new_figure(columns=2, height=2.8, ncols=3, sharey=True)
    depths = sorted(set(errors["depth"]))
    cuts = (
        ("constant", "rate", r"$\eta$", "one width"),
        ("constant", "scaled_rate", r"$\eta D$", "one width, rate scaled"),
        ("proportional", "rate", r"$\eta$", r"width $\propto D$"),
    )
    for ax, (shape, column, label, name) in zip(axes, cuts, strict=True):
        part = errors[errors["shape"] == shape]
        for depth, color, marker in zip(depths, instants_palette(len(depths)), "os^Dvx", strict=False):
            grouped = part[part["depth"] == depth].groupby(column)["test_error"]
            mean = 100 * grouped.mean()
            ax.plot(mean.index, mean, f"{marker}-", color=color, markersize=3, label=f"D = {depth}")
            seed_band(ax, mean.index, 100 * grouped.min(), 100 * grouped.max(), color)
        ax.set(xscale="log", yscale="log", xlabel=label, title=name)
        _plain_ticks(ax, part[column])
    best = 100 * errors.groupby(["shape", "depth", "rate"])["test_error"].mean().min()
    axes[0].set_ylim(0.7 * best, min(100.0, 8 * best))
    axes[0].set_ylabel("test error, %")
    plain_log_ticks(axes[0].yaxis)
    handles, labels = axes[-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=6)
    note = f"{title}; range of {errors['seed'].nunique()} seeds shaded; failed nets lie above the axes"
    figure.suptitle(note, fontsize=7)
    for letter, ax in zip("abc", axes, strict=True):
        panel_label(ax, letter)
    return figure


@style()
def theorem41(subnetworks: pd.DataFrame) -> Figure:
    """(a) Weight of the minority sign, (b) change of log|v_i/v_j|, (c) gap of |v_i|² of those alive."""
    figure, (left, middle, right) = new_figure(columns=2, height=2.8, ncols=3)
    for simulator, look in (("sde", "-"), ("sgd", "--")):
        of_simulator = subnetworks[subnetworks["simulator"] == simulator]
        for depth, color in zip(sorted(set(of_simulator["depth"])), CYCLE, strict=False):
            part = of_simulator[of_simulator["depth"] == depth].sort_values("time")
            shown = part[part["minority"] > FLOOR]
            line: dict[str, Any] = {"color": color, "linestyle": look}
            left.plot(shown["time"], shown["minority"], label=f"D = {depth}, {simulator.upper()}", **line)
            middle.plot(part["time"], part["log_ratio"].where(part["log_ratio"] > 0), **line)
            right.plot(part["time"], part["square_gap"], **line)
            seed_band(right, part["time"], part["square_low"], part["square_high"], color)
    left.set(yscale="log", ylim=(FLOOR, 2), ylabel=r"share of $\sum|v_i|$ of minority sign")
    middle.axhline(1e-12, color=GREY, linewidth=0.8, linestyle=":")
    middle.annotate("rounding", (0.03, 1.4e-12), xycoords=("axes fraction", "data"), fontsize=6, color=GREY)
    middle.set(yscale="log", ylabel=r"$|\Delta\log|v_i/v_j||$ since half-time")
    right.set(ylabel=r"$\sum||v_i|^2-|v_j|^2|\,/\,\sum(|v_i|^2+|v_j|^2)$", ylim=(0, 1))
    figure.legend(loc="outside lower center", ncols=6, fontsize=6)
    for letter, ax in zip("abc", (left, middle, right), strict=True):
        ax.set_xlabel(r"time (steps $\times\,\eta$)")
        panel_label(ax, letter)
    for ax in (left, right):  # most happens at once: from the second sample on, the axis is logarithmic
        second = float(np.sort(subnetworks["time"].unique())[1])
        ax.set_xscale("symlog", linthresh=second, linscale=0.5)
        last = float(subnetworks["time"].max())
        ax.set_xticks([0, *(10.0**k for k in range(-6, 9) if second <= 10.0**k <= last)])
        ax.set_xlim(0, last)
    return figure


@style()
def discrete_depth(approach: pd.DataFrame, escapes: pd.DataFrame) -> Figure:
    """(a) Distance of discrete SGD to the law as η → 0 at T_c/2, (b) share of escaped chains over time."""
    figure, (left, right) = new_figure(columns=2, height=3.2, ncols=2)
    depths = sorted(set(approach["depth"]))
    for depth, color, marker in zip(depths, CYCLE, "os^", strict=False):
        part = approach[approach["depth"] == depth].sort_values("rate")
        left.errorbar(part["rate"], part["distance"], part["band"], fmt=f"{marker}-", color=color,
                      markersize=4, linewidth=0.8, label=f"D = {depth}")  # fmt: skip
    left.axhline(float(approach["critical"].max()), color=GREY, linestyle=":", label="rejected at 1 %")
    left.set(xscale="log", yscale="log", xlabel=r"$\eta = T = T_c/2$", ylabel="KS distance of SGD, S = 1")
    plain_log_ticks(left.xaxis)
    plain_log_ticks(left.yaxis)
    legend_below(left, ncols=2)
    last = escapes[escapes["time"] == escapes["time"].max()]
    for (simulator, depth), part in last.groupby(["simulator", "depth"]):
        ordered, sde = part.sort_values("rate"), simulator == "sde"
        color = BLACK if sde else CYCLE[depths.index(depth)]
        bars = 100 * np.array([ordered["escaped"] - ordered["low"], ordered["high"] - ordered["escaped"]])
        look = "s:" if sde else "o-"
        right.errorbar(ordered["rate"], 100 * ordered["escaped"], bars, fmt=look, color=color,
                       mfc="none" if sde else color, markersize=4, linewidth=0.8,
                       label=f"{simulator.upper()}, D = {depth}")  # fmt: skip
    published(right, y=0, label="published: never")
    right.set(xlabel=r"$\eta = T$, S = 1", ylim=(-3, 103))
    right.set_ylabel(f"escaped by t = {last['time'].iloc[0]:g}, %")
    legend_below(right, ncols=2)
    for letter, ax in zip("ab", (left, right), strict=True):
        panel_label(ax, letter)
    return figure
