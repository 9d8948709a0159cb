"""Figures 1a, 1b, 2a, 2b, 2c of Chaudhari & Soatto (2018): the eigenspectrum of D at instants of training."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sgdiffusion.figures.style import (
    BLACK,
    VERMILION,
    instants_palette,
    new_figure,
    panel_label,
    seed_band,
    style,
)
from sgdiffusion.figures.style import (
    published as mark_published,
)

POINTS = 800  # drawn of the sorted eigenvalues, evenly on the logarithmic axis: enough for the eye
BINS_PER_DECADE = 4
FLOOR = 1e-3  # the axes end this far below the threshold: what lies lower is rounding of zero

Band = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


@style()
def spectrum_figure(
    eigenvalues: pd.DataFrame,
    statistics: pd.DataFrame,
    published: Mapping[str, float] | None = None,
    title: str = "",
) -> Figure:
    """(a) sorted eigenvalues against their position, (b) eigenvalues per bin; darker is later in training.

    Lines are medians over seeds and bands reach from the lowest to the highest seed. ``published`` may hold
    ``mean``, ``sd`` and ``rank_percent``, marked where they apply. Takes the two tables of ``spectra_table``.
    """
    figure, (left, right) = new_figure(columns=2, height=3.1, ncols=2)
    fractions = sorted(set(eigenvalues["fraction"]))
    last = statistics[statistics["fraction"] == fractions[-1]]
    cut = float(last["threshold"].median())
    top = 2.0 * float(eigenvalues["eigenvalue"].max())
    for fraction, color in zip(fractions, instants_palette(len(fractions)), strict=True):
        spectra = _by_seed(eigenvalues[eigenvalues["fraction"] == fraction])
        label = f"{100 * fraction:g} % of training"
        _draw(left, *_sorted(spectra, cut), color, label)
        _draw(right, *_histogram(spectra, cut, top), color, "_", drawstyle="steps-mid")
    mean = float(last["mean"].mean())
    left.axhline(mean, color=BLACK, linewidth=0.8, label="measured mean, all eigenvalues")
    right.axvline(mean, color=BLACK, linewidth=0.8)
    _mark(left, right, cut, published or {})
    _label(left, right, cut, top, title)
    _describe(right, last, published or {})
    handles, names = left.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    return figure


def _by_seed(table: pd.DataFrame) -> NDArray[np.float64]:
    """Descending spectra, one row per seed."""
    return np.stack([part.sort_values("index")["eigenvalue"] for _, part in table.groupby("seed")])


def _sorted(spectra: NDArray[np.float64], cut: float) -> tuple[NDArray[Any], Band]:
    """The median over seeds where it is above the floor; zeros and negative rounding are left out."""
    count = spectra.shape[1]
    chosen = np.unique(np.geomspace(1, count, POINTS).astype(int)) - 1
    middle, low, high = _spread(spectra[:, chosen])
    seen = middle > FLOOR * cut
    band = middle[seen], np.maximum(low[seen], FLOOR * cut), high[seen]
    return (100.0 * (chosen + 1) / count)[seen], band


def _histogram(spectra: NDArray[np.float64], cut: float, top: float) -> tuple[NDArray[Any], Band]:
    low, high = np.log10(FLOOR * cut), np.log10(top)
    edges = np.logspace(low, high, 1 + max(1, round(BINS_PER_DECADE * (high - low))))
    counts = np.stack([np.histogram(values, edges)[0] for values in spectra]).astype(float)
    return np.sqrt(edges[1:] * edges[:-1]), _spread(counts)


def _spread(values: NDArray[Any]) -> Band:
    return np.median(values, axis=0), values.min(axis=0), values.max(axis=0)


def _draw(ax: Axes, x: NDArray[Any], band: Band, color: str, label: str, drawstyle: str = "default") -> None:
    """The middle and the spread over seeds; counts are steps, so that an empty bin looks empty."""
    middle, low, high = band
    ax.plot(x, middle, color=color, label=label, drawstyle=drawstyle)
    if (high > low).any():
        step = {"step": "mid"} if drawstyle != "default" else {}
        seed_band(ax, x, low, high, color, **step)


def _mark(left: Axes, right: Axes, cut: float, numbers: Mapping[str, float]) -> None:
    threshold: dict[str, Any] = {"color": VERMILION, "linestyle": ":", "linewidth": 1.0}
    left.axhline(cut, label="threshold $\\lambda_{\\max} d\\,\\varepsilon$", **threshold)
    right.axvline(cut, **threshold)
    if "mean" in numbers:
        mark_published(left, y=numbers["mean"], label="published mean")
        mark_published(right, x=numbers["mean"], label=None)
    if {"mean", "sd"} <= set(numbers):
        top = numbers["mean"] + numbers["sd"]
        dotted: dict[str, Any] = {"linestyle": (0, (1, 1.5))}
        mark_published(left, y=top, label="published mean + s.d.", **dotted)
        mark_published(right, x=top, label=None, **dotted)
    if "rank_percent" in numbers:
        mark_published(left, x=numbers["rank_percent"], label="published rank", linestyle="-.", linewidth=1.0)


def _label(left: Axes, right: Axes, cut: float, top: float, title: str) -> None:
    left.set(xscale="log", yscale="log", ylim=(FLOOR * cut, top))
    left.set(xlabel="position of the eigenvalue, % of d", ylabel="eigenvalue $\\lambda(D)$")
    right.set(xscale="log", yscale="log", xlim=(FLOOR * cut, top), ylim=(0.5, None))
    right.set(ylabel=f"count per 1/{BINS_PER_DECADE} decade")
    left.set_title(title)
    for ax, letter in ((left, "a"), (right, "b")):
        panel_label(ax, letter)


def _describe(ax: Axes, last: pd.DataFrame, numbers: Mapping[str, float]) -> None:
    """Two lines over the right panel: what is published, and what is measured in both readings."""
    lines = []
    if {"mean", "sd"} <= set(numbers):
        rank = f", rank {numbers['rank_percent']:.3g} %" if "rank_percent" in numbers else ""
        lines.append(f"published {_pair(numbers['mean'], numbers['sd'])}{rank}")
    mean = last[["mean", "sd", "mean_above", "sd_above", "rank_percent"]].mean()
    seeds = last["seed"].nunique()
    lines.append(f"measured {_pair(mean['mean'], mean['sd'])}, rank {mean['rank_percent']:.3g} %")
    ax.set_title("\n".join(lines), loc="right", fontsize=6.5)
    ax.set_xlabel(
        f"eigenvalue $\\lambda(D)$\n{seeds} seed{'s' * (seeds > 1)}, d = {int(last['weights'].iloc[0]):,}\n"
        f"mean ± s.d. above threshold {_pair(mean['mean_above'], mean['sd_above'])}"
    )


def _pair(mean: float, sd: float) -> str:
    """mean ± s.d. to the same decimal, with a power of a thousand taken out, as the paper writes it."""
    power = 3 * int(np.floor(np.log10(sd) / 3)) if 0 < sd < 0.1 else 0
    scaled = mean / 10.0**power, sd / 10.0**power
    decimals = max(0, 2 - max(0, int(np.floor(np.log10(scaled[1]))))) if sd > 0 else 2
    text = f"{scaled[0]:.{decimals}f} ± {scaled[1]:.{decimals}f}"
    return text if power == 0 else f"({text})·$10^{{{power}}}$"
