"""Fig. 1 and the sensitivity figure draw what is in their tables."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from sgdiffusion.papers.hennick2025.figures.walks import fig1, sensitivity_figure

TIME = np.array([0.01, 0.1, 1.0])
DISPLACEMENT = pd.DataFrame(
    {
        "time": TIME,
        "mean": [1.0, 3.0, 4.0],
        "low": [0.9, 2.8, 3.5],
        "high": [1.1, 3.2, 4.5],
        "local_slope": [0.9, 0.4, 0.2],
        "slope_low": [0.85, 0.38, 0.18],
        "slope_high": [0.95, 0.42, 0.22],
    }
)


def line(ax, label: str):
    (found,) = [one for one in ax.get_lines() if label in str(one.get_label())]
    return found


def test_fig1_compares_with_a_brownian_motion_of_the_same_end():
    further = DISPLACEMENT.assign(mean=4 * DISPLACEMENT["mean"])
    left, right = fig1(pd.concat([DISPLACEMENT.assign(sample=0), further.assign(sample=1)])).axes
    assert_allclose(line(left, "sample 1").get_ydata(), DISPLACEMENT["mean"])
    assert_allclose(line(left, "sample 2").get_ydata(), further["mean"])
    assert_allclose(line(left, "Brownian").get_ydata(), 8 * np.sqrt(TIME))  # the geometric mean of 4 and 16
    assert_allclose([right.get_lines()[i].get_ydata() for i in (0, 1)], [DISPLACEMENT["local_slope"]] * 2)
    for band in right.collections:
        heights = band.get_paths()[0].vertices[:, 1]
        assert_allclose([heights.min(), heights.max()], [0.18, 0.95])
    assert left.get_xscale() == left.get_yscale() == right.get_xscale() == "log"


def summary(factor: float) -> pd.DataFrame:
    rows = [("base", 1.0, 1.0), ("step=fixed", factor, 0.9), ("draws=many", 2 * factor, 0.8)]
    table = pd.DataFrame(rows, columns=["variation", "ratio", "rho"])
    for name in ("ratio", "rho"):
        table[f"{name}_low"], table[f"{name}_high"] = table[name] * 0.9, table[name] * 1.1
    return table


@pytest.fixture
def sensitivity():
    mlps = pd.concat([summary(1.2).assign(optimiser="adam"), summary(1.4).assign(optimiser="sgd")])
    return sensitivity_figure(summary(0.8), mlps)


def test_every_change_has_a_row_for_every_kind_of_run(sensitivity):
    left, right = sensitivity.axes
    assert [t.get_text() for t in left.get_yticklabels()] == [
        "step: fixed",
        "draws: many",
    ]
    values = [bars.lines[0].get_xdata().tolist() for bars in left.containers]
    assert_allclose(values, [[0.8, 1.6], [1.4, 2.8], [1.2, 2.4]])
    heights = np.array([bars.lines[0].get_ydata() for bars in left.containers])
    assert len(np.unique(heights)) == 6  # side by side, none behind another
    assert_allclose([bars.lines[0].get_xdata() for bars in right.containers], [[0.9, 0.8]] * 3)


def test_intervals_are_those_of_the_table(sensitivity):
    bars = sensitivity.axes[0].containers[0].lines[2][0].get_segments()
    assert_allclose([(s[0, 0], s[1, 0]) for s in bars], [(0.72, 0.88), (1.44, 1.76)])


def test_legend_names_the_three_kinds_once(sensitivity):
    labels = [t.get_text() for t in sensitivity.legends[0].get_texts()]
    assert len(labels) == len(set(labels)) == 4
