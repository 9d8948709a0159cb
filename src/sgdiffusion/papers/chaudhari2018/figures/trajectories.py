"""Figures 3a, 3b and 3c of Chaudhari & Soatto (2018): long trajectories of tiny-fc beside their nulls."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from sgdiffusion.figures.style import BLACK, BLUE, GREEN, GREY, VERMILION, new_figure, style

COLORS = {
    "SGD": BLUE,
    "white noise": GREY,
    "Brownian motion": VERMILION,
    "Ornstein–Uhlenbeck fit": GREEN,
}
MODES = {"evaluation": (BLUE, "evaluation mode"), "training": (VERMILION, "training mode")}
BAND: dict[str, Any] = {"alpha": 0.2, "linewidth": 0}
HEIGHT = 3.1  # inches, legend included


@style()
def fig3a(spectrum: pd.DataFrame, title: str = "") -> Figure:
    """Amplitude of the increments' Fourier transform: mean (line) and one s.d. (band) over weights.

    One line per seed; the bands, of SGD and of white noise, are those of the first. White noise has the same
    number of snapshots; the Ornstein–Uhlenbeck process is fitted weight by weight.
    """
    figure, ax = new_figure(height=HEIGHT)
    for series in ("white noise", "Ornstein–Uhlenbeck fit", "SGD"):
        part = spectrum[spectrum["series"] == series]
        for k, (_, seed) in enumerate(part.groupby("seed")):
            if k == 0 and series != "Ornstein–Uhlenbeck fit":
                low = np.maximum(seed["mean"] - seed["sd"], 1e-12)
                high = seed["mean"] + seed["sd"]
                label = f"± 1 s.d. over {'weights' if series == 'SGD' else 'paths'}"
                ax.fill_between(seed["frequency"], low, high, color=COLORS[series], label=label, **BAND)
            _line(ax, seed["frequency"], seed["mean"], COLORS[series], series, k)
    ax.set(xscale="log", yscale="log", xlabel="frequency, cycles per epoch")
    ax.set(ylabel="amplitude of $x_{k+1} - x_k$ (normalised)", title=title)
    floor = float(spectrum["mean"].min())
    ax.set_ylim(0.3 * floor, 1.3 * float((spectrum["mean"] + spectrum["sd"]).max()))
    ax.set_xlim(float(spectrum["frequency"].min()), float(spectrum["frequency"].max()))
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    _legend(figure, ax)
    return figure


@style()
def fig3b(autocorrelation: pd.DataFrame, title: str = "") -> Figure:
    """Autocorrelation against lag: SGD's mean and one s.d. over weights; 99 % regions of single null paths.

    The dashed lines are the usual 99 % band ±2.576/√n of independent values, dotted Bartlett's band for the
    first seed's mean. Regions and bands are the first seed's; further seeds are thin lines.
    """
    figure, ax = new_figure(height=HEIGHT)
    first = autocorrelation["seed"].min()
    for series in ("Brownian motion", "Ornstein–Uhlenbeck fit", "SGD"):
        part = autocorrelation[autocorrelation["series"] == series]
        for k, (_, seed) in enumerate(part.groupby("seed")):
            if k == 0:
                low, high = (seed["mean"] - seed["sd"], seed["mean"] + seed["sd"])
                edges = (low, high) if series == "SGD" else (seed["low"], seed["high"])
                label = "± 1 s.d. over weights" if series == "SGD" else "99 % of its paths"
                ax.fill_between(seed["lag"], *edges, color=COLORS[series], label=label, **BAND)
            if k == 0 or series == "SGD":
                _line(ax, seed["lag"], seed["mean"], COLORS[series], series, k)
    sgd = autocorrelation[(autocorrelation["series"] == "SGD") & (autocorrelation["seed"] == first)]
    _bands(ax, sgd)
    ax.set(xlabel="lag, epochs", ylabel="autocorrelation of $x_k$", title=title, ylim=(-0.75, 1.05))
    ax.set_xlim(0, float(sgd["lag"].max()))
    _legend(figure, ax)
    return figure


def _bands(ax: Axes, sgd: pd.DataFrame) -> None:
    width = float(sgd["band"].iloc[0])
    for sign, label in ((1, "99 % band $\\pm 2.576/\\sqrt{n}$"), (-1, "_")):
        ax.axhline(sign * width, color=BLACK, linestyle="--", linewidth=0.8, label=label)
    for sign, label in ((1, "99 % band, Bartlett"), (-1, "_")):
        ax.plot(sgd["lag"], sign * sgd["bartlett"], color=BLACK, linestyle=":", linewidth=0.8, label=label)


@style()
def fig3c(gradients: pd.DataFrame, published_fall: float, burn_in: int = 0, title: str = "") -> Figure:
    """Full gradient norm against epochs, burn-in in grey; the bar is the published fall, from the end up."""
    figure, ax = new_figure(height=HEIGHT)
    for mode, (color, label) in MODES.items():
        part = gradients[gradients["mode"] == mode]
        for k, (_, seed) in enumerate(part.groupby("seed")):
            _line(ax, seed["epoch"], seed["norm"], color, label, k)
    if burn_in:
        ax.axvspan(
            float(gradients["epoch"].min()), burn_in, color=GREY, alpha=0.12, linewidth=0, label="burn-in"
        )
    last = gradients[
        (gradients["mode"] == "evaluation") & (gradients["epoch"] >= 0.5 * gradients["epoch"].max())
    ]
    _fall(ax, float(gradients["epoch"].max()), float(np.exp(np.log(last["norm"]).mean())), published_fall)
    ax.set(xscale="log", yscale="log", xlabel="epoch", title=title)
    ax.set_ylabel("$\\|\\nabla f(x_k)\\|\\,/\\sqrt{d}$")
    _legend(figure, ax)
    return figure


def _fall(ax: Axes, epoch: float, end: float, factor: float) -> None:
    """A bar from `end` to `factor` times it, right of the curves: what the paper says the norm falls by."""
    bar: dict[str, Any] = {"color": BLACK, "linewidth": 1.0, "marker": "_", "markersize": 5}
    ax.plot([1.4 * epoch] * 2, [end, factor * end], label=f"published fall, {factor:g}×", **bar)


def _line(ax: Axes, x: Any, y: Any, color: str, label: str, k: int) -> None:
    """The first seed's line is thick and named, those of further seeds thin."""
    if k == 0:
        ax.plot(x, y, color=color, label=label)
    else:
        ax.plot(x, y, color=color, linewidth=0.5, alpha=0.6, label="_")


def _legend(figure: Figure, ax: Axes) -> None:
    handles, names = ax.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2)
