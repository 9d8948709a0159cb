"""Trainings of this project beside other ways to take the same steps: eager, compiled, other layouts.

Both sides of a row run a whole training with its files, from the same start through the same batches.
"""

import functools
import logging
import multiprocessing
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from harness import Work, largest_share
from peer_works import Sides
from torch import Tensor, nn
from torch.nn import functional

from sgdiffusion import networks
from sgdiffusion.config.models import Data, Network, Phase, Training
from sgdiffusion.dynamics.training import checkpoints, draws, fused_fc, loop, trainer
from sgdiffusion.dynamics.training.setup import set_up

EPOCHS, EXAMPLES, BATCH = 20, 10_000, 128
LONG = 150  # epochs of each of two seeds: a second, beside which starting them is nothing
IMAGES = 1_280  # of small-allcnn: ten steps
LOSS = 0.02  # of an epoch's mean loss: a tenth of what two seeds differ by
COMPILER = () if any(map(shutil.which, ("c++", "g++", "clang++"))) else ("a C++ compiler",)
Trainer = Callable[..., loop.TrainedRun]
Prepare = Callable[[nn.Module], Callable[[Tensor], Tensor]]


def training(
    network: str, shape: tuple[int, ...], examples: int, *, epochs: int = 1, rate: float = 0.01
) -> Callable[..., loop.TrainedRun]:
    """A training on random images; call it with a trainer, a folder, and what else the trainer takes."""
    classes = 5 if network == "tiny-fc" else 10
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((examples, *shape), dtype=np.float32), rng.integers(0, classes, examples)
    data = SimpleNamespace(x_train=x, y_train=y, x_test=x[:100], y_test=y[:100])
    settings = Training(
        kind="training",
        network=Network(name=network),
        data=Data(set="mnist", preparation="pool7-five"),  # is not read
        schedule=[Phase(until=1.0, rate=rate)],
        batch_size=BATCH,
        epochs=epochs,
    )

    def run(train: Trainer, folder: Path, seed: int = 0, **options: Any) -> loop.TrainedRun:
        return train(settings, data, run_id="bench", seed=seed, root_seed=0, folder=folder, **options)

    return run


def epochs_of(train: Trainer, epochs: int = EPOCHS, seed: int = 0) -> Callable[[], Tensor]:
    """Epochs of tiny-fc; its final weights."""
    run = training("tiny-fc", (1, 7, 7), EXAMPLES, epochs=epochs, rate=0.001)

    def weights() -> Tensor:
        with tempfile.TemporaryDirectory() as folder:
            done = run(train, Path(folder), seed)
            final = checkpoints.modules(done.checkpoints)[1.0]
        return nn.utils.parameters_to_vector(final.parameters()).detach()

    return weights


def loss_of_epoch(
    train: Trainer, network: str, shape: tuple[int, ...], examples: int
) -> Callable[..., float]:
    """The mean loss of one epoch; of small nets weights can be compared, of deep ones they go apart."""
    run = training(network, shape, examples)

    def loss(**options: Any) -> float:
        with tempfile.TemporaryDirectory() as folder:
            return float(run(train, Path(folder), **options).metrics["train_loss"].iloc[-1])

    return loss


def written(
    prepare: Prepare, layout: torch.memory_format = torch.contiguous_format, reduced: bool = False
) -> Trainer:
    """A trainer whose epoch is the plain loop of torch's tutorials, on a net prepared once.

    The files, the batches and dropout's numbers are those of `trainer.train`.
    """
    held: dict[str, Any] = {}

    def train(settings: Training, data: Any, *, folder: Path, **names: Any) -> loop.TrainedRun:
        cpu = {"device": torch.device("cpu"), "dtype": torch.float32}
        setup = set_up(settings, data, **names, **cpu, classes=None, code="", trainer="torch")
        fresh = setup.network()
        if not held:
            held["net"] = fresh.to(memory_format=layout)
            held["call"] = prepare(held["net"])
        held["net"].load_state_dict(fresh.state_dict())

        def epoch(running: loop.Running, number: int, rate: float) -> tuple[float, float]:
            running.net.train()
            losses = []
            with draws.dropout(setup.names, number, setup.device):
                for chosen in setup.order(number):
                    x, y = setup.train.x[chosen].contiguous(memory_format=layout), setup.train.y[chosen]
                    running.optimiser.zero_grad()
                    with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
                        loss = functional.cross_entropy(held["call"](x), y)
                    loss.backward()
                    running.optimiser.step()
                    losses.append(loss.detach())
            return float(torch.stack(losses).double().mean()), 0.0

        begin = lambda running: functools.partial(epoch, running)  # noqa: E731
        log = logging.getLogger(__name__)
        return loop.run(setup, held["net"], begin, folder=folder, resume_seconds=60, log=log)

    return train


def as_it_is(net: nn.Module) -> nn.Module:
    return net


def tiny_works() -> Iterator[Work]:
    net = networks.build("tiny-fc", in_shape=(1, 7, 7), classes=5, generator=torch.Generator())
    first, *_, head = [p.numel() for p in net.parameters() if p.ndim == 2]
    for theirs, train, compiles in (
        ("the eager trainer, `trainer.train`", trainer.train, False),
        ("a plain loop on `torch.compile(net)`", written(torch.compile), True),
    ):
        yield Work(
            work=f"{EPOCHS} epochs of tiny-fc on {EXAMPLES:,} examples, batch {BATCH}, with all files",
            ours="the compiled kernel, `fused_fc.train`",
            peer="torch",
            theirs=theirs,
            modules=COMPILER if compiles else (),
            sides=lambda train=train: (epochs_of(fused_fc.train), epochs_of(train)),
            distance=largest_share,
            tolerance=1e-4,  # 1,560 steps in single precision, other orders of summation
            unit="of the largest weight",
            note="floor: the products of the two layers, forward and backward"
            + (", compiled before the times" if compiles else ""),
            floor=lambda f: EPOCHS * EXAMPLES * (2 * first + 3 * head) / f.products,
            compiles=compiles,
        )


def long_training(seed: int) -> np.ndarray:
    """In a process of its own."""
    torch.set_num_threads(1)
    return epochs_of(fused_fc.train, LONG, seed)().numpy()


def two_seeds() -> Sides:
    """The same two processes, both at once or one waiting for the other."""
    pool = ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))
    return (
        lambda: np.stack(list(pool.map(long_training, (0, 1)))),
        lambda: np.stack([pool.submit(long_training, seed).result() for seed in (0, 1)]),
    )


def seed_works() -> Iterator[Work]:
    yield Work(
        work=f"two seeds of tiny-fc, {LONG} epochs each, in two processes of one thread",
        ours="both at once, as the workflow runs them",
        peer="itself",
        theirs="one after the other",
        modules=(),
        sides=two_seeds,
        distance=largest_share,
        tolerance=0.0,  # the same code in the same process
        unit="of the largest weight",
        note="processes are started before the times; 2 is the most",
        clock="wall",
    )


def convolutional_works() -> Iterator[Work]:
    last = torch.channels_last
    for theirs, train, compiles in (
        ("the plain loop, channels last", written(as_it_is, last), False),
        ("the plain loop on `torch.compile(net)`", written(torch.compile), True),
        ("the plain loop, channels last, in bfloat16 by `autocast`", written(as_it_is, last, True), False),
    ):

        def sides(train: Trainer = train) -> Sides:
            net = "small-allcnn", (3, 32, 32), IMAGES
            return loss_of_epoch(trainer.train, *net), loss_of_epoch(train, *net)

        yield Work(
            work=f"an epoch of small-allcnn on {IMAGES:,} images of 32×32, batch {BATCH}",
            ours="`trainer.train`, eager",
            peer="torch",
            theirs=theirs,
            modules=COMPILER if compiles else (),
            sides=sides,
            distance=largest_share,
            tolerance=LOSS,
            unit="of the epoch's mean loss",
            note="both evaluate the net at the end" + (", compiled before the times" if compiles else ""),
            compiles=compiles,
        )


def works() -> Iterator[Work]:
    yield from tiny_works()
    yield from seed_works()
    yield from convolutional_works()
