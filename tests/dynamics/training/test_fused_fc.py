"""The fused kernel against the torch trainer, step by step, in double precision."""

import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sgdiffusion.config.models import Data, Network, Phase, SgdSettings, Training
from sgdiffusion.dynamics.training import checkpoints, fused_fc, fused_kernel, loop
from sgdiffusion.dynamics.training import trainer as training
from sgdiffusion.errors import TrainingError


def dataset(n=330, n_test=40, features=49, classes=5, seed=0):
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(classes, features))

    def part(count):
        y = np.arange(count) % classes
        x = centres[y] + 2 * generator.normal(size=(count, features))
        return x.reshape(count, 1, -1).astype(np.float32), y

    (x_train, y_train), (x_test, y_test) = part(n), part(n_test)
    return SimpleNamespace(x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


def settings(**changes):
    base = {
        "kind": "training",
        "network": Network(name="tiny-fc"),
        "data": Data(set="mnist", preparation="pool7-five"),
        "schedule": [Phase(until=0.5, rate=0.02), Phase(until=1.0, rate=0.001)],
        "batch_size": 32,
        "epochs": 100,
    }
    return Training(**(base | changes))


def both(tmp_path, data, chosen, **options):
    common = {"run_id": "run", "seed": 0, "root_seed": 3, **options}
    slow = training.train(chosen, data, folder=tmp_path / "torch", **common)
    fast = fused_fc.train(chosen, data, folder=tmp_path / "fused", **common)
    return slow, fast


@pytest.mark.parametrize(
    ("changes", "shape"),
    [
        ({}, {}),
        ({"sampling": "replacement", "optimiser": SgdSettings(momentum=0.9, weight_decay=1e-3)}, {}),
        ({"optimiser": SgdSettings(momentum=0.5, nesterov=False), "epochs": 20}, {}),
        ({"optimiser": SgdSettings(momentum=0.0), "epochs": 20}, {}),
        # sizes that no unrolled loop divides, and a batch larger than the data
        (
            {"network": Network(name="mlp", sizes={"width": 7}), "batch_size": 1000, "epochs": 30},
            {"features": 13, "classes": 3},
        ),
    ],
)
def test_equals_the_torch_trainer_after_a_thousand_steps(tmp_path, changes, shape):
    """Every snapshot, one per epoch of ten steps, so that a deviation shows where it starts.

    Tolerance 1e-10: rounding of 1e-16 a step grows at most linearly where training is stable, and by some
    powers of ten where a ReLU's kink is crossed.
    """
    chosen = settings(snapshot_every=1, **changes)
    slow, fast = both(tmp_path, dataset(**shape), chosen, dtype=torch.float64)
    ours, theirs = (checkpoints.trajectory(run.trajectory) for run in (fast, slow))
    assert ours["weights"].dtype == np.float64
    np.testing.assert_allclose(ours["weights"], theirs["weights"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours["buffers"], theirs["buffers"], rtol=1e-10, atol=1e-10)
    moved = np.abs(ours["weights"][-1] - ours["weights"][0]).max()
    assert moved > 1e-2  # the comparison is not of two nets at rest
    columns = ["train_loss", "train_error", "test_loss", "test_error", "rate"]
    np.testing.assert_allclose(fast.metrics[columns], slow.metrics[columns], rtol=1e-9, atol=1e-10)


def test_a_thousand_steps_are_a_thousand():
    assert settings().epochs * (330 // 32) == 1000


def test_compiled_equals_interpreted(tmp_path, monkeypatch):
    """The same source without compiler: reordered sums of the compiled code may change its rounding."""
    chosen = settings(
        epochs=2, snapshot_every=1, batch_size=10, network=Network(name="mlp", sizes={"width": 6})
    )
    data = dataset(n=64, features=11, classes=3)
    options = {"run_id": "run", "seed": 0, "root_seed": 3, "dtype": torch.float64}
    compiled = fused_fc.train(chosen, data, folder=tmp_path / "compiled", **options)
    for name, function in list(vars(fused_kernel).items()):
        if hasattr(function, "py_func"):
            monkeypatch.setattr(fused_kernel, name, function.py_func)
    monkeypatch.setattr(fused_fc, "run_epoch", fused_kernel.run_epoch)
    interpreted = fused_fc.train(chosen, data, folder=tmp_path / "interpreted", **options)
    first, second = (checkpoints.trajectory(run.trajectory)["weights"] for run in (compiled, interpreted))
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-12)  # 12 steps of 1e-16


def test_single_precision_agrees_for_a_while(tmp_path):
    slow, fast = both(tmp_path, dataset(), settings(epochs=3))
    a, b = (checkpoints.load(run.checkpoints)["states"][1.0] for run in (fast, slow))
    for name, value in a.items():
        # 30 steps of single rounding (6e-8) on numbers of order one
        torch.testing.assert_close(value, b[name], rtol=1e-4, atol=1e-4, msg=name)
    assert a["2.num_batches_tracked"] == b["2.num_batches_tracked"] == 30


CHILD = """
import hashlib, sys
from pathlib import Path
sys.path[:0] = [{src!r}, {here!r}]
import test_fused_fc as t
run = t.fused_fc.train(
    t.settings(epochs=20), t.dataset(), run_id="run", seed=0, root_seed=3, folder=Path({folder!r})
)
state = t.checkpoints.load(run.checkpoints)["states"][1.0]
print(hashlib.sha256(b"".join(value.numpy().tobytes() for value in state.values())).hexdigest())
"""


def test_compiling_and_reading_the_cache_give_the_same_bits(tmp_path):
    """So that a training that compiled the kernel may resume in a process that finds it compiled."""
    src = str(Path(training.__file__).parents[3])
    text = CHILD.format(src=src, here=str(Path(__file__).parent), folder=str(tmp_path / "run"))
    cache = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", text]
    compiled, cached = (
        subprocess.run(command, env=os.environ | cache, check=True, capture_output=True).stdout
        for _ in range(2)
    )
    assert list((tmp_path / "cache").rglob("*.nbc"))
    assert compiled == cached


def stop_after(epochs, monkeypatch):
    """An interruption after so many whole epochs and the steps of the next."""
    plain = loop.close_epoch

    def counted(running, epoch, *given):
        if epoch == epochs:
            raise KeyboardInterrupt
        plain(running, epoch, *given)

    monkeypatch.setattr(loop, "close_epoch", counted)


def test_interrupted_training_resumes_to_the_same_bits(tmp_path, monkeypatch):
    chosen = settings(epochs=9, snapshot_every=1, checkpoints=[0.2, 1.0])
    options = {"run_id": "run", "seed": 1, "root_seed": 3}
    whole = fused_fc.train(chosen, dataset(), folder=tmp_path / "whole", **options)
    with monkeypatch.context() as patch:
        stop_after(5, patch)
        with pytest.raises(KeyboardInterrupt):
            fused_fc.train(chosen, dataset(), folder=tmp_path / "cut", resume_seconds=0.0, **options)
    resumed = fused_fc.train(chosen, dataset(), folder=tmp_path / "cut", **options)
    left, right = (checkpoints.trajectory(run.trajectory) for run in (whole, resumed))
    np.testing.assert_array_equal(left["weights"], right["weights"])
    np.testing.assert_array_equal(left["buffers"], right["buffers"])


def test_the_trainers_do_not_share_resume_states(tmp_path, monkeypatch, caplog):
    """A resume state of the torch trainer continued by the kernel would be neither's end state."""
    options = {"run_id": "run", "seed": 1, "root_seed": 3, "folder": tmp_path}
    with monkeypatch.context() as patch:
        stop_after(2, patch)
        with pytest.raises(KeyboardInterrupt):
            training.train(settings(epochs=4), dataset(), resume_seconds=0.0, **options)
    fused_fc.train(settings(epochs=4), dataset(), **options)
    assert "training starts afresh" in caplog.text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": Network(name="mlp", dropout=0.5)}, "found Flatten, Linear, BatchNorm1d, ReLU, Dropout"),
        (
            {"network": Network(name="mlp", sizes={"batch_norm": False})},
            "found Flatten, Linear, ReLU, Linear",
        ),
        ({"augmentation": "flip-crop"}, "augmentation 'flip-crop': use the torch trainer"),
    ],
)
def test_other_nets_are_refused(tmp_path, changes, message):
    with pytest.raises(TrainingError, match=message):
        fused_fc.train(settings(**changes), dataset(), run_id="run", seed=0, root_seed=0, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_other_devices_are_refused(tmp_path):
    with pytest.raises(TrainingError, match="runs on the CPU, not on cuda"):
        fused_fc.train(
            settings(), dataset(), run_id="run", seed=0, root_seed=0, folder=tmp_path, device="cuda"
        )


def test_divergence_is_reported(tmp_path, caplog):
    chosen = settings(schedule=[Phase(until=1.0, rate=1e36)], epochs=2)
    with pytest.raises(TrainingError, match=r"run seed 0 diverged in epoch 1, step \d+ of 10"):
        fused_fc.train(chosen, dataset(), run_id="run", seed=0, root_seed=0, folder=tmp_path)


def test_progress_is_logged(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        fused_fc.train(settings(epochs=2), dataset(), run_id="run", seed=0, root_seed=0, folder=tmp_path)
    assert "run seed 0: epoch 2/2" in caplog.text
