"""Fig. 3's artists hold the tables' numbers."""

import numpy as np
import pandas as pd
import pytest

from sgdiffusion.papers.chaudhari2018.figures import trajectories as figures


def lines(figure):
    ax = figure.axes[0]
    return {line.get_label(): line for line in ax.get_lines() if not line.get_label().startswith("_")}


def spectrum(seeds=2):
    f = np.geomspace(1e-4, 0.5, 30)
    parts = [
        pd.DataFrame(
            {"seed": s, "series": name, "frequency": f, "mean": level + 0.1 * s, "sd": 0.4, "power": 1.0}
        )
        for s in range(seeds)
        for name, level in (
            ("SGD", 1.0), ("SGD, cubic trend removed", 0.9), ("white noise", 0.886),
            ("Ornstein–Uhlenbeck fit", 0.7), ("white noise, cubic trend removed", 0.8),
        )
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def autocorrelation():
    lag = np.arange(0, 1000, 10)
    parts = [
        pd.DataFrame(
            {
                "seed": s, "series": name, "lag": lag, "mean": np.exp(-lag / time), "sd": 0.1, "low": -0.3,
                "high": 0.3, "band": 0.08, "bartlett": 0.2,
            }
        )
        for s in (0, 1)
        for name, time in (("SGD", 300), ("Brownian motion", 200), ("Ornstein–Uhlenbeck fit", 100))
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def gradients():
    epoch = np.unique(np.geomspace(1, 1e5, 50).astype(int))
    parts = [
        pd.DataFrame({"seed": s, "epoch": epoch, "mode": mode, "norm": scale * epoch**-0.1})
        for s in (0, 1)
        for mode, scale in (("evaluation", 1.0), ("training", 0.5))
    ]
    return pd.concat(parts, ignore_index=True)


def test_fig3a_holds_the_means_over_seeds_and_the_band():
    figure = figures.fig3a(spectrum(), title="a title")
    named = lines(figure)
    assert set(named) == {"SGD", "SGD, cubic trend removed", "white noise", "Ornstein–Uhlenbeck fit"}
    np.testing.assert_allclose(named["SGD"].get_ydata(), 1.05)  # of seeds at 1.0 and 1.1
    ax = figure.axes[0]
    band = ax.collections[0].get_datalim(ax.transData)
    assert (band.ymin, band.ymax) == pytest.approx((0.65, 1.45))
    assert ax.get_ylim()[0] < band.ymin  # nothing is cut off
    assert ax.get_title() == "a title"
    assert "cycles per epoch" in ax.get_xlabel()


def test_fig3b_draws_nulls_and_both_bands():
    table = autocorrelation()
    figure = figures.fig3b(table)
    named = lines(figure)
    assert {"SGD", "Brownian motion", "Ornstein–Uhlenbeck fit", "99 % band, Bartlett"} <= set(named)
    np.testing.assert_allclose(named["99 % band, Bartlett"].get_ydata(), 0.2)
    flat = [line for line in figure.axes[0].get_lines() if set(line.get_ydata()) in ({0.08}, {-0.08})]
    assert len(flat) == 2
    brownian = table[(table["series"] == "Brownian motion") & (table["seed"] == 0)]
    np.testing.assert_allclose(named["Brownian motion"].get_ydata(), brownian["mean"])
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(texts) == len(set(texts))


def test_motion_draws_displacements_and_currents():
    lag = np.array([1, 10, 100])
    displacement = pd.concat(
        pd.DataFrame({"seed": seed, "series": name, "lag": lag, "displacement": lag**0.5, "smallest": 0.5})
        for seed in (0, 1)
        for name in ("SGD", "Brownian motion", "Ornstein–Uhlenbeck fit")
    )
    circulation = pd.concat(
        pd.DataFrame({"seed": seed, "lag": lag, "correlation": 0.1, "leading": 0.2, "low": -0.1, "high": 0.1})
        for seed in (0, 1)
    )
    left, right = figures.motion(displacement, circulation).axes
    named = {line.get_label(): line for line in left.get_lines()}
    np.testing.assert_allclose(named["SGD"].get_ydata(), lag**0.5)
    guide = named["straight line, exponent 1"]
    assert np.ptp(np.log(guide.get_ydata())) == pytest.approx(np.ptp(np.log(guide.get_xdata())))
    assert len(right.get_legend().get_texts()) == 4  # one entry for the lines of all seeds


def test_fig3c_marks_the_published_fall_the_burn_in_and_the_rates():
    table = gradients()
    figure = figures.fig3c(table, 3.0, burn_in=1000, drops=[500, 1000])
    named = lines(figure)
    (arrow, words) = figure.axes[0].texts
    assert words.get_text() == "published: falls 3×"
    end, start = arrow.xy[1], arrow.get_position()[1]
    assert start / end == pytest.approx(3)
    last = table[(table["mode"] == "evaluation") & (table["epoch"] >= 5e4)]["norm"]
    assert end == pytest.approx(np.exp(np.log(last).mean()))
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"burn-in", "learning rate falls"} <= set(texts)
    # the running mean of a power law is that power law, away from the ends
    curve = named["evaluation mode"]
    assert curve.get_ydata()[25] == pytest.approx(curve.get_xdata()[25] ** -0.1, rel=0.01)
    without = figures.fig3c(table, 3.0)
    assert "burn-in" not in [text.get_text() for text in without.legends[0].get_texts()]
    assert len(lines(without)) == 2
