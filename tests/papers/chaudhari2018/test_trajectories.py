"""Tables behind Fig. 3, on processes whose answers are known and on a small trained net."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.utils import parameters_to_vector

from sgdiffusion import networks
from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.trajectories import fluctuations as measures
from sgdiffusion.measures.trajectories.nulls import Fit, brownian, fit_ar1, ornstein_uhlenbeck
from sgdiffusion.papers.chaudhari2018 import tables as published
from sgdiffusion.papers.chaudhari2018 import trajectories as study
from sgdiffusion.papers.chaudhari2018 import trajectory_numbers as numbers_of

BURN_IN, LENGTH = 100, 1500


def history(kind, seed=0, weights=40):
    generator = np.random.default_rng(seed)
    if kind == "brownian":
        path = brownian(generator, BURN_IN + LENGTH, weights)
    else:
        fit = Fit(np.array([0.9]), np.array([1.0]), np.zeros(1))
        path = ornstein_uhlenbeck(generator, BURN_IN + LENGTH, fit, weights)
    if kind == "loop":  # 25 turns, all weights on one closed curve, most of their variance
        angle = 2 * np.pi * np.arange(len(path)) / 60
        path += 8 * np.stack([np.cos(angle), np.sin(angle)], axis=1) @ generator.normal(size=(2, weights))
    if kind == "drift":
        path = path + 30 * np.sqrt(np.arange(len(path)))[:, None]  # it slows down: a steady one has no power
    return np.concatenate([path, np.ones((len(path), 2))], axis=1).astype(np.float32)


def tables(kind, seed=0, every=1):
    weights = history(kind, seed)
    epochs = every * np.arange(len(weights))
    generator = np.random.default_rng(100 + seed)
    parameters = np.repeat(["head", "rest"], [20, 22])
    return study.trajectory_tables(
        weights, epochs, burn_in=every * BURN_IN, generator=generator, seed=seed, parameters=parameters
    )


@pytest.fixture(scope="module")
def by_kind():
    return {kind: tables(kind) for kind in ("brownian", "bound", "loop", "drift")}


def test_columns_are_documented(by_kind):
    for table in by_kind["bound"]:
        assert list(table.columns) == list(table.attrs["columns"])
        assert not table.isna().any().any()


def test_weights_at_rest_are_left_out(by_kind):
    assert by_kind["bound"].weights["weight"].tolist() == list(range(40))


def test_series_and_lengths(by_kind):
    found = by_kind["bound"]
    on_one_scale = {f"{s}, all weights on one scale" for s in ("SGD", "SGD, cubic trend removed")}
    assert set(found.spectrum["series"]) == set(numbers_of.SUFFIXES) | on_one_scale
    assert set(found.autocorrelation["series"]) == {study.SGD, study.BROWNIAN, study.OU}
    assert found.autocorrelation["lag"].max() == LENGTH - 1
    np.testing.assert_allclose(found.autocorrelation["band"], measures.white_band(LENGTH))
    assert (found.autocorrelation["low"] <= found.autocorrelation["high"]).all()


def all_numbers(found):
    return {
        **numbers_of._spectrum_numbers(found.spectrum),
        **numbers_of._weight_numbers(found.weights),
        **numbers_of._autocorrelation_numbers(found.autocorrelation),
        **numbers_of._displacement_numbers(found.displacement),
        **numbers_of._circulation_numbers(found.circulation),
    }


@pytest.fixture(scope="module")
def numbers(by_kind):
    return {kind: {k: v for k, (v, _) in all_numbers(found).items()} for kind, found in by_kind.items()}


def test_random_walks_are_told_from_bound_paths(by_kind, numbers):
    """40 weights: the null is rejected for all weights of the other process and for none of its own."""
    assert numbers["brownian"]["b.not_brownian_weights"] == 0
    assert numbers["bound"]["b.not_brownian_weights"] == 1
    # walks leave the band of white noise; their mean over weights stays in the region of such means
    assert numbers["brownian"]["b.outside_white_band_brownian"] > 0.5
    assert numbers["brownian"]["b.outside_brownian"] < 0.05
    # r = 0.9^τ falls below 1/e at τ = 9.5, and φ̂ is found
    assert numbers["bound"]["b.decorrelation"] == pytest.approx(10, abs=2)
    assert by_kind["bound"].weights["phi"].mean() == pytest.approx(0.9, abs=0.01)
    law = (1 - 0.9**100) / (100 * (1 - 0.9))
    assert numbers["bound"]["b.variance_ratio"] == pytest.approx(law, rel=0.2)


def test_only_a_loop_returns_and_only_a_drift_is_ballistic(numbers):
    exponents = {kind: found["a.displacement_exponent"] for kind, found in numbers.items()}
    assert exponents["drift"] == pytest.approx(1, abs=0.1)
    assert exponents["brownian"] == pytest.approx(0.5, abs=0.15)  # 40 weights, a tenth of the path
    assert exponents["bound"] < 0.15
    assert numbers["drift"]["a.displacement_exponent_brownian"] == pytest.approx(0.5, abs=0.1)
    falls = {kind: found["a.return_fall"] for kind, found in numbers.items()}
    assert falls["loop"] > 0.7
    assert max(falls["drift"], falls["bound"], falls["brownian"]) < 0.2
    assert numbers["drift"]["a.least_displacement"] > 0.5  # it slows


def test_only_a_loop_goes_round(numbers):
    assert numbers["loop"]["a.circulation_p"] <= 0.01
    assert numbers["loop"]["a.leading_rotation"] > 0.5
    for kind in ("brownian", "bound", "drift"):
        assert numbers[kind]["a.leading_rotation"] < 0.2
        assert numbers[kind]["a.circulation_p"] > 0.01


def test_a_drift_is_the_low_frequency_excess_and_goes_with_its_trend(numbers):
    found = numbers["drift"]
    assert found["a.drift_power"] > 3 > 1.5 > found["a.drift_power_detrended"]
    assert found["a.trend_cubic"] > found["a.trend_line"] > 0.9
    assert found["a.drift_power_first_layer"] == pytest.approx(found["a.drift_power_other_weights"], rel=0.2)


def test_decorrelation_is_compared_with_brownian_paths(by_kind):
    assert (by_kind["bound"].weights["decorrelation_p"] < 0.02).all()
    # 40 weights at 5 %: at most 7 by chance with probability 0.998
    assert (by_kind["brownian"].weights["decorrelation_p"] < 0.05).sum() <= 7


def test_spectrum_numbers_of_white_and_bound_increments(numbers):
    white, bound = numbers["brownian"], numbers["bound"]
    # few bins of 40 weights at low frequency: relative s.e. 1/√(40·10)
    assert white["a.slow_power"] == pytest.approx(1, abs=4 / np.sqrt(400))
    assert abs(white["a.slope_high"]) < 0.05
    # amplitudes of Gaussian noise are Rayleigh: s.d./mean = √(4/π − 1)
    assert white["a.sd_over_mean"] == pytest.approx(np.sqrt(4 / np.pi - 1), abs=0.05)
    # increments of an AR(1): little power at low frequency, 4/(1 + φ)² · (1 + φ)/2 = 2/(1 + φ) at the highest
    assert bound["a.slow_power"] < 0.6
    assert bound["a.fast_power"] == pytest.approx(2 / 1.9, abs=0.05)
    assert bound["a.slow_power_ornstein_uhlenbeck"] == pytest.approx(bound["a.slow_power"], abs=0.25)


def test_units_are_epochs_whatever_the_spacing(by_kind):
    sparse = tables("bound", every=5)
    dense = by_kind["bound"]
    sgd = [t.autocorrelation[t.autocorrelation["series"] == study.SGD] for t in (dense, sparse)]
    np.testing.assert_array_equal(5 * sgd[0]["lag"], sgd[1]["lag"])
    np.testing.assert_allclose(sgd[0]["mean"], sgd[1]["mean"])
    np.testing.assert_allclose(
        dense.spectrum["frequency"].max(), 5 * sparse.spectrum["frequency"].max(), rtol=1e-12
    )
    np.testing.assert_allclose(5 * dense.weights["decorrelation"], sparse.weights["decorrelation"])


def test_blockwise_fit_equals_the_fit():
    path = history("bound")[:, :40]
    whole, blocks = fit_ar1(path), study.fit_ar1_blockwise(path)
    for left, right in zip(whole, blocks, strict=True):
        np.testing.assert_array_equal(left, right)


def test_binning_keeps_means():
    n = 5000
    f = np.arange(1, n // 2) / n
    spectrum = measures.Spectrum(f, f, 2 * f, 3 * f)
    binned = study._binned(spectrum)
    np.testing.assert_allclose(binned["sd"], 2 * binned["mean"])
    assert (np.diff(binned["frequency"]) > 0).all()
    np.testing.assert_allclose(binned["frequency"][:5], f[:5])
    assert len(binned["frequency"]) < 140


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"burn_in": 10_000}, "0 snapshots after the burn-in"),
        ({"epochs": np.arange(BURN_IN + LENGTH) ** 2}, "evenly spaced"),
        ({"weights": np.ones((BURN_IN + LENGTH, 42))}, "no weight moves"),
    ],
)
def test_errors(change, message):
    arguments = {
        "weights": history("bound"),
        "epochs": np.arange(BURN_IN + LENGTH),
        "burn_in": BURN_IN,
        "parameters": np.repeat("all", 42),
        "generator": np.random.default_rng(0),
    }
    with pytest.raises(MeasureError, match=message):
        study.trajectory_tables(**(arguments | change))


def net_history(epochs=400):
    """Weights that shrink towards zero, so that the gradient changes slowly and knowably."""
    net = networks.build("tiny-fc", in_shape=(1, 7, 7), classes=5, generator=torch.Generator().manual_seed(0))
    x0 = parameters_to_vector(net.parameters()).detach().numpy()
    scale = 1 + np.exp(-np.arange(epochs + 1) / 50)
    buffers = np.tile(np.repeat([0.0, 1.0], 16), (epochs + 1, 1))
    return net, {"weights": scale[:, None] * x0, "buffers": buffers, "epochs": np.arange(epochs + 1)}


def test_gradient_table():
    net, stored = net_history()
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(60, 1, 7, 7, generator=generator), torch.arange(60) % 5
    table = study.gradient_table(net, stored, x, y, points=50, seed=3)
    assert list(table.columns) == list(study.GRADIENT_COLUMNS)
    assert set(table["mode"]) == {"evaluation", "training"}
    part = table[table["mode"] == "evaluation"]
    assert part["epoch"].iloc[0] == 1
    assert part["epoch"].iloc[-1] == 400
    assert part["epoch"].is_unique
    k = int(part["epoch"].iloc[len(part) // 2])
    net.eval()
    torch.nn.utils.vector_to_parameters(
        torch.tensor(stored["weights"][k], dtype=torch.float32), net.parameters()
    )
    torch.nn.functional.cross_entropy(net(x), y).backward()
    slow = torch.cat([p.grad.flatten() for p in net.parameters()]).norm().item() / np.sqrt(917)
    # single precision, a sum over 60 examples
    assert part["norm"].iloc[len(part) // 2] == pytest.approx(slow, rel=1e-5)


def test_quantities_over_seeds(by_kind):
    power = pd.DataFrame({"epoch": np.arange(1, 1001)})
    parts = [
        power.assign(norm=(10 + seed) * power["epoch"] ** -0.5, mode=mode, seed=seed)
        for seed in (0, 1)
        for mode in ("evaluation", "training")
    ]
    gradients = pd.concat(parts, ignore_index=True)
    table = numbers_of.quantities([by_kind["bound"], tables("bound", seed=1)], gradients, burn_in=100)
    assert list(table.columns) == numbers_of.QUANTITY_COLUMNS
    assert table["quantity"].is_unique
    assert (table["n"] == 2).all()
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()
    assert not table.isna().any().any()
    values = table.set_index("quantity")["value"]
    # k^−½ between the geometric means of epochs 1–3, of 100–200 and of 500–1000
    level = {
        key: np.exp(-0.5 * np.log(np.arange(a, b)).mean())
        for key, (a, b) in {"start": (1, 4), "burnt": (100, 201), "end": (500, 1001)}.items()
    }
    assert values["fig3c.fall_evaluation"] == pytest.approx(level["start"] / level["end"], rel=1e-12)
    assert values["fig3c.fall_after_burn_in_training"] == pytest.approx(
        level["burnt"] / level["end"], rel=1e-12
    )


def test_one_seed_has_no_interval(by_kind):
    gradients = pd.DataFrame({"epoch": np.arange(1, 50), "norm": 1.0, "mode": "evaluation", "seed": 0})
    table = numbers_of.quantities([by_kind["bound"]], gradients, burn_in=1000)
    assert (table["low"] == table["high"]).all()
    assert "fig3c.fall_after_burn_in_evaluation" not in set(table["quantity"])


def test_long_lag_tables_are_thinned_evenly():
    lags = np.arange(5000)
    table = pd.concat([pd.DataFrame({"lag": lags, "series": s}) for s in ("a", "b")])
    few = study._thinned(table)
    kept = few[few["series"] == "a"]["lag"].to_numpy()
    assert len(kept) <= 800
    assert kept[:200].tolist() == list(range(200))
    assert kept[-1] == 4999
    assert np.diff(kept).max() < 20
    assert study._thinned(table.iloc[:100]).equals(table.iloc[:100])


def test_sensitivity_table():
    rows = [
        [f"{variant}.fig3a.{name}", value, 0.9, 1.1, 2, "", "seeds"]
        for variant, value in (("unchanged", 1.0), ("rate-0.01", 2.0))
        for name in ("slope_high", "other")
    ]
    table = published.sensitivity_table(pd.DataFrame(rows, columns=numbers_of.QUANTITY_COLUMNS))
    assert table["variant"].tolist() == ["unchanged", "rate-0.01"]
    assert table["value"].tolist() == [1.0, 2.0]
    assert set(table["quantity"]) == {"slope at high frequency"}


def test_every_sensitive_number_is_measured(by_kind):
    gradients = pd.DataFrame({"epoch": np.arange(1, 50), "norm": 1.0, "mode": "evaluation", "seed": 0})
    table = numbers_of.quantities([by_kind["bound"]], gradients, burn_in=1000)
    assert set(published.SENSITIVE) <= set(table["quantity"])


def test_a_trajectory_without_slow_frequencies_is_refused(by_kind):
    spectrum = by_kind["bound"].spectrum
    fast = spectrum[spectrum["frequency"] >= 0.1 * spectrum["frequency"].max()]
    with pytest.raises(MeasureError, match=r"too short for Fig\. 3: .* slow band"):
        numbers_of._spectrum_numbers(fast)


def test_other_readings_of_the_figure(by_kind):
    epochs = np.arange(1, 1001)
    parts = [
        pd.DataFrame({"epoch": epochs, "norm": epochs**power, "mode": mode, "seed": 0})
        for mode, power in (("evaluation", -0.5), ("training", -0.25))
    ]
    gradients = pd.concat(parts, ignore_index=True)

    def numbers(**settings):
        reading = numbers_of.Fig3Reading(**settings)
        found = numbers_of.quantities([by_kind["drift"]], gradients, burn_in=100, reading=reading)
        return found.set_index("quantity")["value"]

    base, training = numbers(), numbers(mode="training")
    assert training["fig3c.fall_evaluation"] == pytest.approx(base["fig3c.fall_evaluation"] ** 0.5)
    assert "fig3c.fall_training" not in training
    table = by_kind["drift"].autocorrelation
    part = table[(table["series"] == "SGD") & table["lag"].between(0.01 * 1499, 0.1 * 1499)]
    near = numbers(lags=[0.01, 0.1])
    assert near["fig3b.outside_white_band"] == (part["mean"].abs() > part["band"]).mean()
    wide = by_kind["drift"].spectrum
    low = wide[wide["series"] == "SGD, all weights on one scale"]
    drift = low["power"][low["frequency"] < 10 * low["frequency"].min()].mean()
    assert numbers(one_scale=True)["fig3a.drift_power"] == pytest.approx(drift)
    assert numbers(one_scale=True)["fig3a.drift_power_white_noise"] == base["fig3a.drift_power_white_noise"]
