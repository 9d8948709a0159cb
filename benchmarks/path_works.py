"""The project's hot paths beside what one would write with NumPy and PyTorch alone: see bench.py.

Chains and ensembles draw their own random numbers, so that their laws are compared; everything else is the
same to rounding.
"""

import copy
from collections.abc import Callable, Iterator

import matrix_works
import numpy as np
import torch
import training_works
from harness import Alone, Work
from peer_works import Sides
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional

from sgdiffusion import networks
from sgdiffusion.data.moons import moons
from sgdiffusion.dynamics.chains.averages import average_loss
from sgdiffusion.dynamics.chains.diagonal import GaussianData, balanced, run_sgd
from sgdiffusion.dynamics.chains.sde_diagonal import run_effective, run_weights
from sgdiffusion.dynamics.ensembles.batched import stack
from sgdiffusion.dynamics.ensembles.batched_mlp import batched
from sgdiffusion.dynamics.ensembles.ensemble import train
from sgdiffusion.dynamics.examples import Examples

CHAINS, CHAIN_STEPS, CHAIN_RATE, NOISE = 100_000, 200, 0.05, 0.5
SDE_CHAINS, END, TEMPERATURE, COARSE, FINE = 20_000, 0.5, 0.05, 0.1, 0.02
CONSTANTS = (2.0, 2.0, 2 + NOISE**2, 1.0, 1.0)  # α₁, α₂, α₃, β₁, β₂ of the same data: g = 2(v − 1)² + σ²
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


# the SDEs of the same net, each chain with its own steps


def stepped(x: np.ndarray, move: Callable[..., tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """All chains to time END, those that are there put aside; `move` gives new states and steps."""
    generator, result = np.random.default_rng(2), np.empty_like(x)
    left, now = np.arange(len(x)), np.zeros(len(x))
    while len(left):
        x, step = move(x, END - now, generator.standard_normal(len(x)))
        now = now + step
        there = now >= END * (1 - 1e-12)
        if there.any():
            result[left[there]] = x[there]
            left, now, x = left[~there], now[~there], x[~there]
    return result


def effective_terms(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Drift, noise and rate of change of log v at depth one, width one."""
    a1, a2, a3, b1, b2 = CONSTANTS
    v, c = np.exp(z), a2 / a1
    g = a1 * (v - c) ** 2 + (a3 - a2 * c)
    drift = -4 * (b1 * v - b2) - 4 * TEMPERATURE * g
    rate = 16 * TEMPERATURE * (g + a1 * v**2) + 2 * b1 * v
    rate += np.abs(drift) * (1 + v / (np.sqrt(g / a1) + 1e-12))
    return drift, 4 * np.sqrt(TEMPERATURE * g), rate


def numpy_effective() -> np.ndarray:
    """Platen's explicit scheme of weak order two."""

    def move(x: np.ndarray, longest: np.ndarray, xi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        drift, noise, rate = effective_terms(x)
        step = np.minimum(COARSE / rate, longest)
        root, centre = np.sqrt(step), x + drift * step
        dw = root * xi
        later = effective_terms(centre + noise * dw)[0]
        up, down = (effective_terms(centre + sign * noise * root)[1] for sign in (1, -1))
        mean = 0.25 * (up + down + 2 * noise) * dw
        x = x + 0.5 * (drift + later) * step + mean + 0.25 * (up - down) * (dw**2 - step) / root
        return x, step

    return np.exp(stepped(np.zeros(SDE_CHAINS), move))


def numpy_weights() -> np.ndarray:
    """Milstein's scheme for both weights, in one array as rows."""
    a1, a2, a3, b1, b2 = CONSTANTS
    c = a2 / a1

    def move(u: np.ndarray, longest: np.ndarray, xi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        v, total, kick = u.prod(1), (u**2).sum(1), u[:, ::-1]
        g = a1 * (v - c) ** 2 + (a3 - a2 * c)
        slope, deviation = 2 * (b1 * v - b2), 2 * np.sqrt(TEMPERATURE * g)
        rate = 2 * deviation**2 + 4 * TEMPERATURE * total**2 * a1 + 2 * b1 * total
        rate += np.abs(slope) * (1 + total / (np.sqrt(g / a1) + 1e-12))
        step = np.minimum(FINE / rate, longest)
        shock, second = deviation * np.sqrt(step) * xi, 0.5 * step * (xi**2 - 1)
        along = shock - slope * step + second * 4 * TEMPERATURE * (a1 * v - a2) * total
        return u + along[:, None] * kick + (second * deviation**2)[:, None] * u, step

    return stepped(np.ones((SDE_CHAINS, 2)), move).prod(1)


def sde_works() -> Iterator[Work]:
    starts = np.ones(SDE_CHAINS)
    effective = lambda: run_effective(starts, CONSTANTS, TEMPERATURE, [END], accuracy=COARSE, seed=1)  # noqa: E731
    whole = lambda: run_weights(balanced(starts, 1), CONSTANTS, TEMPERATURE, [END], accuracy=FINE, seed=1)  # noqa: E731
    for name, ours, call, theirs, run in (
        ("the effective SDE of v", effective, "`run_effective`", "Platen's scheme", numpy_effective),
        ("the SDE of both weights", whole, "`run_weights`", "Milstein's scheme", numpy_weights),
    ):
        yield Work(
            work=f"{name}, two-layer diagonal net, {SDE_CHAINS:,} chains to t = {END:g}",
            ours=call,
            peer="numpy",
            theirs=f"{theirs}, vectorised, the same adapted steps",
            modules=(),
            sides=lambda ours=ours, run=run: (lambda: ours().v[:, 0], run),
            distance=median_errors,
            tolerance=ERRORS,
            unit="standard errors of the medians",
            note="other random numbers",
        )


# ensembles by plain SGD


def eager_ensemble(data: Examples, modules: list[nn.Module], steps: int, batch: int) -> Tensor:
    """One net after the other by nn.Module, autograd, torch.optim.SGD; an epoch is a permutation."""
    torch.manual_seed(1)
    modules = copy.deepcopy(modules)
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
        ("2-16-16-2", moons_set, 16, 32, 100, 200),
        ("784-32-32-10", image_set, 32, 16, 12, 200),
        ("784-32-32-10", image_set, 32, 128, 12, 200),
    ):
        data = make()
        first, *others = [p.numel() for p in perceptron(data, width, 0).parameters() if p.ndim == 2]
        work = nets * steps * batch * (2 * first + 3 * sum(others))
        for theirs, run in (("a loop of eager nets", eager_ensemble), ("`vmap(grad)` of all", vmap_ensemble)):

            def sides(run=run, data=data, width=width, batch=batch, nets=nets, steps=steps) -> Sides:
                starts = [perceptron(data, width, seed) for seed in range(nets)]
                ours = lambda: our_ensemble(data, starts, steps, batch)  # noqa: E731
                return ours, lambda: run(data, starts, steps, batch)

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


def works() -> Iterator[Work | Alone]:
    yield from chain_works()
    yield from sde_works()
    yield from training_works.works()
    yield from ensemble_works()
    yield from matrix_works.works()
