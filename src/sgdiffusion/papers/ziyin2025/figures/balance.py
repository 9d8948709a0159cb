"""Figs 1, 2 and the journal's u² − w² of Ziyin, Li & Ueda (2025): noise drives weights to balance."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdiffusion.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    VERMILION,
    new_figure,
    panel_label,
    seed_band,
    style,
)

METHODS = {"gd": (BLACK, "GD"), "sgd": (BLUE, "SGD"), "gd-noise": (VERMILION, "GD + Gaussian noise")}
REACH = 3.2  # of the plane that is shown
LAYERS = {
    "u": (BLUE, "first layer, $u$"),
    "w": (VERMILION, "second layer, $w$"),
}


@style()
def fig1(paths: pd.DataFrame) -> Figure:
    """Paths in the (u, w) plane, one panel for each method; the valley uw = v* is dashed."""
    figure, axes = new_figure(columns=2, height=2.6, ncols=3, sharex=True, sharey=True)
    for letter, ax, (method, (color, label)) in zip("abc", axes, METHODS.items(), strict=True):
        part = paths[paths["method"] == method]
        _valley(ax)
        chains = [part[part["chain"] == c] for c in sorted(set(part["chain"]))]
        for chain, alpha in zip(chains[: 1 if method == "gd" else 3], (1.0, 0.6, 0.35), strict=False):
            ax.plot(chain["u"], chain["w"], color=color, alpha=alpha, linewidth=0.7)
            ax.plot(*chain[["u", "w"]].iloc[-1], "o", color=color, alpha=alpha, markersize=4)
        ax.plot(*part[["u", "w"]].iloc[0], marker="D", color=GREY, markersize=5, linestyle="none")
        ax.set(title=label, xlabel="$u$", xlim=(0, REACH), ylim=(0, REACH), aspect="equal")
        panel_label(ax, letter)
    axes[0].set_ylabel("$w$")
    handles = [
        axes[0].plot([], [], "D", color=GREY, markersize=5, label="start")[0],
        axes[0].plot([], [], "o", color=GREY, markersize=4, label="end of a path")[0],
        axes[0].plot([], [], color=GREY, linestyle=(0, (4, 2)), label="minima $uw = v^*$")[0],
        axes[0].plot([], [], color=GREEN, linestyle=":", label="balance $u = w$")[0],
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def _valley(ax: Axes) -> None:
    u = np.linspace(0.05, REACH, 200)
    ax.plot(u, 1 / u, color=GREY, linestyle=(0, (4, 2)), linewidth=0.9, zorder=1)
    ax.plot([0, REACH], [0, REACH], color=GREEN, linestyle=":", linewidth=1.0, zorder=1)


@style()
def fig7(imbalance: pd.DataFrame) -> Figure:
    """u² − w² over time relative to its start: (a) median and 5 to 95 % of the chains, (b) its r.m.s."""
    figure, (left, right) = new_figure(columns=2, height=2.5, ncols=2)
    for method, (color, label) in METHODS.items():
        part = imbalance[imbalance["method"] == method].sort_values("time")
        left.plot(part["time"], part["median"], color=color, label=label)
        seed_band(left, part["time"], part["low"], part["high"], color)
        right.plot(part["time"], part["rms"], color=color, label=label)
    left.set(xlabel=r"time (steps $\times\,\eta$)", ylabel=r"$(u^2-w^2)\,/\,(u_0^2-w_0^2)$")
    right.set(xlabel=r"time (steps $\times\,\eta$)", ylabel="root mean square over chains", yscale="log")
    left.set_title("median, 5–95 % of chains")
    left.legend(loc="lower left")
    for letter, ax in zip("ab", (left, right), strict=True):
        panel_label(ax, letter)
    return figure


def _over_seeds(ax: Axes, table: pd.DataFrame, column: str, color: str, label: str | None) -> None:
    """Mean over seeds with their range as a band."""
    grouped = table.groupby("time")[column]
    mean = grouped.mean()
    ax.plot(mean.index, mean, color=color, label=label)
    seed_band(ax, mean.index, grouped.min(), grouped.max(), color)


@style()
def fig2a(norms: pd.DataFrame) -> Figure:
    """‖u‖² and ‖w‖² of the two-layer ReLU net during SGD with S = 1; bands are the range over seeds."""
    figure, ax = new_figure(columns=1, height=2.4)
    smallest = norms[norms["batch"] == norms["batch"].min()]
    for name, (color, label) in LAYERS.items():
        _over_seeds(ax, smallest, f"{name}_squared", color, label)
    ax.set(
        xlabel=r"time (steps $\times\,\eta$)", ylabel=r"$\Vert u \Vert^2$, $\Vert w \Vert^2$", ylim=(0, None)
    )
    ax.set_title(f"S = {norms['batch'].min()}, {norms['seed'].nunique()} seeds")
    ax.legend(loc="lower right")
    return figure


@style()
def fig2b(norms: pd.DataFrame) -> Figure:
    """Both sides of the noise balance during SGD, and below their ratio for each batch size."""
    figure, (top, bottom) = new_figure(columns=1, height=3.2, nrows=2, height_ratios=[2, 1])
    batches = sorted(set(norms["batch"]))
    smallest = norms[norms["batch"] == batches[0]]
    for name, formula in (("u", r"$u^\top C_1 u$"), ("w", r"$w^\top C_2 w$")):
        _over_seeds(top, smallest, f"{name}_noise", LAYERS[name][0], formula)
    top.set(yscale="log", ylabel="noise term")
    top.set_title(f"S = {batches[0]}, {norms['seed'].nunique()} seeds")
    top.set_yticks([200, 500, 1000], ["200", "500", "1000"])
    top.yaxis.minorticks_off()
    top.legend(loc="upper right")
    ratio = norms.assign(ratio=norms["u_noise"] / norms["w_noise"])
    for batch, color in zip(batches, (BLACK, GREEN), strict=False):
        part = ratio[ratio["batch"] == batch]
        share = part.assign(time=part["time"] / part["time"].max())
        _over_seeds(bottom, share, "ratio", color, f"S = {batch}")
    bottom.axhline(1, color=GREY, linewidth=0.8, linestyle=":")
    bottom.set(ylim=(0.8, 2.2), ylabel="ratio", xlabel=r"share of the training")
    bottom.legend(loc="upper right", ncols=2)
    top.set_xlabel(r"time (steps $\times\,\eta$)")
    return figure
