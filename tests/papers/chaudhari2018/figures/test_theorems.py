"""The figure of the theory checks draws what is in its tables."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from sgdiffusion.figures import style
from sgdiffusion.papers.chaudhari2018.figures.theorems import (
    FLOOR,
    equilibrium_figure,
    potential_figure,
    theory_figure,
)

DESCENT = pd.DataFrame(
    {"lam": [0.0] * 3 + [1.5] * 3, "time": [0.0, 1.0, 2.0] * 2, "free_energy": [2.0, 0.1, 1e-12] * 2}
)
ANISOTROPY = pd.DataFrame(
    {"ratio": [4.0, 1.0], "misfit": [0.5, 0.0], "simulated": [0.52, 0.01], "error": [0.02, 0.01]}
)
DISPLACEMENT = pd.DataFrame(
    {
        "noise": ["gaussian"] * 2 + ["batch"] * 2,
        "temperature": [0.1, 0.2] * 2,
        "displacement": [0.07, 0.13, 0.1, 0.21],
        "error": [0.01, 0.02, 0.01, 0.02],
        "sde": [0.068, 0.13] * 2,
        "theorem": [0.07, 0.14] * 2,
        "corrected": [0.11, 0.22] * 2,
    }
)


@pytest.fixture
def axes():
    return theory_figure(DESCENT, ANISOTROPY, DISPLACEMENT).axes


def test_descent_has_one_line_for_each_strength_above_the_rounding_floor(axes):
    *lines, floor = axes[0].get_lines()
    assert_allclose(floor.get_ydata(), FLOOR)
    assert [line.get_label() for line in lines] == [r"$\lambda = 0$", r"$\lambda = 1.5$"]
    for line in lines:
        assert min(line.get_ydata()) > FLOOR
        assert_allclose(line.get_ydata(), [2.0, 0.1])
    assert axes[0].get_yscale() == "log"


def test_anisotropy_is_in_order_with_its_error_bars(axes):
    assert_allclose(axes[1].get_lines()[0].get_xdata(), [1, 4])
    (bars,) = axes[1].containers
    heights = [s[1, 1] - s[0, 1] for s in bars.lines[2][0].get_segments()]
    assert_allclose(heights, 2 * 1.96 * np.array([0.01, 0.02]))


def test_displacement_is_per_temperature_beside_both_laws(axes):
    gaussian, batch = axes[2].containers
    assert_allclose(gaussian.lines[0].get_ydata().astype(float), [0.7, 0.65])
    assert_allclose(batch.lines[0].get_ydata().astype(float), [1.0, 1.05])
    heights = [s[1, 1] - s[0, 1] for s in batch.lines[2][0].get_segments()]
    assert_allclose(heights, [2 * 1.96 * 0.1] * 2)
    levels = {line.get_color(): float(line.get_ydata()[0]) for line in axes[2].get_lines()}
    assert_allclose([levels[style.GREY], levels[style.GREEN]], [0.7, 1.1])
    (curve,) = [line for line in axes[2].get_lines() if "closed form" in line.get_label()]
    assert_allclose(curve.get_ydata(), [0.68, 0.65])


def test_every_panel_is_labelled(axes):
    assert [ax.get_title(loc="left") for ax in axes] == ["a", "b", "c"]
    assert all(ax.get_xlabel() and ax.get_ylabel() and ax.get_legend() for ax in axes)


def test_potential_figure_marks_minima_and_what_is_published():
    potential = pd.DataFrame(
        {"temperature": [0.01] * 3 + [0.5] * 3, "x": [-1, 0, 1] * 2, "phi": [1, 0, 1, 0, 0.5, 2]}
    )
    modes = pd.DataFrame(
        {
            "system": ["sde", "batch"],
            "temperature": 0.5,
            "mode": [-0.17, -0.1],
            "error": 0.01,
            "closed": -1 / 6,
        }
    )
    left, right = potential_figure(potential, modes).axes
    dots = [line.get_xdata() for line in left.get_lines() if line.get_marker() == "o"]
    minima = [x[0] for x in dots if len(x)]  # the legend's own dot is empty
    assert minima == [0, -1]
    labels = [text.get_text() for text in right.get_legend().get_texts()]
    assert r"$\Phi$ independent of $\beta$" in labels
    (closed,) = [line for line in right.get_lines() if line.get_label() == "SDE, closed form"]
    assert_allclose(closed.get_ydata(), -1 / 6)


def test_equilibrium_has_a_curve_over_beta_and_its_controls():
    table = pd.DataFrame(
        {
            "noise": ["turned", "turned", "aligned", "isotropic"],
            "temperature": [0.4, 0.1, 0.1, 0.1],
            "share": [0.3, 0.2, 0.0, 0.0],
            "share_error": 0.01,
            "displacement": [0.4, 0.1, 0.0, 0.0],
            "displacement_error": 0.02,
            "quadratic_share": [0.14, 0.14, 0.0, 0.0],
            "quadratic_closed": [0.13, 0.13, 0.0, 0.0],
        }
    )
    left, right = equilibrium_figure(table).axes
    for ax, column in ((left, "share"), (right, "displacement")):
        curve = ax.containers[0].lines[0]
        assert list(curve.get_xdata()) == [0.1, 0.4]
        assert list(curve.get_ydata()) == list(table[column][[1, 0]])
        assert len(ax.containers) == 3
    (level,) = [line for line in left.get_lines() if line.get_label().startswith("quadratic")]
    assert_allclose(level.get_ydata(), 0.13)
