"""The trainer against a plain loop; sampling, evaluation, checkpoints, resumption, divergence."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from sgdiffusion import networks, streams
from sgdiffusion.config.models import Data, Network, Phase, SgdSettings, Training
from sgdiffusion.dynamics.training import checkpoints, loop
from sgdiffusion.dynamics.training import trainer as training
from sgdiffusion.dynamics.training.setup import set_up
from sgdiffusion.errors import DataError, TrainingError


def dataset(n=50, n_test=20, shape=(1, 3, 3), classes=3, seed=0):
    """Gaussian classes around random centres, learnable but not separable."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(classes, *shape))

    def part(count):
        y = np.arange(count) % classes
        return (centres[y] + generator.normal(size=(count, *shape))).astype(np.float32), y

    (x_train, y_train), (x_test, y_test) = part(n), part(n_test)
    return SimpleNamespace(x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


def settings(**changes):
    base = {
        "kind": "training",
        "network": Network(name="mlp", sizes={"width": 6}),
        "data": Data(set="mnist", preparation="pool7"),
        "schedule": [Phase(until=0.5, rate=0.1), Phase(until=1.0, rate=0.1, to=0.01)],
        "batch_size": 8,
        "epochs": 4,
    }
    return Training(**(base | changes))


def fit(folder, data=None, run_id="run", seed=0, **options):
    changes = options.pop("changes", {})
    return training.train(
        settings(**changes),
        data or dataset(),
        run_id=run_id,
        seed=seed,
        root_seed=7,
        folder=folder,
        **options,
    )


def by_hand(chosen, data, seed=0, run_id="run"):
    """The update written out: v ← μv + g + wx, x ← x − η(g + wx + μv) (Nesterov) or x ← x − ηv."""
    names = (7, run_id, seed)
    net = networks.build(
        "mlp",
        in_shape=(1, 3, 3),
        classes=3,
        width=6,
        generator=torch.Generator().manual_seed(streams.seed(*names, "init")),
    ).double()
    x, y = torch.tensor(data.x_train, dtype=torch.float64), torch.tensor(data.y_train)
    velocity = [torch.zeros_like(p) for p in net.parameters()]
    mu, b = chosen.optimiser.momentum, chosen.batch_size
    eta = [0.1, 0.1, 0.0775, 0.0325]
    for epoch in range(chosen.epochs):
        generator = streams.generator(*names, "order", epoch)
        steps = len(x) // b
        order = (
            generator.permutation(len(x))
            if chosen.sampling == "reshuffle"
            else generator.integers(0, len(x), steps * b)
        )
        for k in range(steps):
            index = torch.from_numpy(order[k * b : (k + 1) * b])
            gradients = torch.autograd.grad(F.cross_entropy(net(x[index]), y[index]), list(net.parameters()))
            with torch.no_grad():
                for p, v, g in zip(net.parameters(), velocity, gradients, strict=True):
                    total = g + chosen.optimiser.weight_decay * p
                    v.mul_(mu).add_(total)
                    p -= eta[epoch] * (total + mu * v if chosen.optimiser.nesterov and mu else v)
    return net


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sampling": "replacement"},
        {"optimiser": SgdSettings(momentum=0.0)},
        {"optimiser": SgdSettings(momentum=0.8, nesterov=False, weight_decay=0.01)},
    ],
)
def test_equals_the_written_out_update(tmp_path, changes):
    data = dataset()
    run = fit(tmp_path, data, changes=changes, dtype=torch.float64)
    ours = checkpoints.load(run.checkpoints)["states"][1.0]
    theirs = by_hand(settings(**changes), data).state_dict()
    for name, value in theirs.items():
        # 24 steps of double rounding, amplified by momentum and batch-norm by far less than 10⁴
        torch.testing.assert_close(ours[name], value, rtol=1e-11, atol=1e-12)


def test_results_and_metrics(tmp_path):
    changes = {"checkpoints": [0.25, 1.0], "snapshot_every": 2, "epochs": 8}
    run = fit(tmp_path, changes=changes)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoints.pt", "trajectory.zarr"]
    assert list(run.metrics.columns) == list(loop.COLUMNS) == list(run.metrics.attrs["columns"])
    assert run.metrics["epoch"].tolist() == list(range(1, 9))
    assert run.metrics["rate"].iloc[0] == 0.1
    assert run.metrics["seconds"].is_monotonic_increasing
    assert run.metrics["train_loss"].iloc[-1] < run.metrics["train_loss"].iloc[0]
    content = checkpoints.load(run.checkpoints)
    assert list(content["states"]) == [0.25, 1.0]
    last = content["meta"]["evaluations"][1.0]
    assert last["test_error"] == run.metrics["test_error"].iloc[-1]
    stored = checkpoints.trajectory(run.trajectory)
    assert stored["epochs"].tolist() == [0, 2, 4, 6, 8]
    net = checkpoints.modules(run.checkpoints)[1.0]
    weights = torch.nn.utils.parameters_to_vector(net.parameters()).detach().numpy()
    np.testing.assert_array_equal(stored["weights"][-1], weights)
    np.testing.assert_array_equal(stored["buffers"][-1], loop.statistics(net))
    early = checkpoints.modules(run.checkpoints)[0.25]
    weights = torch.nn.utils.parameters_to_vector(early.parameters()).detach().numpy()
    np.testing.assert_array_equal(stored["weights"][1], weights)


def test_evaluation_against_one_pass(tmp_path):
    data = dataset(n=40, n_test=2500)  # more than two evaluation batches
    run = fit(tmp_path, data, dtype=torch.float64)
    net = checkpoints.modules(run.checkpoints)[1.0]
    outputs = net(torch.tensor(data.x_test, dtype=torch.float64))
    y = torch.tensor(data.y_test)
    assert run.metrics["test_loss"].iloc[-1] == pytest.approx(F.cross_entropy(outputs, y).item(), rel=1e-12)
    assert run.metrics["test_error"].iloc[-1] == (outputs.argmax(1) != y).double().mean().item()


def test_same_seed_same_weights_other_seed_others(tmp_path):
    def weights(folder, **names):
        return checkpoints.load(fit(tmp_path / folder, **names).checkpoints)["states"][1.0]["1.weight"]

    first = weights("a")
    torch.rand(3)
    assert torch.equal(first, weights("b"))
    assert not torch.equal(first, weights("c", seed=1))
    assert not torch.equal(first, weights("d", run_id="other"))


def test_global_generator_is_left_alone(tmp_path):
    before = torch.get_rng_state()
    fit(tmp_path, changes={"network": Network(name="mlp", dropout=0.5)})
    assert torch.equal(torch.get_rng_state(), before)


def test_an_epoch_takes_whole_batches_and_no_example_twice():
    setup = a_setup(batch_size=8)
    order = setup.order(3)
    assert order.shape == (6, 8)
    assert len(torch.unique(order)) == 48
    assert not torch.equal(order, setup.order(4))
    assert a_setup(batch_size=500).order(0).shape == (1, 50)
    drawn = a_setup(sampling="replacement").order(0)
    assert len(torch.unique(drawn)) < 48


def a_setup(**changes):
    return set_up(
        settings(**changes),
        dataset(),
        run_id="run",
        seed=0,
        root_seed=7,
        classes=None,
        device=torch.device("cpu"),
        dtype=torch.float32,
        code="",
        trainer="torch",
    )


IMAGES = {"n": 24, "n_test": 8, "shape": (3, 8, 8), "classes": 2}
KILLED = {
    "network": {"name": "small-allcnn", "dropout": 0.2},
    "augmentation": "flip-crop",
    "epochs": 12,
    "checkpoints": [0.25, 1.0],
    "snapshot_every": 1,
}
CHILD = """
import sys, time
from pathlib import Path
sys.path[:0] = [{src!r}, {here!r}]
import test_trainer as t
from sgdiffusion.dynamics.training import checkpoints, loop
checkpoints._CHUNK_BYTES = t.CHUNK
evaluate = loop.evaluate
def slowly(*arguments):
    time.sleep(0.1)
    return evaluate(*arguments)
loop.evaluate = slowly
t.train_killed(Path({folder!r}))
"""
CHUNK = 500_000  # a few snapshots a chunk, so that the kill falls between chunks


def train_killed(folder):
    changes = KILLED | {"network": Network(**KILLED["network"])}
    return fit(folder, dataset(**IMAGES), changes=changes, resume_seconds=0.0)


def test_killed_training_resumes_to_the_same_bits(tmp_path, monkeypatch, caplog):
    """kill -9 of a process in the middle; dropout, augmentation, momentum and snapshots are all in play."""
    monkeypatch.setattr(checkpoints, "_CHUNK_BYTES", CHUNK)
    whole = train_killed(tmp_path / "whole")
    folder = tmp_path / "killed"
    src = str(Path(training.__file__).parents[3])
    text = CHILD.format(src=src, here=str(Path(__file__).parent), folder=str(folder))
    child = subprocess.Popen([sys.executable, "-c", text], env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        wait_for_epoch(folder / checkpoints.RESUME, 6, child)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert not (folder / checkpoints.CHECKPOINTS).exists()
    with caplog.at_level(logging.INFO):
        resumed = train_killed(folder)
    assert "resumed after epoch" in caplog.text
    assert_same_run(whole, resumed)
    assert not (folder / checkpoints.RESUME).exists()


def wait_for_epoch(path, epoch, child):
    deadline = time.monotonic() + 400  # a busy machine starts slowly; reached only on failure
    while time.monotonic() < deadline and child.poll() is None:
        if path.exists() and checkpoints.read_state(path)["epoch"] >= epoch:
            return
        time.sleep(0.02)
    raise AssertionError(f"the child reached no epoch {epoch}; exit status {child.poll()}")


def assert_same_run(whole, resumed):
    first, second = (checkpoints.load(run.checkpoints)["states"] for run in (whole, resumed))
    assert list(first) == list(second)
    for fraction, state in first.items():
        for name, value in state.items():
            assert torch.equal(value, second[fraction][name]), (fraction, name)
    left, right = (checkpoints.trajectory(run.trajectory) for run in (whole, resumed))
    for name in ("weights", "buffers", "epochs"):
        np.testing.assert_array_equal(left[name], right[name], err_msg=name)
    columns = [c for c in whole.metrics if c != "seconds"]
    assert whole.metrics[columns].equals(resumed.metrics[columns])


def stop_after(epochs, monkeypatch):
    """An interruption after so many whole epochs and the steps of the next."""
    plain = loop.close_epoch

    def counted(running, epoch, *given):
        if epoch == epochs:
            raise KeyboardInterrupt
        plain(running, epoch, *given)

    monkeypatch.setattr(loop, "close_epoch", counted)


@pytest.mark.parametrize("change", ["settings", "data", "code", "container"])
def test_a_resume_state_that_does_not_fit_is_not_used(tmp_path, monkeypatch, caplog, change):
    changes = {"snapshot_every": 1}
    with monkeypatch.context() as patch:
        stop_after(2, patch)
        with pytest.raises(KeyboardInterrupt):
            fit(tmp_path, changes=changes, resume_seconds=0.0)
    assert (tmp_path / checkpoints.RESUME).exists()
    data, code = dataset(), ""
    if change == "settings":
        changes = changes | {"batch_size": 10}
    elif change == "data":
        data.x_train = data.x_train + 1
    elif change == "code":
        code = "other"
    else:
        checkpoints.discard(tmp_path / (checkpoints.TRAJECTORY + ".partial"))
    resumed = fit(tmp_path, data, changes=changes, code=code)
    assert "training starts afresh" in caplog.text
    fresh = fit(tmp_path / "fresh", data, changes=changes, code=code)
    assert_same_run(fresh, resumed)


def test_reasons_and_seed_counts_do_not_prevent_resumption(tmp_path, monkeypatch, caplog):
    with monkeypatch.context() as patch:
        stop_after(2, patch)
        with pytest.raises(KeyboardInterrupt):
            fit(tmp_path, resume_seconds=0.0)
    with caplog.at_level(logging.INFO):
        fit(tmp_path, changes={"seeds": 5})
    assert "resumed after epoch 2" in caplog.text


def test_divergence_names_run_seed_epoch_step_and_rate(tmp_path):
    data = dataset()
    changes = {
        "network": Network(name="mlp", sizes={"width": 6, "batch_norm": False}),
        "schedule": [Phase(until=1.0, rate=1e30)],
    }
    with pytest.raises(TrainingError, match=r"training run seed 0 diverged in epoch 1, step \d of 6.*1e\+30"):
        fit(tmp_path, data, changes=changes)
    assert not (tmp_path / checkpoints.CHECKPOINTS).exists()


def test_overflow_of_the_last_step_is_seen():
    setup = a_setup()
    running = SimpleNamespace(setup=setup, net=setup.network())
    loop.check_finite(running, torch.zeros(6), 0, 0.1)
    with torch.no_grad():
        next(running.net.parameters())[0, 0] = torch.inf
    with pytest.raises(TrainingError, match="its last steps of 6"):
        loop.check_finite(running, torch.zeros(6), 0, 0.1)


def test_batch_norm_needs_more_than_one_example_a_batch(tmp_path):
    with pytest.raises(TrainingError, match="set batch_size to at least 2"):
        fit(tmp_path, changes={"batch_size": 1})
    plain = Network(name="mlp", sizes={"width": 6, "batch_norm": False})
    fit(tmp_path, changes={"batch_size": 1, "network": plain, "epochs": 1})


def test_unavailable_device(tmp_path):
    with pytest.raises(TrainingError, match="device 'nonsense' is not available"):
        fit(tmp_path, device="nonsense")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"y_train": np.zeros(3, int)}, "x_train has 50 examples, y_train 3 labels"),
        ({"x_test": np.full((20, 1, 3, 3), np.nan)}, "x_test holds values that are not finite"),
    ],
)
def test_bad_arrays(tmp_path, damage, message):
    data = dataset()
    vars(data).update(damage)
    with pytest.raises(DataError, match=message):
        fit(tmp_path, data)


def test_read_only_arrays_are_fine(tmp_path, recwarn):
    data = dataset()
    for array in vars(data).values():
        array.flags.writeable = False
    fit(tmp_path, data)
    assert not [w for w in recwarn if "writ" in str(w.message)]


def test_long_trainings_get_fewer_rows_but_the_same_weights(tmp_path, monkeypatch):
    changes = {"epochs": 9, "checkpoints": [0.45, 1.0]}
    every = fit(tmp_path / "every", changes=changes)
    monkeypatch.setattr(loop, "_MOST_ROWS", 3)
    some = fit(tmp_path / "some", changes=changes)
    assert some.metrics["epoch"].tolist() == [3, 4, 6, 9]
    kept = every.metrics[every.metrics["epoch"].isin([3, 4, 6, 9])].reset_index(drop=True)
    columns = [c for c in kept if c != "seconds"]
    assert some.metrics[columns].equals(kept[columns])


def test_long_epochs_are_checked_on_the_way(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "_CHECK_EVERY", 2)
    seen = []
    check = loop.check_finite
    monkeypatch.setattr(loop, "check_finite", lambda *given: (seen.append(given[2]), check(*given)))
    fit(tmp_path, changes={"epochs": 1})
    assert seen == [0] * 4  # after steps 2, 4, 6 and at the end


def test_nets_without_batch_norm_have_no_statistics():
    generator = torch.Generator().manual_seed(0)
    net = networks.build("two-layer-relu", in_shape=(3,), classes=2, generator=generator)
    assert loop.statistics(net).shape == (0,)
