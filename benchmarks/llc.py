"""Local learning coefficients beside devinterp 1.3.2: the same net, data and settings, time and estimate.

    pip install --no-deps devinterp==1.3.2 einops    # once; no dependency of this project
    OMP_NUM_THREADS=1 python benchmarks/llc.py [rounds]

Both sample the same chains, w ← w − (ε/2)(nβ ∇L_B + γ(w − w*)) + √ε ξ with mini-batches of the same size,
from the same w* of a trained 784-32-32-10 net and of a 2-16-16-2 moons net, and take the same L(w*) over all
examples as the baseline. The time of a chain step is the slope between a short and a long run, so that
neither side pays for setting up. It is processor time of one thread; rounds of the two alternate and the
fastest short and the fastest long run of each count, so that other work on the machine disturbs as little as
it can, and both alike. Mini-batches of the loader are without replacement within an epoch, ours with: the
noise of the gradient differs by a factor 1 − b/n, far below what is compared.

Exit status 1 if the ratio is below 3 (784-32-32-10) or 30 (2-16-16-2) at the batch sizes of the studies, or
if the estimates differ by more than three standard errors; 2 without devinterp.
"""

import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from sgdiffusion import networks
from sgdiffusion.data.moons import moons
from sgdiffusion.dynamics.chains.averages import average_loss
from sgdiffusion.dynamics.chains.sgld import Sgld
from sgdiffusion.dynamics.ensembles.batched import stack
from sgdiffusion.dynamics.ensembles.batched_mlp import batched
from sgdiffusion.dynamics.ensembles.ensemble import train
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.measures.coefficients.learning_coefficient import default_n_beta, learning_coefficients

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from devinterp.optim.sgld import SGLD
        from devinterp.slt.sampler import estimate_learning_coeff_with_summary
except ImportError as missing:
    print(f"error: {missing}. This benchmark compares with devinterp, which the project does not depend on:")
    print("    pip install --no-deps devinterp==1.3.2 einops")
    sys.exit(2)

CHAINS = 32  # of ours at once; devinterp's run one after the other
SHORT, LONG = 20, 170  # draws of the runs whose difference is timed
CLOSE = 3.0  # standard errors between the two estimates


@dataclass(frozen=True)
class Case:
    """A net with its data, where the chains start, and the settings of both."""

    name: str
    module: nn.Module
    data: Examples
    point: Tensor
    plan: Sgld
    floor: float
    """Least ratio of the times; 0: only reported."""


def trained(module: nn.Module, data: Examples, rate: float, batch: int, steps: int) -> Tensor:
    """w* after `steps` steps of SGD."""
    given = {"rates": [rate], "batch_sizes": [batch], "seeds": [1], "steps": steps}
    return train(batched(module), data, stack([module]), "sgd", **given).theta


def perceptron_case() -> tuple[nn.Module, Examples, Tensor]:
    rng = np.random.default_rng(0)
    labels = rng.integers(10, size=5000)
    centres = 0.3 * rng.standard_normal((10, 784))
    x = torch.from_numpy((centres[labels] + rng.standard_normal((5000, 784))).astype(np.float32))
    data = Examples(x, torch.from_numpy(labels))
    module = build(784, 10, 32)
    return module, data, trained(module, data, 0.05, 128, 3000)


def moons_case() -> tuple[nn.Module, Examples, Tensor]:
    x, y = moons(200, 0.2, np.random.default_rng(0))
    data = Examples(torch.from_numpy(x), torch.from_numpy(y))
    module = build(2, 2, 16)
    return module, data, trained(module, data, 0.1, 32, 20000)


def build(inputs: int, classes: int, width: int) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    return networks.build(
        "mlp",
        in_shape=(inputs,),
        classes=classes,
        generator=generator,
        width=width,
        depth=2,
        batch_norm=False,
    )


def cases() -> list[Case]:
    found = []
    for name, make, step, batches, floor in (
        ("784-32-32-10", perceptron_case, 1e-5, (512, 128, 32), 3.0),
        ("2-16-16-2", moons_case, 2e-4, (200, 32), 30.0),
    ):
        module, data, point = make()
        beta = default_n_beta(len(data))
        for batch in batches:
            plan = Sgld(step, beta, 100.0, draws=LONG, burn_in=200, batch_size=batch, integrator="euler")
            found.append(Case(name, module, data, point, plan, floor if batch == batches[0] else 0.0))
    return found


def ours(case: Case, draws: int, chains: int, seed: int) -> np.ndarray:
    """λ̂ of each chain."""
    net, plan = batched(case.module), replace(case.plan, draws=draws)
    found = learning_coefficients(net, case.data, case.point, plan, chains=chains, seed=seed, baseline="full")
    return found.traces[0].mean(-1)


def theirs(case: Case, draws: int, chains: int, seed: int) -> np.ndarray:
    """The same by devinterp."""
    plan = case.plan
    torch.nn.utils.vector_to_parameters(case.point[0].clone(), case.module.parameters())
    set_ = torch.utils.data.TensorDataset(case.data.x, case.data.y)
    loader = torch.utils.data.DataLoader(set_, batch_size=plan.batch_size, shuffle=True, drop_last=True)
    baseline = float(average_loss(batched(case.module), case.data.x, case.data.y, case.point)[0])
    settings = {"lr": plan.step_size, "localization": plan.localisation, "nbeta": plan.n_beta}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = estimate_learning_coeff_with_summary(
            case.module,
            loader,
            evaluate=lambda module, batch: (functional.cross_entropy(module(batch[0]), batch[1]), {}),
            sampling_method=SGLD,
            optimizer_kwargs=settings,
            num_draws=draws,
            num_chains=chains,
            num_burnin_steps=plan.burn_in,
            init_loss=baseline,
            seed=seed,
            verbose=False,
        )
    return np.asarray(plan.n_beta * (np.asarray(found["loss/trace"]).mean(-1) - baseline))


Sampler = Callable[[Case, int, int, int], np.ndarray]
TIMED: dict[Sampler, int] = {ours: CHAINS, theirs: 2}  # chains of a timed call


def seconds(sample: Sampler, case: Case, draws: int, chains: int) -> float:
    """Of one call without burn-in."""
    start = time.process_time()
    sample(replace(case, plan=replace(case.plan, burn_in=0)), draws, chains, 0)
    return time.process_time() - start


def step_times(case: Case, rounds: int) -> dict[Sampler, float]:
    """Seconds of a chain step."""
    runs = {(s, draws): np.inf for s in TIMED for draws in (SHORT, LONG)}
    for _ in range(rounds):
        for sample, draws in runs:
            runs[sample, draws] = min(runs[sample, draws], seconds(sample, case, draws, TIMED[sample]))
    return {s: (runs[s, LONG] - runs[s, SHORT]) / (TIMED[s] * (LONG - SHORT)) for s in TIMED}


def compare(case: Case, rounds: int) -> bool:
    best = step_times(case, rounds)
    ratio = best[theirs] / best[ours]
    micro = [1e6 * best[s] for s in (theirs, ours)]
    print(f"{case.name}, batch {case.plan.batch_size}, n = {len(case.data)}, ε = {case.plan.step_size:g}:")
    print(
        f"  devinterp {micro[0]:8.1f} µs a chain step, here {micro[1]:8.1f} µs: {ratio:.1f} times", flush=True
    )
    if not case.floor:
        return True
    means = {s: s(case, LONG, CHAINS if s is ours else 8, 1) for s in (ours, theirs)}
    value = {s: m.mean() for s, m in means.items()}
    error = {s: m.std(ddof=1) / np.sqrt(len(m)) for s, m in means.items()}
    score = (value[ours] - value[theirs]) / np.hypot(error[ours], error[theirs])
    for label, s in (("devinterp", theirs), ("here", ours)):
        print(f"  λ̂ {label:9s} {value[s]:.3f} ± {1.96 * error[s]:.3f} (95 %, {len(means[s])} chains)")
    print(f"  difference: {score:+.2f} standard errors", flush=True)
    return ratio >= case.floor and abs(score) < CLOSE


def main(rounds: int) -> bool:
    torch.set_num_threads(1)
    verdicts = [compare(case, rounds) for case in cases()]  # all of them, also after a failure
    return all(verdicts)


if __name__ == "__main__":
    sys.exit(0 if main(int(sys.argv[1]) if len(sys.argv) > 1 else 3) else 1)
