"""The simulated paths are what they are called, and the tests tell them apart."""

import logging

import numpy as np
import pytest

from sgdiffusion.papers.chaudhari2018 import cycle_tests as study
from sgdiffusion.papers.chaudhari2018 import tables as published
from sgdiffusion.papers.chaudhari2018.settings import CycleTests
from sgdiffusion.papers.task import Task

N = 3000
MAKERS = dict(study.processes())


def path(name, seed=0, n=N):
    return MAKERS[name](np.random.default_rng(seed), n)


def test_every_process_has_one_name():
    assert len(MAKERS) == 12
    assert all(path(name, n=600).shape == (600, study.WEIGHTS) for name in MAKERS)


def test_variances_and_memory():
    many = np.concatenate([path("bound", seed) for seed in range(20)])
    # 20 paths of 20 weights and 300 memories: relative s.e. of a variance √(2·2/120,000)
    assert many.var() == pytest.approx(1, abs=4 * np.sqrt(4 / 120_000) + 0.01)
    for part in study.SHARES.values():
        found = np.mean(
            [study.looping(np.random.default_rng(s), N, 100, True, part).var() for s in range(20)]
        )
        assert found == pytest.approx(1 / (1 - part), rel=0.05)
    alone = study.looping(np.random.default_rng(1), N, 100, False, 0.9999)
    # without noise to speak of: a circle, back after a period
    gap = (
        np.linalg.norm(alone[100:] - alone[:-100], axis=1)
        / np.linalg.norm(alone[50:] - alone[:-50], axis=1).max()
    )
    assert gap.max() < 0.06


@pytest.mark.parametrize(
    ("name", "number", "low", "high"),
    [
        ("walk", "displacement_exponent", 0.3, 0.7),
        ("bound", "displacement_exponent", -0.1, 0.1),
        ("line", "displacement_exponent", 0.9, 1.01),
        ("walk", "drift_power", 0.5, 1.5),
        ("loop-third-half", "return_fall", 0.3, 1.0),
        ("loop-100-half", "leading_rotation", 0.5, 1.0),
        ("bound", "leading_rotation", -0.2, 0.2),
        ("bound", "return_fall", 0.0, 0.2),
    ],
)
def test_numbers_of_known_processes(name, number, low, high):
    assert low <= study.battery(path(name), np.random.default_rng(5))[number] <= high


def test_walks_with_common_steps_are_inside_their_own_region():
    """Weights that all move together: their mean is one path's, and the region is as wide as it has to be."""
    rng = np.random.default_rng(6)
    outside = []
    for _ in range(8):
        common = rng.standard_normal((1000, 1)) + 0.1 * rng.standard_normal((1000, 20))
        outside.append(study.outside_brownian(common.cumsum(axis=0), rng))
    # 1 % of lags on average; lags hang together, so a path is outside at many or none
    assert np.mean(outside) < 0.1


def test_shares_and_table(monkeypatch):
    kinds = [("walk", MAKERS["walk"]), ("loop-third-half", MAKERS["loop-third-half"])]
    monkeypatch.setattr(study, "processes", lambda: iter(kinds))
    settings = CycleTests(kind="cycle-tests", repeats=3, snapshots=2000, autocorrelations=2)
    regions = {"return_fall": (0.3, np.inf), "displacement_exponent": (-np.inf, 0.1)}
    task = Task("chaudhari2018", {}, 0, 1, "cpu", {}, logging.getLogger())
    found = study.measure(task, settings, regions)["quantities"]
    values = found.set_index("quantity")["value"]
    assert values["cycle-tests.walk.return_fall"] == 0
    assert values["cycle-tests.loop-third-half.return_fall"] == 1
    table = published.cycle_tests_table(found)
    assert table["path"].tolist() == ["walk", "loop-third-half"]
    columns = ["path", *regions, "outside_brownian", "not_brownian_weights"]
    assert table.columns.tolist() == columns
    # twenty weights of two paths at 1 % after Holm's correction; a bound path with a loop is no random walk
    assert values["cycle-tests.walk.not_brownian_weights"] == 0
    assert values["cycle-tests.loop-third-half.not_brownian_weights"] == 1
