"""The local learning coefficient of trained weights, for a network of one's own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor, nn

from sgdiffusion.dynamics.chains.sgld import Integrator
from sgdiffusion.dynamics.ensembles.batched import Batched, stack
from sgdiffusion.dynamics.ensembles.batched_mlp import BatchedMlp, stages_of
from sgdiffusion.dynamics.ensembles.serial import Serial
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.errors import InputError
from sgdiffusion.figures.style import new_figure, style
from sgdiffusion.inputs.data import Forward, Inputs
from sgdiffusion.inputs.losses import Loss, LossName
from sgdiffusion.inputs.numbers import require_number, require_whole
from sgdiffusion.inputs.precision import full_precision
from sgdiffusion.inputs.problem import Problem, read, to_model
from sgdiffusion.library.progress import Progress
from sgdiffusion.library.results import Result
from sgdiffusion.measures.coefficients.learning_coefficient import (
    EXPLANATIONS,
    default_n_beta,
    recipe,
)
from sgdiffusion.measures.coefficients.self_calibrated import ROUNDS, at_step, self_calibrated

LEAST_DRAWS = 8  # below that, convergence cannot be told
LONGEST = 20_000  # steps of a burn-in that nobody has asked for


@dataclass(frozen=True, repr=False)
class LearningCoefficient(Result):
    """λ̂ of one network; see :func:`learning_coefficient`."""

    value: float
    low: float
    high: float
    """Ends of the 95 % interval."""
    weights: int
    examples: int
    table: pd.DataFrame
    """One row: the estimate with R̂, effective sample size, drift, step size, baseline, mean loss."""
    traces: NDArray[np.float64]
    """nβ (L(w) − L(w*)) of every draw, [chains, draws]."""
    settings: dict[str, Any]
    diagnoses: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def summary(self) -> list[str]:
        row, chosen = self.table.iloc[0], self.settings
        return [
            f"λ̂ = {self.value:.4g} [{self.low:.4g}, {self.high:.4g}] of d = {self.weights:,} weights, "
            f"n = {self.examples:,} examples; d/2 = {self.weights / 2:g}",
            f"{self.traces.shape[0]} chains × {self.traces.shape[1]} draws, R̂ {row['r_hat']:.3f}, "
            f"{row['ess']:.0f} effective draws, step {row['step_size']:.3g} ({chosen['step']}), "
            f"nβ {chosen['n_beta']:.4g}, γ {chosen['localisation']:g}",
            f"L(w*) = {row['baseline']:.6g}, mean loss of chains {row['mean_loss']:.6g}",
        ]

    def explained(self) -> list[str]:
        """The diagnoses with what they mean and what to do."""
        return [f"{name}: {EXPLANATIONS[name]}" for name in self.diagnoses]

    def to_frame(self) -> pd.DataFrame:
        """One row."""
        return self.table

    @style()
    def plot(self) -> Figure:
        """Running λ̂ of every chain, with the interval."""
        figure, ax = new_figure(height=2.6)
        draws = np.arange(1, self.traces.shape[1] + 1)
        for trace in self.traces:
            ax.plot(draws, trace.cumsum() / draws, linewidth=1)
        ax.axhspan(self.low, self.high, color="0.85", label="95 % interval")
        ax.axhline(self.value, color="0.3", linestyle="--", label=f"λ̂ = {self.value:.3g}")
        ax.set(xlabel="draws", ylabel="mean of nβ (L(w) − L(w*)) so far")
        figure.legend(loc="outside upper center", ncols=2)
        return figure


@full_precision()
def learning_coefficient(
    model: nn.Module,
    data: Any,
    loss: LossName | Loss = "cross-entropy",
    *,
    forward: Forward | None = None,
    params: Sequence[str] | str | None = None,
    examples: int | None = None,
    device: torch.device | str | None = None,
    chains: int = 4,
    draws: int = 200,
    every: int = 5,
    burn_in: int | None = None,
    batch_size: int | None = None,
    localisation: float = 10.0,
    n_beta: float | None = None,
    step_size: float | None = None,
    integrator: Integrator = "averaged",
    rounds: int = ROUNDS,
    seed: int = 0,
    progress: bool = True,
) -> LearningCoefficient:
    """λ̂(w*) = nβ (E[L(w)] − L(w*)), w ∼ exp{−nβ L_n(w) − (γ/2)‖w − w*‖²}, at the weights w* of ``model``
    (Lau et al. 2024; Hennick & De Baerdemacker 2025), by Langevin chains that find their step size while they
    burn in.

    Arguments: those of :func:`gradients`, and ``chains``, ``draws`` per chain, ``every`` so many steps, after
    ``burn_in`` steps (default: as many as the localisation needs, 500 to 20,000); ``batch_size`` per step
    (default: all examples); ``localisation`` γ; ``n_beta`` (default n/ln n with all n examples);
    ``step_size`` ε (default: found in so many ``rounds``); ``integrator`` "averaged", or "euler" as in other
    packages, which inflates λ̂; ``seed``; ``progress`` shows the time left. Frozen weights stay as they are,
    batch-norm and dropout are as in evaluation mode.

    Returns a :class:`LearningCoefficient` with the interval over chains and what is wrong, if anything is.

    >>> import torch, sgdiffusion as sd
    >>> x = torch.randn(100, 2)
    >>> net = torch.nn.Linear(2, 1, bias=False).eval()
    >>> _ = torch.nn.init.zeros_(net.weight)
    >>> data, options = (x, torch.zeros(100, 1)), {"draws": 20, "burn_in": 100, "progress": False}
    >>> found = sd.learning_coefficient(net, data, "half-squared", **options)
    >>> 0 < found.value < 2
    True
    """
    problem = read(model, data, loss, forward=forward, params=params, examples=examples, device=device)
    beta = default_n_beta(problem.examples) if n_beta is None else n_beta
    _check(chains, draws, every, burn_in, batch_size, localisation, beta, rounds, seed)
    _check_step(step_size, integrator)
    report = Progress("learning coefficient", progress)
    net, held = _net(problem, loss if forward is None else None, report)
    start = stack([problem.model]).to(held.x.device)
    plan = recipe(problem.examples, batch_size=batch_size, localisation=localisation, draws=draws)
    chain = replace(plan, n_beta=beta, every=every, integrator=integrator)
    chain = chain if burn_in is None else replace(chain, burn_in=burn_in)
    about = f"d = {problem.weights:,}, n = {problem.examples:,}: {chains} chains of {chain.steps:,} steps"
    report.say(about + (", whose step is found while they burn in" if step_size is None else " or more"))

    def begin(steps: int) -> None:
        if isinstance(net, _Told):
            net.begin(chains * steps)

    def planned(step: float, left: int) -> None:
        report.say(f"step {step:.3g}; {chains} chains of {left:,} more steps")
        begin(left)

    begin(chain.steps)
    options: dict[str, Any] = {"chains": chains, "seed": seed, "planned": planned}
    options["most"] = LONGEST if burn_in is None else burn_in
    if step_size is None:
        run = self_calibrated(net, held, start, chain, rounds=rounds, **options)
    else:
        run = at_step(net, held, start, replace(chain, step_size=step_size), **options)
    lacking = run.chain.burn_in + run.missing
    short = (
        f"burn_in is {run.chain.burn_in:,}, below the {lacking:,} steps that γ needs at this step: localise "
    )
    short += "more strongly, or give burn_in"
    notes = (*problem.notes, short) if run.missing else problem.notes
    row = run.coefficients.table.iloc[0]
    settings = {
        "n_beta": beta,
        "localisation": localisation,
        "burn_in": run.chain.burn_in,
        "every": every,
        "batch_size": batch_size,
        "integrator": integrator,
        "step": "found" if step_size is None else "given",
        "seed": seed,
    }
    return LearningCoefficient(
        value=float(row["llc"]),
        low=float(row["low"]),
        high=float(row["high"]),
        weights=problem.weights,
        examples=problem.examples,
        table=run.coefficients.table,
        traces=run.coefficients.traces[0],
        settings=settings,
        diagnoses=tuple(name for name in str(row["diagnoses"]).split(", ") if name),
        notes=notes,
    )


def _check(
    chains: int,
    draws: int,
    every: int,
    burn_in: int | None,
    batch_size: int | None,
    localisation: float,
    n_beta: float,
    rounds: int,
    seed: int,
) -> None:
    """Everything that would fail after the sampling."""
    least = {"chains": (chains, 1), "draws": (draws, LEAST_DRAWS), "every": (every, 1), "rounds": (rounds, 0),
             "burn_in": (0 if burn_in is None else burn_in, 0), "seed": (seed, 0),
             "batch_size": (1 if batch_size is None else batch_size, 1)}  # fmt: skip
    for name, (value, lowest) in least.items():
        require_whole(name, value, lowest)
    require_number("n_beta", n_beta, "give a positive number, or None for n/ln n", positive=True)
    require_number("localisation", localisation, "give γ ≥ 0", positive=False)


def _check_step(step_size: float | None, integrator: Integrator) -> None:
    if step_size is not None:
        require_number("step_size", step_size, "give ε > 0, or None to have it found", positive=True)
    if integrator not in get_args(Integrator):
        raise InputError(
            "integrator", f"unknown integrator {integrator!r}", f"expected {', '.join(get_args(Integrator))}"
        )


def _net(problem: Problem, loss: Any, report: Progress) -> tuple[Batched, Examples]:
    """The losses as chains need them: many at once for a plain perceptron, else one after the other."""
    tree = to_model(problem.inputs.tree, problem.model)
    norms = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in problem.model.modules())
    name = {"cross-entropy": "cross-entropy", "half-squared": "squared"}.get(str(loss))
    pair = isinstance(tree, tuple) and len(tree) == 2
    if pair and name is not None and not norms and stages_of(problem.model) is not None:
        return BatchedMlp(problem.model, name), Examples(*tree)  # type: ignore[arg-type]
    rows = torch.arange(problem.examples, device=next(problem.model.parameters()).device)
    held = _Held(Inputs(tree), problem.forward)
    return _Told(_ByIndex(problem.model, held), report), Examples(rows, rows)


class _Held:
    """The examples, which copies of the module share."""

    def __init__(self, inputs: Inputs, forward: Forward) -> None:
        self.inputs, self.forward = inputs, forward

    def __deepcopy__(self, memo: Any) -> "_Held":
        return self


class _ByIndex(nn.Module):
    """A model as a map from indices of examples to their losses: so chains may draw from any tree."""

    def __init__(self, model: nn.Module, held: _Held) -> None:
        super().__init__()
        self.model, self._held = model, held
        self.training = model.training

    def forward(self, rows: Tensor) -> Tensor:
        return self._held.forward(self.model, self._held.inputs.part(rows))


class _Told(Serial):
    """Reports every step that a chain takes."""

    def __init__(self, net: _ByIndex, report: Progress) -> None:
        super().__init__(net, lambda losses, _: losses)
        self._report, self._done, self._total = report, 0, 0

    def begin(self, total: int) -> None:
        """From now on count to ``total``."""
        self._done, self._total = 0, total

    def gradients(
        self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        found = super().gradients(theta, x, y, shares)
        self._done += len(theta)
        if self._total:
            self._report(self._done, self._total)
        return found
