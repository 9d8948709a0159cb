"""Recording a training, files that survive a crash, and what is measured along the path."""

import numpy as np
import pytest
import torch
from torch import nn

import sgdiffusion as sd
from sgdiffusion.library import recorder as files


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def train(model, recorder, steps, seed=0):
    """Steps of SGD; the weights after each."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    path = []
    for _ in range(steps):
        optimiser.zero_grad()
        x = torch.randn(8, 3, generator=generator)
        nn.functional.cross_entropy(model(x), torch.arange(8) % 2).backward()
        optimiser.step()
        recorder.step()
        path.append(torch.cat([p.detach().flatten().clone() for p in model.parameters()]))
    return torch.stack(path).numpy()


@pytest.mark.parametrize("on_disk", [False, True])
def test_records_are_the_weights_of_the_loop(tmp_path, on_disk):
    model = net()
    with sd.TrajectoryRecorder(model, tmp_path / "run" if on_disk else None, every=2) as recorder:
        start = torch.cat([p.detach().flatten() for p in model.parameters()]).numpy()
        path = train(model, recorder, 6)
    found = sd.trajectory(tmp_path / "run") if on_disk else recorder.trajectory()
    np.testing.assert_array_equal(found.times, [0, 2, 4, 6])
    np.testing.assert_array_equal(found.weights, np.concatenate([start[None], path[1::2]]))
    expected = np.linalg.norm(found.weights.astype(float) - found.weights[0], axis=1)
    np.testing.assert_allclose(found.displacements, expected, rtol=1e-6)  # differences of single precision


def test_few_kept_weights_still_have_the_displacement_of_all():
    model = net()
    recorder = sd.TrajectoryRecorder(model, keep=5, seed=3)
    path = train(model, recorder, 4)
    found = recorder.trajectory()
    assert found.weights.shape == (5, 5)
    torch.manual_seed(0)
    start = torch.cat([p.detach().flatten() for p in net().parameters()]).numpy()
    np.testing.assert_allclose(found.displacements[1:], np.linalg.norm(path - start, axis=1), rtol=1e-5)


def test_a_crash_in_the_middle_of_a_record_loses_that_one_only(tmp_path):
    whole, parts = net(), net()
    path = tmp_path / "run"
    first = sd.TrajectoryRecorder(whole, tmp_path / "whole")
    train(whole, first, 4)
    train(whole, first, 3, seed=1)
    train(parts, sd.TrajectoryRecorder(parts, path), 4)
    with path.open("ab") as file:
        file.write(b"half a record")
    assert len(files.read(path)) == 5
    train(parts, sd.TrajectoryRecorder(parts, path), 3, seed=1)
    again, expected = sd.trajectory(path), sd.trajectory(tmp_path / "whole")
    np.testing.assert_array_equal(again.times, expected.times)
    np.testing.assert_array_equal(again.weights, expected.weights)
    np.testing.assert_array_equal(again.displacements, expected.displacements)


def test_another_recording_is_not_overwritten(tmp_path):
    sd.TrajectoryRecorder(net(), tmp_path / "run")
    with pytest.raises(sd.InputError, match="holds another recording"):
        sd.TrajectoryRecorder(nn.Linear(2, 2), tmp_path / "run")


def walk(n=500, d=40, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d)).cumsum(0)


def test_a_random_walk_is_one():
    path = sd.trajectory(walk())
    # 40 weights, each ratio with a standard error of about √(2(2q−1)(q−1)/(3q n)) = 0.16: mean 0.026
    assert path.variance_ratio(10)["ratio"].mean() == pytest.approx(1, abs=0.1)
    assert path.spectrum()["power"].mean() == pytest.approx(1, abs=0.05)
    assert (path.periodicity(half_window=30)["p_holm"] > 0.01).all()
    np.testing.assert_allclose(
        path.displacement()["displacement"], np.linalg.norm(walk() - walk()[0], axis=1)
    )


def test_autocorrelation_of_an_ar1_process():
    noise, x = np.random.default_rng(1).standard_normal((4000, 20)), np.zeros((4000, 20))
    for k in range(1, len(x)):
        x[k] = 0.8 * x[k - 1] + noise[k]
    found = sd.trajectory(x, 0.5 * np.arange(4000)).autocorrelation([1, 2, 4])
    # standard error √((1 + φ²)/(1 − φ²)/n/20) below 0.01
    np.testing.assert_allclose(found["mean"], [0.8, 0.64, 0.8**4], atol=0.02)
    np.testing.assert_allclose(found["lag"], [0.5, 1, 2])


def test_a_line_is_found_at_its_frequency_per_time():
    path = walk(2000, 6) + np.sin(2 * np.pi * 0.1 * np.arange(2000))[:, None]
    found = sd.trajectory(path, 10 * np.arange(2000)).periodicity()
    np.testing.assert_allclose(found["frequency"], 0.01, rtol=0.05)
    assert (found["p_holm"] < 1e-3).all()


def test_paths_are_kept_and_drawn(tmp_path):
    path = sd.trajectory(walk(), np.arange(500) * 2.0)
    again = sd.trajectory(path.save(tmp_path / "walk"))
    np.testing.assert_array_equal(again.weights, path.weights)
    np.testing.assert_array_equal(again.times, path.times)
    left, right = path.plot().axes
    assert len(left.lines[0].get_xdata()) == 499
    assert "power" in right.get_ylabel()
    assert "500 snapshots of 40 weights" in repr(path)
    assert len(path.after(500).times) == 250


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((3, 2, 2)),), "give \\[snapshots, weights\\]"),
        ((walk(20), np.arange(19)), "19 times for 20 snapshots"),
        ((walk(3), [0, 2, 1]), "entry 2 is 1 after 2; sort the records"),
        ((np.where(np.arange(20)[:, None] == 7, np.nan, walk(20)),), "snapshot 7 holds NaN"),
        ((["a"],), "weights: found shape"),
        ((walk(3), ["a", "b", "c"]), "times: they are no numbers"),
    ],
)
def test_bad_paths_are_named(arguments, message):
    with pytest.raises(sd.InputError, match=message):
        sd.trajectory(*arguments)


def test_lags_are_whole_numbers():
    with pytest.raises(sd.InputError, match=r"lags: found \[0.5\]"):
        sd.trajectory(walk(20)).autocorrelation([0.5])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0.5}, "every: found 0.5"),
        ({"keep": 0}, "keep: found 0"),
        ({"seed": None}, "seed: found None"),
        ({"path": "nowhere/run"}, "path: there is no folder nowhere"),
    ],
)
def test_a_recorder_checks_its_options(options, message):
    with pytest.raises(sd.InputError, match=message):
        sd.TrajectoryRecorder(net(), **options)


def test_uneven_times_have_no_spectrum():
    with pytest.raises(sd.InputError, match="between 1 and 3 apart"):
        sd.trajectory(walk(20), np.cumsum([1, 3] * 10)).spectrum()


def test_a_path_that_stands_still():
    with pytest.raises(sd.InputError, match="none moves"):
        sd.trajectory(np.ones((30, 2))).spectrum()


class TestWalkDimension:
    def test_of_several_brownian_runs(self):
        runs = np.stack([np.linalg.norm(walk(3000, 60, s), axis=1) for s in range(8)])
        found = sd.walk_dimension(runs, np.arange(1, 3001))
        assert found.low < 0.5 < found.high
        assert found.dimension == pytest.approx(2, abs=0.1)
        assert len(found.to_frame()) == 8
        assert found.table["points"].max() <= 60

    def test_of_an_exact_power_law(self, tmp_path):
        times = np.arange(1, 200.0)
        found = sd.walk_dimension(times**0.25, times)
        assert found.dimension == pytest.approx(4, rel=1e-9)
        again = sd.load(found.save(tmp_path / "walk.json"))
        assert repr(again) == repr(found)
        (ax,) = found.plot().axes
        assert len(ax.lines) == 2

    def test_of_several_trajectories(self):
        paths = [sd.trajectory(walk(200, 20, s), 5 + np.arange(200)) for s in range(3)]
        found = sd.walk_dimension(paths)
        expected = sd.walk_dimension(np.stack([p.displacements for p in paths]), np.arange(200))
        assert (found.slope, found.low, found.high) == (expected.slope, expected.low, expected.high)
        with pytest.raises(sd.InputError, match="run 1 has other times than run 0"):
            sd.walk_dimension([paths[0], sd.trajectory(walk(100, 20))])

    def test_of_a_trajectory_that_starts_at_zero(self):
        assert sd.walk_dimension(sd.trajectory(walk(800, 50))).slope == pytest.approx(0.5, abs=0.1)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (([1.0, 2, 3, 4],), "times: found None"),
            ((np.ones(9), np.arange(8)), "9 for 8 times"),
            ((np.ones(9), [0, 1, 2, 3, 5, 4, 6, 7, 8]), "entry 5 is 4 after 5"),
            ((np.zeros(9), np.arange(9)), "not finite and positive"),
        ],
    )
    def test_bad_curves_are_named(self, arguments, message):
        with pytest.raises(sd.InputError, match=message):
            sd.walk_dimension(*arguments)
