"""Fig 2 of Ziyin, Li & Ueda (2025), Theorem 3.1 along a real training and the bound of eq. 4.

A two-layer ReLU net 20 → 200 → 20 without biases on y = x + ε. C₁ and C₂ are exact over the data set,
which SGD samples with replacement. A step of SGD changes ‖u‖² − ‖w‖² in expectation by exactly

    (η²/S)(wᵀC₂w − uᵀC₁u) + η²(‖∇_u L‖² − ‖∇_w L‖²),

the first term being Theorem 3.1 with T = η/S per η of time, the second what discrete time adds.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from sgdiffusion import networks
from sgdiffusion.dynamics.ensembles import ensemble
from sgdiffusion.dynamics.ensembles.batched import stack
from sgdiffusion.dynamics.ensembles.batched_mlp import BatchedMlp
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.errors import TrainingError
from sgdiffusion.inputs.losses import half_squared_error
from sgdiffusion.measures.noise.balance import Balance, layer_pair
from sgdiffusion.measures.statistics.intervals import mean_interval
from sgdiffusion.papers.tables import documented, estimated, quantity
from sgdiffusion.papers.ziyin2025.common import Array, named_seed
from sgdiffusion.streams import generator

SIDE, WIDTH = 20, 200  # of the paper's net
RECORDS = 60  # on a logarithmic scale, and as many on a linear one
LATE = 0.5  # the second half of the training counts as its end

NORM_COLUMNS = {
    "batch": "S",
    "seed": "of initial weights and batches",
    "step": "step of SGD",
    "time": "step · η",
    "u_squared": "‖u‖², first layer",
    "w_squared": "‖w‖², second layer",
    "u_noise": "uᵀC₁u = Tr Cov(∇_w ℓ)",
    "w_noise": "wᵀC₂w = Tr Cov(∇_u ℓ)",
    "change": "‖u‖² − ‖w‖² minus its initial value: the left side of Theorem 3.1, integrated",
    "predicted": "−T ∫ (uᵀC₁u − wᵀC₂w) dt along the same training: its right side",
    "corrected": "predicted + η ∫ (‖∇_u L‖² − ‖∇_w L‖²) dt: what discrete time adds",
}
BOUND_COLUMNS = {
    "batch": "S",
    "seed": NORM_COLUMNS["seed"],
    "norm_ratio": "‖u‖²/‖w‖² at the end",
    "low": "λ₂ₘ/λ₁ᴹ of eq. 4",
    "high": "λ₂ᴹ/λ₁ₘ of eq. 4 (infinite where λ₁ₘ = 0)",
    "unit_low": "5 % quantile over hidden units of uⱼᵀC₁uⱼ/wⱼᵀC₂wⱼ at the end",
    "unit_median": "its median",
    "unit_high": "its 95 % quantile",
}


def noisy_identity(examples: int, root_seed: int) -> Examples:
    """y = x + ε, x and ε standard normal, in SIDE dimensions."""
    stream = generator(root_seed, "ziyin2025", "two-layer", "data")
    x = torch.from_numpy(stream.standard_normal((examples, SIDE)))
    return Examples(x.float(), (x + torch.from_numpy(stream.standard_normal((examples, SIDE)))).float())


def _net(root_seed: int, seed: int) -> nn.Module:
    draws = torch.Generator().manual_seed(named_seed(root_seed, "two-layer", "weights", seed))
    return networks.build("two-layer-relu", in_shape=(SIDE,), classes=SIDE, generator=draws, width=WIDTH)


def _balance(weights: Tensor, net: nn.Module, data: Examples, eigenvalues: bool = False) -> Balance:
    torch.nn.utils.vector_to_parameters(weights, net.parameters())
    double = net.double()
    first, second = (m for m in double.modules() if isinstance(m, nn.Linear))
    return layer_pair(
        double, first, second, data.x.double(), data.y.double(), half_squared_error, eigenvalues
    )


def two_layer(
    *,
    n_examples: int = 4000,
    steps: int = 30_000,
    rates: Sequence[float] = (0.005, 0.02),
    batches: Sequence[int] = (1, 10),
    seeds: int = 8,
    seed: int = 0,
    threads: int = 1,
) -> dict[str, pd.DataFrame]:
    """Norms and noise terms along the training of several seeds; bounds of eq. 4 at the end.

    One case for every pair of learning rate and batch size. The second term above is S times as large
    against the first as at S = 1.
    """
    data, norms, bounds, quantities = noisy_identity(n_examples, seed), [], [], []
    for rate, batch in zip(rates, batches, strict=True):
        nets = [_net(seed, s) for s in range(seeds)]
        trained = _train(nets, data, steps, rate, batch, seed)
        paths = []
        for s in range(seeds):
            path = [_balance(weights, nets[s], data) for weights in trained.kept[s]]
            paths.append(_over_training(s, path, trained.kept_steps.astype(float), rate, batch))
        last = [_balance(trained.theta[s], nets[s], data, eigenvalues=True) for s in range(seeds)]
        norms.append(pd.concat(paths, ignore_index=True).assign(batch=batch))
        bounds.append(pd.DataFrame([_bound_row(s, b) for s, b in enumerate(last)]).assign(batch=batch))
        quantities += _quantities(norms[-1], bounds[-1], f"s{batch}")
    return {
        "norms": documented(pd.concat(norms, ignore_index=True), NORM_COLUMNS),
        "bounds": documented(pd.concat(bounds, ignore_index=True), BOUND_COLUMNS),
        "quantities": pd.DataFrame(quantities),
    }


def trained_nets(
    *, n_examples: int, steps: int, rate: float, batch: int, seeds: int, seed: int
) -> tuple[list[nn.Module], Examples]:
    """The nets of one case at the end of their training, and the examples they saw."""
    data, nets = noisy_identity(n_examples, seed), [_net(seed, s) for s in range(seeds)]
    trained = _train(nets, data, steps, rate, batch, seed)
    for net, weights in zip(nets, trained.theta, strict=True):
        torch.nn.utils.vector_to_parameters(weights, net.parameters())
    return nets, data


def _train(
    nets: list[nn.Module], data: Examples, steps: int, rate: float, batch: int, seed: int
) -> ensemble.Trained:
    keep = np.concatenate([[0], np.geomspace(1, steps, RECORDS), np.linspace(0, steps, RECORDS)])
    count = len(nets)
    trained = ensemble.train(
        BatchedMlp(nets[0], "squared"), data, stack(nets), "sgd", steps=steps, rates=[rate] * count,
        batch_sizes=[batch] * count,
        seeds=[named_seed(seed, "two-layer", "batches", batch, s) for s in range(count)],
        sampling="replacement", keep=np.unique(np.round(keep).astype(int)).tolist(),
    )  # fmt: skip
    if trained.diverged.any():
        raise TrainingError(
            f"the two-layer net of seed {int(np.argmax(trained.diverged))} diverged at learning rate {rate}, "
            f"batch {batch}: lower the rate"
        )
    return trained


def _integral(values: Array, times: Array) -> Array:
    """∫ from the first record to each, by the trapezoidal rule."""
    pieces = np.diff(times) * (values[1:] + values[:-1]) / 2
    return np.concatenate([[0.0], np.cumsum(pieces)])


def _over_training(seed: int, path: list[Balance], steps: Array, rate: float, batch: int) -> pd.DataFrame:
    def total(name: str) -> Array:
        return np.array([float(getattr(b, name).sum()) for b in path])

    times, difference = steps * rate, total("u_squared") - total("w_squared")
    predicted = -rate / batch * _integral(total("u_noise") - total("w_noise"), times)
    drift = rate * _integral(total("u_gradient") - total("w_gradient"), times)
    names = ("u_squared", "w_squared", "u_noise", "w_noise")
    return pd.DataFrame(
        {"seed": seed, "step": steps, "time": times, **{n: total(n) for n in names},
         "change": difference - difference[0], "predicted": predicted, "corrected": predicted + drift}
    )  # fmt: skip


def _bound_row(seed: int, balance: Balance) -> dict[str, Any]:
    low, high = balance.bound()
    units = torch.quantile(balance.u_noise / balance.w_noise, torch.tensor([0.05, 0.5, 0.95]).double())
    return {
        "seed": seed, "norm_ratio": balance.norm_ratio, "low": low, "high": high,
        **{name: float(q) for name, q in zip(("unit_low", "unit_median", "unit_high"), units, strict=True)},
    }  # fmt: skip


def _quantities(norms: pd.DataFrame, bounds: pd.DataFrame, case: str) -> list[dict[str, Any]]:
    noise, norm, printed, corrected, worst = [], [], [], [], []
    for _, path in norms.groupby("seed"):
        late = path[path["step"] >= LATE * path["step"].max()]
        noise.append(late["u_noise"].mean() / late["w_noise"].mean())
        norm.append(late["u_squared"].mean() / late["w_squared"].mean())
        last = path.iloc[-1]
        printed.append(last["change"] / last["predicted"])
        corrected.append(last["change"] / last["corrected"])
        worst.append((path["change"] - path["predicted"]).abs().max() / path["change"].abs().max())
    inside = (bounds["norm_ratio"] >= bounds["low"]) & (bounds["norm_ratio"] <= bounds["high"])
    return [
        estimated(f"fig2.{case}.noise_ratio", mean_interval(noise)),
        estimated(f"fig2.{case}.norm_ratio", mean_interval(norm)),
        estimated(f"thm31.{case}.ratio", mean_interval(printed)),
        estimated(f"thm31.{case}.ratio_corrected", mean_interval(corrected)),
        estimated(f"thm31.{case}.largest_deviation", mean_interval(worst)),
        estimated(f"eq4.{case}.low", mean_interval(bounds["low"])),
        quantity(f"eq4.{case}.inside", inside.mean(), n=len(inside), over="seeds"),
        estimated(f"fig2.{case}.unit_median", mean_interval(bounds["unit_median"])),
    ]
