"""Figs 3, 4a and 4b draw what is in their tables."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import BarContainer
from numpy.testing import assert_allclose

from sgdiffusion.papers.hennick2025.figures.laws import CHOICE, fig3, fig4a, fig4b

FIRST = dict(zip(CHOICE, ("function", "k-means", True, 3, "common"), strict=True))
OTHER = {**FIRST, "method": "ward"}
XI = [0.25, 0.5, 1.0]
SCAN = pd.concat(
    [
        pd.DataFrame({"xi": XI, "kl": kl, "low": 0.5 * np.array(kl), "high": 2 * np.array(kl)}).assign(
            **choice, best=0.5, best_low=0.25, best_high=1.0
        )
        for choice, kl in ((FIRST, [0.2, 0.01, 0.3]), (OTHER, [0.4, 0.1, 0.2]))
    ],
    ignore_index=True,
)
NETS = pd.DataFrame(
    {"llc": [1.0, 1.1, 1.2, 2.0, 2.5, np.nan], "diagnoses": ["", "", "short", "", "", "diverged"]}
).assign(low=lambda t: t["llc"] - 0.1, high=lambda t: t["llc"] + 0.1)
HEIGHTS = {"sgd": [0.5, 0.3, 0.2], "posterior": [0.6, 0.3, 0.1], "tempered": [0.65, 0.25, 0.1]}
LAWS = pd.concat(
    [
        pd.DataFrame({"cluster": [0, 1, 2], "probability": p, "law": law, **choice})
        for choice in (FIRST, OTHER)
        for law, p in HEIGHTS.items()
    ]
).assign(low=lambda t: t["probability"] - 0.05, high=lambda t: t["probability"] + 0.05)
DISTANCES = pd.DataFrame(
    [
        {**FIRST, "strength": strength, "xi": 0.5, "law": law, "distance": distance, "value": v}
        for strength in (1.0, 2.0)
        for distance in ("kl", "wasserstein")
        for law, v in (("sgd", 0.1 * strength), ("tempered", 0.02), ("null", 0.03), ("uniform", 0.5))
    ]
).assign(low=lambda t: t["value"] / 2, high=lambda t: t["value"] * 2)


def test_fig3_shows_the_first_choice_with_its_band_and_the_others_thin():
    (ax,) = fig3(SCAN).axes
    thin, thick = [one for one in ax.get_lines() if len(one.get_xdata()) == 3]
    assert_allclose(thin.get_ydata(), [0.4, 0.1, 0.2])
    assert_allclose(thick.get_ydata(), [0.2, 0.01, 0.3])
    assert thick.get_linewidth() > thin.get_linewidth()
    labels = [t.get_text() for t in ax.get_legend().get_texts()]
    assert "k-means in function space, K = 3" in labels
    assert any("published" in label for label in labels)
    (bar,) = ax.containers
    assert_allclose(bar.lines[0].get_xydata(), [[0.5, 0.01]])


def test_fig3_says_where_the_scan_has_no_minimum_inside():
    (ax,) = fig3(SCAN.assign(best=1.0)).axes
    labels = [t.get_text() for t in ax.get_legend().get_texts()]
    assert any("end of the scan" in label for label in labels)
    assert not any("end of the scan" in t.get_text() for t in fig3(SCAN).axes[0].get_legend().get_texts())


def test_fig4a_counts_every_net_and_sets_the_marked_ones_apart():
    (ax,) = fig4a(NETS).axes
    labels = [t.get_text() for t in ax.get_legend().get_texts()]
    assert "no diagnosis (4)" in labels
    assert "with a diagnosis (1)" in labels
    assert sum(patch.get_height() for patch in ax.patches) == pytest.approx(5)
    assert ax.get_legend().get_title().get_text() == "1 without an estimate"
    (median,) = [one for one in ax.get_lines() if one.get_label() == "median"]
    assert_allclose(median.get_xdata(), 1.2)


def test_fig4b_has_three_bars_for_each_cluster_of_the_first_choice():
    (ax,) = fig4b(LAWS, DISTANCES).axes
    groups = [group for group in ax.containers if isinstance(group, BarContainer)]
    assert_allclose([[patch.get_height() for patch in group] for group in groups], list(HEIGHTS.values()))
    labels = " ".join(t.get_text() for t in ax.get_legend().get_texts())
    assert "KL 0.100 [0.050, 0.200]" in labels
    assert "null 0.030" in labels
    assert "KL 0.020" in labels
