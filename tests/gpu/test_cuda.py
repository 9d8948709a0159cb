"""The same code on a CUDA device gives the numbers of the CPU, from gradients to trainings.

Without a card these tests are skipped. Single precision, so tolerances are those of sums in another order:
1e-4 of the largest number, fixed before the first run on a card; trainings add up rounding, so their bound is
1e-3 after at most 40 steps.
"""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from harness import largest_share
from torch import nn

import sgdiffusion as sd
from sgdiffusion import networks
from sgdiffusion.config.models import Data, Network, Phase, Training
from sgdiffusion.data.moons import moons
from sgdiffusion.dynamics.ensembles.batched import stack
from sgdiffusion.dynamics.ensembles.batched_mlp import batched
from sgdiffusion.dynamics.ensembles.ensemble import train
from sgdiffusion.dynamics.ensembles.serial import class_losses
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.dynamics.training import checkpoints, trainer
from sgdiffusion.dynamics.training.finetuning import finetune

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

ROUNDING = 1e-4
TRAINED = 1e-3
N = 64


def convolutional() -> nn.Module:
    """Convolutions take another path on a card than products do: reduced precision would show here."""
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, 10)
    return nn.Sequential(*layers).eval()


def images(n: int = N, side: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, 3, side, side, generator=generator), torch.arange(n) % 10


def test_gradients_of_single_examples():
    net = convolutional()
    here, there = (
        torch.cat([b.cpu().clone() for b in sd.gradients(copy.deepcopy(net), images(), device=d)])
        for d in ("cpu", "cuda")
    )
    assert largest_share(there, here) < ROUNDING


@pytest.mark.parametrize("method", ["dense", "dual", "krylov"])
def test_spectra_by_every_method(method: str):
    net = convolutional()
    here, there = (
        sd.spectrum(copy.deepcopy(net), images(), k=10, method=method, device=d, progress=False)
        for d in ("cpu", "cuda")
    )
    assert largest_share(there.eigenvalues, here.eigenvalues) < ROUNDING
    assert there.trace == pytest.approx(here.trace, rel=ROUNDING)


def test_convolutions_with_batch_norm_are_tried_out_in_full_precision():
    """With torch's default, TF32, a loss alone and the same beside others differ by 0.2 %: it was refused."""
    net = networks.build_torchvision("resnet18", classes=10, generator=torch.Generator().manual_seed(0))
    found = sd.spectrum(net.eval(), images(40, 32), k=3, device="cuda", progress=False)
    assert np.isfinite(found.eigenvalues).all()
    assert torch.backends.cudnn.allow_tf32  # as before


def test_noise_balance():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(432, 16), nn.ReLU(), nn.Linear(16, 10)).eval()
    here, there = (
        sd.noise_balance(copy.deepcopy(net), images(), device=d, progress=False).to_frame()
        for d in ("cpu", "cuda")
    )
    numbers = here.select_dtypes("number").columns
    assert len(numbers) > 3
    for name in numbers:
        np.testing.assert_allclose(there[name], here[name], rtol=ROUNDING, err_msg=name)


def test_the_learning_coefficient_of_a_closed_form():
    """λ̂ of a linear regression: both devices draw their own chains, so each is held to the exact value."""
    x, n_beta, gamma = torch.randn(400, 6, generator=torch.Generator().manual_seed(0)), 40.0, 1.0
    curvature = torch.linalg.eigvalsh(x.double().T @ x.double() / len(x))
    exact = float((n_beta * curvature / (n_beta * curvature + gamma)).sum() / 2)
    for device in ("cpu", "cuda"):
        net = nn.Linear(6, 1, bias=False).eval()
        nn.init.zeros_(net.weight)
        options = {"localisation": gamma, "n_beta": n_beta, "draws": 400, "chains": 8, "progress": False}
        data = x, torch.zeros(400, 1)
        found = sd.learning_coefficient(net, data, "half-squared", device=device, **options)
        error = (found.high - found.low) / 4
        assert found.value == pytest.approx(exact, abs=4 * error), device
        assert error < 0.1 * exact


def settings() -> Training:
    return Training(
        kind="training",
        network=Network(name="tiny-fc"),
        data=Data(set="mnist", preparation="pool7-five"),
        schedule=[Phase(until=1.0, rate=0.05)],
        batch_size=64,
        epochs=2,
    )


def test_a_training(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((1280, 1, 7, 7), dtype=np.float32), rng.integers(0, 5, 1280)
    data = SimpleNamespace(x_train=x, y_train=y, x_test=x[:100], y_test=y[:100])
    weights = []
    for device in ("cpu", "cuda"):
        folder = tmp_path / device
        folder.mkdir()
        options = {"run_id": "gpu", "seed": 0, "root_seed": 0, "folder": folder, "device": device}
        done = trainer.train(settings(), data, **options)
        final = checkpoints.modules(done.checkpoints)[1.0]
        weights.append(nn.utils.parameters_to_vector(final.parameters()).detach().numpy())
    assert largest_share(weights[1], weights[0]) < TRAINED


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_an_ensemble(optimiser: str):
    x, y = moons(200, 0.2, np.random.default_rng(0))
    found = []
    for device in ("cpu", "cuda"):
        nets = [
            networks.build(
                "mlp",
                in_shape=(2,),
                classes=2,
                generator=torch.Generator().manual_seed(s),
                width=8,
                depth=2,
                batch_norm=False,
            )
            for s in range(5)
        ]
        data = Examples(torch.from_numpy(x).to(device), torch.from_numpy(y).to(device))
        given = {"rates": [0.01] * 5, "batch_sizes": [16] * 5, "seeds": list(range(5))}
        starts = stack(nets).to(device)
        found.append(train(batched(nets[0].to(device)), data, starts, optimiser, steps=40, **given))
    assert largest_share(found[1].theta.cpu(), found[0].theta) < TRAINED
    assert largest_share(found[1].displacements, found[0].displacements) < TRAINED


def test_a_large_net_in_legs(tmp_path):
    legs = [
        SimpleNamespace(until=0.5, optimiser="adam", rate=1e-4),
        SimpleNamespace(until=1.0, optimiser="sgd", rate=0.01),
    ]
    found = []
    for device in ("cpu", "cuda"):
        x, y = (t.to(device) for t in images())
        done = finetune(
            convolutional().to(device),
            class_losses,
            Examples(x, y),
            legs,
            steps=20,
            batch_size=16,
            per_decade=10,
            checkpoint_fractions=[0.5, 1.0],
            names=(0, "gpu"),
            resume=tmp_path / f"{device}.pt",
        )
        found.append(done)
    # Adam divides by the size of a gradient, so that rounding of small ones moves weights
    assert largest_share(found[1].theta, found[0].theta) < TRAINED
    np.testing.assert_allclose(found[1].displacements, found[0].displacements, rtol=10 * TRAINED)


def test_the_recorder_beside_a_training_on_the_card(tmp_path):
    net = convolutional().cuda()
    recorder = sd.TrajectoryRecorder(net, tmp_path / "walk")
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01)
    x, y = (t.cuda() for t in images())
    for _ in range(6):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimiser.step()
        recorder.step()
    away = nn.utils.parameters_to_vector(net.parameters()).detach().cpu().double()
    start = nn.utils.parameters_to_vector(convolutional().parameters()).detach().double()
    assert recorder.records()["displacement"][-1] == pytest.approx(float((away - start).norm()), rel=ROUNDING)
