"""Rescaling symmetries and the noise balance of their pairs, for a network of one's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from sgdiffusion.errors import InputError
from sgdiffusion.figures.style import new_figure, plain_log_ticks, style
from sgdiffusion.inputs.data import Forward, Inputs
from sgdiffusion.inputs.losses import Loss, LossName
from sgdiffusion.inputs.precision import full_precision
from sgdiffusion.inputs.problem import read
from sgdiffusion.library.progress import Progress
from sgdiffusion.library.results import Result
from sgdiffusion.measures.noise import symmetries as finding
from sgdiffusion.measures.noise.gradients import PerExampleGradients
from sgdiffusion.measures.noise.pair_balance import PairBalance, balanced_pairs, pair_balances
from sgdiffusion.measures.noise.symmetries import Part, Symmetry, find_symmetries

Side = str | Sequence[str]
ONE_LINE, SIDE = 30, 48  # letters: of a pair in a figure of one column, of one side in one of two
COLUMNS = {
    "pair": "modules of u → modules of w; [part]: some entries of a packed weight",
    "kind": "what the two sides are",
    "u": "parameters of u",
    "w": "parameters of w",
}
BALANCE_COLUMNS = {
    "noise_ratio": "uᵀC₁u / wᵀC₂w = Tr Cov(∇_w ℓ) / Tr Cov(∇_u ℓ): 1 at noise balance",
    "norm_ratio": "‖u‖² / ‖w‖²",
    "rescaling": "λ that takes (λu, w/λ) to noise balance",
    "u_noise": "uᵀC₁u = Tr Cov(∇_w ℓ)",
    "w_noise": "wᵀC₂w = Tr Cov(∇_u ℓ)",
    "u_squared": "‖u‖²",
    "w_squared": "‖w‖²",
    "u_gradient": "‖E ∇_u ℓ‖², which the theorem leaves out",
    "w_gradient": "‖E ∇_w ℓ‖²",
}


@dataclass(frozen=True, repr=False)
class Symmetries(Result):
    """The rescaling symmetries of a network; see :func:`symmetries`."""

    table: pd.DataFrame
    skipped: pd.DataFrame
    """Weights without a partner, and the reason."""
    notes: tuple[str, ...] = ()

    def summary(self) -> list[str]:
        pairs, alone = self.table[self.table["w"] != ""], self.table[self.table["w"] == ""]
        return [
            f"{len(pairs)} pairs with ℓ(λu, w/λ) = ℓ(u, w), each tried on examples:",
            *(f"  {row.pair}  ({row.kind})" for row in pairs.itertuples()),
            f"{len(alone)} invariant by themselves, ℓ(λu) = ℓ(u), as their norms' statistics follow: "
            + (", ".join(alone["pair"]) or "none"),
            f"{len(self.skipped)} skipped",
            *(
                f"  {', '.join(rows['weights'])}: {why}"
                for why, rows in self.skipped.groupby("reason", sort=False)
            ),
        ]

    def to_frame(self) -> pd.DataFrame:
        """One row per symmetry."""
        return self.table

    def plot(self) -> Figure:
        """There is nothing to draw: ``noise_balance`` has the pairs' numbers."""
        raise InputError("plot", "symmetries are no numbers", "plot noise_balance(model, data)")


@dataclass(frozen=True, repr=False)
class NoiseBalance(Result):
    """Both sides of the noise balance, pair by pair; see :func:`noise_balance`."""

    table: pd.DataFrame
    skipped: pd.DataFrame
    examples: int
    notes: tuple[str, ...] = ()

    def summary(self) -> list[str]:
        shown = self.table[["pair", "kind", "noise_ratio", "norm_ratio", "rescaling"]]
        text = shown.to_string(index=False, float_format="{:.4g}".format).splitlines()
        return [f"{len(self.table)} pairs over {self.examples:,} examples; 1 is balance", *text,
                f"{len(self.skipped)} weights without a pair: .skipped says why"]  # fmt: skip

    def to_frame(self) -> pd.DataFrame:
        """One row per pair."""
        return self.table

    @style()
    def plot(self) -> Figure:
        """Ratios of noise and of squared norms of every pair on a logarithmic axis; 1 is balance."""
        labels = _labels(list(self.table["pair"]))
        lines = max(label.count("\n") + 1 for label in labels)
        figure, ax = new_figure(lines, height=1.0 + (0.1 + 0.12 * lines) * len(labels))
        rows = np.arange(len(labels))
        ax.axvline(1, color="0.6", linewidth=1)
        ax.plot(self.table["noise_ratio"], rows, "o", label="noise, uᵀC₁u / wᵀC₂w")
        ax.plot(self.table["norm_ratio"], rows, "s", fillstyle="none", label="norms, ‖u‖² / ‖w‖²")
        ax.set_yticks(rows, labels=labels)
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.set(xscale="log", xlabel="ratio of the two sides")
        plain_log_ticks(ax.xaxis)
        figure.legend(loc="outside upper center")
        return figure


def _labels(pairs: Sequence[str]) -> list[str]:
    """Names of pairs, on two lines if any is too long for one; of very long names the last part."""
    if max(map(len, pairs)) <= ONE_LINE:
        return list(pairs)
    sides = [pair.split(" → ") for pair in pairs]
    short = [[s if len(s) <= SIDE else "…" + s[1 - SIDE :] for s in both] for both in sides]
    return ["\n→ ".join(both) for both in short]


def symmetries(
    model: torch.nn.Module,
    data: Any,
    loss: LossName | Loss = "cross-entropy",
    *,
    forward: Forward | None = None,
    params: Sequence[str] | str | None = None,
    examples: int | None = None,
    device: torch.device | str | None = None,
) -> Symmetries:
    """The weights u and w of a network with ℓ(λu, w/λ) = ℓ(u, w) for every λ > 0 and every example.

    Found from the functions that one forward pass calls, so that the network may be written in any way: a
    layer and the next (with its activation of degree one), a norm's scale and shift and the layers that read
    it, values and output of an attention, queries and keys. Each is tried on a few of the examples in double
    precision; what fails or has no partner is listed with the reason.

    Arguments: those of :func:`gradients`. Returns :class:`Symmetries`.

    >>> import torch, sgdiffusion as sd
    >>> net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)).eval()
    >>> sd.symmetries(net, (torch.randn(9, 3), torch.arange(9) % 2)).to_frame()["pair"].tolist()
    ['0 → 2']
    """
    problem = read(
        model, data, loss, forward=forward, params=params, examples=examples, device=device, least=1
    )
    found = find_symmetries(PerExampleGradients(problem.model, problem.inputs, forward=problem.forward))
    return Symmetries(_named(found.found), _skipped(found.skipped), problem.notes)


@full_precision()
def noise_balance(
    model: torch.nn.Module,
    data: Any,
    loss: LossName | Loss = "cross-entropy",
    *,
    pairs: Sequence[tuple[Side, Side]] | None = None,
    forward: Forward | None = None,
    params: Sequence[str] | str | None = None,
    examples: int | None = None,
    device: torch.device | str | None = None,
    vectorise: bool = True,
    progress: bool = True,
) -> NoiseBalance:
    """Both sides of the noise balance uᵀC₁u = wᵀC₂w that SGD drives a rescaling symmetry to (Ziyin, Li & Ueda
    2025, Thm 3.1): d/dt (‖u‖² − ‖w‖²) = −T (uᵀC₁u − wᵀC₂w).

    Arguments: those of :func:`gradients`, and ``pairs``, a list of (u, w) by names of modules or parameters,
    such as ``[("fc1", "fc2")]`` or ``[(["norm.weight", "norm.bias"], "q.weight")]``; default: all that
    :func:`symmetries` finds. Of a module named as u weight and bias count, of one named as w its weight. A
    pair without the symmetry is refused. ``progress`` shows the time left.

    Returns a :class:`NoiseBalance`: a row per pair, the gradients' covariances being over the examples (1/N).

    >>> import torch, sgdiffusion as sd
    >>> net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)).eval()
    >>> found = sd.noise_balance(net, (torch.randn(9, 3), torch.arange(9) % 2), progress=False)
    >>> found.to_frame()[["pair", "kind"]].values.tolist()
    [['0 → 2', 'layer-layer']]
    """
    problem = read(model, data, loss, forward=forward, params=params, examples=examples, device=device)
    stream = PerExampleGradients(
        problem.model, problem.inputs, forward=problem.forward, vectorise=vectorise, reuse=True
    )
    if pairs is not None and not pairs:
        raise InputError(
            "pairs", "found an empty list", "give pairs such as [('fc1', 'fc2')], or None for all"
        )
    if pairs is None:
        found = find_symmetries(stream)
    else:
        found = finding.Symmetries([_given(pair, stream, problem.inputs) for pair in pairs])
    used = balanced_pairs(stream, found.found)
    if not used and found.found:
        names = ", ".join(s.name for s in found.found[:3])
        raise InputError(
            "model", f"weights of all pairs are frozen or left out ({names})", "look at both sides"
        )
    if not used:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in found.skipped[:3])
        raise InputError("model", f"no pair of weights with a rescaling symmetry ({reasons})", "name pairs=…")
    report = Progress("noise balance", progress)
    report.say(f"{len(used)} pairs, {problem.examples:,} examples")
    rows = [_row(sides) for sides in pair_balances(stream, used, report)]
    table = pd.concat([_named(used), pd.DataFrame(rows)], axis=1)
    table.attrs["columns"] = COLUMNS | BALANCE_COLUMNS
    return NoiseBalance(table, _skipped(found.skipped), problem.examples, problem.notes)


def _named(found: Sequence[Symmetry]) -> pd.DataFrame:
    rows = [
        {"pair": s.name, "kind": s.kind, "u": ", ".join(map(str, s.u)), "w": ", ".join(map(str, s.w))}
        for s in found
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table.attrs["columns"] = dict(COLUMNS)
    return table


def _skipped(found: Sequence[finding.Skipped]) -> pd.DataFrame:
    table = pd.DataFrame(found, columns=["weights", "reason"])
    table.attrs["columns"] = {"weights": "modules of the side u", "reason": "why it has no partner"}
    return table


def _row(sides: PairBalance) -> dict[str, float]:
    numbers = sides._asdict()
    ratios = {
        "noise_ratio": sides.u_noise / sides.w_noise if sides.w_noise > 0 else np.nan,
        "norm_ratio": sides.u_squared / sides.w_squared if sides.w_squared > 0 else np.nan,
    }
    ratios["rescaling"] = ratios["noise_ratio"] ** -0.25 if sides.u_noise > 0 else np.nan
    return {key: float(({**ratios, **numbers})[key]) for key in BALANCE_COLUMNS}


def _given(pair: tuple[Side, Side], stream: PerExampleGradients, inputs: Inputs) -> Symmetry:
    """A pair that the user names, tried."""
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise InputError("pairs", f"found {pair!r}", "give pairs (u, w) of names, such as [('fc1', 'fc2')]")
    u, w = (_parts(side, stream.module, with_bias=i == 0) for i, side in enumerate(pair))
    symmetry = Symmetry("given", u, w)
    few = stream.of(stream.names, inputs)
    fault = finding.fault_of(symmetry, finding.in_double(few), inputs.part(slice(0, finding.TRIED)))
    if fault is not None:
        raise InputError(
            "pairs", f"{symmetry.name} has no rescaling symmetry: {fault}", "see sd.symmetries(…)"
        )
    return symmetry


def _parts(side: Side, model: torch.nn.Module, with_bias: bool) -> tuple[Part, ...]:
    parameters, modules = dict(model.named_parameters()), dict(model.named_modules())
    out: list[Part] = []
    for name in [side] if isinstance(side, str) else side:
        if name in parameters:
            out.append(Part(name))
        elif name in modules:
            ends = ("weight", "bias") if with_bias else ("weight",)
            out += [Part(f"{name}.{end}") for end in ends if f"{name}.{end}" in parameters]
        else:
            known = ", ".join(list(parameters)[:4])
            raise InputError("pairs", f"no module or parameter is called {name!r}", f"there are {known}, …")
    return tuple(out)
