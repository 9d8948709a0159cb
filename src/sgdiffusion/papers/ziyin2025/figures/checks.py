"""What the claims about Theorem 3.1, Corollary 3.3 and E[v²] rest on; the integrators' convergence."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdiffusion.figures.style import (
    BLUE,
    GREEN,
    GREY,
    VERMILION,
    legend_below,
    new_figure,
    panel_label,
    plain_log_ticks,
    published,
    style,
)

SCHEMES = {
    "euler": (VERMILION, "Euler–Maruyama"),
    "milstein": (BLUE, "Milstein"),
    "platen": (GREEN, "Platen"),
}


@style()
def checks(
    windows: pd.DataFrame, rates: pd.DataFrame, convergence: pd.DataFrame, moments: pd.DataFrame
) -> Figure:
    """(a) Theorem 3.1 integrated, (b) Corollary 3.3, (c) distance against step size, (d) E[v²] at D = 0."""
    figure, axes = new_figure(columns=2, height=5.8, nrows=2, ncols=2)
    _sides(axes[0, 0], windows)
    _rates(axes[0, 1], rates)
    _convergence(axes[1, 0], convergence)
    _moments(axes[1, 1], moments)
    for letter, ax in zip("abcd", axes.flat, strict=True):
        panel_label(ax, letter)
    return figure


SIDES = {
    "over_predicted": ("o", BLUE, "Theorem 3.1"),
    "over_printed": ("v", GREY, "eq. 44, printed"),
    "over_corrected": ("x", VERMILION, r"eq. 44 with $\eta$"),
}


def _sides(ax: Axes, windows: pd.DataFrame) -> None:
    """Change over the window of decay, measured over predicted, over learning rates and batch sizes."""
    plain = windows[~windows["case"].str.contains("out|bias")]
    cases = plain.drop_duplicates("case").sort_values(["batch", "rate"])
    for shift, (name, (marker, color, label)) in zip((-0.15, 0.0, 0.15), SIDES.items(), strict=True):
        part = plain[plain["measured"] == name].set_index("case").loc[cases["case"]]
        bars = [part["value"] - part["low"], part["high"] - part["value"]]
        ax.errorbar(np.arange(len(part)) + shift, part["value"], bars, fmt=marker, color=color, markersize=4,
                    mfc="white" if marker == "v" else color, label=label)  # fmt: skip
    published(ax, y=1, label="published: 1")
    ax.set_xticks(
        range(len(cases)), [f"S = {row.batch}, {row.rate:g}" for row in cases.itertuples()], fontsize=6
    )
    ax.set(xlabel=r"batch size, $\eta$", ylabel=r"change of $\Vert u \Vert^2-\Vert w \Vert^2$ / predicted",
           xlim=(-0.5, len(cases) - 0.5))  # fmt: skip
    legend_below(ax, ncols=2)


def _rates(ax: Axes, rates: pd.DataFrame) -> None:
    for simulator, color, offset in (("sgd", VERMILION, -0.0006), ("sde", BLUE, 0.0006)):
        part = rates[rates["simulator"] == simulator]
        bars = [part["over_derived"] - part["low"], part["high"] - part["over_derived"]]
        ax.errorbar(part["decay"] + offset, part["over_derived"], bars, fmt="o", color=color, markersize=3,
                    label=rf"{simulator.upper()} / ($TC_0 + 4\gamma$)")  # fmt: skip
        ax.plot(part["decay"] + offset, part["over_printed"], "x", color=color,
                label=rf"{simulator.upper()} / ($TC_0 + \gamma$), printed")  # fmt: skip
    published(ax, y=1, label="published: 1")
    ax.set(xlabel=r"weight decay $\gamma$", ylabel=r"rate of $|u^2-w^2|$ / predicted", ylim=(0.5, None))
    legend_below(ax, ncols=2)


def _convergence(ax: Axes, convergence: pd.DataFrame) -> None:
    for scheme, (color, label) in SCHEMES.items():
        part = convergence[convergence["scheme"] == scheme].sort_values("accuracy")
        ax.plot(part["accuracy"], part["distance"], "o-", color=color, markersize=3, label=label)
    ax.axhline(float(convergence["critical"].iloc[0]), color=GREY, linestyle=":", label="rejected at 1 %")
    ax.set(xscale="log", yscale="log", xlabel="step × local rate of change", ylabel="KS distance to eq. 15")
    ticks = sorted(set(convergence["accuracy"]))
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    plain_log_ticks(ax.yaxis)
    legend_below(ax, ncols=2)


def _moments(ax: Axes, moments: pd.DataFrame) -> None:
    for simulator, color, marker in (("sde", BLUE, "o"), ("sgd", VERMILION, "s")):
        part = moments[moments["simulator"] == simulator].sort_values("temperature")
        finite = part[part["theory"] < float("inf")]
        ax.plot(finite["temperature"], finite["theory"], color=color, linewidth=0.8)
        sure = part[part["fourth_exists"]]
        bars = [sure["second_moment"] - sure["low"], sure["high"] - sure["second_moment"]]
        ax.errorbar(sure["temperature"], sure["second_moment"], bars, fmt=marker, color=color, markersize=3,
                    label=f"{simulator.upper()} ± 95 %, line: closed form")  # fmt: skip
        rest = part[~part["fourth_exists"]]
        ax.plot(rest["temperature"], rest["second_moment"], marker, color=color, mfc="none", markersize=4)
    ax.plot([], [], "o", color=GREY, mfc="none", label="without a finite variance")
    top = 3 * float(moments[moments["theory"] < float("inf")]["theory"].median())
    ax.set(xlabel="$T$", ylabel=r"$E[v^2]$ at D = 0", ylim=(0, top))
    legend_below(ax, ncols=2)
