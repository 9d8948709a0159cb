"""The spectrum figure draws the table's numbers: artists' data, not pixels."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from sgdiffusion.figures.style import instants_palette
from sgdiffusion.papers.chaudhari2018.figures.spectra import FLOOR, spectrum_figure

FRACTIONS = (0.2, 0.4, 1.0)
PUBLISHED = {"mean": 0.9e-3, "sd": 18.5e-3, "rank_percent": 0.6}


def tables(seeds=3, d=500):
    """Spectra λ_i = level · i⁻², a fifth of them (rounding of zero) negative."""
    index = np.arange(1, d + 1)
    values, rows = [], []
    for seed in range(seeds):
        for fraction in FRACTIONS:
            spectrum = np.where(index > 0.8 * d, -1e-9, (1.0 + 0.5 * seed) * fraction / index**2.0)
            key = {"seed": seed, "fraction": fraction}
            values.append(pd.DataFrame({**key, "index": index, "eigenvalue": spectrum}))
            cut = spectrum.max() * d * 1.19e-7
            above = spectrum[spectrum > cut]
            row = {"mean": spectrum.mean(), "sd": spectrum.std(), "threshold": cut, "weights": d}
            row |= {"mean_above": above.mean(), "sd_above": above.std(), "rank_percent": 100 * len(above) / d}
            rows.append({**key, **row})
    return pd.concat(values), pd.DataFrame(rows)


def line(ax, label):
    return next(found for found in ax.lines if found.get_label() == label)


@pytest.fixture(scope="module")
def drawn():
    return spectrum_figure(*tables(), PUBLISHED, "small-fc")


def test_darker_is_later(drawn):
    left, right = drawn.axes
    expected = instants_palette(3)
    for fraction, color in zip(FRACTIONS, expected, strict=True):
        assert to_hex(line(left, f"{100 * fraction:g} % of training").get_color()) == color
    assert [to_hex(found.get_color()) for found in right.lines[:3]] == expected


def test_the_curve_is_the_median_seed_at_its_position(drawn):
    curve = line(drawn.axes[0], "100 % of training")
    x, y = curve.get_data()
    position = np.round(x * 500 / 100).astype(int)
    assert position[0] == 1
    assert position[-1] <= 400  # the zeros behind have no place on a logarithmic axis, and make no plateau
    np.testing.assert_allclose(y, 1.5 / position**2.0)
    assert y.min() > drawn.axes[0].get_ylim()[0]


def test_the_band_reaches_from_the_lowest_to_the_highest_seed(drawn):
    band = drawn.axes[0].collections[2].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(2.0)
    first = band[np.isclose(band[:, 0], 100 / 500)]
    assert (first[:, 1].min(), first[:, 1].max()) == pytest.approx((1.0, 2.0))


def test_every_eigenvalue_above_the_floor_is_counted(drawn):
    _, right = drawn.axes
    values, stats = tables()
    cut = stats.loc[stats["fraction"] == 1.0, "threshold"].median()
    middle = values[(values["seed"] == 1) & (values["fraction"] == 1.0)]["eigenvalue"]
    # medians over seeds of the bins need not add up to the middle seed's number, but nearly do
    assert right.lines[2].get_ydata().sum() == pytest.approx((middle > FLOOR * cut).sum(), rel=0.1)


def test_threshold_means_and_published_values_are_marked(drawn):
    left, right = drawn.axes
    _, stats = tables()
    last = stats[stats["fraction"] == 1.0]
    cut = line(left, "threshold $\\lambda_{\\max} d\\,\\varepsilon$").get_ydata()
    np.testing.assert_allclose(cut, last["threshold"].median())
    np.testing.assert_allclose(line(left, "measured mean, all eigenvalues").get_ydata(), last["mean"].mean())
    np.testing.assert_allclose(line(left, "published mean").get_ydata(), 0.9e-3)
    np.testing.assert_allclose(line(left, "published mean + s.d.").get_ydata(), 19.4e-3)
    assert line(left, "published rank").get_linestyle() != line(left, "published mean").get_linestyle()
    verticals = [found.get_xdata()[0] for found in left.lines if np.ptp(found.get_xdata()) == 0]
    assert verticals == [0.6]
    verticals = [found.get_xdata()[0] for found in right.lines if np.ptp(found.get_xdata()) == 0]
    assert verticals == pytest.approx([last["mean"].mean(), last["threshold"].median(), 0.9e-3, 19.4e-3])


def test_the_numbers_are_written_as_in_the_paper(drawn):
    text = drawn.axes[1].get_title(loc="right")
    assert "published (0.9 ± 18.5)·$10^{-3}$, rank 0.6 %" in text
    assert text.count("\n") == 1
    assert "3 seeds, d = 500" in drawn.axes[1].get_xlabel()
    assert drawn.axes[0].get_title() == "small-fc"


def test_one_seed_without_published_values_has_neither_band_nor_mark():
    figure = spectrum_figure(*tables(seeds=1))
    left, right = figure.axes
    assert not left.collections
    assert not right.collections
    text = right.get_title(loc="right")
    assert "published" not in text
    assert "1 seed, d = 500" in right.get_xlabel()
    labels = [label.get_text() for label in figure.legends[0].get_texts()]
    assert not any("published" in label for label in labels)


def test_numbers_of_order_one_need_no_power():
    text = spectrum_figure(*tables(seeds=1), {"mean": 0.27, "sd": 0.84}).axes[1].get_title(loc="right")
    assert "published 0.27 ± 0.84" in text
    text = spectrum_figure(*tables(seeds=1), {"mean": 11.0, "sd": 29.6}).axes[1].get_title(loc="right")
    assert "published 11.0 ± 29.6" in text  # to the same decimal


def test_it_is_drawn_in_full(drawn):
    assert isinstance(drawn, Figure)
    drawn.draw_without_rendering()
    labels = [label.get_text() for label in drawn.legends[0].get_texts()]
    assert len(labels) == 8
