"""The specification curve: order, marks, rows of choices, and what it says where nothing was measured."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from sgdiffusion.figures.specification import LOGARITHMIC_FROM, specification
from sgdiffusion.verdicts import Verdict

COLUMNS = ["reading", "quantity", "value", "low", "high", "verdict", "flagged"]


def drawn(scale: float = 1.0) -> Figure:
    rows = [
        ("base", "q", 2 * scale, 1 * scale, 3 * scale, "Holds", 0.0),
        ("rate=2", "q", 1.0, 0.5, 1.5, "Fails", 0.4),
        ("rate=2", "r", 7.0, 6.0, 8.0, "Fails", np.nan),
    ]
    values = pd.DataFrame({"rate": {"base": "10", "rate=2": "2"}})
    regions = {"q": (0.8, 4.0, 1.5), "r": (None, 9.0, None)}
    return specification(pd.DataFrame(rows, columns=COLUMNS), values, regions=regions)


def markers(ax) -> list[tuple[float, float, str]]:
    return [(line.get_xdata()[0], line.get_ydata()[0], line.get_markerfacecolor()) for line in ax.lines
            if line.get_marker() not in ("None", "")]  # fmt: skip


def test_readings_stand_in_the_order_of_the_first_number():
    first, second, matrix = drawn().axes
    assert [(x, y) for x, y, _ in markers(first)] == [(0, 1.0), (1, 2.0)]
    assert [(x, y) for x, y, _ in markers(second)] == [(0, 7.0)]
    assert [t.get_text() for t in matrix.get_yticklabels()] == ["rate: 2", "rate: 10"]
    assert [list(line.get_xdata()) for line in matrix.lines] == [[0], [1]]


def test_flagged_estimates_are_hollow():
    flagged, sound = markers(drawn().axes[0])
    assert flagged[2] == "white"
    assert sound[2] != "white"


def test_a_wide_range_has_a_logarithmic_axis():
    assert drawn().axes[0].get_yscale() == "linear"
    assert drawn(2 * LOGARITHMIC_FROM).axes[0].get_yscale() == "log"


def test_one_huge_interval_does_not_flatten_numbers_of_both_signs():
    values = pd.DataFrame({"rate": {f"r{i}": str(i) for i in range(11)}})
    plain = [(f"r{i}", "q", float(i), i - 1.0, i + 1.0, "Holds", 0.0) for i in range(10)]
    for end, scale in (-9.0, "linear"), (-900.0, "symlog"):
        rows = pd.DataFrame([*plain, ("r10", "q", -5.0, end, 5.0, "Undecided", 0.0)], columns=COLUMNS)
        figure = specification(rows, values, regions={"q": (0.0, 4.0, None)})
        ax = figure.axes[0]
        assert ax.get_yscale() == scale
        assert ax.get_ylim()[0] < end
    heights = ax.transData.transform([(0, 0.0), (0, 9.0)])[:, 1]
    assert heights[1] - heights[0] > 0.2 * ax.bbox.height
    figure.draw_without_rendering()
    labels = [t.get_window_extent() for t in ax.get_yticklabels() if t.get_text()]
    assert not any(a.overlaps(b) for a, b in pairwise(labels))


def test_a_long_name_stays_within_its_panel():
    name = "mlps-sgd.strength.mean_llc.displacement.quiet.spectral_dimension_sgd_over_adam"
    rows = pd.DataFrame([("base", name, 1.0, 0.5, 1.5, "Holds", 0.0)], columns=COLUMNS)
    figure = specification(rows, pd.DataFrame({"rate": {"base": "10"}}), regions={name: (0.0, 2.0, None)})
    figure.draw_without_rendering()
    ax = figure.axes[0]
    assert ax.get_ylabel().replace("\n", "") == name
    assert ax.yaxis.label.get_window_extent().height <= ax.bbox.height


def test_a_region_with_one_end_goes_on_beyond_it():
    rows = [("base", "q", 50.0, 40.0, 60.0, "Fails", 0.0)]
    values = pd.DataFrame({"rate": {"base": "10"}})
    ax = specification(pd.DataFrame(rows, columns=COLUMNS), values, regions={"q": (None, 1.0, None)}).axes[0]
    band = ax.patches[0].get_extents().transformed(ax.transData.inverted())
    bottom, top = ax.get_ylim()
    assert band.y0 == pytest.approx(bottom)
    assert band.y1 == pytest.approx(1.0)
    assert bottom < 1.0 < 50.0 < top


def test_the_legend_names_what_is_there():
    texts = [t.get_text() for t in drawn().legends[0].get_texts()]
    assert texts == ["Holds", "Fails", "with diagnoses", "accepted", "published", "base reading"]
    assert {"Holds", "Fails"} <= {str(v) for v in Verdict}


def test_nothing_measured_is_said():
    empty = specification(pd.DataFrame([], columns=COLUMNS), pd.DataFrame(), regions={"q": (0.0, 1.0, None)})
    assert empty.axes[0].texts[0].get_text() == "not measured at this preset"
