"""Time a training step of a net in the ensemble trainer and in a loop of eager PyTorch nets, in one process.

    OMP_NUM_THREADS=1 python benchmarks/ensemble.py [nets]

Both train the same nets by plain SGD on the same mini-batches: the loop with nn.Module, autograd and
torch.optim.SGD, one net after the other, its batches cut from one permutation per epoch by an index tensor
(no DataLoader, which would cost it more). Processor time of one thread, the fastest of alternating rounds.
Exit status 1 if the ensemble is not eight times faster on the moons nets (2-16-16-2, batch 32), the ensemble
of Figs 1, 3 and 4; larger nets are bound by arithmetic and only reported.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from sgdiffusion import networks
from sgdiffusion.data.moons import moons
from sgdiffusion.dynamics.ensembles.batched import stack
from sgdiffusion.dynamics.ensembles.batched_mlp import batched
from sgdiffusion.dynamics.ensembles.ensemble import train
from sgdiffusion.dynamics.examples import Examples

ROUNDS, FLOOR, RATE = 3, 8.0, 0.1


def build(data: Examples, width: int, seed: int) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    sizes = {"width": width, "depth": 2, "batch_norm": False}
    classes = int(data.y.max()) + 1
    shape = (data.x.shape[1],)
    return networks.build("mlp", in_shape=shape, classes=classes, generator=generator, **sizes)


def loop(data: Examples, modules: list[nn.Module], steps: int, batch: int) -> None:
    """One net after the other."""
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


def together(data: Examples, modules: list[nn.Module], steps: int, batch: int) -> None:
    """All at once."""
    count = len(modules)
    given = {"rates": [RATE] * count, "batch_sizes": [batch] * count, "seeds": list(range(count))}
    train(batched(modules[0]), data, stack(modules), "sgd", steps=steps, **given)


def seconds(run: Callable[[], None]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def compare(name: str, data: Examples, width: int, batch: int, nets: int, steps: int) -> float:
    """The ratio of the times of a net's step; the loop has fewer nets, whose time is the same for each."""
    best = {"loop": np.inf, "ensemble": np.inf}
    few = max(1, nets // 20)
    for _ in range(ROUNDS):
        modules = [build(data, width, seed) for seed in range(nets)]
        best["ensemble"] = min(
            best["ensemble"], seconds(lambda m=modules: together(data, m, steps, batch)) / (nets * steps)
        )
        best["loop"] = min(
            best["loop"], seconds(lambda m=modules: loop(data, m[:few], steps, batch)) / (few * steps)
        )
    ratio = best["loop"] / best["ensemble"]
    micro = {k: 1e6 * v for k, v in best.items()}
    print(f"{name}, batch {batch}, {nets} nets: loop {micro['loop']:.1f} µs a net's step, ", end="")
    print(f"ensemble {micro['ensemble']:.1f} µs: {ratio:.1f} times", flush=True)
    return ratio


def main(nets: int) -> bool:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    x, y = moons(200, 0.2, rng)
    small = Examples(torch.from_numpy(x), torch.from_numpy(y))
    images = torch.from_numpy(rng.standard_normal((5000, 784), dtype=np.float32))
    large = Examples(images, torch.from_numpy(rng.integers(10, size=5000)))
    ratio = compare("2-16-16-2", small, 16, 32, nets, 300)
    for batch in (16, 128):
        compare("784-32-32-10", large, 32, batch, min(nets, 24), 60)
    return ratio >= FLOOR


if __name__ == "__main__":
    sys.exit(0 if main(int(sys.argv[1]) if len(sys.argv) > 1 else 200) else 1)
