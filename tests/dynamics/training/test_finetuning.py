"""Trainings of single nets: against a slow twin, interrupted and resumed, and when they fail."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector

from sgdiffusion import streams
from sgdiffusion.dynamics.ensembles.serial import class_losses
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.dynamics.training import finetuning
from sgdiffusion.dynamics.training.finetuning import finetune
from sgdiffusion.errors import TrainingError

NAMES = (5, "paper", "run")
LEGS = [
    SimpleNamespace(until=0.4, optimiser="adam", rate=0.01),
    SimpleNamespace(until=1.0, optimiser="sgd", rate=0.05),
]


def net(dropout: float = 0.0) -> nn.Module:
    layers = nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 3)
    )
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in layers.parameters():
            p.normal_(0, 0.5, generator=generator)
    return layers.double()


def data() -> Examples:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(50, 4, generator=generator, dtype=torch.float64)
    return Examples(x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long())


def run(model: nn.Module, folder: Path, **changes):
    settings = {
        "steps": 200, "batch_size": 8, "per_decade": 10, "checkpoint_fractions": [0.1, 0.5, 1.0],
        "names": NAMES, "resume": folder / "resume.pt",
    }  # fmt: skip
    return finetune(model, class_losses, data(), changes.pop("legs", LEGS), **{**settings, **changes})


def slow_twin() -> tuple[dict[int, float], dict[int, float], dict[int, torch.Tensor]]:
    """The same training written out: every step, updates by hand, all displacements."""
    model, examples = net(), data()
    model.train()
    weights = list(model.parameters())
    start = parameters_to_vector(weights).detach().clone()
    middle = start
    mean, square = torch.zeros_like(start), torch.zeros_like(start)
    walk, since, kept = {}, {}, {}
    for t in range(1, 201):
        epoch, place = divmod(t - 1, 50 // 8)
        order = streams.generator(*NAMES, "order", epoch).permutation(50)
        chosen = torch.from_numpy(order[place * 8 : place * 8 + 8])
        loss = nn.functional.cross_entropy(model(examples.x[chosen]), examples.y[chosen])
        g = torch.cat([v.flatten() for v in torch.autograd.grad(loss, weights)])
        theta = parameters_to_vector(weights).detach()
        if t <= 80:
            mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g * g
            change = 0.01 * (mean / (1 - 0.9**t)) / ((square / (1 - 0.999**t)).sqrt() + 1e-8)
        else:
            middle = theta if t == 81 else middle
            change = 0.05 * g
        torch.nn.utils.vector_to_parameters(theta - change, weights)
        now = parameters_to_vector(weights).detach().clone()
        walk[t], kept[t] = float((now - start).norm()), now
        if t > 80:
            since[t] = float((now - middle).norm())
    return walk, since, kept


def test_equals_a_slow_twin(tmp_path: Path):
    found = run(net(), tmp_path)
    walk, since, kept = slow_twin()
    assert found.steps[0] == 1
    assert found.steps[-1] == 200
    # float64 over 200 steps of a net that does not amplify rounding
    np.testing.assert_allclose(found.displacements, [walk[t] for t in found.steps], rtol=1e-9)
    late = found.steps > 80
    np.testing.assert_allclose(found.since_last_leg[late], [since[t] for t in found.steps[late]], rtol=1e-9)
    assert np.isnan(found.since_last_leg[~late]).all()
    assert 81 in found.steps, "the last leg's own steps are log-spaced from its first on"
    assert found.kept.tolist() == [20, 100, 200]
    for step, theta in zip(found.kept, found.theta, strict=True):
        torch.testing.assert_close(theta, kept[int(step)], rtol=1e-9, atol=1e-12)


def test_an_interrupted_training_ends_where_an_uninterrupted_one_ends(tmp_path: Path, monkeypatch):
    whole = run(net(0.3), tmp_path / "whole")

    class Killed(Exception):
        pass

    original = finetuning._Running.block

    def killed(self, first: int, end: int):
        if first == 150:
            raise Killed
        return original(self, first, end)

    monkeypatch.setattr(finetuning._Running, "block", killed)
    with pytest.raises(Killed):
        run(net(0.3), tmp_path, resume_seconds=0.0)
    monkeypatch.undo()
    caught: list[str] = []
    monkeypatch.setattr(finetuning.logging.getLogger("resumed"), "info", lambda m, *a: caught.append(m % a))
    again = run(net(0.3), tmp_path, log=finetuning.logging.getLogger("resumed"))
    assert caught[0].endswith("resumed after step 150")
    np.testing.assert_array_equal(again.displacements, whole.displacements)
    np.testing.assert_array_equal(again.losses, whole.losses)
    assert torch.equal(again.theta, whole.theta)


def test_a_resume_state_of_other_settings_is_not_used(tmp_path: Path, caplog):
    run(net(), tmp_path, resume_seconds=0.0)
    assert (tmp_path / "resume.pt").is_file()
    other = run(net(), tmp_path, batch_size=10)
    assert "training starts afresh" in caplog.text
    np.testing.assert_array_equal(
        other.displacements, run(net(), tmp_path / "new", batch_size=10).displacements
    )


def test_dropout_leaves_the_global_generator_alone(tmp_path: Path):
    model = net(0.3)
    before = torch.get_rng_state()
    run(model, tmp_path)
    assert torch.equal(before, torch.get_rng_state())


def test_divergence_names_step_rate_and_cure(tmp_path: Path):
    wild = [SimpleNamespace(until=1.0, optimiser="sgd", rate=1e308)]
    with pytest.raises(
        TrainingError, match=r"training paper/run diverged by step 50: .*1e\+308 of sgd; lower"
    ):
        run(net(), tmp_path, legs=wild)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 51}, "batches have 51 of 50 examples"),
        ({"legs": [LEGS[1], LEGS[0]]}, r"legs end at steps \[200, 80\]; they must increase up to 200"),
        ({"legs": LEGS[:1]}, r"legs end at steps \[80\]; they must increase up to 200"),
    ],
)
def test_impossible_settings_are_refused(tmp_path: Path, changes, message):
    with pytest.raises(TrainingError, match=message):
        run(net(), tmp_path, **changes)
