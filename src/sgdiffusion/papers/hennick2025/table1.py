"""Table 1 of Hennick & De Baerdemacker (2025): six larger models, and the vision networks on CIFAR as well.

Of each model: the exponent of R(t) in the window, λ̄ from chains along the training, and eq. 17's
d_s = 2 λ̄ · exponent; the printed α = d_s/(2λ) is that exponent. An interval is over one training only: of
the exponent by the residuals of its fit, of λ̄ by the chains.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from sgdiffusion.dynamics.ensembles.serial import ExampleLoss, Logits, Serial, class_losses
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.dynamics.training.finetuning import Finetuned
from sgdiffusion.errors import MeasureError
from sgdiffusion.inputs.losses import next_token_losses
from sgdiffusion.measures.statistics.intervals import Estimate
from sgdiffusion.measures.trajectories.dimensions import power_laws, spectral_dimension, window_of
from sgdiffusion.networks import build_torchvision
from sgdiffusion.papers.hennick2025.coefficients import COLUMNS as CHAIN_COLUMNS
from sgdiffusion.papers.hennick2025.coefficients import coefficient_table
from sgdiffusion.papers.hennick2025.published import TABLE1
from sgdiffusion.papers.hennick2025.runs import coefficient_means
from sgdiffusion.papers.hennick2025.settings import Langevin, LargerTraining
from sgdiffusion.papers.tables import documented, estimated, finite_quantities

PAPERS_SET = "tiny-imagenet"

DISPLACEMENT_COLUMNS = {
    "step": "training step t",
    "displacement": "R(t) = ‖w(t) − w(0)‖ over all trained weights",
    "since_last_leg": "‖w(t) − w(start of the last leg)‖; empty before",
    "loss": "cross-entropy of the step's batch, nats",
}
COEFFICIENT_COLUMNS = {"run": "always 0", "step": "training step of the weights", **CHAIN_COLUMNS}
ROW_COLUMNS = {
    "model": "network or language model, with the set where it is not the paper's",
    "data": "what it was trained on",
    "weights": "d",
    "mean_llc": "λ̄ over the time of the training (eq. 16)",
    "llc_low": "lower end of its 95 % interval over chains",
    "llc_high": "upper end",
    "llc": "λ̂ at the end",
    "slope": "exponent of R(t) in the window: the printed α",
    "slope_low": "lower end of its 95 % interval (residuals correlated in ln t)",
    "slope_high": "upper end",
    "spectral_dimension": "d_s = 2 λ̄ slope (eq. 17)",
    "spectral_low": "lower end of its 95 % interval",
    "spectral_high": "upper end",
    "r2": "of the power law in the window",
    "r2_brownian": "with the exponent held at 1/2, in the same window",
    "slope_last_leg": "exponent of the displacement since the last leg began, by that leg's own steps",
    "test_loss": "cross-entropy of the test examples at the end, nats",
    "displacement": "R at the end",
    "marks": "diagnoses of λ̂ along the training; empty: nothing",
}


class Problem(NamedTuple):
    """A model with its examples and the loss of one example."""

    net: nn.Module
    loss: ExampleLoss
    train: Examples
    test: Examples


def vision_problem(
    name: str, x: Tensor, y: Tensor, x_test: Tensor, y_test: Tensor, classes: int, seed: int
) -> Problem:
    """A network of torchvision with random weights on labelled images."""
    net = build_torchvision(name, classes=classes, generator=torch.Generator().manual_seed(seed))
    return Problem(net, class_losses, Examples(x, y), Examples(x_test, y_test))


def language_problem(model: nn.Module, train: Tensor, test: Tensor) -> Problem:
    """A language model on blocks of tokens; an example is a block, its targets are its own next tokens."""
    vocabulary = int(model.get_input_embeddings().weight.shape[0])  # type: ignore[operator]
    if int(max(train.max(), test.max())) >= vocabulary:
        raise MeasureError(
            f"tokens above the model's vocabulary of {vocabulary:,}: another model's tokenizer?"
        )
    return Problem(Logits(model), next_token_losses, Examples(train, train), Examples(test, test))


def displacement_table(trained: Finetuned) -> pd.DataFrame:
    """R(t) as recorded."""
    columns = (trained.steps, trained.displacements, trained.since_last_leg, trained.losses)
    return documented(dict(zip(DISPLACEMENT_COLUMNS, columns, strict=True)), DISPLACEMENT_COLUMNS)


def coefficients(
    problem: Problem,
    theta: Tensor,
    steps: np.ndarray,
    plan: Langevin,
    *,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """λ̂ at each kept instant: one after the other, because a few copies of such weights fill a device."""
    net, parts = Serial(problem.net, problem.loss, statistics="batch"), []
    device = problem.train.x.device
    for i, (row, step) in enumerate(zip(theta, steps, strict=True)):
        part = coefficient_table(net, problem.train, row[None].to(device), plan, seed=seed + i)
        parts.append(part.assign(run=0, step=int(step)))
        if progress is not None:
            progress(i + 1, len(steps))
    return documented(pd.concat(parts, ignore_index=True), COEFFICIENT_COLUMNS)


@torch.no_grad()
def average_test_loss(problem: Problem, theta: Tensor, batch_size: int) -> float:
    """Mean over the test examples, in batches of the training's size (batch-norm by the batch)."""
    net, test = Serial(problem.net, problem.loss, statistics="batch"), problem.test
    size = min(batch_size, len(test))
    rows = theta[None].to(test.x.device)
    losses = [
        float(net.losses(rows, test.x[None, i : i + size], test.y[None, i : i + size]))
        for i in range(0, len(test) - size + 1, size)
    ]
    return float(np.mean(losses))


def model_row(
    model: str,
    data: str,
    weights: int,
    displacement: pd.DataFrame,
    found: pd.DataFrame,
    training: LargerTraining,
    window: list[float],
    test_loss: float,
) -> pd.DataFrame:
    """The row of one model: eq. 17 in the window, given as fractions of the training."""
    steps, last = displacement["step"].to_numpy(), float(training.steps)
    walk = displacement["displacement"].to_numpy()
    law = power_laws(steps, walk, first=window[0] * last, last=window[1] * last).iloc[0]
    means = coefficient_means(found, last)
    if means.empty:
        raise MeasureError(
            f"{model}: no chain at some instant stayed finite; see its coefficients, lower `share`"
        )
    mean, error = float(means["mean_llc"].iloc[0]), float(means["mean_llc_error"].iloc[0])
    d_s, spread = spectral_dimension(law["slope"], law["error"], mean, error)
    row = {
        "model": model,
        "data": data,
        "weights": weights,
        "mean_llc": mean,
        "llc_low": mean - 1.96 * error,
        "llc_high": mean + 1.96 * error,
        "llc": float(means["llc"].iloc[0]),
        "slope": law["slope"],
        "slope_low": law["low"],
        "slope_high": law["high"],
        "spectral_dimension": float(d_s),
        "spectral_low": float(d_s - 1.96 * spread),
        "spectral_high": float(d_s + 1.96 * spread),
        "r2": law["r2"],
        "r2_brownian": law["r2_brownian"],
        "slope_last_leg": _last_leg_slope(displacement, training),
        "test_loss": test_loss,
        "displacement": walk[-1],
        "marks": means["diagnoses"].iloc[0],
    }
    return documented([row], ROW_COLUMNS)


def _last_leg_slope(displacement: pd.DataFrame, training: LargerTraining) -> float:
    """The exponent of the walk since the last leg began over the last decade of that leg's own steps."""
    begun = round(training.legs[-2].until * training.steps) if len(training.legs) > 1 else 0
    late = displacement[np.isfinite(displacement["since_last_leg"]) & (displacement["step"] > begun)]
    own = late["step"].to_numpy() - begun
    window_of(own, 0.1 * own[-1], own[-1])
    law = power_laws(own, late["since_last_leg"], first=0.1 * own[-1], last=own[-1])
    return float(law["slope"].iloc[0])


def run_quantities(rows: pd.DataFrame) -> pd.DataFrame:
    """`table1.<model>.llc`, `.spectral_dimension`, `.exponent`, `.r2_power`, `.r2_brownian` of every row."""
    found = []
    for row in rows.to_dict("records"):
        name = f"table1.{row['model']}"
        intervals = {
            "llc": ("mean_llc", "llc_low", "llc_high"),
            "spectral_dimension": ("spectral_dimension", "spectral_low", "spectral_high"),
            "exponent": ("slope", "slope_low", "slope_high"),
            "r2_power": ("r2", "r2", "r2"),
            "r2_brownian": ("r2_brownian", "r2_brownian", "r2_brownian"),
        }
        for key, columns in intervals.items():
            value, low, high = (float(row[c]) for c in columns)
            found.append(estimated(f"{name}.{key}", Estimate(value, low, high, 1), over="training"))
    return finite_quantities(found)


def model_name(network: str, data: str) -> str:
    """The name of a vision row: the network's own on the paper's set, with the set elsewhere."""
    return network if data == PAPERS_SET else f"{network}-{data}"


def table1(rows: pd.DataFrame) -> pd.DataFrame:
    """Table 1: what is published beside what is measured, the paper's six models in its order first."""
    order = [*TABLE1, *(m for m in rows["model"] if m not in TABLE1)]
    table = rows.set_index("model").loc[[m for m in order if m in set(rows["model"])]].reset_index()
    published = [TABLE1.get(model, ("", "", "", "")) for model in table["model"]]
    beside = pd.DataFrame(
        published, columns=["published_llc", "published_d_s", "published_alpha", "published_r2"]
    )
    columns = {**dict.fromkeys(beside.columns, "Table 1, as printed"), **ROW_COLUMNS}
    joined = pd.concat([beside, table], axis=1)
    return documented(joined, {"model": ROW_COLUMNS["model"], "data": ROW_COLUMNS["data"], **columns})
