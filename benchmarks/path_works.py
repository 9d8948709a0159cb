"""The project's hot paths beside what one would write with NumPy and PyTorch alone: see bench.py.

Chains and ensembles draw their own random numbers, so that their laws are compared; everything else is the
same to rounding.
"""

import copy
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from floors import Floors, eigenvalues
from harness import Work
from peer_works import Sides, by_vmap, convolutional, images, rounding, rows_of, spectral_distance, weights
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional

from sgdiffusion import networks
from sgdiffusion.config.models import Data, Network, Phase, Training
from sgdiffusion.data.moons import moons
from sgdiffusion.dynamics.chains.averages import average_loss
from sgdiffusion.dynamics.chains.diagonal import GaussianData, balanced, run_sgd
from sgdiffusion.dynamics.ensembles.batched import stack
from sgdiffusion.dynamics.ensembles.batched_mlp import batched
from sgdiffusion.dynamics.ensembles.ensemble import train
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.dynamics.training import checkpoints, fused_fc, trainer
from sgdiffusion.measures.noise.diffusion import diffusion_matrix
from sgdiffusion.measures.noise.gradients import PerExampleGradients
from sgdiffusion.measures.noise.spectra import eigenvalues as spectrum_of

CHAINS, CHAIN_STEPS, CHAIN_RATE, NOISE = 100_000, 200, 0.05, 0.5
EPOCHS, EXAMPLES, BATCH = 20, 10_000, 128
RATE = 0.1  # of the ensembles
ERRORS = 5.0  # standard errors that two laws may differ by: by chance in one run of 10⁶


# chains of the two-layer diagonal net, ℓ = (u w x − y)² with S = 1, y = x + ε


def compiled_chains() -> np.ndarray:
    law = GaussianData(1.0, NOISE)
    return run_sgd(balanced(np.ones(CHAINS), 1), law, CHAIN_RATE, [CHAIN_STEPS], seed=1).v[:, 0]


def numpy_chains() -> np.ndarray:
    generator = np.random.default_rng(2)
    u, w = np.ones(CHAINS), np.ones(CHAINS)
    for _ in range(CHAIN_STEPS):
        x = generator.standard_normal(CHAINS)
        y = x + NOISE * generator.standard_normal(CHAINS)
        g = 2 * CHAIN_RATE * x * (u * w * x - y)
        u, w = u - g * w, w - g * u
    return u * w


@torch.no_grad()
def torch_chains() -> np.ndarray:
    generator = torch.Generator().manual_seed(3)
    u, w = torch.ones(CHAINS, dtype=torch.float64), torch.ones(CHAINS, dtype=torch.float64)
    x, y = torch.empty_like(u), torch.empty_like(u)
    for _ in range(CHAIN_STEPS):
        x.normal_(generator=generator)
        y.normal_(generator=generator).mul_(NOISE).add_(x)
        g = (u * w).mul_(x).sub_(y).mul_(x).mul_(2 * CHAIN_RATE)
        u, w = u.addcmul(g, w, value=-1), w.addcmul(g, u, value=-1)
    return (u * w).numpy()


def median_errors(ours: np.ndarray, theirs: np.ndarray) -> float:
    """|difference of the medians| in its standard errors, each 1.25 σ/√n with σ from the quartiles."""
    spread = np.subtract(*np.quantile(theirs, [0.75, 0.25])) / 1.35
    error = 1.25 * spread * np.sqrt(1 / len(ours) + 1 / len(theirs))
    return float(abs(np.median(ours) - np.median(theirs)) / error)


def chain_works() -> Iterator[Work]:
    for peer, theirs, run in (
        ("numpy", "a vectorised loop", numpy_chains),
        ("torch", "the same loop, in place", torch_chains),
    ):
        yield Work(
            work=f"SGD of the two-layer diagonal net, {CHAINS:,} chains of {CHAIN_STEPS} steps",
            ours="`run_sgd`",
            peer=peer,
            theirs=theirs,
            modules=(),
            sides=lambda run=run: (compiled_chains, run),
            distance=median_errors,
            tolerance=ERRORS,
            unit="standard errors of the medians",
            note="other random numbers; floor: two normal numbers a chain-step",
            floor=lambda f: 2 * CHAINS * CHAIN_STEPS / f.normals,
        )


# epochs of tiny-fc


def epochs_of(train_: Callable[..., object], epochs: int = EPOCHS) -> Callable[[], Tensor]:
    """A whole training, files included; its final weights."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((EXAMPLES, 1, 7, 7), dtype=np.float32)
    y = generator.integers(0, 5, EXAMPLES)
    data = SimpleNamespace(x_train=x, y_train=y, x_test=x[:100], y_test=y[:100])
    settings = Training(
        kind="training",
        network=Network(name="tiny-fc"),
        data=Data(set="mnist", preparation="pool7-five"),
        schedule=[Phase(until=1.0, rate=0.001)],
        batch_size=BATCH,
        epochs=epochs,
    )

    def run() -> Tensor:
        with tempfile.TemporaryDirectory() as folder:
            done = train_(settings, data, run_id="bench", seed=0, root_seed=0, folder=Path(folder))
            final = checkpoints.modules(done.checkpoints)[1.0]
        return nn.utils.parameters_to_vector(final.parameters()).detach()

    return run


def largest_share(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


def training_works() -> Iterator[Work]:
    net = networks.build("tiny-fc", in_shape=(1, 7, 7), classes=5, generator=torch.Generator())
    first, *_, head = [p.numel() for p in net.parameters() if p.ndim == 2]
    yield Work(
        work=f"{EPOCHS} epochs of tiny-fc on {EXAMPLES:,} examples, batch {BATCH}, with all files",
        ours="the compiled kernel, `fused_fc.train`",
        peer="torch",
        theirs="the eager trainer, `trainer.train`",
        modules=(),
        sides=lambda: (epochs_of(fused_fc.train), epochs_of(trainer.train)),
        distance=largest_share,
        tolerance=1e-4,  # 1,560 steps in single precision, other orders of summation
        unit="of the largest weight",
        note="floor: the products of the two layers, forward and backward",
        floor=lambda f: EPOCHS * EXAMPLES * (2 * first + 3 * head) / f.products,
    )


# ensembles by plain SGD


def eager_ensemble(data: Examples, modules: list[nn.Module], steps: int, batch: int) -> Tensor:
    """One net after the other by nn.Module, autograd, torch.optim.SGD; an epoch is a permutation."""
    torch.manual_seed(1)
    for module in modules:
        optimiser = torch.optim.SGD(module.parameters(), lr=RATE)
        order = torch.empty(0, dtype=torch.int64)
        for _ in range(steps):
            if len(order) < batch:
                order = torch.randperm(len(data))
            chosen, order = order[:batch], order[batch:]
            optimiser.zero_grad()
            functional.cross_entropy(module(data.x[chosen]), data.y[chosen]).backward()
            optimiser.step()
    return stack(modules)


def vmap_ensemble(data: Examples, modules: list[nn.Module], steps: int, batch: int) -> Tensor:
    """All at once as torch's tutorial on model ensembling writes it, with a step of SGD."""
    generator = torch.Generator().manual_seed(2)
    held, _ = stack_module_state(modules)  # type: ignore[arg-type]
    held = {name: p.detach() for name, p in held.items()}
    base = copy.deepcopy(modules[0]).to("meta")

    def loss(weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(functional_call(base, weights, (x,)), y)

    each = vmap(grad(loss))
    orders = torch.empty(len(modules), 0, dtype=torch.int64)
    for _ in range(steps):
        if orders.shape[1] < batch:
            orders = torch.stack([torch.randperm(len(data), generator=generator) for _ in modules])
        chosen, orders = orders[:, :batch], orders[:, batch:]
        slopes = each(held, data.x[chosen], data.y[chosen])
        held = {name: p - RATE * slopes[name] for name, p in held.items()}
    return torch.cat([p.flatten(1) for p in held.values()], 1)


def our_ensemble(data: Examples, modules: list[nn.Module], steps: int, batch: int) -> Tensor:
    count = len(modules)
    given = {"rates": [RATE] * count, "batch_sizes": [batch] * count, "seeds": list(range(count))}
    return train(batched(modules[0]), data, stack(modules), "sgd", steps=steps, **given).theta


def mean_losses(data: Examples, module: nn.Module) -> Callable[[Tensor, Tensor], float]:
    """Losses over all examples of two ensembles from the same starts: the mean difference in its errors."""

    def distance(ours: Tensor, theirs: Tensor) -> float:
        net = batched(module)
        gaps = (average_loss(net, data.x, data.y, ours) - average_loss(net, data.x, data.y, theirs)).numpy()
        return float(abs(gaps.mean()) / (gaps.std(ddof=1) / np.sqrt(len(gaps))))

    return distance


def moons_set() -> Examples:
    x, y = moons(200, 0.2, np.random.default_rng(0))
    return Examples(torch.from_numpy(x), torch.from_numpy(y))


def image_set() -> Examples:
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal((5000, 784), dtype=np.float32))
    return Examples(x, torch.from_numpy(rng.integers(10, size=5000)))


def perceptron(data: Examples, width: int, seed: int) -> nn.Module:
    return networks.build(
        "mlp",
        in_shape=(data.x.shape[1],),
        classes=int(data.y.max()) + 1,
        generator=torch.Generator().manual_seed(seed),
        width=width,
        depth=2,
        batch_norm=False,
    )


def ensemble_works() -> Iterator[Work]:
    for name, make, width, batch, nets, steps in (
        ("2-16-16-2", moons_set, 16, 32, 100, 100),
        ("784-32-32-10", image_set, 32, 16, 12, 60),
        ("784-32-32-10", image_set, 32, 128, 12, 60),
    ):
        data = make()
        first, *others = [p.numel() for p in perceptron(data, width, 0).parameters() if p.ndim == 2]
        work = nets * steps * batch * (2 * first + 3 * sum(others))
        for theirs, run in (("a loop of eager nets", eager_ensemble), ("`vmap(grad)` of all", vmap_ensemble)):

            def sides(run=run, data=data, width=width, batch=batch, nets=nets, steps=steps) -> Sides:
                def fresh() -> list[nn.Module]:
                    return [perceptron(data, width, seed) for seed in range(nets)]

                ours = lambda: our_ensemble(data, fresh(), steps, batch)  # noqa: E731
                return ours, lambda: run(data, fresh(), steps, batch)

            yield Work(
                work=f"{nets} nets {name}, {steps} steps of SGD, batch {batch}",
                ours="`ensemble.train`",
                peer="torch",
                theirs=theirs,
                modules=(),
                sides=sides,
                distance=mean_losses(data, perceptron(data, width, 0)),
                tolerance=ERRORS,
                unit="standard errors of the mean loss",
                note="other orders of the examples; floor: the layers' products, forward and backward",
                floor=lambda f, work=work: work / f.products,
            )


# D in full


def matrix_works() -> Iterator[Work]:
    net, data = convolutional(2, 8), images(4000)
    d = weights(net)

    def ours() -> np.ndarray:
        return spectrum_of(diffusion_matrix(PerExampleGradients(net, data)))

    def theirs() -> np.ndarray:
        rows = rows_of(by_vmap(net, data)(), 1)
        rows -= rows.mean(0)
        return torch.linalg.eigvalsh(rows.T @ rows / len(rows)).flip(0).numpy()

    def floor(f: Floors) -> float:
        return len(data[0]) * d**2 / 2 / f.products + eigenvalues(d)

    yield Work(
        work=f"D in full and all its eigenvalues, convolutional net, d = {d:,}, N = {len(data[0]):,}",
        ours="`diffusion_matrix`, `eigenvalues`",
        peer="torch",
        theirs="`vmap(grad)`, a full product, `eigvalsh`",
        modules=(),
        sides=lambda: (ours, theirs),
        distance=spectral_distance,
        tolerance=rounding(net) * 10,  # eigenvalues of a d × d matrix in single precision
        unit="of λ₁",
        note="floor: half of the product and the eigenvalues, gradients left out",
        floor=floor,
    )


def works() -> Iterator[Work]:
    yield from chain_works()
    yield from training_works()
    yield from ensemble_works()
    yield from matrix_works()
