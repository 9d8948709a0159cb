"""Figs 3, 4a and 4b draw what is in their tables, a line or a panel for every sample."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle
from numpy.testing import assert_allclose

from sgdiffusion.papers.hennick2025.figures.laws import fig3, fig4a, fig4b

XI = np.array([0.25, 0.5, 1.0])


def scan(kl: list[float], best: float) -> pd.DataFrame:
    values = np.array(kl)
    table = pd.DataFrame({"xi": XI, "kl": values, "low": 0.5 * values, "high": 2 * values})
    return table.assign(best=best, best_low=0.25, best_high=1.0, strength=1.0, ratio=1.5)


def sampled(*tables: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table.assign(sample=i) for i, table in enumerate(tables)])


SCANS = sampled(scan([0.2, 0.01, 0.3], 0.5), scan([0.4, 0.1, 0.02], 1.0))
NETS = pd.DataFrame(
    {"llc": [1.0, 1.1, 1.2, 2.0, 2.5, np.nan], "diagnoses": ["", "", "short", "", "", "diverged"]}
).assign(low=lambda t: t["llc"] - 0.1, high=lambda t: t["llc"] + 0.1)
HEIGHTS = {"sgd": [0.5, 0.3, 0.2], "posterior": [0.6, 0.3, 0.1], "tempered": [0.65, 0.25, 0.1]}
LAWS = pd.concat(
    [pd.DataFrame({"cluster": [0, 1, 2], "probability": p, "law": law}) for law, p in HEIGHTS.items()]
).assign(low=lambda t: t["probability"] - 0.05, high=lambda t: t["probability"] + 0.05)
DISTANCES = pd.DataFrame(
    [
        {"law": law, "distance": "kl", "value": v}
        for law, v in (("sgd", 0.1), ("tempered", 0.02), ("null", 0.03), ("uniform", 0.5))
    ]
)


def test_fig3_has_a_curve_and_a_minimum_for_every_sample():
    left, _ = fig3(SCANS).axes
    curves = [line for line in left.get_lines() if len(line.get_xdata()) == 3]
    assert_allclose([line.get_ydata() for line in curves], [[0.2, 0.01, 0.3], [0.4, 0.1, 0.02]])
    assert_allclose([bars.lines[0].get_xydata()[0] for bars in left.containers], [[0.5, 0.01], [1.0, 0.02]])
    labels = [str(bars.get_label()) for bars in left.containers]
    assert labels == ["sample 1", "sample 2 (end of the scan)"]


def test_fig3_draws_the_pairs_that_are_one_minimum():
    """λ/d_s = 1.5: (m/γ)/ξ is what counts; a minimum at ξ = 1 for m/γ = 1 is one at 0.5 for 0.5."""
    _, right = fig3(SCANS).axes
    ridges = [line for line in right.get_lines() if len(line.get_xdata()) == 3]
    assert_allclose(ridges[0].get_ydata(), XI / 0.5)
    assert_allclose(ridges[1].get_ydata(), XI)
    marks = [line.get_xydata()[0] for line in right.get_lines() if len(line.get_xdata()) == 1]
    assert_allclose(marks, [[0.5, 1.0], [0.5, 0.5]])


def test_fig4a_counts_every_net_and_sets_the_marked_ones_apart():
    below = pd.DataFrame({"llc": [1.0, 3.0, np.nan]})
    axes = fig4a(sampled(NETS, NETS), sampled(below, below)).axes
    assert len(axes) == 2
    for i, ax in enumerate(axes):
        assert f"sample {i + 1}: not flagged (4)" in ax.get_title()
        assert "flagged unreliable (2)" in ax.get_title()
        bars = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
        assert sum(bar.get_height() for bar in bars) == pytest.approx(5)
        (outline,) = (patch for patch in ax.patches if not isinstance(patch, Rectangle))
        assert outline.get_xy()[:, 1].max() == pytest.approx(2.5)  # two minima stand for five nets
        assert 1.2 in [line.get_xdata()[0] for line in ax.get_lines()]


def test_fig4b_has_three_points_for_each_cluster_of_every_sample():
    axes = fig4b(sampled(*[LAWS] * 4), sampled(*[DISTANCES] * 4)).axes
    assert len(axes) == 4
    for ax in axes:
        drawn = [group.lines[0].get_ydata(orig=False) for group in ax.containers]
        assert_allclose(drawn, list(HEIGHTS.values()))
        assert "SGD 0.1, tempered 0.02, chance 0.03" in ax.get_title()
