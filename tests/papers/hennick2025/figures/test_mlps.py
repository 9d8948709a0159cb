"""Figs 2a, 2b and the correlations draw what is in their tables, and say what they cannot show."""

import numpy as np
import pandas as pd
from numpy.testing import assert_allclose

from sgdiffusion.papers.hennick2025.figures.mlps import (
    CONTRASTS,
    FACTORS,
    TARGETS,
    correlations_figure,
    fig2a,
    fig2b,
)

RUNS = pd.DataFrame(
    {
        "optimiser": ["sgd"] * 4 + ["adam"] * 3,
        "mean_llc": [1.0, 2.0, 4.0, np.nan, 0.5, -0.1, 1.0],
        "spectral_dimension": [0.5, 1.2, 5.0, np.nan, 0.2, -0.05, 0.3],
        "slope": [0.25, 0.3, 0.625, np.nan, 0.2, 0.25, 0.15],
        "slope_low": [0.2, 0.25, 0.6, np.nan, 0.1, 0.2, 0.1],
        "slope_high": [0.3, 0.35, 0.65, np.nan, 0.3, 0.3, 0.2],
        "displacement": [3.0, 4.0, 5.0, np.nan, 1.0, 2.0, 3.0],
        "marks": ["", "short", "", "diverged", "", "negative", ""],
        "quiet": [True, False, True, False, False, True, False],
        "batch_size": [1024, 16, 1024, 16, 16, 128, 16],
        "rate": [0.01, 0.1, 0.02, 0.1, 0.1, 0.01, 0.1],
    }
)
RUNS = RUNS.assign(
    spectral_low=RUNS["spectral_dimension"] - 0.1, spectral_high=RUNS["spectral_dimension"] + 0.1
)


def correlation(optimiser: str, rho: float, subset: str = "all") -> pd.DataFrame:
    rows = [(optimiser, x, y, rho, rho - 0.1, rho + 0.1, subset) for x in FACTORS for y in TARGETS]
    return pd.DataFrame(rows, columns=["optimiser", "x", "y", "rho", "low", "high", "subset"])


CORRELATIONS = pd.concat(
    [correlation("sgd", 0.6), correlation("adam", -0.2), correlation("sgd", 0.8, "large-batch-low-rate")]
)


READINGS = pd.DataFrame(
    [
        {"reading": reading, "quantity": name, "value": v, "low": v - 0.1, "high": v + 0.1}
        for reading, v in (("base", 0.3), ("length=3000-steps", -0.3), ("length=3000-steps;runs=all", 0.0))
        for name in CONTRASTS
    ]
)


def points(ax, label: str) -> np.ndarray:
    (found,) = [one for one in ax.get_lines() if str(one.get_label()).startswith(label)]
    return np.array(found.get_xydata())


def test_fig2a_shows_every_run_once_and_the_line():
    left, right = fig2a(RUNS).axes
    assert_allclose(points(left, "SGD (2)"), [[1, 0.5], [4, 5]])
    assert_allclose(points(left, "SGD, flagged unreliable (1)"), [[2, 1.2]])
    assert_allclose(points(left, "Adam (2)"), [[0.5, 0.2], [1, 0.3]])
    line = points(left, "$d_s")
    assert_allclose(line[:, 0], line[:, 1])
    assert "by construction" in left.get_title(loc="right")
    assert_allclose(points(left, "SGD: published"), [[12.527, 7.8165]])
    assert_allclose(points(left, "Adam: published"), [[3.0957, 0.4061]])
    assert_allclose(points(right, "SGD")[:, 0], [0.25, 0.3, 0.625])
    assert_allclose(points(right, "1/2")[:, 0], 0.5)
    assert_allclose(points(right, "published, SGD"), [[7.8165 / (2 * 12.527), 0]])
    assert_allclose(points(right, "published, Adam"), [[0.4061 / (2 * 3.0957), 0]])


def test_fig2a_says_what_it_cannot_show():
    legend = fig2a(RUNS).axes[0].get_legend().get_title().get_text()
    assert "1 diverged" in legend
    assert "1 with" in legend
    shown = RUNS[(RUNS["mean_llc"] > 0)]
    assert fig2a(shown).axes[0].get_legend().get_title().get_text() == ""


def test_fig2b_separates_the_quiet_runs_and_prints_their_correlation():
    left, right = fig2b(RUNS, CORRELATIONS).axes
    assert_allclose(points(left, "batch ≥ 1024, rate ≤ 0.02"), [[3, 1], [5, 4]])
    assert_allclose(points(left, "all other"), [[4, 2]])
    labels = [t.get_text() for t in left.get_legend().get_texts()]
    assert "0.60 [0.50, 0.70]" in labels[0]
    assert "0.80 [0.70, 0.90]" in labels[1]
    assert "rho" not in right.get_legend().get_texts()[1].get_text()  # none measured there


def test_correlations_have_a_row_for_each_factor():
    *axes, contrasts = correlations_figure(CORRELATIONS, READINGS).axes
    assert [ax.get_title() for ax in axes] == list(TARGETS.values())
    for ax in axes:
        sgd, adam = ax.containers
        assert_allclose(sgd.lines[0].get_xdata().astype(float), [0.6] * len(FACTORS))
        assert_allclose(adam.lines[0].get_xdata().astype(float), [-0.2] * len(FACTORS))
    labels = [t.get_text() for t in axes[0].get_yticklabels()]
    assert labels == list(FACTORS.values())
    base, other = contrasts.containers  # not the combination with another choice
    assert_allclose(base.lines[0].get_xdata().astype(float), [0.3] * len(CONTRASTS))
    assert_allclose(other.lines[0].get_xdata().astype(float), [-0.3] * len(CONTRASTS))
