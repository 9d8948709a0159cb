"""Learning coefficients λ̂ beside devinterp: the same net, data and settings, time and estimate.

Both sample w ← w − (ε/2)(nβ ∇L_B + γ(w − w*)) + √ε ξ from the same w* of a trained net, with mini-batches of
one size, and take L(w*) over all examples as the baseline. Mini-batches of the loader are without replacement
within an epoch, ours with: the noise of the gradient differs by a factor 1 − b/n.
"""

import copy
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from floors import Floors
from harness import Work
from torch import Tensor, nn
from torch.nn import functional

import sgdiffusion as sd
from sgdiffusion import networks
from sgdiffusion.data.moons import moons
from sgdiffusion.dynamics.chains.sgld import Sgld
from sgdiffusion.dynamics.ensembles.batched import stack
from sgdiffusion.dynamics.ensembles.batched_mlp import batched
from sgdiffusion.dynamics.ensembles.ensemble import train
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.measures.coefficients.learning_coefficient import default_n_beta, learning_coefficients

Data = tuple[Tensor, Tensor]
Sides = tuple[Callable[[], np.ndarray], Callable[[], np.ndarray]]
CLOSE = 3.0  # standard errors between two estimates
AT_ONCE = 32  # chains of the studies' sampler; devinterp's run one after the other


class _Whole(torch.utils.data.Dataset):
    """Hands out a batch at once, so that no time goes into collecting single examples."""

    def __init__(self, data: Data) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data[0])

    def __getitems__(self, rows: list[int]) -> Data:
        return self.data[0][rows], self.data[1][rows]


def by_devinterp(net: nn.Module, data: Data, plan: Sgld, chains: int) -> Callable[[], np.ndarray]:
    """λ̂ of each chain."""
    from devinterp.optim.sgld import SGLD
    from devinterp.slt.sampler import estimate_learning_coeff_with_summary

    model, batch = copy.deepcopy(net), plan.batch_size or len(data[0])
    loader = torch.utils.data.DataLoader(
        _Whole(data), batch_size=batch, shuffle=batch < len(data[0]), drop_last=True, collate_fn=lambda b: b
    )
    with torch.no_grad():
        baseline = float(functional.cross_entropy(model(data[0]), data[1]))

    def run() -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = estimate_learning_coeff_with_summary(
                model,
                loader,
                evaluate=lambda module, batch: (functional.cross_entropy(module(batch[0]), batch[1]), {}),
                sampling_method=SGLD,
                optimizer_kwargs={
                    "lr": plan.step_size,
                    "localization": plan.localisation,
                    "nbeta": plan.n_beta,
                },
                num_draws=plan.draws,
                num_chains=chains,
                num_burnin_steps=plan.burn_in,
                init_loss=baseline,
                seed=1,
                verbose=False,
            )
        return plan.n_beta * (np.asarray(found["loss/trace"], float).mean(-1) - baseline)

    return run


def standard_errors(ours: np.ndarray, theirs: np.ndarray) -> float:
    """|difference of the means over chains| in its standard errors."""
    error = np.hypot(*(s.std(ddof=1) / np.sqrt(len(s)) for s in (ours, theirs)))
    return float(abs(ours.mean() - theirs.mean()) / error)


def near_minimum(data: Data) -> nn.Module:
    """2-16-16-2."""
    torch.manual_seed(0)
    layers = nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2)
    net = nn.Sequential(*layers)
    for rate, steps in ((1e-2, 600), (1e-3, 300)):
        optimiser = torch.optim.Adam(net.parameters(), rate)
        for _ in range(steps):
            optimiser.zero_grad()
            functional.cross_entropy(net(data[0]), data[1]).backward()
            optimiser.step()
    return net.eval()


def library_sides() -> Sides:
    x, y = moons(500, 0.3, np.random.default_rng(0))
    data, chains = (torch.from_numpy(x), torch.from_numpy(y)), 8
    net = near_minimum(data)
    size = {"draws": 400, "burn_in": 200}

    def ours() -> sd.LearningCoefficient:
        options = {"chains": chains, "every": 1, "rounds": 0, "localisation": 100.0, "progress": False}
        return sd.learning_coefficient(net, data, **options, **size)

    first = ours()
    step = float(first.to_frame()["step_size"].iloc[0])  # the same in every call: one seed
    plan = Sgld(step, first.settings["n_beta"], 100.0, integrator="euler", **size)
    return lambda: ours().traces.mean(-1), by_devinterp(net, data, plan, chains)


@dataclass(frozen=True)
class Case:
    """A net of the studies, rate and length of the descent to w*, and the settings of both samplers."""

    name: str
    data: Callable[[], Examples]
    width: int
    rate: float
    descent: int
    batch: int | None
    """None: all in every step."""
    step_size: float
    draws: int
    burn_in: int

    @property
    def steps(self) -> int:
        """Of a chain."""
        return self.burn_in + self.draws


def images() -> Examples:
    rng = np.random.default_rng(0)
    labels = rng.integers(10, size=5000)
    centres = 0.3 * rng.standard_normal((10, 784))
    x = torch.from_numpy((centres[labels] + rng.standard_normal((5000, 784))).astype(np.float32))
    return Examples(x, torch.from_numpy(labels))


def points() -> Examples:
    x, y = moons(200, 0.2, np.random.default_rng(0))
    return Examples(torch.from_numpy(x), torch.from_numpy(y))


CASES = (
    Case("784-32-32-10", images, 32, 0.05, 1_000, 512, 1e-5, 40, 20),
    Case("2-16-16-2", points, 16, 0.1, 5_000, None, 2e-4, 150, 50),
)


def sampler_sides(case: Case) -> Sides:
    data = case.data()
    module = networks.build(
        "mlp",
        in_shape=(data.x.shape[1],),
        classes=int(data.y.max()) + 1,
        generator=torch.Generator().manual_seed(0),
        width=case.width,
        depth=2,
        batch_norm=False,
    )
    net, one = batched(module), {"rates": [case.rate], "batch_sizes": [32], "seeds": [1]}
    point = train(net, data, stack([module]), "sgd", steps=case.descent, **one).theta
    nn.utils.vector_to_parameters(point[0].clone(), module.parameters())
    given = {"draws": case.draws, "burn_in": case.burn_in, "batch_size": case.batch}
    plan = Sgld(case.step_size, default_n_beta(len(data)), 100.0, integrator="euler", **given)

    def ours() -> np.ndarray:
        found = learning_coefficients(net, data, point, plan, chains=AT_ONCE, seed=0, baseline="full")
        return found.traces[0].mean(-1)

    return ours, by_devinterp(module, (data.x, data.y), plan, AT_ONCE)


def floor(speeds: Floors, case: Case) -> float:
    """Seconds of the chain steps' products, forward and backward, and of a normal number for each weight."""
    data, width = case.data(), case.width
    first, others = data.x.shape[1] * width, width**2 + width * (int(data.y.max()) + 1)
    products = (case.batch or len(data)) * (2 * first + 3 * others)
    return (
        AT_ONCE
        * (case.draws + case.burn_in)
        * (products / speeds.products + (first + others) / speeds.normals)
    )


def works() -> Iterator[Work]:
    given = {
        "peer": "devinterp",
        "theirs": "`estimate_learning_coeff_with_summary`, `SGLD`",
        "modules": ("devinterp.optim.sgld", "devinterp.slt.sampler"),
        "distance": standard_errors,
        "tolerance": CLOSE,
        "unit": "standard errors over chains",
    }
    yield Work(
        work="λ̂ of 2-16-16-2, n = 500, all in every step, 8 chains of 600 steps",
        ours="`sd.learning_coefficient`",
        sides=library_sides,
        note="same w*, nβ, γ, ε, draws and L(w*); ours finds ε first, which its time includes, and averages "
        "the noise of two steps, while the Euler step there adds about ε nβ Tr ∇²L/8 to λ̂",
        **given,
    )
    for case in CASES:
        batch = f"{case.batch} of 5,000" if case.batch else "all 200"
        yield Work(
            work=f"λ̂ of {case.name}, {batch} in every step, {AT_ONCE} chains of {case.steps} steps",
            ours="the studies' `learning_coefficients`",
            sides=lambda case=case: sampler_sides(case),
            note="the same Euler steps, ours of all chains at once; floor: products and noise",
            floor=lambda f, case=case: floor(f, case),
            **given,
        )
