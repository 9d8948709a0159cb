"""One image of several figures: a row per paper, every image whole and in its own shape."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from sgdiffusion.figures.composite import composite


def test_rows_hold_their_images_in_their_shapes():
    rows = {
        "A 2018": [np.zeros((100, 200, 3)), np.ones((100, 100, 3))],
        "B 2025": [np.full((80, 120, 3), 0.5)],
    }
    figure = composite(rows)
    FigureCanvasAgg(figure).draw()
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["A 2018", "", "B 2025"]
    images = [image for row in rows.values() for image in row]
    for ax, image in zip(figure.axes, images, strict=True):
        (shown,) = ax.images
        assert np.array_equal(shown.get_array(), image)
        box = shown.get_window_extent()
        assert box.width / box.height == pytest.approx(image.shape[1] / image.shape[0], rel=0.02)
    first, second, third = (ax.images[0].get_window_extent() for ax in figure.axes)
    assert first.x1 <= second.x0
    assert third.y1 <= min(first.y0, second.y0)
