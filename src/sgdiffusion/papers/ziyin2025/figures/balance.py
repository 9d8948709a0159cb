"""Figs 1, 2 and the journal's u² − w² of Ziyin, Li & Ueda (2025): noise drives weights to balance."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdiffusion.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    PUBLISHED,
    VERMILION,
    legend_below,
    new_figure,
    panel_label,
    plain_log_ticks,
    published,
    seed_band,
    style,
)

METHODS = {"gd": (BLACK, "GD"), "sgd": (BLUE, "SGD"), "gd-noise": (VERMILION, "GD + Gaussian noise")}
LAYERS = {
    "u": (BLUE, "first layer, $u$"),
    "w": (VERMILION, "second layer, $w$"),
}

START: dict[str, Any] = {
    "marker": "s", "color": BLACK, "markerfacecolor": "none", "markersize": 7,
    "linestyle": "none", "zorder": 3,
}  # fmt: skip


@style()
def fig1(paths: pd.DataFrame) -> Figure:
    """Paths in the (u, w) plane, one panel for each method; the valley uw = v* is dashed.

    On logarithmic axes, as long as no weight changes its sign, the valley is straight and no part of it is
    squashed.
    """
    figure, axes = new_figure(columns=2, height=2.6, ncols=3, sharex=True, sharey=True)
    shown = paths[(paths["method"] != "gd") | (paths["chain"] == 0)]
    low, high = shown[["u", "w"]].to_numpy().min(), shown[["u", "w"]].to_numpy().max()
    ends = (low / 1.4, 1.4 * high) if low > 0 else (1.05 * low, 1.05 * high)
    for letter, ax, (method, (color, label)) in zip("abc", axes, METHODS.items(), strict=True):
        part = shown[shown["method"] == method]
        _valley(ax, *ends)
        chains = [part[part["chain"] == c] for c in sorted(set(part["chain"]))]
        for chain, alpha in zip(chains, (1.0, 0.6, 0.35), strict=False):
            ax.plot(chain["u"], chain["w"], color=color, alpha=alpha, linewidth=0.7)
            ax.plot(*chain[["u", "w"]].iloc[-1], "o", color=color, alpha=alpha, markersize=4, zorder=4)
        ax.plot(*part[["u", "w"]].iloc[0], **START)
        ax.set(title=label, xlabel="$u$", aspect="equal", xlim=ends, ylim=ends)
        panel_label(ax, letter)
        if low > 0:
            ax.set(xscale="log", yscale="log")
            plain_log_ticks(ax.xaxis)
            plain_log_ticks(ax.yaxis)
    axes[0].set_ylabel("$w$")
    handles = [
        axes[0].plot([], [], label="start", **START)[0],
        axes[0].plot([], [], "o", color=GREY, markersize=4, label="end of a path")[0],
        axes[0].plot([], [], color=GREY, linestyle=(0, (4, 2)), label="minima $uw = v^*$")[0],
        axes[0].plot([], [], color=GREEN, linestyle=":", label="balance $u = w$")[0],
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def _valley(ax: Axes, bottom: float, top: float) -> None:
    """uw = v* = 1 on the side, or sides, of zero that is shown, and u = w."""
    sides = [np.geomspace(1 / top, top, 200)]
    if bottom < 0:
        sides.append(-np.geomspace(-1 / bottom, -bottom, 200))
    for u in sides:
        ax.plot(u, 1 / u, color=GREY, linestyle=(0, (4, 2)), linewidth=0.9, zorder=1)
    ax.plot([bottom, top], [bottom, top], color=GREEN, linestyle=":", linewidth=1.0, zorder=1)


@style()
def fig7(imbalance: pd.DataFrame) -> Figure:
    """u² − w² over time relative to its start: (a) median and 5 to 95 % of the chains, (b) its r.m.s."""
    figure, (left, right) = new_figure(columns=2, height=3.5, ncols=2)
    for method, (color, label) in METHODS.items():
        of_method = imbalance[imbalance["method"] == method]
        rates = sorted(set(of_method["rate"]))
        for rate, line in zip(rates, ("-", "--", ":"), strict=False):
            part = of_method[of_method["rate"] == rate].sort_values("time")
            of_rate = rf"{label}, $\eta$ = {rate:g}"
            right.plot(part["time"], part["rms"], color=color, linestyle=line, label=of_rate)
            if rate == rates[0]:
                left.plot(part["time"], part["median"], color=color, label=of_rate)
                seed_band(left, part["time"], part["low"], part["high"], color)
        finest = of_method[of_method["rate"] == rates[0]].sort_values("time")
        if finest["martingale"].notna().any():
            right.plot(finest["time"], finest["martingale"], color=GREEN, linewidth=2.5, alpha=0.5, zorder=1,
                       label="martingale, predicted")  # fmt: skip
    left.set(xlabel=r"time (steps $\times\,\eta$)", ylabel=r"$(u^2-w^2)\,/\,(u_0^2-w_0^2)$")
    right.set(xlabel=r"time (steps $\times\,\eta$)", ylabel="root mean square over chains", yscale="log")
    left.set_title("median, 5–95 % of chains")
    for letter, ax in zip("ab", (left, right), strict=True):
        panel_label(ax, letter)
        legend_below(ax)
    return figure


def _over_seeds(ax: Axes, table: pd.DataFrame, column: str, look: dict[str, Any]) -> None:
    """Mean over seeds with their range as a band, against T·t."""
    grouped = table.assign(at=table["time"] * table["rate"] / table["batch"]).groupby("at")[column]
    mean = grouped.mean()
    ax.plot(mean.index, mean, **look)
    seed_band(ax, mean.index, grouped.min(), grouped.max(), look["color"])


def _base(norms: pd.DataFrame) -> pd.DataFrame:
    """The trainings of the paper's net, at the lowest rate with the smallest batch."""
    plain = norms[~norms["case"].str.contains("out|bias")]
    first = plain.sort_values(["batch", "rate"])["case"].iloc[0]
    return plain[plain["case"] == first]


def _shapes(norms: pd.DataFrame) -> list[tuple[pd.DataFrame, str, str]]:
    """The paper's net, that of fewer outputs and that with biases, each with its colour and name."""
    return [
        (_base(norms), BLACK, "20 outputs"),
        (norms[norms["case"].str.endswith("out5")], GREEN, "5 outputs"),
        (norms[norms["case"].str.endswith("bias")], VERMILION, "with biases"),
    ]


TIME = r"$T\,t = \eta^2\,\mathrm{steps}/S$"


@style()
def fig2a(norms: pd.DataFrame) -> Figure:
    """(a) ‖u‖² and ‖w‖² during SGD, 20 → 200 → 20; (b) their ratio there and with five outputs."""
    figure, (top, bottom) = new_figure(columns=1, height=4.0, nrows=2, sharex=True, height_ratios=[1.2, 1])
    even = _base(norms)
    for name, (color, label) in LAYERS.items():
        _over_seeds(top, even, f"{name}_squared", {"color": color, "label": label})
    top.set(ylabel=r"$\Vert u \Vert^2$, $\Vert w \Vert^2$", ylim=(0, None))
    legend_below(top, ncols=2)
    for part, color, label in _shapes(norms):
        ratio = part.assign(ratio=part["u_squared"] / part["w_squared"])
        _over_seeds(bottom, ratio, "ratio", {"color": color, "label": label})
    published(bottom, y=1, label="published: 1")
    bottom.set(yscale="log", xlabel=TIME, ylabel=r"$\Vert u \Vert^2 / \Vert w \Vert^2$")
    bottom.set_title(f"range of {norms['seed'].nunique()} seeds shaded", loc="right", fontsize=7)
    plain_log_ticks(bottom.yaxis)
    figure.legend(*bottom.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    for letter, ax in zip("ab", (top, bottom), strict=True):
        panel_label(ax, letter)
    return figure


@style()
def fig2b(norms: pd.DataFrame, windows: pd.DataFrame) -> Figure:
    """(a) Both sides of the noise balance, (b) their ratio, (c) its offset at rest against eq. 44."""
    figure, (left, middle, right) = new_figure(columns=2, height=3.2, ncols=3)
    even = _base(norms)
    for name, formula in (("u", r"$u^\top C_1 u$"), ("w", r"$w^\top C_2 w$")):
        _over_seeds(left, even, f"{name}_noise", {"color": LAYERS[name][0], "label": formula})
    left.set(yscale="log", ylabel="noise term", xlabel=TIME)
    plain_log_ticks(left.yaxis)
    legend_below(left)
    for part, color, label in _shapes(norms):
        ratio = part.assign(ratio=part["u_noise"] / part["w_noise"])
        _over_seeds(middle, ratio, "ratio", {"color": color, "label": label})
    published(middle, y=1, label="published: 1")
    middle.set(yscale="log", ylabel=r"$u^\top C_1 u\,/\,w^\top C_2 w$", xlabel=TIME)
    plain_log_ticks(middle.yaxis)
    legend_below(middle)
    _offsets(right, windows)
    for letter, ax in zip("abc", (left, middle, right), strict=True):
        panel_label(ax, letter)
    return figure


OFFSETS = {
    "offset": ("o", BLACK, "measured"),
    "offset_printed": ("D", GREY, "eq. 44, published"),
    "offset_corrected": ("x", VERMILION, r"eq. 44 with $\eta$"),
}


def _offsets(ax: Axes, windows: pd.DataFrame) -> None:
    """(uᵀC₁u − wᵀC₂w)/their mean at rest, per cent, over learning rates and batch sizes."""
    plain = windows[~windows["case"].str.contains("out|bias")]
    cases = plain.drop_duplicates("case").sort_values(["batch", "rate"])
    for shift, (name, (marker, color, label)) in zip((-0.15, 0.0, 0.15), OFFSETS.items(), strict=True):
        part = plain[plain["measured"] == name].set_index("case").loc[cases["case"]]
        bars = 100 * np.array([part["value"] - part["low"], part["high"] - part["value"]])
        drawn = ax.errorbar(np.arange(len(part)) + shift, 100 * part["value"], bars, fmt=marker, color=color,
                            mfc="white" if marker == "D" else color, markersize=4, label=label)  # fmt: skip
        if name == "offset_printed":
            drawn.lines[0].set_gid(PUBLISHED)
    ax.axhline(0, color=GREY, linewidth=0.8, linestyle=":")
    names = [f"S = {row.batch}\n{row.rate:g}" for row in cases.itertuples()]
    ax.set_xticks(range(len(cases)), names)
    ax.set(xlabel=r"batch size, $\eta$", ylabel="offset at rest, %", xlim=(-0.5, len(cases) - 0.5))
    legend_below(ax)
