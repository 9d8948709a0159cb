"""One image of several figures, for the README."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from numpy.typing import NDArray

from sgdiffusion.figures.style import panel_label, style

Image = NDArray[Any]

WIDTH = 7.0  # inches, that of a figure of two columns: alone in its row it keeps its size
_FLATTEST = 1.4  # width over height of a row, at least: narrow images alone do not fill it


@style()
def composite(rows: Mapping[str, Sequence[Image]]) -> Figure:
    """A row of images per name, each image as wide as its shape asks, under the row's name."""
    ratios = [[image.shape[1] / image.shape[0] for image in images] for images in rows.values()]
    heights = [WIDTH / max(sum(r), _FLATTEST) for r in ratios]
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.35 * len(heights)), layout="constrained")
    parts = figure.subfigures(len(rows), 1, height_ratios=heights, squeeze=False)[:, 0]
    for part, (name, images), widths in zip(parts, rows.items(), ratios, strict=True):
        axes = part.subplots(1, len(images), width_ratios=widths, squeeze=False)[0]
        for ax, image in zip(axes, images, strict=True):
            ax.imshow(image, interpolation="antialiased")
            ax.set_axis_off()
        panel_label(axes[0], name)
    return figure
