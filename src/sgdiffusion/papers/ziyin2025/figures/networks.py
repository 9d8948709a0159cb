"""Noise balance of real networks along their trainings, and what predicts the change of their norms."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdiffusion.figures.style import (
    BLUE,
    GREEN,
    GREY,
    VERMILION,
    new_figure,
    panel_label,
    plain_log_ticks,
    seed_band,
    style,
)

TITLES = {"mlp": "ReLU net", "conv-norm": "conv. net, batch-norm", "row-transformer": "transformer"}
COLORS = (BLUE, GREEN, VERMILION)  # of the batch sizes
FORMS: dict[str, tuple[str, str, str]] = {
    "error_predicted": ("o", BLUE, "Theorem 3.1"),
    "error_printed": ("v", GREY, "eq. 44, printed"),
    "error_corrected": ("x", VERMILION, r"eq. 44 with $\eta$"),
}


@style()
def real_networks(pairs: pd.DataFrame, summary: pd.DataFrame, title: str) -> Figure:
    """Above: distance from noise balance, mean over pairs; below: error of three forms of the theorem."""
    names = [n for n in TITLES if n in set(pairs["network"])]
    figure, axes = new_figure(columns=2, height=4.2, nrows=2, ncols=len(names), sharey="row", squeeze=False)
    batches = sorted(set(pairs["batch"]))
    for column, name in enumerate(names):
        _distance(axes[0, column], pairs[pairs["network"] == name], batches)
        _errors(axes[1, column], summary[summary["network"] == name])
        axes[0, column].set_title(TITLES[name])
    axes[0, 0].set_ylabel(r"$|\log_{10}\,u^\top C_1 u / w^\top C_2 w|$")
    axes[1, 0].set_ylabel(r"$\Sigma\,|$change $-$ predicted$|\,/\,\Sigma\,|$change$|$")
    plain_log_ticks(axes[1, 0].yaxis)
    for letter, ax in zip("abcdef", axes.flat, strict=False):
        panel_label(ax, letter)
    plain_log_ticks(axes[0, 0].yaxis)
    handles = [*axes[0, 0].get_legend_handles_labels()[0], *axes[1, 0].get_legend_handles_labels()[0]]
    figure.legend(handles=handles, loc="outside lower center", ncols=6, fontsize=6)
    figure.suptitle(f"{title}; mean of pairs, range of {pairs['seed'].nunique()} seeds shaded", fontsize=7)
    return figure


def _distance(ax: Axes, pairs: pd.DataFrame, batches: list[int]) -> None:
    distance = pairs.assign(far=np.abs(np.log10(pairs["u_noise"] / pairs["w_noise"])))
    for batch, color in zip(batches, COLORS, strict=False):
        of_batch = distance[distance["batch"] == batch]
        per_seed = of_batch.groupby(["time", "seed"])["far"].mean().groupby("time")
        mean = per_seed.mean()
        after = mean.index > 0
        ax.plot(mean.index[after], mean[after], color=color, label=f"S = {batch}")
        seed_band(ax, mean.index[after], per_seed.min()[after], per_seed.max()[after], color)
    ax.set(xscale="log", xlabel=r"time (steps $\times\,\eta$)", yscale="log")
    plain_log_ticks(ax.xaxis)


def _errors(ax: Axes, summary: pd.DataFrame) -> None:
    batches = sorted(set(summary["batch"]))
    for shift, (name, (marker, color, label)) in zip((-0.15, 0.0, 0.15), FORMS.items(), strict=True):
        part = summary[summary["measured"] == name].set_index("batch").loc[batches]
        # an interval over few seeds may reach below zero, which an error cannot
        bars = [part["value"] - part["low"].clip(lower=0.5 * part["value"]), part["high"] - part["value"]]
        look: dict[str, Any] = {"color": color, "mfc": "white" if marker == "v" else color}
        ax.errorbar(
            np.arange(len(batches)) + shift,
            part["value"],
            bars,
            fmt=marker,
            markersize=4,
            label=label,
            **look,
        )
    ax.set_xticks(range(len(batches)), [str(b) for b in batches])
    ax.set(xlabel="batch size $S$", yscale="log", xlim=(-0.5, len(batches) - 0.5))
