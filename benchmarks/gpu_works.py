"""The same calls of this project on one CUDA device and on the processor's cores: see bench.py.

"Ours" is the card, "theirs" the cores of the same machine, so that a ratio above 1 is the card's gain. The
seeds are the same; what chance decides on the device itself (chains) is compared by its law.
"""

import copy
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from harness import Work, largest_share
from path_works import ERRORS, RATE, image_set, moons_set, perceptron
from peer_works import images
from torch import Tensor, nn
from training_works import loss_of_epoch

import sgdiffusion as sd
from sgdiffusion import networks
from sgdiffusion.dynamics.ensembles.batched import stack
from sgdiffusion.dynamics.ensembles.batched_mlp import batched
from sgdiffusion.dynamics.ensembles.ensemble import train
from sgdiffusion.dynamics.ensembles.serial import class_losses
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.dynamics.training import trainer
from sgdiffusion.dynamics.training.finetuning import finetune

ROUNDING = 1e-3  # of the largest number: single precision, products in another order, some tens of steps
Run = Callable[[str], Any]


def card() -> str:
    """The device and the driver of this run."""
    if not torch.cuda.is_available():
        return "none"
    return f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"


def waited(run: Run, device: str) -> Any:
    found = run(device)
    if device == "cuda":
        torch.cuda.synchronize()
    return found


def beside(
    work: str,
    call: str,
    run: Run,
    distance: Callable[[Any, Any], float],
    *,
    tolerance: float = ROUNDING,
    unit: str = "of the largest number",
    note: str = "",
) -> Work:
    return Work(
        work=work,
        ours=call,
        peer="the cores",
        theirs="",
        modules=("torch",) if torch.cuda.is_available() else ("a CUDA device",),
        sides=lambda: (lambda: waited(run, "cuda"), lambda: waited(run, "cpu")),
        distance=distance,
        tolerance=tolerance,
        unit=unit,
        note=note,
        clock="wall",
    )


def resnet18() -> nn.Module:
    return networks.build_torchvision(
        "resnet18", classes=10, generator=torch.Generator().manual_seed(0)
    ).eval()


def coloured(n: int, side: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, 3, side, side, generator=generator), torch.arange(n) % 10


def measurement_works() -> Iterator[Work]:
    quiet = {"progress": False}
    yield beside(
        "top 20 eigenvalues and trace of D, ResNet18 (d = 11.2 M), 32×32, N = 500",
        "`sd.spectrum(k=20)`",
        lambda d: sd.spectrum(resnet18(), coloured(500, 32), k=20, device=d, **quiet).eigenvalues,
        largest_share,
        note="each way is chosen on the processor by its estimate",
    )

    def coefficient(device: str) -> sd.LearningCoefficient:
        options = {"chains": 2, "draws": 20, "every": 1, "burn_in": 20, "batch_size": 64, "n_beta": 50.0}
        return sd.learning_coefficient(
            resnet18(), coloured(512, 32), device=device, localisation=1e4, **options, **quiet
        )

    def apart(ours: sd.LearningCoefficient, theirs: sd.LearningCoefficient) -> float:
        errors = [(one.high - one.low) / 4 for one in (ours, theirs)]
        return abs(ours.value - theirs.value) / float(np.hypot(*errors))

    yield beside(
        "λ̂ of ResNet18, 2 chains of 20 + 20 steps of 64 examples",
        "`sd.learning_coefficient`",
        coefficient,
        apart,
        tolerance=ERRORS,
        unit="standard errors",
        note="other random numbers; the size of the step is found on the way",
    )
    lenet = networks.build(
        "small-lenet", in_shape=(1, 28, 28), classes=10, generator=torch.Generator()
    ).eval()
    digits = images(2000)
    yield beside(
        "D of small-lenet (d = 13,338) in full and all its eigenvalues, N = 2,000",
        '`sd.spectrum(method="dense")`',
        lambda d: sd.spectrum(copy.deepcopy(lenet), digits, method="dense", device=d, **quiet).eigenvalues,
        largest_share,
        note="LAPACK on the processor finds the eigenvalues on both sides",
    )


def large(name: str, batch: int, steps: int) -> Run:
    legs = [SimpleNamespace(until=1.0, optimiser="sgd", rate=1e-3)]

    def run(device: str) -> Any:
        net = networks.build_torchvision(name, classes=200, generator=torch.Generator().manual_seed(0))
        data = Examples(*(t.to(device) for t in coloured(2 * batch, 64)))
        with tempfile.TemporaryDirectory() as folder:
            return finetune(
                net.to(device),
                class_losses,
                data,
                legs,
                steps=steps,
                batch_size=batch,
                per_decade=10,
                checkpoint_fractions=[1.0],
                names=(0, "bench"),
                resume=Path(folder) / "resume.pt",
            ).displacements

    return run


def ensemble(data: Examples, width: int, nets: int, steps: int, batch: int) -> Run:
    def run(device: str) -> Tensor:
        modules = [perceptron(data, width, seed) for seed in range(nets)]
        given = {"rates": [RATE] * nets, "batch_sizes": [batch] * nets, "seeds": list(range(nets))}
        held = Examples(data.x.to(device), data.y.to(device))
        starts = stack(modules).to(device)
        return train(batched(modules[0].to(device)), held, starts, "sgd", steps=steps, **given).theta.cpu()

    return run


def training_works() -> Iterator[Work]:
    epoch = loss_of_epoch(trainer.train, "small-allcnn", (3, 32, 32), 5_000)
    yield beside(
        "an epoch of small-allcnn on 5,000 images of 32×32, batch 128",
        "`trainer.train`",
        lambda d: epoch(device=d),
        largest_share,
        tolerance=0.05,
        unit="of the epoch's mean loss",
        note="dropout draws on the device",
    )
    for name, batch in (("resnet18", 256), ("vgg16", 256)):
        yield beside(
            f"10 steps of {name} (200 classes), 64×64, batch {batch}",
            "`finetune`",
            large(name, batch, 10),
            largest_share,
            tolerance=0.05,
            unit="of R",
            note="convolutions of a training use the card's reduced precision (TF32), torch's default",
        )
    for title, data, width, nets, steps, batch in (
        ("500 nets 2-16-16-2", moons_set(), 16, 500, 200, 32),
        ("64 nets 784-32-32-10", image_set(), 32, 64, 100, 128),
    ):
        yield beside(
            f"{title}, {steps} steps of SGD, batch {batch}",
            "`ensemble.train`",
            ensemble(data, width, nets, steps, batch),
            largest_share,
            tolerance=0.01,
        )


def works() -> Iterator[Work]:
    yield from measurement_works()
    yield from training_works()
