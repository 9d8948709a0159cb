"""What a referee sees at a glance: legends on data, text cut or overlapping, letters too small."""

from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Affine2D, Bbox

SMALLEST = 5.9  # points, at the width of a journal's column; indices of formulas may be smaller
DPI = 100
EDGE = 1.0  # pixels that a letter's box may stand out without a visible loss
LETTERS = 1.0  # pixels by which the boxes of neighbouring labels may overlap: boxes are larger than letters


def complaints(figure: Figure) -> list[str]:
    """Everything found in a figure, drawn as it is saved."""
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    found = [*covered(figure), *cut(figure), *crowded(figure), *small(figure)]
    return sorted(set(found))


def legends(figure: Figure) -> Iterator[tuple[Axes | None, Artist]]:
    yield from ((ax, legend) for ax in figure.axes if (legend := ax.get_legend()) is not None)
    yield from ((None, legend) for legend in figure.legends)


def covered(figure: Figure) -> Iterator[str]:
    """Data under a legend's words and handles."""
    for own, legend in legends(figure):
        for ax in [own] if own is not None else figure.axes:
            box = Bbox.intersection(legend.get_window_extent(), ax.bbox)  # data beyond the axes is not drawn
            for artist in (*ax.lines, *ax.collections) if box is not None else ():
                if artist.get_visible() and any(
                    path.intersects_bbox(box, f) for path, f in shapes(artist, ax)
                ):
                    yield f"legend on data: {_name(artist)} in {ax.get_ylabel() or ax.get_title()!r}"


def shapes(artist: Artist, ax: Axes) -> Iterator[tuple[Path, bool]]:
    """What an artist draws, in pixels, cut to its axes, and whether it is a surface."""
    if isinstance(artist, Line2D):
        yield from _line(artist, ax)
    elif isinstance(artist, LineCollection):
        for segment in artist.get_segments():
            yield artist.get_transform().transform_path(Path(segment)), False
    elif isinstance(artist, PathCollection):
        yield from _dots(artist.get_offset_transform().transform(artist.get_offsets()), 3.0)
    elif isinstance(artist, PolyCollection):
        for path in artist.get_paths():
            yield artist.get_transform().transform_path(path), True


def _line(line: Line2D, ax: Axes) -> Iterator[tuple[Path, bool]]:
    path = line.get_transform().transform_path(line.get_path())
    if line.get_linestyle() not in ("None", "none", " ", ""):
        for a, b in pairwise(path.vertices):
            if np.isfinite([*a, *b]).all():
                yield Path([a, b]), False
    if line.get_marker() not in ("None", "none", " ", "", None):
        inside = [v for v in path.vertices if np.isfinite(v).all() and ax.bbox.contains(*v)]
        yield from _dots(np.array(inside).reshape(-1, 2), line.get_markersize())


def _dots(places: np.ndarray, size: float) -> Iterator[tuple[Path, bool]]:
    half = size / 72 * DPI / 2
    for x, y in places:
        square = Affine2D().scale(2 * half).translate(x - half, y - half)
        yield Path.unit_rectangle().transformed(square), True


def words(figure: Figure) -> list[Text]:
    """Every text but the labels of ticks."""
    ticks = {t for axis in figure.findobj(Axis) for t in axis.findobj(Text) if t is not axis.label}
    return [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip() and t not in ticks]


def tick_labels(axis: Axis) -> list[Text]:
    """Those that are drawn: an axis keeps labels of ticks beyond its limits."""
    labels = [tick.label1 for tick in axis._update_ticks()]
    return [t for t in labels if t.get_visible() and t.get_text().strip()]


def axes_of(figure: Figure) -> list[Axis]:
    shown = [ax for ax in figure.axes if ax.get_visible() and ax.axison]
    return [axis for ax in shown for axis in (ax.xaxis, ax.yaxis)]


def texts(figure: Figure) -> list[Text]:
    return [*words(figure), *(t for axis in axes_of(figure) for t in tick_labels(axis))]


def cut(figure: Figure) -> Iterator[str]:
    """Text beyond the figure's edge."""
    width, height = figure.bbox.size
    for text in texts(figure):
        box = text.get_window_extent()
        if box.x0 < -EDGE or box.y0 < -EDGE or box.x1 > width + EDGE or box.y1 > height + EDGE:
            yield f"cut at the edge: {text.get_text()!r}"


def crowded(figure: Figure) -> Iterator[str]:
    """Neighbouring labels of an axis that overlap, or other words; what is turned by an angle is left out."""
    for axis in axes_of(figure):
        yield from _overlapping(list(pairwise(tick_labels(axis))))
    yield from _overlapping(list(combinations(words(figure), 2)))


def _overlapping(pairs: list[tuple[Text, Text]]) -> Iterator[str]:
    for one, other in pairs:
        straight = one.get_rotation() % 90 == 0 == other.get_rotation() % 90
        if straight and _overlap(one.get_window_extent(), other.get_window_extent()):
            yield f"words overlap: {one.get_text()!r}, {other.get_text()!r}"


def _overlap(one: Bbox, other: Bbox) -> bool:
    common = Bbox.intersection(one, other)
    return common is not None and min(common.width, common.height) > LETTERS


def small(figure: Figure) -> Iterator[str]:
    for text in texts(figure):
        if text.get_fontsize() < SMALLEST:
            yield f"{text.get_fontsize():g} points: {text.get_text()!r}"


def _name(artist: Artist) -> str:
    label = str(artist.get_label())
    return type(artist).__name__ if label.startswith("_") else label
