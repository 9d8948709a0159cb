"""The design is balanced, its nets train as they would alone, and what is lost is left out."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from sgdiffusion.dynamics.ensembles.ensemble import log_steps
from sgdiffusion.errors import ConfigError, DataError
from sgdiffusion.measures.coefficients.learning_coefficient import default_n_beta
from sgdiffusion.papers.hennick2025 import design as study
from sgdiffusion.papers.hennick2025.settings import Langevin, Length, MlpDesign, MlpTraining

PLAN = MlpDesign(
    widths=[4, 8], depths=[1, 2], batch_sizes=[4, 16], rates_per_cell=3, lowest_rate=0.003, highest_rate=0.3
)
LENGTHS = {"steps": Length(steps=40), "epochs": Length(epochs=2)}  # 40 steps, and 44 or 10
TRAINING = MlpTraining(lengths=LENGTHS, checkpoints=[0.25, 0.5, 1.0])
CHAINS = Langevin(
    chains=2, draws=8, burn_in=5, every=1, batch_size=32, temperature="batch", localisation=100.0, share=0.3
)
RNG = np.random.default_rng(3)
LABELS = np.arange(120) % 3
IMAGES = (np.eye(3)[LABELS] @ RNG.standard_normal((3, 20)) + RNG.standard_normal((120, 20))).reshape(
    120, 1, 4, 5
)
DATA = study.as_data(IMAGES[:90], LABELS[:90])
TEST = study.as_data(IMAGES[90:], LABELS[90:])


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return study.design("sgd", PLAN, root_seed=0)


@pytest.fixture(scope="module")
def groups(table: pd.DataFrame) -> list[study.Group]:
    return list(study.train_part(table[table["part"] == 1], DATA, TRAINING))


def test_design_is_a_full_factorial_with_rates_in_every_stratum():
    plan = MlpDesign.model_validate(
        {**PLAN.model_dump(), "widths": [16, 32, 64], "depths": [1, 2, 3], "rates_per_cell": 8}
    )
    table = study.design("adam", plan, root_seed=0)
    assert len(table) == 3 * 3 * 2 * 8
    assert list(table.columns) == list(table.attrs["columns"])
    assert table["part"].max() + 1 == plan.parts == 9
    assert table["run"].is_unique
    assert table["seed"].is_unique
    place = np.log(table["rate"] / 0.003) / np.log(100)
    for _, cell in table.groupby(["width", "depth", "batch_size"]):
        assert_array_equal(np.sort((place[cell.index] * 8).astype(int)), np.arange(8))
    # the places inside the strata move by less than 1/8, so that rank correlations stay far below that
    correlated = table[["width", "depth", "batch_size", "rate"]].corr(method="spearman")
    assert np.abs(correlated - np.eye(4)).to_numpy().max() < 0.05
    assert len(table["rate"].round(12).unique()) == len(table)


def test_optimisers_have_their_own_seeds():
    one, two = (study.design(o, PLAN, root_seed=0)["seed"] for o in ("sgd", "adam"))
    assert not set(one) & set(two)


def test_design_refuses_an_empty_range():
    with pytest.raises(ConfigError, match=r"lowest_rate < highest_rate, found 0\.3 and 0\.3"):
        study.design("sgd", MlpDesign.model_validate({**PLAN.model_dump(), "lowest_rate": 0.3}), 0)


def test_a_run_is_what_it_is_without_the_others(table: pd.DataFrame, groups: list[study.Group]):
    part = table[table["part"] == 1]
    alone = next(study.train_part(part.iloc[[4]], DATA, TRAINING))
    (group,) = [g for g in groups if part.iloc[4]["run"] in g.runs]
    row = list(group.runs).index(part.iloc[4]["run"])
    assert_allclose(alone.kept[0], group.kept[row], rtol=1e-4, atol=1e-5)
    assert_allclose(alone.displacements[0], group.displacements[row], rtol=1e-4)


def test_groups_cover_the_part(table: pd.DataFrame, groups: list[study.Group]):
    assert sorted(np.concatenate([g.runs for g in groups])) == table.loc[table["part"] == 1, "run"].tolist()
    for group in groups:
        assert (group.width, group.depth) == (4, 2)
    small, large = groups
    assert (small.ends, large.ends) == ({"steps": 40, "epochs": 44}, {"steps": 40, "epochs": 10})
    assert_array_equal(large.steps, log_steps(40))
    assert_array_equal(large.kept_steps, [2, 5, 10, 20, 40])


def test_a_shorter_length_is_the_beginning_of_the_training(table: pd.DataFrame, groups: list[study.Group]):
    short = MlpTraining(lengths={"epochs": LENGTHS["epochs"]}, checkpoints=TRAINING.checkpoints)
    alone = list(study.train_part(table[table["part"] == 1], DATA, short))[1]
    cut = groups[1].until("epochs", TRAINING.checkpoints)
    assert_array_equal(cut.kept_steps, [2, 5, 10])
    assert_allclose(cut.kept, alone.kept, rtol=1e-4, atol=1e-5)
    assert cut.steps[-1] == 10
    assert_allclose(cut.displacements[:, -1], alone.displacements[:, -1], rtol=1e-4)
    some = cut.only(cut.runs[1:2])
    assert_array_equal(some.kept[0], cut.kept[1])


def test_groups_survive_storage(groups: list[study.Group], tmp_path):
    np.savez(tmp_path / "g.npz", **study.pack(groups))
    again = study.unpack(dict(np.load(tmp_path / "g.npz")))
    for one, two in zip(groups, again, strict=True):
        assert (one.width, one.depth, one.ends) == (two.width, two.depth, two.ends)
        assert_array_equal(one.kept, two.kept)
    with pytest.raises(DataError, match="lacks the array shapes: train the design again"):
        study.unpack({})


def test_progress_and_batches_too_large(table: pd.DataFrame):
    lines: list[str] = []
    list(study.train_part(table[table["part"] == 0].head(1), DATA, TRAINING, lines.append))
    assert lines == ["trained 1 nets of 1 × 4, batch 4, 44 steps"]
    few = study.as_data(IMAGES[:10], LABELS[:10])
    with pytest.raises(ConfigError, match="batch size 16 is larger than the 10 examples"):
        list(study.train_part(table[table["batch_size"] == 16], few, TRAINING))


def test_coefficients_along_each_run(groups: list[study.Group]):
    cut = groups[0].until("steps", TRAINING.checkpoints)
    found = study.measure_coefficients(cut, DATA, CHAINS, seed=1)
    assert_array_equal(found["run"], np.repeat(groups[0].runs, 3))
    assert_array_equal(found["step"], np.tile([10, 20, 40], len(groups[0].runs)))
    assert_allclose(found["n_beta"], default_n_beta(32))


def test_running_statistics_are_those_of_each_net(groups: list[study.Group]):
    """Strong localisation holds the chains at w*: their loss is that of the module in evaluation mode."""
    changes = {"batch_norm": "running", "localisation": 1e9, "batch_size": None, "temperature": "examples"}
    plan = Langevin.model_validate({**CHAINS.model_dump(), **changes})
    group = groups[0].only(groups[0].runs[:2])
    found = study.measure_coefficients(group, DATA, plan, seed=1)
    net = study.network(20, 3, group.width, group.depth, 0)
    for row, weights in zip(found["baseline"], group.kept.reshape(-1, group.kept.shape[-1]), strict=True):
        torch.nn.utils.vector_to_parameters(torch.from_numpy(weights.copy()), net.parameters())
        own = study.with_statistics(net, DATA.x)
        loss = torch.nn.functional.cross_entropy(own(DATA.x), DATA.y)
        assert row == pytest.approx(loss.item(), rel=1e-5)


def lost(group: study.Group, rows: list[int]) -> study.Group:
    kept = group.kept.copy()
    kept[rows] = np.nan
    return study.Group(**{**group.__dict__, "kept": kept})


def test_diverged_runs_are_left_out(groups: list[study.Group]):
    group = groups[0]
    found = study.measure_coefficients(lost(group, [1]), DATA, CHAINS, seed=1)
    assert set(found["run"]) == set(np.delete(group.runs, 1))
    everything = list(range(len(group.runs)))
    assert len(study.measure_coefficients(lost(group, everything), DATA, CHAINS, seed=1)) == 0
    ends = study.evaluate(lost(group, [1]), DATA, TEST, "epochs", TRAINING.checkpoints)
    assert ends["diverged"].tolist() == [i == 1 for i in everything]


def test_ends_are_those_of_the_nets(groups: list[study.Group]):
    group = groups[-1]
    ends = study.evaluate(group, DATA, TEST, "steps", TRAINING.checkpoints)
    net = study.network(20, 3, group.width, group.depth, 0).train()
    torch.nn.utils.vector_to_parameters(torch.from_numpy(group.kept[0, -1]), net.parameters())
    right = (net(TEST.x).argmax(1) == TEST.y).double().mean()
    assert_allclose(ends["test_accuracy"].iloc[0], right, atol=1e-12)
    assert_allclose(ends["displacement"], group.displacements[:, -1])
    torch.nn.utils.vector_to_parameters(torch.from_numpy(group.kept[0, -2]), net.parameters())
    before = (net(DATA.x).argmax(1) == DATA.y).double().mean()
    torch.nn.utils.vector_to_parameters(torch.from_numpy(group.kept[0, -1]), net.parameters())
    gain = (net(DATA.x).argmax(1) == DATA.y).double().mean() - before
    # batches of the 30 test images on both sides
    assert abs(ends["accuracy_gain"].iloc[0] - gain) < 0.1


def test_some_runs_are_spread_evenly():
    runs = np.arange(240)
    chosen = study.spread_over(runs, 6)
    assert len(chosen) == pytest.approx(40, abs=1)
    assert np.diff(chosen).max() <= 13  # no long stretch of cells is left out
    assert len({r % 8 for r in chosen}) == 8  # every stratum of the rates
    assert_array_equal(study.spread_over(runs, 1), runs)
