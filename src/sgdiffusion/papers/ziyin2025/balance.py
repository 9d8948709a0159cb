"""Fig 2 of Ziyin, Li & Ueda (2025), Theorem 3.1 along a real training, the bound of eq. 4 and Theorem 3.2.

Measured along the trainings of two_layer.py. C₁ and C₂ are exact over the data set. Here u is the first
layer, with its biases if any, and w the second, in eq. 5 the other way round; Theorem 3.1 is symmetric in
them. A step changes ‖u‖² − ‖w‖² in expectation by exactly

    (η²/S)(wᵀC₂w − uᵀC₁u) + η²(‖∇_u L‖² − ‖∇_w L‖²),

the first term being Theorem 3.1 with T = η/S per η of time, the second what discrete time adds: eq. 44 with η
where it prints T. Learning rates and batch sizes are crossed, and windows compared at equal T·t: over the
first the imbalance decays by six e-folds, over the last it rests.
"""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from sgdiffusion.config.readings import Reading
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.errors import MeasureError
from sgdiffusion.inputs.losses import squared_error
from sgdiffusion.measures.noise.balance import Balance, layer_pair
from sgdiffusion.measures.statistics.intervals import Estimate, mean_interval
from sgdiffusion.papers.tables import documented, estimated, quantity
from sgdiffusion.papers.task import Task
from sgdiffusion.papers.ziyin2025.common import Array, integral
from sgdiffusion.papers.ziyin2025.readings import Tables, joined, varied
from sgdiffusion.papers.ziyin2025.settings import TwoLayer
from sgdiffusion.papers.ziyin2025.two_layer import SCALES, Arrays, Case, cases_of, layers_of, noisy_identity

DECAY, REST = 0.4, 0.5  # shares of the training: the window of decay ends, that of rest begins
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


def _balance(weights: Tensor, net: nn.Module, data: Examples, eigenvalues: bool = False) -> Balance:
    torch.nn.utils.vector_to_parameters(weights, net.parameters())
    double = net.double()
    return layer_pair(
        double, *layers_of(double), data.x.double(), data.y.double(), squared_error, eigenvalues
    )


def two_layer(trained: Arrays, run: TwoLayer, root_seed: int) -> Tables:
    """Norms and noise terms along the training of every case, what both windows give, the bounds."""
    norms, bounds, windows, quantities = [], [], [], []
    for case in cases_of(run):
        path, bound = _path(trained, case, run, root_seed)
        found = _windows(path, case)
        norms.append(path)
        bounds.append(bound)
        windows += found
        quantities += _quantities(found, bound, case)
    return {
        "norms": documented(pd.concat(norms, ignore_index=True), NORM_COLUMNS),
        "bounds": documented(pd.concat(bounds, ignore_index=True), BOUND_COLUMNS),
        "windows": documented(windows, WINDOW_COLUMNS),
        "quantities": pd.DataFrame([*quantities, *_returns(norms)]),
    }


def _path(trained: Arrays, case: Case, run: TwoLayer, root_seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Norms and noises at every record of every seed, and the bounds at the end."""
    data = noisy_identity(run.n_examples, root_seed, case.outputs)
    steps = trained[f"{case.name}.steps"].astype(float)
    paths, bounds = [], []
    for seed, kept in enumerate(torch.from_numpy(trained[f"{case.name}.kept"])):
        net = case.net(root_seed, seed)
        paths.append(_over_training(seed, [_balance(weights, net, data) for weights in kept], steps, case))
        bounds.append(_bound_row(seed, _balance(kept[-1], net, data, eigenvalues=True)))
    norms = pd.concat(paths, ignore_index=True).assign(case=case.name, batch=case.batch, rate=case.rate)
    return norms, pd.DataFrame(bounds).assign(case=case.name)


def _over_training(seed: int, path: list[Balance], steps: Array, case: Case) -> pd.DataFrame:
    def total(name: str) -> Array:
        return np.array([float(getattr(b, name).sum()) for b in path])

    times, difference = steps * case.rate, total("u_squared") - total("w_squared")
    temperature, pull = case.rate / case.batch, total("u_gradient") - total("w_gradient")
    predicted = -temperature * integral(total("u_noise") - total("w_noise"), times)
    pulled = integral(pull, times)
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


def measure(task: Task, run: TwoLayer, trained: Arrays) -> Tables:
    """The numbers of Fig 2 and Theorem 3.1 along the trainings."""
    return two_layer(trained, run, task.root_seed)


def two_layer_readings(task: Task, run: TwoLayer, readings: list[Reading], trained: Arrays) -> Tables:
    """The same under other readings."""
    calls = (
        (name, partial(_of_reading, trained, name, settings, task.root_seed))
        for name, settings in varied(run, readings)
    )
    return joined(task, calls)


def _of_reading(trained: Arrays, name: str, settings: TwoLayer, root_seed: int) -> Tables:
    own = {key.removeprefix(f"{name}/"): a for key, a in trained.items() if key.startswith(f"{name}/")}
    if not own:
        raise MeasureError("its nets diverged: see the log of their training")
    return two_layer(own, settings, root_seed)
