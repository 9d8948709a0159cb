"""One style for every figure: sizes, colours, marks of published values, stamps and reproducible files.

A figure function is decorated with ``@style()``, makes its axes with :func:`new_figure` and returns the
figure; only a script calls :func:`save`. Figures are made without pyplot, so that no state outlives them.
"""

import logging
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike

WIDTHS = {1: 3.4, 2: 7.0}  # inches: one column and the full page of a two-column journal

# Okabe & Ito's palette, which stays distinct under the common forms of colour blindness.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY = "#707070"
CYCLE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)

SEQUENTIAL = "cividis"  # perceptually uniform, also in grey and for colour-blind readers

# One run's mean is a line; the spread over seeds is this band about it. Say in the label which spread.
SEED_BAND: dict[str, Any] = {"alpha": 0.25, "linewidth": 0}
PUBLISHED_LINE: dict[str, Any] = {"color": GREY, "linestyle": (0, (4, 2)), "linewidth": 1.2, "zorder": 1.5}
PUBLISHED_RANGE: dict[str, Any] = {"color": GREY, "alpha": 0.16, "linewidth": 0, "zorder": 0.5}
PUBLISHED = "published"  # the group of every mark of a published number, by which a test finds it
PUBLISHED_MARK: dict[str, Any] = {
    "marker": "D", "markersize": 5, "markerfacecolor": "white", "markeredgecolor": GREY,
    "markeredgewidth": 1.2, "linestyle": "none", "zorder": 4,
}  # fmt: skip

RC: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib: the same glyphs on every machine
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=CYCLE),
    "axes.axisbelow": True,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "errorbar.capsize": 2,
    "image.cmap": SEQUENTIAL,
    "image.interpolation": "nearest",  # a pixel is a measured value, not a blend of neighbours
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,  # text stays text in the PDF
    "ps.fonttype": 42,
    "svg.hashsalt": "sgdiffusion",
}

_STAMP_SIZE = 6.0  # points
_STAMP_CHARACTERS_PER_INCH = 20  # of DejaVu Sans at that size, a little under what fits


@contextmanager
def style() -> Iterator[None]:
    """The style as a context (``with style():``) and as a decorator (``@style()``)."""
    with mpl.rc_context(RC):
        yield


@style()
def new_figure(columns: int = 1, height: float | None = None, **subplots: Any) -> tuple[Figure, Any]:
    """A figure one or two columns wide with constrained layout, and what ``Figure.subplots`` returns.

    ``height`` is in inches (default: 0.75 of one column's width); ``subplots`` goes to
    ``Figure.subplots`` (nrows, ncols, sharex, squeeze, width_ratios, ...).
    """
    if columns not in WIDTHS:
        raise ValueError(f"a figure is 1 or 2 columns wide, not {columns!r}")
    size = (WIDTHS[columns], 0.75 * WIDTHS[1] if height is None else height)
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(**subplots)


def instants_palette(n: int) -> list[str]:
    """``n`` colours of one hue from light to dark: darker is later in training."""
    if n < 1:
        raise ValueError(f"a palette needs at least one colour, not {n}")
    shades = mpl.colormaps["Blues"]
    if n == 1:
        return [to_hex(shades(1.0))]
    return [to_hex(shades(0.4 + 0.6 * i / (n - 1))) for i in range(n)]


def published(
    ax: Axes,
    *,
    x: ArrayLike | None = None,
    y: ArrayLike | None = None,
    curve: bool = False,
    label: str | None = "published",
    **other: Any,
) -> Artist:
    """Mark what the paper publishes, everywhere in the same look: dashed grey line or open grey diamond.

    Only ``x`` (a number): a vertical line; only ``y``: a horizontal line; both: diamonds at the points, or
    with ``curve`` a dashed line through them. ``label=None`` leaves the mark out of the legend; ``other``
    tells several published numbers of one panel apart.
    """
    look = PUBLISHED_MARK if x is not None and y is not None and not curve else PUBLISHED_LINE
    look = {**look, "gid": PUBLISHED, "label": label if label is not None else "_published", **other}
    if x is not None and y is not None:
        return ax.plot(x, y, **look)[0]
    if x is not None:
        return ax.axvline(float(x), **look)  # type: ignore[arg-type]
    if y is not None:
        return ax.axhline(float(y), **look)  # type: ignore[arg-type]
    raise ValueError("published() needs x, y or both")


def published_range(
    ax: Axes, low: float, high: float, *, upright: bool, label: str | None = "published"
) -> Artist:
    """Shade what the paper allows: a range of the horizontal axis if ``upright``, else of the vertical."""
    text = label if label is not None else "_published"
    span = ax.axvspan if upright else ax.axhspan
    return span(low, high, label=text, gid=PUBLISHED, **PUBLISHED_RANGE)


def seed_band(
    ax: Axes,
    x: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    color: str,
    label: str | None = None,
    **other: Any,
) -> FillBetweenPolyCollection:
    """The spread of replicas about a line, in the line's colour; ``label`` says which spread it is."""
    text = label if label is not None else "_band"
    return ax.fill_between(x, low, high, color=color, label=text, **SEED_BAND, **other)


def legend_below(ax: Axes, **more: Any) -> None:
    """The legend under the axes' label, where it can cover no data; the layout makes room for it.

    Axes without numbers below, such as the upper ones of a shared axis, have it close to their edge.
    """
    labelled = ax.xaxis.get_tick_params().get("labelbottom", True) or ax.get_xlabel()
    below = -0.24 if labelled else -0.04
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, below), fontsize=6, **more)


def panel_label(ax: Axes, text: str) -> None:
    """A bold letter at the upper left outside the axes."""
    ax.set_title(text, loc="left", fontweight="bold", fontsize=9)


class _PlainLocator(LogLocator):
    """One, two and five times powers of ten; more where these are few, fewer where they would touch."""

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        low, high = sorted((vmin, vmax))
        assert self.axis is not None
        fit = max(2, self.axis.get_tick_space())
        if low <= 0 or not np.isfinite([low, high]).all():
            return []
        powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
        rows = [np.outer(powers, steps).ravel() for steps in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))]
        every, usual, *fewer = (row[(row >= low) & (row <= high)].tolist() for row in rows)
        for ticks in (usual, *fewer) if len(usual) > 2 else (every,):
            if 2 <= len(ticks) <= fit:
                return ticks
        if len(usual) > fit:
            return fewer[-1][:: -(-len(fewer[-1]) // fit)]
        return [float(v) for v in MaxNLocator(fit, steps=[1, 2, 5, 10]).tick_values(low, high)]


def plain_log_ticks(axis: Axis) -> None:
    """Ticks of a logarithmic axis as plain numbers, as many as its length has room for."""
    axis.set_major_locator(_PlainLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def stamp(figure: Figure, text: str) -> None:
    """Write ``text`` small and grey in a strip of its own along the lower edge, e.g. the substitute data.

    The strip is taken from the layout, so that the mark covers nothing and cannot be covered.
    """
    engine = figure.get_layout_engine()
    if not isinstance(engine, ConstrainedLayoutEngine):
        raise ValueError("stamp() needs the constrained layout of new_figure() to make room for the mark")
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(text, max(12, int(width * _STAMP_CHARACTERS_PER_INCH)))
    strip = (1.25 * _STAMP_SIZE * len(lines) + 3.0) / 72.0 / height
    engine.set(rect=(0.0, strip, 1.0, 1.0 - strip))
    for legend in figure.legends:
        # One outside the lower edge hangs on the figure, not on the layout. A new anchor would take it out of
        # the layout altogether, so it is lifted by its padding, which is in units of its font size.
        if getattr(legend, "_outside_loc", None) == "lower":
            legend.borderaxespad += strip * height * 72.0 / legend.prop.get_size_in_points()
    mark = figure.text(
        0.995,
        2.0 / 72.0 / height,
        "\n".join(lines),
        ha="right",
        va="bottom",
        fontsize=_STAMP_SIZE,
        color=GREY,
    )
    mark.set_in_layout(False)
    mark.set_gid("stamp")


@contextmanager
def _quiet_fonts() -> Iterator[None]:
    """Without the font library's warnings about the dates inside of matplotlib's own mathematical fonts."""
    log = logging.getLogger("fontTools.ttLib.tables._h_e_a_d")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


@style()
def save(figure: Figure, pdf_path: str | Path, png_path: str | Path) -> None:
    """Write the figure as PDF and as PNG of 200 dpi; the same figure gives the same bytes at any time.

    Dates and program versions are left out of the files. For scripts: the library itself touches no file.
    """
    for path in (Path(pdf_path), Path(png_path)):
        path.parent.mkdir(parents=True, exist_ok=True)
    metadata: dict[str, Any] = {"CreationDate": None, "Creator": None, "Producer": None}
    with _quiet_fonts():
        figure.savefig(pdf_path, format="pdf", metadata=metadata)
    figure.set_layout_engine("none")  # the places are found: both files have the same, and finding takes long
    figure.savefig(png_path, format="png", dpi=200, metadata={"Software": None})
