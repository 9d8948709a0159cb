"""The callbacks in trainings of the frameworks themselves, where they are installed."""

import importlib

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import sgdiffusion as sd

X, Y = torch.randn(24, 3, generator=torch.Generator().manual_seed(0)), torch.arange(24) % 2


def by_hand(steps, batch=8, accumulate=1):
    """The same training as a plain loop: weights after each step."""
    torch.manual_seed(0)
    net = nn.Linear(3, 2)
    with sd.TrajectoryRecorder(net) as recorder:
        optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
        for step in range(steps):
            optimiser.zero_grad()
            for part in range(accumulate):
                first = (step * accumulate + part) * batch % len(X)
                rows = slice(first, first + batch)
                (nn.functional.cross_entropy(net(X[rows]), Y[rows]) / accumulate).backward()
            optimiser.step()
            recorder.step()
    return recorder.trajectory()


@pytest.mark.parametrize("accumulate", [1, 3])
def test_lightning(tmp_path, accumulate):
    lightning = pytest.importorskip("lightning.pytorch")

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.net = nn.Linear(3, 2)

        def training_step(self, batch, _):
            return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    callback = sd.lightning_callback(tmp_path / "run")
    trainer = lightning.Trainer(
        max_epochs=2, callbacks=[callback], accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, accumulate_grad_batches=accumulate,
        default_root_dir=tmp_path,
    )  # fmt: skip
    trainer.fit(Module(), DataLoader(TensorDataset(X, Y), batch_size=8))
    expected = by_hand(6 // accumulate, accumulate=accumulate)
    found = sd.trajectory(tmp_path / "run")
    np.testing.assert_array_equal(found.times, expected.times)
    np.testing.assert_allclose(found.weights, expected.weights, atol=1e-6)


class Classifier(nn.Module):
    """What the Trainer asks of a model: a loss in its outputs."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(3, 2)

    def forward(self, x, labels):
        return {"loss": nn.functional.cross_entropy(self.net(x), labels)}


def test_the_trainer_of_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    rows = [{"x": x, "labels": y} for x, y in zip(X, Y, strict=True)]
    arguments = transformers.TrainingArguments(
        str(tmp_path), per_device_train_batch_size=8, max_steps=5, learning_rate=0.1, optim="sgd",
        lr_scheduler_type="constant", max_grad_norm=0.0, report_to=[], save_strategy="no", use_cpu=True,
        disable_tqdm=True,
    )  # fmt: skip
    callback = sd.trainer_callback(tmp_path / "run", every=2)
    transformers.Trainer(Classifier(), arguments, train_dataset=rows, callbacks=[callback]).train()
    found = sd.trajectory(tmp_path / "run")
    np.testing.assert_array_equal(found.times, [0, 2, 4])
    assert (np.diff(found.displacements) > 0).all()


def test_the_events_of_transformers_in_their_order(tmp_path):
    """transformers' own handler of callbacks, which needs no accelerate."""
    handling = pytest.importorskip("transformers.trainer_callback")
    callback, model = sd.trainer_callback(tmp_path / "run"), Classifier()
    handler = handling.CallbackHandler([callback], model, None, None, None)
    state, control = handling.TrainerState(), handling.TrainerControl()
    handler.on_train_begin(None, state, control)
    for _ in range(3):
        with torch.no_grad():
            model.net.bias += 1
        handler.on_step_end(None, state, control)
    np.testing.assert_allclose(
        sd.trajectory(tmp_path / "run").displacements, np.sqrt(2) * np.arange(4), rtol=1e-6
    )
    state.global_step = 1  # the training goes on from the checkpoint of the first step
    with torch.no_grad():
        model.net.bias -= 2
    again = sd.trainer_callback(tmp_path / "run")
    handler = handling.CallbackHandler([again], model, None, None, None)
    handler.on_train_begin(None, state, control)
    handler.on_step_end(None, state, control)
    np.testing.assert_array_equal(sd.trajectory(tmp_path / "run").times, [0, 1, 2])


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_recorder_goes_back_to_a_checkpoint(tmp_path, on_disk):
    net = nn.Linear(2, 2)
    recorder = sd.TrajectoryRecorder(net, tmp_path / "run" if on_disk else None)
    for _ in range(5):
        recorder.step()
    recorder.rewind(2)
    recorder.step()
    np.testing.assert_array_equal(recorder.records()["step"], [0, 1, 2, 3])


@pytest.mark.parametrize("name", ["lightning_callback", "trainer_callback"])
def test_a_missing_framework_is_named(name, monkeypatch):
    def missing(module, *_):
        raise ImportError(module)

    callback, error = getattr(sd, name), sd.InputError
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(error, match=r"not installed; pip install"):
        callback()
