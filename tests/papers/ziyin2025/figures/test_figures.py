"""Figures of Ziyin, Li & Ueda: drawn from tables made by hand, the artists hold the tables' numbers."""

import numpy as np
import pandas as pd
import pytest

from sgdiffusion.figures import style
from sgdiffusion.papers.ziyin2025.figures import balance as ziyin2025_balance
from sgdiffusion.papers.ziyin2025.figures import checks as ziyin2025_checks
from sgdiffusion.papers.ziyin2025.figures import densities as ziyin2025_densities
from sgdiffusion.papers.ziyin2025.figures import depth as ziyin2025_depth
from sgdiffusion.papers.ziyin2025.figures import networks as ziyin2025_networks
from sgdiffusion.papers.ziyin2025.figures import phases as ziyin2025_phases
from sgdiffusion.papers.ziyin2025.theory.data_law import gaussian_linear
from sgdiffusion.papers.ziyin2025.theory.phases import critical_temperature, regime

TIMES = np.linspace(0.0, 10.0, 6)


def drawn(figure, tmp_path):
    """Both files are written, without a warning (which the test suite turns into an error)."""
    style.save(figure, tmp_path / "figure.pdf", tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5000
    return figure


def line(ax, label):
    (found,) = [a for a in ax.get_lines() if a.get_label() == label]
    return np.asarray(found.get_xdata(), float), np.asarray(found.get_ydata(), float)


def points(ax, label):
    (found,) = [c for c in ax.containers if c.get_label() == label]
    data = found.lines[0]
    return np.asarray(data.get_xdata(), float), np.asarray(data.get_ydata(), float)


def table(columns, rows):
    return pd.DataFrame(rows, columns=columns.split())


def test_fig1_draws_every_chain_but_one_of_gd(tmp_path):
    rows = [
        (m, c, s, 2 - 0.1 * s, 0.2 + 0.1 * s)
        for m in ("gd", "sgd", "gd-noise")
        for c in (0, 1, 2)
        for s in (0, 1, 2)
    ]
    figure = drawn(ziyin2025_balance.fig1(table("method chain step u w", rows)), tmp_path)
    for ax, paths in zip(figure.axes, (1, 3, 3), strict=True):
        long = [a for a in ax.get_lines() if len(a.get_xdata()) == 3]
        assert len(long) == paths
        assert long[0].get_ydata()[-1] == pytest.approx(0.4)


def test_fig7_holds_median_and_rms(tmp_path):
    cases = (("gd", 0.05), ("sgd", 0.05), ("gd-noise", 0.05), ("gd-noise", 0.01))
    rows = [
        (m, r, t, 1 - t / 20, 0.4, 1.2, 2.0 + r, 3.0 if m == "gd-noise" else np.nan)
        for m, r in cases
        for t in TIMES
    ]
    names = "method rate time median low high rms martingale"
    figure = drawn(ziyin2025_balance.fig7(table(names, rows)), tmp_path)
    left, right = figure.axes
    assert line(left, r"SGD, $\eta$ = 0.05")[1] == pytest.approx(1 - TIMES / 20)
    assert line(right, r"GD + Gaussian noise, $\eta$ = 0.01")[1] == pytest.approx(np.full(6, 2.01))
    assert line(right, "martingale, predicted")[1] == pytest.approx(np.full(6, 3.0))
    assert len(left.collections) == 3


@pytest.fixture
def norms():
    rows = [
        (c, b, 0.1 * b, s, t, 60 - t + s, 6 + t, 100.0, 50.0 + t)
        for c, b in (
            ("s1.e0.1", 1),
            ("s10.e1", 10),
            ("s1.e0.1.out5", 1),
            ("s1.e0.1.bias", 1),
            ("s1.e0.1.out5.x0.7", 1),
        )
        for s in (0, 1)
        for t in TIMES
    ]
    return table("case batch rate seed time u_squared w_squared u_noise w_noise", rows)


@pytest.fixture
def windows():
    names = (*ziyin2025_balance.OFFSETS, *ziyin2025_checks.SIDES)
    rows = [
        (c, b, 0.1 * b, m, 0.01 * b + i, 0.0, 9.0)
        for c, b in (("s1.e0.1", 1), ("s10.e1", 10), ("s1.e0.1.out5", 1))
        for i, m in enumerate(names)
    ]
    return table("case batch rate measured value low high", rows)


def test_fig2_shows_the_mean_over_seeds_at_the_smallest_batch(norms, windows, tmp_path):
    figure = drawn(ziyin2025_balance.fig2a(norms), tmp_path)
    top, bottom = figure.axes
    assert line(top, "first layer, $u$")[1] == pytest.approx(60.5 - TIMES)
    assert line(bottom, "5 outputs")[0] == pytest.approx(0.1 * TIMES)  # T·t
    figure = drawn(ziyin2025_balance.fig2b(norms, windows), tmp_path)
    left, middle, right = figure.axes
    assert line(left, r"$w^\top C_2 w$")[1] == pytest.approx(50 + TIMES)
    assert line(middle, "20 outputs")[1] == pytest.approx(100 / (50 + TIMES))
    assert points(right, "measured")[1] == pytest.approx([1.0, 10.0])  # per cent


@pytest.fixture
def histograms():
    rows = []
    for law, k in (("above", 0.5), ("between", 1.0)):
        for t in (0.05, 0.5):
            for d in (0, 1):
                for s in ("sde", "sgd"):
                    gone = law == "between" and t == 0.5 and d == 1
                    for i in range(20):
                        low = k * (0.1 * i)
                        theory = np.nan if gone else 0.9
                        rows.append((law, t, d, s, low, low + 0.1 * k, 1.0, 0.1, theory, k))
    return table("law temperature depth simulator low high density error theory minimiser", rows)


@pytest.mark.parametrize(("name", "depth"), [("fig3a", 0), ("fig3b", 1)])
def test_fig3_marks_point_masses_and_scales_by_the_minimiser(histograms, name, depth, tmp_path):
    distances = [(law, 0.5, 1, "sgd", 0.24) for law in ("above", "between")]
    tables = [histograms, table("law temperature depth simulator escaped", distances)]
    figure = drawn(getattr(ziyin2025_densities, name)(*tables[: 1 + depth]), tmp_path)
    assert ("24 % of hot SGD overflows" in figure.axes[0].get_title()) == (depth == 1)
    texts = [a.get_text() for ax in figure.axes for a in ax.texts]
    assert (r"$\delta(v)$" in texts) == (depth == 1)
    (theory,) = [
        a for a in figure.axes[0].get_lines() if len(a.get_xdata()) == 20 and a.get_color() == style.BLUE
    ]
    assert theory.get_ydata() == pytest.approx(np.full(20, 0.45))  # 0.9 per unit of v, v* = 0.5
    assert theory.get_xdata()[0] == pytest.approx(0.05)


def test_fig3c_says_the_share_of_wrong_signs(tmp_path):
    rows = [
        (t, d, x, x + 0.5, 0.4 if x >= 0 else 0.1 * (1 - d), 0.01, 0.3, 0.1 * (1 - d), 0.25)
        for t in (0.05, 0.2) for d in (0, 1) for x in (-1.0, -0.5, 0.0, 0.5)
    ]  # fmt: skip
    figure = drawn(
        ziyin2025_densities.fig3c(
            table("temperature depth low high density error truth wrong_sign no_sign", rows)
        ),
        tmp_path,
    )
    labels = [t.get_text() for t in figure.axes[0].get_legend().get_texts()]
    assert any("D = 0" in label and "10 % wrong, 25 % near 0" in label for label in labels)
    assert any("D = 1" in label and "0 % wrong" in label for label in labels)
    assert line(figure.axes[0], "truth")[0][0] == 0.3


def test_fig4_colours_regimes_and_compares_checks(tmp_path):
    rows = [
        ("Ia", 1.0, 1.0, 0.5, "collapsed", 0.9, 0.85, 0.95, 1.0),
        ("IIa", 1.0, 1.0, 0.23, "origin", -0.7, -0.8, -0.6, -0.75),
        ("IIb", 1.0, 1.0, 0.15, "maximum", 1.1, 0.9, 1.3, 1.2),
    ]
    names = "regime k noise temperature quantity value low high theory"
    figure = drawn(ziyin2025_phases.fig4(table(names, rows)), tmp_path)
    left, right = figure.axes
    (mesh,) = left.collections
    colours = np.asarray(mesh.get_array()).reshape(160, 160)
    noise, t = np.linspace(0.02, 4.0, 160)[40], np.linspace(0.003, 0.7, 160)[100]
    expected = ziyin2025_phases.REGIMES.index(regime(gaussian_linear(1.0, noise), t))
    assert colours[100, 40] == expected
    sigma, critical = line(left, "$T_c$, published")
    assert critical[50] == pytest.approx(critical_temperature(gaussian_linear(1.0, sigma[50])))
    ratio, _ = points(right, "simulated ± 95 %")
    assert ratio == pytest.approx([0.9, (1.5 - 0.7) / (1.5 - 0.75), 1.1 / 1.2])


def test_transition_marks_located_and_predicted_temperatures(tmp_path):
    located = [
        ("weak", 0.1, "sde", 0, 0.0, 0.1, 0.09, 0.11, 0.1, 0.095, 0.1),
        ("weak", 0.1, "sgd", 1, 0.0, 0.093, 0.09, 0.095, 0.1, 0.095, 0.093),
        ("weak", 0.1, "sde", 0, 0.03, 0.07, 0.06, 0.08, 0.07, 0.06, 0.07),
    ]
    collapse = [("weak", t, h, 0.5 * t, 0.4 * t, 0.6 * t) for t in (0.05, 0.15) for h in (50.0, 200.0)]
    scan = [(k, 1.0, b, 1 - 7 * k**2, 1 - k**2, 1 - k**2) for k in (0.05, 0.1) for b in (1, 4)]
    names = "law k simulator batch decay located low high first_order second_order exact"
    figure = drawn(
        ziyin2025_phases.transition_figure(
            table(names, located),
            table("law temperature horizon collapsed low high", collapse),
            table("k noise batch exact second printed", scan),
        ),
        tmp_path,
    )
    left, right = figure.axes
    assert line(left, "exact, S = 4")[1] == pytest.approx([1 - 7 * 0.05**2, 0.93])
    assert points(right, "t = 200")[0] == pytest.approx([0.5, 1.5])


def test_discrete_depth_shows_distances_and_escapes(tmp_path):
    approach = [(d, k, k / 2, 1000, 0.1 * k, 0.01, 0.02, 1.0) for d in (1, 2) for k in (0.1, 0.2)]
    escapes = [
        (s, d, r, t, r if s == "sgd" else 0.0, 0.0, 1.0)
        for s, d in (("sgd", 1), ("sgd", 2), ("sde", 1)) for r in (0.2, 0.5) for t in (20.0, 500.0)
    ]  # fmt: skip
    figure = drawn(
        ziyin2025_depth.discrete_depth(
            table("depth k rate n distance band critical tail", approach),
            table("simulator depth rate time escaped low high", escapes),
        ),
        tmp_path,
    )
    left, right = figure.axes
    assert points(left, "D = 2")[1] == pytest.approx([0.01, 0.02])
    assert points(right, "SGD, D = 1")[1] == pytest.approx([20, 50])


def test_fig5a_compares_exponents_with_theory(tmp_path):
    exponents = [
        ("sde", d, 0.5, 5 - 3 / (d + 1) + 0.05, 3.0, 5.5, 1.0, 500, 5 - 3 / (d + 1), np.nan)
        for d in (1, 2, 3)
    ]
    exponents += [("sde", 0, t, 2 + 0.05 / t, 2.0, 5.0, 1.0, 500, 2 + 0.05 / t, np.nan) for t in (0.025, 0.1)]
    exponents += [("sgd", 0, 0.3, 3.3, 3.0, 3.6, 1.0, 500, 3.67, 3.3)]
    survival = [
        ("sde", d, 0.5, 10.0**i, 10.0 ** (i + 1), 10.0 ** (-4 * i), 0.1, -4.0, 0.1 if i < 3 else 0.9)
        for d in (1, 2, 3)
        for i in range(4)
    ]
    figure = drawn(
        ziyin2025_depth.fig5a(
            table(
                "simulator depth temperature exponent low high threshold exceedances theory exact", exponents
            ),
            table("simulator depth temperature low high density error slope slope_error", survival),
        ),
        tmp_path,
    )
    _, slopes, middle, right = figure.axes
    shown = [bars[0].get_xdata().size for bars in slopes.containers]
    assert shown == [3, 3, 3]  # the bin with the large error is left out
    assert points(middle, "SDE ± 95 %")[1] == pytest.approx([-3.55, -4.05, -4.3])
    d, guide = line(middle, r"published, $-5+3/(D+1)$")
    assert guide == pytest.approx(-5 + 3 / (d + 1))
    assert line(right, "SGD, exact")[1] == pytest.approx([-3.3])


def test_fig5b_leaves_out_weights_at_rest(tmp_path):
    rows = [
        (d, r, 0.2, 0.01, v, v / 10, 0.01, 0.001, 0.0, 0.1)
        for d in (0, 1)
        for r, v in ((0.01, 0.01), (0.3, 1e-30))
    ]
    rows += [(1, 1.2, *[np.nan] * 6, 1.0, 0.1)]
    names = "depth rate norm norm_error variance variance_error excess excess_error escaped critical"
    figure = drawn(ziyin2025_depth.fig5b(table(names, rows)), tmp_path)
    assert points(figure.axes[0], "D = 1")[0] == pytest.approx([0.01])
    assert line(figure.axes[0], "D = 1, below")[0] == pytest.approx([0.3])  # marked at the edge
    assert points(figure.axes[1], "D = 1")[0] == pytest.approx([0.01, 0.3])
    (shaded,) = figure.axes[0].patches
    assert shaded.get_x() == pytest.approx(0.6)  # half-way between 0.3 and 1.2 on the logarithmic axis


def test_fig5c_shows_three_cuts(tmp_path):
    rows = [
        (shape, d, r, r * d, s, 0.01 * (1 + r + s), False)
        for shape in ("constant", "proportional") for d in (1, 2) for r in (0.1, 0.2) for s in (0, 1)
    ]  # fmt: skip
    errors = table("shape depth rate scaled_rate seed test_error diverged", rows)
    figure = drawn(ziyin2025_depth.fig5c(errors, title="depth-scaling, digits"), tmp_path)
    left, middle, right = figure.axes
    assert line(left, "D = 2")[0] == pytest.approx([0.1, 0.2])
    x, y = line(middle, "D = 2")
    assert x == pytest.approx([0.2, 0.4])
    assert y == pytest.approx([1.6, 1.7])  # per cent, mean over seeds
    assert line(right, "D = 1")[1] == pytest.approx([1.6, 1.7])


def test_theorem41_shows_change_from_half_time_on(tmp_path):
    rows = [
        (s, d, t, 0.1, 0.05, 0.15, np.nan if t < 5 else 1e-12 * (t + 1), 0.5, 0.4, 0.6)
        for s in ("sde", "sgd") for d in (1, 2) for t in TIMES
    ]  # fmt: skip
    names = (
        "simulator depth time minority minority_low minority_high log_ratio square_gap square_low square_high"
    )
    figure = drawn(ziyin2025_depth.theorem41(table(names, rows)), tmp_path)
    change = figure.axes[1].get_lines()[0].get_ydata()
    assert np.isfinite(change).tolist() == [False, False, False, True, True, True]
    assert len(figure.axes[0].get_lines()) == 4


def test_checks_hold_their_four_tables(windows, tmp_path):
    rates = [
        ("sgd", 0.01, 0.01, 0.05, 1.0, 1.02, 1.01, 1.03, 2.5),
        ("sde", 0.01, 0.01, 0.05, 1.0, 1.0, 0.99, 1.01, 2.5),
    ]
    steps = [
        ("above", 0.05, 1, s, a, 0.01 * a, 0.004, 0.005, 1000)
        for s in ("euler", "milstein", "platen")
        for a in (0.1, 0.2)
    ]
    moments = [
        (s, t, 0.25 + t, 0.24 + t, 0.26 + t, 0.25 + t if t < 0.4 else np.inf, t < 0.2)
        for s in ("sde", "sgd") for t in (0.1, 0.3, 0.4)
    ]  # fmt: skip
    figure = drawn(
        ziyin2025_checks.checks(
            windows,
            table(
                "simulator decay temperature rate noise_variance over_derived low high over_printed", rates
            ),
            table("law temperature depth scheme accuracy distance band critical n", steps),
            table("simulator temperature second_moment low high theory fourth_exists", moments),
        ),
        tmp_path,
    )
    sides, corollary, convergence, second = figure.axes
    assert points(sides, "Theorem 3.1")[1] == pytest.approx([3.01, 3.1])
    assert line(corollary, r"SGD / ($TC_0 + \gamma$), printed")[1] == pytest.approx([2.5])
    assert line(convergence, "Platen")[1] == pytest.approx([0.001, 0.002])
    assert points(second, "SDE ± 95 %, line: closed form")[0] == pytest.approx([0.1])


def test_real_networks_show_distances_and_errors(tmp_path):
    pairs = [
        (n, b, p, s, t, 10.0 ** (1 + s), 1.0)
        for n in ("mlp", "conv-norm") for b in (1, 8) for p in ("a", "b")
        for s in (0, 1) for t in (0.0, 1.0, 2.0)
    ]  # fmt: skip
    summary = [
        (n, b, m, 0.1 * b, 0.05 * b, 0.2 * b)
        for n in ("mlp", "conv-norm") for b in (1, 8) for m in (*ziyin2025_networks.FORMS, "start")
    ]  # fmt: skip
    figure = drawn(
        ziyin2025_networks.real_networks(
            table("network batch pair seed time u_noise w_noise", pairs),
            table("network batch measured value low high", summary), title="real-networks, digits",
        ),
        tmp_path,
    )  # fmt: skip
    assert line(figure.axes[0], "S = 8")[1] == pytest.approx([1.5, 1.5])  # mean of seeds 1 and 2 decades off
    assert points(figure.axes[2], "Theorem 3.1")[1] == pytest.approx([0.1, 0.8])
