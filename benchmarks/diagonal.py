"""Chain-steps per second of SGD on the two-layer diagonal net: compiled, vectorised NumPy, torch, in one run.

    OMP_NUM_THREADS=1 python benchmarks/diagonal.py [chains]

All run ℓ = (u w x − y)² with S = 1 and fresh pairs x ~ N(0, 1), y = x + ε on one thread, the same number of
chains and steps, in double precision. Rounds alternate, the fastest of each counts, and time is that of the
processor, so that other work on the machine disturbs little. The loops draw their own random numbers, so
their laws are compared: medians of v must agree within five standard errors. Exit status 1 if they do not, or
if the compiled simulator is not faster than the better loop.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from sgdiffusion.dynamics.chains.diagonal import GaussianData, balanced, run_sgd

STEPS, ROUNDS, RATE, NOISE = 200, 5, 0.05, 0.5


def compiled(chains: int, seed: int) -> np.ndarray:
    return run_sgd(balanced(np.ones(chains), 1), GaussianData(1.0, NOISE), RATE, [STEPS], seed=seed).v[:, 0]


def numpy_loop(chains: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    u, w = np.ones(chains), np.ones(chains)
    for _ in range(STEPS):
        x = generator.standard_normal(chains)
        y = x + NOISE * generator.standard_normal(chains)
        g = 2 * RATE * x * (u * w * x - y)
        u, w = u - g * w, w - g * u
    return u * w


@torch.no_grad()
def torch_loop(chains: int, seed: int) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    u, w = torch.ones(chains, dtype=torch.float64), torch.ones(chains, dtype=torch.float64)
    x, y = torch.empty_like(u), torch.empty_like(u)
    for _ in range(STEPS):
        x.normal_(generator=generator)
        y.normal_(generator=generator).mul_(NOISE).add_(x)
        g = (u * w).mul_(x).sub_(y).mul_(x).mul_(2 * RATE)
        u, w = u.addcmul(g, w, value=-1), w.addcmul(g, u, value=-1)
    return (u * w).numpy()


LOOPS: dict[str, Callable[[int, int], np.ndarray]] = {
    "compiled": compiled,
    "numpy": numpy_loop,
    "torch": torch_loop,
}


def agree(medians: dict[str, float], spread: float, chains: int) -> bool:
    """The medians' standard error is about 1.25 σ/√n with σ from the quartiles; two of them are compared."""
    error = 1.25 * spread / 1.35 * np.sqrt(2 / chains)
    return max(medians.values()) - min(medians.values()) < 5 * error


def main(chains: int) -> bool:
    torch.set_num_threads(1)
    best, medians, spread = dict.fromkeys(LOOPS, np.inf), {}, 0.0
    compiled(10, 0)  # compilation is not counted
    for round_ in range(ROUNDS):
        for name, loop in LOOPS.items():
            start = time.process_time()
            v = loop(chains, round_)
            best[name] = min(best[name], time.process_time() - start)
            medians[name] = float(np.median(v))
            spread = float(np.subtract(*np.quantile(v, [0.75, 0.25])))
    speed = {name: chains * STEPS / seconds for name, seconds in best.items()}
    for name, value in speed.items():
        print(
            f"{name:9s} {value / 1e6:7.1f} million chain-steps a second, {1e9 / value:6.1f} ns a chain-step"
        )
    print(f"medians of v: {', '.join(f'{n} {m:.4f}' for n, m in medians.items())}")
    ratio = speed["compiled"] / max(speed["numpy"], speed["torch"])
    print(f"compiled is {speed['compiled'] / speed['numpy']:.1f} times NumPy, "
          f"{speed['compiled'] / speed['torch']:.1f} times torch")  # fmt: skip
    return agree(medians, spread, chains) and ratio > 1


if __name__ == "__main__":
    sys.exit(0 if main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000) else 1)
