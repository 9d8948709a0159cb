"""The tables of Figs 1 and 2 and of the remarks: each number against the measure it is composed of."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.noise.diffusion import diffusion_matrix
from sgdiffusion.measures.noise.gradients import PerExampleGradients
from sgdiffusion.measures.noise.spectra import eigenvalues, spectral_distance
from sgdiffusion.papers.chaudhari2018 import spectra as study
from sgdiffusion.papers.chaudhari2018 import tables as published
from sgdiffusion.verdicts import read_quantities

FRACTIONS = (0.2, 0.4, 1.0)


def network(seed, fraction):
    """A checkpoint: weights of their own for each seed, scaled by the instant."""
    generator = torch.Generator().manual_seed(seed)
    net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    with torch.no_grad():
        for p in net.parameters():
            p.copy_((1 + fraction) * torch.randn(p.shape, generator=generator))
    return net.eval()


@pytest.fixture(scope="module")
def data():
    generator = torch.Generator().manual_seed(51)
    return torch.randn(200, 4, generator=generator), torch.arange(200) % 3


@pytest.fixture(scope="module")
def checkpoints():
    return {(seed, fraction): network(seed, fraction) for seed in range(3) for fraction in FRACTIONS}


@pytest.fixture(scope="module")
def tables(checkpoints, data):
    return study.spectra_table(checkpoints, data)


def by_id(table):
    return table.set_index("quantity")


class TestSpectraTable:
    def test_each_spectrum_is_that_of_its_checkpoint(self, tables, checkpoints, data):
        values, _ = tables
        for (seed, fraction), net in checkpoints.items():
            part = values[(values["seed"] == seed) & (values["fraction"] == fraction)]
            expected = eigenvalues(diffusion_matrix(PerExampleGradients(net, data)))
            np.testing.assert_array_equal(part["eigenvalue"], expected)
            assert part["index"].tolist() == list(range(1, len(expected) + 1))

    def test_the_statistics_are_those_of_the_spectra(self, tables):
        values, stats = tables
        assert len(stats) == 9
        for row in stats.to_dict("records"):
            part = values[(values["seed"] == row["seed"]) & (values["fraction"] == row["fraction"])]
            assert row["mean"] == pytest.approx(part["eigenvalue"].mean())
            assert row["sd"] == pytest.approx(part["eigenvalue"].std(ddof=0))
            assert row["rank"] == (part["eigenvalue"] > row["threshold"]).sum()
        assert set(stats["convention"]) == {"with_replacement"}

    def test_columns_are_documented_and_survive_parquet(self, tables, tmp_path):
        for number, table in enumerate(tables):
            assert list(table.columns) == list(table.attrs["columns"])
            table.to_parquet(tmp_path / f"{number}.parquet")
            back = pd.read_parquet(tmp_path / f"{number}.parquet")
            assert back.attrs["columns"] == table.attrs["columns"]

    def test_a_loader_and_another_name(self, checkpoints, data):
        loader = [(data[0][:120], data[1][:120]), (data[0][120:], data[1][120:])]
        one = {(0, 1.0): checkpoints[0, 1.0]}
        values, stats = study.spectra_table(one, loader, evaluation="augmented, 2 draws")
        whole, _ = study.spectra_table(one, data)
        top = whole["eigenvalue"].max()
        np.testing.assert_allclose(values["eigenvalue"], whole["eigenvalue"], atol=1e-5 * top)
        assert set(values["evaluation"]) == set(stats["evaluation"]) == {"augmented, 2 draws"}

    def test_an_empty_class_is_named(self, checkpoints, data):
        inputs, labels = data
        kept = labels != 1
        with pytest.raises(MeasureError, match="class 1 has no example among"):
            study.spectra_table(checkpoints, (inputs[kept], labels[kept]))

    def test_targets_that_are_no_labels_have_no_classes(self):
        study.require_every_class((torch.zeros(3, 1), torch.tensor([0.0, 2.0, 5.0])))

    def test_no_checkpoint(self, data):
        with pytest.raises(MeasureError, match="no checkpoint"):
            study.spectra_table({}, data)


class TestQuantities:
    def test_seeds_are_the_replicas_at_the_end_of_training(self, tables):
        _, stats = tables
        found = by_id(study.quantities(stats, "net"))
        last = stats[stats["fraction"] == 1.0]
        assert found.loc["net.mean", "value"] == pytest.approx(last["mean"].mean())
        half = 4.302653 * last["mean"].std(ddof=1) / np.sqrt(3)  # Student's t at 97.5 %, 2 degrees of freedom
        assert found.loc["net.mean", "high"] == pytest.approx(last["mean"].mean() + half, rel=1e-6)
        assert found.loc["net.rank_percent", "value"] == pytest.approx(last["rank_percent"].mean())
        assert found.loc["net.sd_over_mean", "value"] == pytest.approx((last["sd"] / last["mean"]).mean())
        assert set(found["n"]) == {3}

    def test_one_seed_has_no_interval_and_the_judge_reads_all_tables(self, tables):
        values, stats = tables
        one = stats[stats["seed"] == 0]
        found = study.quantities(one, "net")
        assert (found["low"] == found["value"]).all()
        assert set(found["n"]) == {1}
        distances = study.distance_quantities(study.distances(values), "net")
        assert {"net.mean", "net.distance_ratio"} <= set(read_quantities([found, distances]))

    def test_several_evaluations_are_not_mixed(self, tables):
        values, stats = tables
        both = pd.concat([stats, stats.assign(evaluation="augmented")])
        with pytest.raises(MeasureError, match="one evaluation of D, found"):
            study.quantities(both, "net")
        with pytest.raises(MeasureError, match="one evaluation of D, found"):
            study.distances(pd.concat([values, values.assign(evaluation="augmented")]))


class TestDistances:
    def test_pairs(self, tables):
        values, _ = tables
        found = study.distances(values)
        assert (found["kind"] == "training").sum() == 9  # three pairs of instants for each of three seeds
        assert (found["kind"] == "seeds").sum() == 3
        assert set(found.loc[found["kind"] == "seeds", "fraction"]) == {1.0}
        row = found[(found["kind"] == "training") & (found["seed"] == 1) & (found["other_fraction"] == 0.4)]
        first, second = (
            values[(values["seed"] == 1) & (values["fraction"] == f)]["eigenvalue"].to_numpy()
            for f in (0.2, 0.4)
        )
        assert row["distance"].item() == spectral_distance(first, second)

    def table(self):
        """Training 0.1, 0.2, 0.3 (two pairs alike per seed); seeds 1 decade apart, but 3 between 0 and 2."""
        rows = [("training", s, s, a, 1.0, 0.1 * (s + 1)) for s in range(3) for a in (0.2, 0.4)]
        rows += [("seeds", a, b, 1.0, 1.0, d) for a, b, d in ((0, 1, 1.0), (0, 2, 3.0), (1, 2, 1.0))]
        return pd.DataFrame(rows, columns=list(study.DISTANCE_COLUMNS))

    def test_by_hand(self):
        found = by_id(study.distance_quantities(self.table(), "net"))
        assert found.loc["net.distance_20_100", "value"] == pytest.approx(0.2)
        assert found.loc["net.distance_training", "value"] == pytest.approx(0.2)
        # distance to the other seeds: 2, 1, 2
        assert found.loc["net.distance_seeds", "value"] == pytest.approx(5 / 3)
        assert found.loc["net.distance_ratio", "value"] == pytest.approx((0.05 + 0.2 + 0.15) / 3)
        assert found.loc["net.distance_ratio", "n"] == 3

    def test_two_seeds_are_one_pair_and_give_no_interval(self):
        table = self.table()
        found = by_id(
            study.distance_quantities(table[(table["seed"] < 2) & (table["other_seed"] < 2)], "net")
        )
        ratio = found.loc["net.distance_ratio"]
        assert ratio["value"] == pytest.approx(0.15)
        assert (ratio["low"], ratio["high"], ratio["n"]) == (ratio["value"], ratio["value"], 1)

    def test_one_seed_has_no_baseline(self):
        table = self.table()
        found = study.distance_quantities(table[(table["seed"] == 0) & (table["other_seed"] == 0)], "net")
        assert not found["quantity"].str.contains("seeds|ratio").any()
        assert len(found) == 3

    def test_seeds_measured_at_the_end_alone_have_a_baseline_but_no_ratio(self):
        table = self.table()
        kept = table[(table["kind"] == "seeds") | (table["seed"] == 0)]
        found = by_id(study.distance_quantities(kept, "net"))
        assert found.loc["net.distance_ratio", "value"] == pytest.approx(0.05)
        assert found.loc["net.distance_ratio", "n"] == 1
        assert found.loc["net.distance_seeds", "value"] == pytest.approx(5 / 3)

    def test_one_instant_has_the_baseline_only(self):
        table = self.table()
        found = study.distance_quantities(table[table["kind"] == "seeds"], "net")
        assert found["quantity"].tolist() == ["net.distance_seeds"]


class TestRemarks:
    def test_contrast_of_two_sets(self, tables):
        _, stats = tables
        larger = stats.assign(mean=3.0 * stats["mean"])
        found = study.contrast(larger, stats, "mean", "r14.ratio").iloc[0]
        assert found["value"] == pytest.approx(3.0)
        assert found["low"] < 3.0 < found["high"]

    def test_noise_and_score(self, tables):
        _, stats = tables
        found = published.remarks_table({"net": (stats, 0.1, 50)}).set_index("remark")
        last = stats[stats["fraction"] == 1.0]
        noise, score = found.loc["R15 (η/b)·mean λ"], found.loc["R16 rank/d + var λ"]
        assert noise["value"] == pytest.approx(0.1 / 50 * last["mean"].mean())
        assert score["value"] == pytest.approx((last["rank"] / last["weights"] + last["sd"] ** 2).mean())

    def test_the_published_table_is_the_remarks_of_the_named_runs(self, tables):
        _, stats = tables
        found = published.remarks_of_runs({"net": 0.1}, {"net": 50}, net=stats)
        pd.testing.assert_frame_equal(found, published.remarks_table({"net": (stats, 0.1, 50)}))

    def test_diversity_is_a_ratio_for_each_statistic_of_each_pair_that_is_there(self, tables):
        _, stats = tables
        larger = stats.assign(mean=3.0 * stats["mean"], sd=2.0 * stats["sd"])
        spectra = {"mnist": stats, "grey": larger, "augmented": larger, "cifar10": larger, "plain": stats}
        found = by_id(study.diversity_quantities(spectra))
        assert found.loc["r14.one-network.mean", "value"] == pytest.approx(3.0)
        assert found.loc["r14.one-network.sd", "value"] == pytest.approx(2.0)
        assert found.loc["r14.augmented-over-plain.mean", "value"] == pytest.approx(1.0)
        assert not found.index.str.contains("r16|cifar100").any()
        assert by_id(study.diversity_quantities({"fc": larger, "mnist": stats})).index.tolist() == [
            "r16.fc-over-lenet.rank",
            "r16.fc-over-lenet.rank_percent",
        ]


def test_the_published_minibatch_table_has_a_ratio_where_the_prediction_is_not_zero():
    table = pd.DataFrame({"measured": [3.0, 1e-20], "predicted": [2.0, 0.0]})
    ratio = published.minibatch_table(table)["measured/predicted"]
    assert ratio[0] == 1.5
    assert pd.isna(ratio[1])


def test_minibatch_law_on_a_network(checkpoints, data):
    stream = PerExampleGradients(checkpoints[0, 1.0], data)
    table = study.minibatch_table(stream, [10, 200], draws=400, generator=np.random.default_rng(52))
    found = by_id(study.minibatch_quantities(table, "net"))
    assert len(found) == 4
    for name in ("with_replacement_b10", "with_replacement_b200", "without_replacement_b10"):
        row = found.loc[f"net.variance_{name}"]
        error = (row["high"] - row["low"]) / 2 / 1.966  # one standard error; four are allowed
        assert abs(row["value"] - 1) < 4 * error < 0.4
    # b = N: float32 rounding only, squared and against Tr D
    assert 0 <= found.loc["net.variance_without_replacement_b200", "value"] < 1e-10


def test_batches_of_one_are_counted_without_drawing(checkpoints, data):
    found = study.single_example_quantity(PerExampleGradients(checkpoints[0, 1.0], data), "net").iloc[0]
    assert found["quantity"] == "net.variance_with_replacement_b1"
    assert found["value"] == pytest.approx(1, abs=1e-4)  # D is summed in single precision
    assert found["over"] == "exact"


def test_variants_table_has_what_is_published_and_the_training_error():
    rows = [(f"net.{v}.{s}", 1.0) for v in ("unchanged", "rate-0.01") for s in ("sd", "mean", "trace")]
    rows.append(("net.rate-0.01.train_error_percent", 3.0))
    table = pd.DataFrame([{"quantity": q, "value": v, "low": v, "high": v, "n": 3} for q, v in rows])
    found = published.variants_table(table.assign(unit="", over="seeds"), "net", {"mean": 0.5, "sd": 18.0})
    assert found["statistic"].tolist() == ["mean", "mean", "sd", "sd", "train_error_percent"]
    assert found["variant"].tolist() == ["unchanged", "rate-0.01", "unchanged", "rate-0.01", "rate-0.01"]
    assert found["published"].tolist() == [0.5, 0.5, 18.0, 18.0, ""]


def test_statistics_table_has_both_readings_and_marks_the_closer():
    rows = [("net.mean", 2.0), ("net.mean_above", 40.0), ("net.sd", 9.0), ("net.sd_above", 20.0)]
    rows += [("net.rank_percent", 5.0)]
    table = pd.DataFrame(
        [{"quantity": q, "value": v, "low": v - 1, "high": v + 1, "n": 3, "unit": ""} for q, v in rows]
    )
    printed = {"net.mean": 1.0, "net.sd": 18.0, "net.rank_percent": 2.5, "other.mean": 1.0}
    found = published.statistics_table(table, printed)
    assert list(found.columns) == published.TABLE_COLUMNS
    assert found["quantity"].tolist() == ["net.mean"] * 2 + ["net.sd"] * 2 + ["net.rank_percent"]
    assert found["reading"].tolist() == ["all eigenvalues", "above threshold"] * 2 + ["rank"]
    assert found["closer"].tolist() == ["yes", "", "", "yes", ""]
    assert found["measured/published"].tolist() == pytest.approx([2.0, 40.0, 0.5, 20 / 18, 2.0])
    assert found["low"].tolist() == [1.0, 39.0, 8.0, 19.0, 4.0]
    assert not found.isna().any().any()
