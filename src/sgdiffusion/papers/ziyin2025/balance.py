"""Fig 2 of Ziyin, Li & Ueda (2025), Theorem 3.1 along a real training, the bound of eq. 4 and Theorem 3.2.

Σ_i u_i ReLU(w_i·x) with loss ‖f − y‖² (eq. 6) on y = x + ε, and once with the biases of eq. 5: the figure is
of "the two weight matrices". C₁ and C₂ are exact over the data set, which SGD samples with replacement. Here
u is the first layer, with its biases if any, and w the second, in eq. 5 the other way round; Theorem 3.1 is
symmetric in them. A step changes ‖u‖² − ‖w‖² in expectation by exactly

    (η²/S)(wᵀC₂w − uᵀC₁u) + η²(‖∇_u L‖² − ‖∇_w L‖²),

the first term being Theorem 3.1 with T = η/S per η of time, the second what discrete time adds: eq. 44 with η
where it prints T. Learning rates and batch sizes are crossed, and windows compared at equal T·t: over the
first the imbalance decays by six e-folds, over the last it rests.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from sgdiffusion import networks
from sgdiffusion.config.readings import Reading
from sgdiffusion.dynamics.ensembles import ensemble
from sgdiffusion.dynamics.ensembles.batched import stack
from sgdiffusion.dynamics.ensembles.batched_mlp import BatchedMlp
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.errors import TrainingError
from sgdiffusion.inputs.losses import squared_error
from sgdiffusion.measures.noise.balance import Balance, layer_pair
from sgdiffusion.measures.statistics.intervals import Estimate, mean_interval
from sgdiffusion.papers.tables import documented, estimated, quantity
from sgdiffusion.papers.task import Task
from sgdiffusion.papers.ziyin2025.common import Array, named_seed
from sgdiffusion.papers.ziyin2025.readings import measured
from sgdiffusion.papers.ziyin2025.settings import TwoLayer
from sgdiffusion.streams import generator

SIDE, WIDTH, FEW = 20, 200, 5  # of the paper's net 20 → 200 → 20; outputs of the uneven one, 20 → 200 → 5
RECORDS = 40  # on a logarithmic scale, and as many on a linear one
DECAY, REST = 0.4, 0.5  # shares of the training: the window of decay ends, that of rest begins
SCALES = (0.7, 1.4)  # λ by which trained layers are put off balance
FULL_RANK = 1e-9  # least over largest eigenvalue of C₁ and C₂ of an active unit

NORM_COLUMNS = {
    "case": "s<S>.e<η>; with biases, outputs other than 20, λ of a start out of balance named behind",
    "batch": "S",
    "rate": "η",
    "seed": "of initial weights and batches",
    "step": "step of SGD",
    "time": "step · η",
    "u_squared": "‖u‖², first layer",
    "w_squared": "‖w‖², second layer",
    "u_noise": "uᵀC₁u = Tr Cov(∇_w ℓ)",
    "w_noise": "wᵀC₂w = Tr Cov(∇_u ℓ)",
    "pull": "‖∇_u L‖² − ‖∇_w L‖²",
    "change": "‖u‖² − ‖w‖² minus its initial value: the left side of Theorem 3.1, integrated",
    "predicted": "−T ∫ (uᵀC₁u − wᵀC₂w) dt along the same training: its right side",
    "printed": "predicted + T ∫ (‖∇_u L‖² − ‖∇_w L‖²) dt: eq. 44 as printed",
    "corrected": "predicted + η ∫ (‖∇_u L‖² − ‖∇_w L‖²) dt: eq. 44 with η for its T",
}
BOUND_COLUMNS = {
    "case": NORM_COLUMNS["case"],
    "seed": NORM_COLUMNS["seed"],
    "norm_ratio": "‖u‖²/‖w‖² at the end",
    "low": "λ₂ₘ/λ₁ᴹ of eq. 4",
    "high": "λ₂ᴹ/λ₁ₘ of eq. 4 (infinite where λ₁ₘ = 0)",
    "unit_low": "5 % quantile over active hidden units of uⱼᵀC₁uⱼ/wⱼᵀC₂wⱼ at the end",
    "unit_median": "its median",
    "unit_high": "its 95 % quantile",
    "active": "share of hidden units that some example switches on",
    "full_rank": "share of the active ones whose C₁ and C₂ have a least eigenvalue above "
    f"{FULL_RANK:g} of the largest",
}


WINDOW_COLUMNS = {
    "case": NORM_COLUMNS["case"],
    "batch": "S",
    "rate": "η",
    "measured": "over_…: change of ‖u‖² − ‖w‖² over the window of decay, over that of Theorem 3.1 "
    "(predicted), of eq. 44 (printed) and of eq. 44 with η (corrected); offset: (uᵀC₁u − wᵀC₂w)/their mean "
    "at rest, offset_printed, offset_corrected: the same by eq. 44; norm_ratio, noise_ratio: at rest",
    "value": "mean over seeds",
    "low": "lower end of its 95 % interval",
    "high": "upper end",
}


class Case(NamedTuple):
    """One setting of the training; time is counted with the paper's loss ‖f − y‖²."""

    rate: float
    batch: int
    outputs: int = SIDE
    scale: float = 1.0  # λ of the start (λu, w/λ)
    bias: bool = False  # of the hidden units

    @property
    def name(self) -> str:
        shape = "" if self.outputs == SIDE else f".out{self.outputs}"
        shape += ".bias" if self.bias else ""
        return f"s{self.batch}.e{self.rate:g}{shape}" + ("" if self.scale == 1 else f".x{self.scale:g}")

    def steps(self, span: float) -> int:
        """T·t = span."""
        return max(2, round(span * self.batch / self.rate**2))


def noisy_identity(examples: int, root_seed: int, outputs: int = SIDE) -> Examples:
    """y = the first `outputs` coordinates of x + ε, x and ε standard normal, in SIDE dimensions."""
    stream = generator(root_seed, "ziyin2025", "two-layer", "data")
    x = torch.from_numpy(stream.standard_normal((examples, SIDE)))
    y = x + torch.from_numpy(stream.standard_normal((examples, SIDE)))
    return Examples(x.float(), y[:, :outputs].float())


def _net(root_seed: int, seed: int, outputs: int = SIDE, bias: bool = False) -> nn.Module:
    draws = torch.Generator().manual_seed(named_seed(root_seed, "two-layer", "weights", seed))
    shape: dict[str, Any] = {"in_shape": (SIDE,), "classes": outputs, "width": WIDTH, "bias": bias}
    return networks.build("two-layer-relu", generator=draws, **shape)


def _layers(net: nn.Module) -> tuple[nn.Linear, nn.Linear]:
    first, second = (m for m in net.modules() if isinstance(m, nn.Linear))
    return first, second


def _balance(weights: Tensor, net: nn.Module, data: Examples, eigenvalues: bool = False) -> Balance:
    torch.nn.utils.vector_to_parameters(weights, net.parameters())
    double = net.double()
    return layer_pair(double, *_layers(double), data.x.double(), data.y.double(), squared_error, eigenvalues)


def _out_of_balance(net: nn.Module, scale: float) -> nn.Module:
    """(λu, w/λ), the same function."""
    first, second = _layers(net)
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.mul_(scale)
        second.weight.div_(scale)
    return net.float()


def two_layer(
    *,
    n_examples: int = 4000,
    span: float = 0.5,
    rates: Sequence[float] = (0.0025, 0.005, 0.005, 0.01),
    batches: Sequence[int] = (1, 1, 10, 10),
    seeds: int = 4,
    seed: int = 0,
    threads: int = 1,
) -> dict[str, pd.DataFrame]:
    """Norms and noise terms along the training, for every pair of learning rate and batch size.

    Besides, at the second pair, a net with biases, one of fewer outputs, and its trained weights put off
    balance by (λu, w/λ).
    `span` is T·t of every training.
    """
    runs = _Runs(n_examples, span, seeds, seed)
    for rate, batch in zip(rates, batches, strict=True):
        runs.add(Case(rate, batch))
    runs.add(Case(rates[1], batches[1], bias=True))
    uneven = Case(rates[1], batches[1], FEW)
    ends = runs.add(uneven)
    for scale in SCALES:
        runs.add(uneven._replace(scale=scale), ends)
    return {
        "norms": documented(pd.concat(runs.norms, ignore_index=True), NORM_COLUMNS),
        "bounds": documented(pd.concat(runs.bounds, ignore_index=True), BOUND_COLUMNS),
        "windows": documented(runs.windows, WINDOW_COLUMNS),
        "quantities": pd.DataFrame([*runs.quantities, *_returns(runs.norms)]),
    }


class _Runs:
    """The trainings of all cases and what was measured along them."""

    def __init__(self, n_examples: int, span: float, seeds: int, seed: int):
        self._examples, self._span, self._seeds, self._seed = n_examples, span, seeds, seed
        self.norms: list[pd.DataFrame] = []
        self.bounds: list[pd.DataFrame] = []
        self.windows: list[dict[str, Any]] = []
        self.quantities: list[dict[str, Any]] = []

    def add(self, case: Case, starts: Tensor | None = None) -> Tensor:
        """Train one case, from `starts` put off balance if given; the weights at the end."""
        data = noisy_identity(self._examples, self._seed, case.outputs)
        nets = [_net(self._seed, s, case.outputs, case.bias) for s in range(self._seeds)]
        if starts is not None:
            for net, weights in zip(nets, starts, strict=True):
                torch.nn.utils.vector_to_parameters(weights.clone(), net.parameters())
                _out_of_balance(net, case.scale)
        trained = _train(nets, data, case, self._span, self._seed)
        steps, paths = trained.kept_steps.astype(float), []
        for s, net in enumerate(nets):
            path = [_balance(weights, net, data) for weights in trained.kept[s]]
            paths.append(_over_training(s, path, steps, case))
        last = [_balance(trained.theta[s], nets[s], data, eigenvalues=True) for s in range(self._seeds)]
        norms = pd.concat(paths, ignore_index=True).assign(case=case.name, batch=case.batch, rate=case.rate)
        bounds = pd.DataFrame([_bound_row(s, b) for s, b in enumerate(last)]).assign(case=case.name)
        self.norms.append(norms)
        self.bounds.append(bounds)
        windows = _windows(norms, case)
        self.windows += windows
        self.quantities += _quantities(windows, bounds, case)
        return trained.theta


def trained_nets(
    *, n_examples: int, span: float, rate: float, batch: int, seeds: int, seed: int
) -> tuple[list[nn.Module], Examples]:
    """The nets of one case at the end of their training, and the examples they saw."""
    data, nets = noisy_identity(n_examples, seed), [_net(seed, s) for s in range(seeds)]
    trained = _train(nets, data, Case(rate, batch), span, seed)
    for net, weights in zip(nets, trained.theta, strict=True):
        torch.nn.utils.vector_to_parameters(weights, net.parameters())
    return nets, data


def _train(nets: list[nn.Module], data: Examples, case: Case, span: float, seed: int) -> ensemble.Trained:
    steps, count = case.steps(span), len(nets)
    keep = np.concatenate([[0], np.geomspace(1, steps, RECORDS), np.linspace(0, steps, RECORDS)])
    trained = ensemble.train(
        # ½‖f − y‖² at twice the rate is ‖f − y‖²
        BatchedMlp(nets[0], "squared"), data, stack(nets), "sgd", steps=steps, rates=[2 * case.rate] * count,
        batch_sizes=[case.batch] * count,
        seeds=[named_seed(seed, "two-layer", "batches", case.name, s) for s in range(count)],
        sampling="replacement", keep=np.unique(np.round(keep).astype(int)).tolist(),
    )  # fmt: skip
    if trained.diverged.any():
        raise TrainingError(
            f"the two-layer net of seed {int(np.argmax(trained.diverged))} diverged at learning rate "
            f"{case.rate}, batch {case.batch}: lower the rate"
        )
    return trained


def _integral(values: Array, times: Array) -> Array:
    """∫ from the first record to each, by the trapezoidal rule."""
    pieces = np.diff(times) * (values[1:] + values[:-1]) / 2
    return np.concatenate([[0.0], np.cumsum(pieces)])


def _over_training(seed: int, path: list[Balance], steps: Array, case: Case) -> pd.DataFrame:
    def total(name: str) -> Array:
        return np.array([float(getattr(b, name).sum()) for b in path])

    times, difference = steps * case.rate, total("u_squared") - total("w_squared")
    temperature, pull = case.rate / case.batch, total("u_gradient") - total("w_gradient")
    predicted = -temperature * _integral(total("u_noise") - total("w_noise"), times)
    pulled = _integral(pull, times)
    names = ("u_squared", "w_squared", "u_noise", "w_noise")
    return pd.DataFrame(
        {"seed": seed, "step": steps, "time": times, **{n: total(n) for n in names}, "pull": pull,
         "change": difference - difference[0], "predicted": predicted,
         "printed": predicted + temperature * pulled, "corrected": predicted + case.rate * pulled}
    )  # fmt: skip


def _bound_row(seed: int, balance: Balance) -> dict[str, Any]:
    low, high = balance.bound()
    active = balance.u_noise > 0  # ∇_w ℓ of a dead unit is zero for every example
    ratio = (balance.u_noise / balance.w_noise)[active]
    units = torch.quantile(ratio, torch.tensor([0.05, 0.5, 0.95]).double())
    full = torch.stack([least > FULL_RANK * most for least, most in (balance.c1, balance.c2)]).all(0)
    return {
        "seed": seed, "norm_ratio": balance.norm_ratio, "low": low, "high": high,
        **{name: float(q) for name, q in zip(("unit_low", "unit_median", "unit_high"), units, strict=True)},
        "active": float(active.double().mean()), "full_rank": float(full[active].double().mean()),
    }  # fmt: skip


def _window(path: pd.DataFrame, part: str) -> pd.DataFrame:
    share = path["step"] / path["step"].max()
    return path[share <= DECAY] if part == "decay" else path[share >= REST]


def _decay(path: pd.DataFrame) -> dict[str, float]:
    """Change over the window of decay over what each form of the theorem gives along the same training."""
    early = _window(path, "decay")
    change, last = early["change"], early.iloc[-1]
    found = {f"over_{n}": last["change"] / last[n] for n in ("predicted", "printed", "corrected")}
    return {**found, "largest_deviation": (change - early["predicted"]).abs().max() / change.abs().max()}


def _at_rest(path: pd.DataFrame, case: Case) -> dict[str, float]:
    """Means over the window of rest; offsets in units of the mean of both noises.

    Where ‖u‖² − ‖w‖² rests, uᵀC₁u − wᵀC₂w = S (‖∇_u L‖² − ‖∇_w L‖²) by eq. 44 with η; as printed without S.
    """
    late = _window(path, "rest").mean(numeric_only=True)
    noise = (late["u_noise"] + late["w_noise"]) / 2
    offset, pull = (late["u_noise"] - late["w_noise"]) / noise, late["pull"] / noise
    return {
        "noise_ratio": late["u_noise"] / late["w_noise"],
        "norm_ratio": late["u_squared"] / late["w_squared"],
        "offset": offset,
        "offset_printed": pull,
        "offset_corrected": case.batch * pull,
        "offset_minus_printed": offset - pull,
        "offset_minus_corrected": offset - case.batch * pull,
    }


def _windows(norms: pd.DataFrame, case: Case) -> list[dict[str, Any]]:
    """What both windows give, as means over seeds with intervals."""
    per_seed = pd.DataFrame([_decay(path) | _at_rest(path, case) for _, path in norms.groupby("seed")])
    common = {"case": case.name, "batch": case.batch, "rate": case.rate}
    return [
        {**common, "measured": name, **mean_interval(values.to_numpy())._asdict()}
        for name, values in per_seed.items()
    ]


GROUPS = {"noise_ratio": "fig2", "norm_ratio": "fig2", "largest_deviation": "thm31"} | dict.fromkeys(
    ("over_predicted", "over_printed", "over_corrected"), "thm31"
)  # the first part of a quantity's name; "eq44" of the others


def _quantities(windows: list[dict[str, Any]], bounds: pd.DataFrame, case: Case) -> list[dict[str, Any]]:
    inside = (bounds["norm_ratio"] >= bounds["low"]) & (bounds["norm_ratio"] <= bounds["high"])
    return [
        *(
            estimated(
                f"{GROUPS.get(row['measured'], 'eq44')}.{case.name}.{row['measured']}",
                Estimate(row["value"], row["low"], row["high"], row["n"]),
            )
            for row in windows
        ),
        estimated(f"eq4.{case.name}.low", mean_interval(bounds["low"])),
        estimated(f"fig2.{case.name}.unit_median", mean_interval(bounds["unit_median"])),
        quantity(f"eq4.{case.name}.inside", inside.mean(), n=len(inside), over="seeds"),
        estimated(f"thm32.{case.name}.full_rank", mean_interval(bounds["full_rank"])),
    ]


def _returns(norms: list[pd.DataFrame]) -> list[dict[str, Any]]:
    """From either side of balance: ‖u‖²/‖w‖² at rest over that predicted at the start, λ⁴ times the start's.

    λ⁴ = w*ᵀC₂w*/(u*ᵀC₁u*) at the start is the scale at which the theorem's right side vanishes.
    """
    rows = []
    for table, scale in zip(norms[-len(SCALES) :], SCALES, strict=True):
        reached, started = [], []
        for _, path in table.groupby("seed"):
            first, late = path.iloc[0], _window(path, "rest")
            start = first["u_squared"] / first["w_squared"]
            predicted = first["w_noise"] / first["u_noise"] * start
            reached.append(late["u_squared"].mean() / late["w_squared"].mean() / predicted)
            started.append(start / predicted)
        rows.append(estimated(f"lambda4.x{scale:g}.over_predicted", mean_interval(reached)))
        rows.append(estimated(f"lambda4.x{scale:g}.start", mean_interval(started)))
    return rows


def two_layer_readings(task: Task, run: TwoLayer, readings: list[Reading]) -> dict[str, pd.DataFrame]:
    """The numbers of Fig 2 and Theorem 3.1 under other readings."""
    return measured(two_layer, task, run, readings)
