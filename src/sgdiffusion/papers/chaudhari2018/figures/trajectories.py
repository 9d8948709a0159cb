"""Figures 3a, 3b and 3c of Chaudhari & Soatto (2018): long trajectories of tiny-fc beside their nulls; and
what moves the weights, which the paper does not show.

Lines are means over seeds; further lines of single seeds are thin.
"""

from collections.abc import Sequence
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
    ORANGE,
    PUBLISHED,
    VERMILION,
    new_figure,
    panel_label,
    plain_log_ticks,
    style,
)

SGD, WHITE, BROWNIAN, OU = "SGD", "white noise", "Brownian motion", "Ornstein–Uhlenbeck fit"
TRENDLESS = "SGD, cubic trend removed"
COLORS = {SGD: BLUE, TRENDLESS: ORANGE, WHITE: GREY, BROWNIAN: VERMILION, OU: GREEN}
MODES = {"evaluation": (BLUE, "evaluation mode"), "training": (VERMILION, "training mode")}
BAND: dict[str, Any] = {"alpha": 0.2, "linewidth": 0}
HEIGHT = 3.3  # inches, legend included
SMOOTH = 15  # points of the running mean of ln ‖∇f‖, of 300 evenly spaced in ln epoch


@style()
def fig3a(spectrum: pd.DataFrame, title: str = "") -> Figure:
    """Amplitude of the increments' Fourier transform: mean over seeds (line), one s.d. over weights (band).

    The shaded ranges of frequency are those of the claims: fewer than ten cycles in the whole path, and from
    a tenth of a cycle per epoch on.
    """
    figure, ax = new_figure(height=HEIGHT)
    table = spectrum[spectrum["series"].isin(COLORS)]
    for series in (WHITE, OU, TRENDLESS, SGD):
        mean = _over_seeds(table[table["series"] == series], "frequency")
        ax.plot(mean.index, mean["mean"], color=COLORS[series], label=series)
        if series == SGD:
            floor = 0.25 * float(table["mean"].min())  # where the s.d. exceeds the mean the band ends there
            low, high = np.maximum(mean["mean"] - mean["sd"], floor), mean["mean"] + mean["sd"]
            ax.fill_between(mean.index, low, high, color=BLUE, label="SGD ± 1 s.d. over weights", **BAND)
            top = float(max(high.max(), table["mean"].max()))
    first, last = float(table["frequency"].min()), float(table["frequency"].max())
    ax.set(xscale="log", yscale="log", xlim=(first, last), ylim=(floor, 1.3 * top), title=title)
    ax.set(xlabel="frequency, cycles per epoch", ylabel="amplitude of $x_{k+1} - x_k$ (normalised)")
    look: dict[str, Any] = {"color": GREY, "alpha": 0.1, "linewidth": 0}
    ax.axvspan(first, min(10 * first, last), **look, label="ranges of the claims")
    ax.axvspan(0.2 * last, last, **look)
    plain_log_ticks(ax.yaxis)
    _legend(figure, ax)
    return figure


@style()
def fig3b(autocorrelation: pd.DataFrame, title: str = "") -> Figure:
    """Autocorrelation against lag: SGD's mean and one s.d. over weights, and what walks of one law give.

    The region is that of the mean over weights of Brownian paths whose steps have the weights' covariance.
    The dashed lines are the usual 99 % band ±2.576/√n of independent values, dotted Bartlett's band.
    """
    figure, ax = new_figure(height=HEIGHT)
    mean = {
        s: _over_seeds(part, "lag")
        for s, part in autocorrelation.groupby("series", sort=False)
        if s in COLORS
    }
    walk, sgd = mean[BROWNIAN], mean[SGD]
    ax.fill_between(
        walk.index, walk["low"], walk["high"], color=VERMILION, label="99 % of Brownian means", **BAND
    )
    for series in (BROWNIAN, OU, SGD):
        ax.plot(mean[series].index, mean[series]["mean"], color=COLORS[series], label=series)
    edges = sgd["mean"] - sgd["sd"], sgd["mean"] + sgd["sd"]
    for k, edge in enumerate(edges):
        label = "SGD ± 1 s.d. over weights" if k == 0 else "_"
        ax.plot(sgd.index, edge, color=BLUE, linewidth=0.6, alpha=0.7, label=label)
    _bands(ax, sgd)
    ax.set(xlabel="lag, epochs", ylabel="autocorrelation of $x_k$", title=title)
    ax.set(xlim=(0, float(sgd.index.max())), ylim=(-0.75, 1.05))
    _legend(figure, ax)
    return figure


def _bands(ax: Axes, sgd: pd.DataFrame) -> None:
    width = float(sgd["band"].iloc[0])
    for sign, label in ((1, "99 % band $\\pm 2.576/\\sqrt{n}$"), (-1, "_")):
        ax.axhline(sign * width, color=BLACK, linestyle="--", linewidth=0.8, label=label)
    for sign, label in ((1, "99 % band, Bartlett"), (-1, "_")):
        ax.plot(sgd.index, sign * sgd["bartlett"], color=BLACK, linestyle=":", linewidth=0.8, label=label)


@style()
def fig3c(
    gradients: pd.DataFrame,
    published_fall: float,
    burn_in: int = 0,
    drops: Sequence[int] = (),
    title: str = "",
) -> Figure:
    """Full gradient norm against epochs, smoothed; bands reach from the lowest to the highest seed.

    The arrow is the published fall; `drops` are the epochs at which the learning rate falls.
    """
    figure, ax = new_figure(height=HEIGHT)
    for mode, (color, label) in MODES.items():
        wide = gradients[gradients["mode"] == mode].pivot(index="epoch", columns="seed", values="norm")
        smooth = wide.apply(np.log).rolling(SMOOTH, center=True, min_periods=1).mean().apply(np.exp)
        ax.plot(smooth.index, np.exp(smooth.apply(np.log).mean(axis=1)), color=color, label=label)
        if smooth.shape[1] > 1:
            ax.fill_between(smooth.index, smooth.min(axis=1), smooth.max(axis=1), color=color, **BAND)
    if burn_in:
        span = float(gradients["epoch"].min()), burn_in
        ax.axvspan(*span, color=GREY, alpha=0.12, linewidth=0, label="burn-in")
    for k, epoch in enumerate(drops):
        label = "learning rate falls" if k == 0 else "_"
        ax.axvline(epoch, color=BLACK, linestyle=":", linewidth=0.9, label=label)
    last = gradients[
        (gradients["mode"] == "evaluation") & (gradients["epoch"] >= 0.5 * gradients["epoch"].max())
    ]
    _fall(ax, float(gradients["epoch"].max()), float(np.exp(np.log(last["norm"]).mean())), published_fall)
    ax.set(xscale="log", yscale="log", xlabel="epoch", title=title)
    ax.set_xlim(right=3.2 * float(gradients["epoch"].max()))
    ax.set_ylabel("$\\|\\nabla f(x_k)\\|\\,/\\sqrt{d}$")
    _legend(figure, ax)
    return figure


def _fall(ax: Axes, epoch: float, end: float, factor: float) -> None:
    """An arrow down to `end` from `factor` times it, right of the curves: the fall that the paper states."""
    at = 1.6 * epoch
    look: dict[str, Any] = {"arrowstyle": "->", "color": GREY, "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (at, end), (at, factor * end), arrowprops=look).set_gid(PUBLISHED)
    words: dict[str, Any] = {"color": GREY, "fontsize": 6, "ha": "right", "va": "bottom"}
    ax.annotate(f"published: falls {factor:g}×", (1.9 * at, factor * end), xytext=(0, 2),
                textcoords="offset points", **words)  # fmt: skip


@style()
def motion(displacement: pd.DataFrame, circulation: pd.DataFrame, title: str = "") -> Figure:
    """(a) How far the weights get in a given time, (b) whether segments of the path agree on a current."""
    figure, (left, right) = new_figure(columns=2, height=2.9, ncols=2)
    for series in (BROWNIAN, OU, SGD):
        part = displacement[displacement["series"] == series]
        mean = _over_seeds(part, "lag")
        left.plot(mean.index, mean["displacement"], color=COLORS[series], label=series)
    sgd = _over_seeds(displacement[displacement["series"] == SGD], "lag")
    left.plot(sgd.index, sgd["smallest"], color=BLUE, linestyle=":", label="SGD, smallest of 500 starts")
    _slope(left, sgd)
    left.set(xscale="log", yscale="log", xlabel="lag, epochs", title=title)
    left.set_ylabel("displacement / that of one snapshot")
    left.legend(loc="upper left")
    for _, part in circulation.groupby("seed"):
        right.plot(part["lag"], part["correlation"], color=BLUE, marker=".", label="SGD, one line a seed")
        right.plot(
            part["lag"], part["leading"], color=ORANGE, marker=".", label="in the plane that rotates most"
        )
    null = _over_seeds(circulation, "lag")
    right.fill_between(
        null.index, null["low"], null["high"], color=GREY, label="95 % with segments run backwards", **BAND
    )
    right.axhline(
        0.5, color=BLACK, linestyle="--", linewidth=0.8, label="half of that plane's variance rotates"
    )
    right.set(xscale="log", xlabel="lag, epochs", ylim=(-0.1, 1.0))
    right.set_ylabel("antisymmetric covariance of segments")
    handles = dict(zip(*right.get_legend_handles_labels()[::-1], strict=True))
    right.legend(handles.values(), handles.keys(), loc="upper right")
    for ax, letter in ((left, "a"), (right, "b")):
        panel_label(ax, letter)
    return figure


def _slope(ax: Axes, sgd: pd.DataFrame) -> None:
    """A short line of exponent 1 beside the longest lags: what a straight path would follow."""
    lags = np.array([sgd.index.max() / 10, sgd.index.max()])
    end = 2.0 * float(sgd["displacement"].max())
    ax.plot(
        lags,
        end * lags / lags[-1],
        color=BLACK,
        linewidth=0.8,
        linestyle="--",
        label="straight line, exponent 1",
    )


def _over_seeds(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Mean over seeds of all columns at each value of `by`."""
    return table.drop(columns="series", errors="ignore").groupby(by).mean()


def _legend(figure: Figure, ax: Axes) -> None:
    handles, names = ax.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2)
