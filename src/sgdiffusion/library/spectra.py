"""Gradients by example and the spectrum of their covariance, for a network of one's own."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sgdiffusion.dynamics.training.progress import span
from sgdiffusion.errors import InputError
from sgdiffusion.figures.style import new_figure, style
from sgdiffusion.inputs.data import Forward
from sgdiffusion.inputs.losses import Loss, LossName
from sgdiffusion.inputs.numbers import is_whole, require_number, require_whole
from sgdiffusion.inputs.precision import full_precision
from sgdiffusion.inputs.problem import Problem, read
from sgdiffusion.library.progress import Progress
from sgdiffusion.library.results import Result
from sgdiffusion.measures.noise import spectra, ways
from sgdiffusion.measures.noise.diffusion import Convention, diffusion_matrix
from sgdiffusion.measures.noise.gradients import PerExampleGradients
from sgdiffusion.measures.noise.layered import layered_gram
from sgdiffusion.measures.noise.products import Precision
from sgdiffusion.measures.noise.topk import top_eigenvalues

Values = NDArray[np.float64]
COLUMNS = {
    "index": "1 is the largest",
    "eigenvalue": "λ of D, squared loss per squared weight",
    "residual": "‖D v − λ v‖: an eigenvalue of D lies within it; NaN where LAPACK found all of them",
    "share": "λ / Tr D",
}


def gradients(
    model: torch.nn.Module,
    data: Any,
    loss: LossName | Loss = "cross-entropy",
    *,
    forward: Forward | None = None,
    params: Sequence[str] | str | None = None,
    examples: int | None = None,
    device: torch.device | str | None = None,
    vectorise: bool = True,
) -> PerExampleGradients:
    """The gradients of single examples, g_k = ∇f_k(x), as a stream of blocks (n, d).

    Arguments: ``model`` in evaluation mode; ``data`` as (inputs, targets), a dict of tensors, a Dataset or a
    loader; ``loss`` "cross-entropy", "squared", "half-squared", "next-token" or a function (outputs,
    targets) -> one loss per example; or ``forward``, a function (model, batch) -> one loss per example.
    ``params`` are names or patterns of the weights to differentiate, ``examples`` how many examples to use,
    ``device`` where. ``vectorise=False`` for models that torch.func cannot vectorise (it says so).

    Returns a stream to iterate over, as often as wanted; d is its ``.weights``, N its ``.examples``.

    >>> import torch, sgdiffusion as sd
    >>> net = torch.nn.Linear(3, 2).eval()
    >>> stream = sd.gradients(net, (torch.randn(9, 3), torch.arange(9) % 2))
    >>> [tuple(block.shape) for block in stream]
    [(9, 8)]
    """
    problem = read(
        model, data, loss, forward=forward, params=params, examples=examples, device=device, least=1
    )
    return _stream(problem, vectorise)


def _stream(problem: Problem, vectorise: bool = True, reuse: bool = False) -> PerExampleGradients:
    return PerExampleGradients(
        problem.model, problem.inputs, forward=problem.forward, vectorise=vectorise, reuse=reuse
    )


@dataclass(frozen=True, repr=False)
class Spectrum(Result):
    """Eigenvalues of D and their statistics; see :func:`spectrum`."""

    eigenvalues: Values
    """Descending: the k largest, or all that can differ from zero."""
    residuals: Values
    trace: float
    """Tr D = Σ λ over all d, exact."""
    frobenius: float
    """‖D‖_F; NaN where only some eigenvalues are known."""
    rank: int | None
    """Eigenvalues above λ_max·d·ε; None: undecidable in this precision, or unknown with k eigenvalues."""
    threshold: float
    examples: int
    weights: int
    method: str
    convention: str
    precision: str
    seconds: float
    diagnoses: tuple[str, ...] = ()
    """What is wrong with the numbers; empty: nothing."""
    notes: tuple[str, ...] = ()

    @property
    def mean(self) -> float:
        """Tr D / d."""
        return self.trace / self.weights

    @property
    def sd(self) -> float:
        """Standard deviation over all d eigenvalues."""
        return float(np.sqrt(max(0.0, self.frobenius**2 / self.weights - self.mean**2)))

    @property
    def participation(self) -> float:
        """(Tr D)²/‖D‖²_F: how many directions carry the noise; NaN where there is none."""
        return self.trace**2 / self.frobenius**2 if self.frobenius else math.nan

    def summary(self) -> list[str]:
        rank = (
            "not known" if self.rank is None else f"{self.rank} ({100 * self.rank / self.weights:.3g} % of d)"
        )
        shown = ", ".join(f"{v:.4g}" for v in self.eigenvalues[:5])
        return [
            f"D of N = {self.examples:,} examples, d = {self.weights:,} weights ({self.convention}, "
            f"{self.precision}, method {self.method}, {self.seconds:.1f} s)",
            f"largest {shown}{', …' if len(self.eigenvalues) > 5 else ''}",
            f"trace {self.trace:.6g}, norm {self.frobenius:.6g}, participation {self.participation:.4g}",
            f"rank {rank}",
        ]

    def to_frame(self) -> pd.DataFrame:
        """One row per eigenvalue."""
        table = pd.DataFrame(
            {
                "index": np.arange(1, len(self.eigenvalues) + 1),
                "eigenvalue": self.eigenvalues,
                "residual": self.residuals,
                "share": self.eigenvalues / (self.trace or math.nan),
            }
        )
        table.attrs["columns"] = dict(COLUMNS)
        return table

    @style()
    def plot(self) -> Figure:
        """Eigenvalues against their index on logarithmic axes, with the threshold of the rank."""
        figure, ax = new_figure(height=2.6)
        rounding = self.eigenvalues[0] * np.finfo(self.precision).eps * np.sqrt(len(self.eigenvalues))
        kept = self.eigenvalues > rounding  # a solver's error of a zero is a small multiple of λ₁ε
        index = np.arange(1, len(self.eigenvalues) + 1)
        ax.loglog(index[kept], self.eigenvalues[kept], ".", label=f"λ of D, method {self.method}")
        if self.threshold < self.eigenvalues[0]:
            ax.axhline(self.threshold, linestyle="--", color="0.4", label="threshold of the rank, λ₁·d·ε")
        ax.set(xlabel="index", ylabel="eigenvalue of D")
        figure.legend(loc="outside upper center")
        return figure


@full_precision()
def spectrum(
    model: torch.nn.Module,
    data: Any,
    loss: LossName | Loss = "cross-entropy",
    *,
    k: int | None = None,
    forward: Forward | None = None,
    params: Sequence[str] | str | None = None,
    examples: int | None = None,
    device: torch.device | str | None = None,
    method: ways.Method = "auto",
    convention: Convention = "with_replacement",
    precision: Precision = "float32",
    memory: float | None = None,
    vectorise: bool = True,
    seed: int = 0,
    progress: bool = True,
) -> Spectrum:
    """Eigenvalues of the covariance of the gradients, D = (1/N) Σ_k (g_k − ḡ)(g_k − ḡ)ᵀ (Chaudhari & Soatto
    2018, Def. 1): the noise of SGD with batch size b is D/b.

    Arguments: those of :func:`gradients`, and ``k``, how many of the largest eigenvalues (default: all that
    can differ from zero); ``method``: "dense" (d × d), "dual" (N × N), "layers" (N × N without the
    gradients) or "krylov" (the k largest), by default the fastest that fits into ``memory`` (in GiB; default:
    four fifths of what is free), which is said first on the standard error stream unless ``progress`` is
    False; ``convention`` "with_replacement" (1/N) or "without_replacement" (1/(N−1)); ``precision`` of the
    sums and of the threshold of the rank; ``seed`` of the Krylov start.

    Returns a :class:`Spectrum`.

    >>> import torch, sgdiffusion as sd
    >>> net = torch.nn.Linear(3, 2).eval()
    >>> found = sd.spectrum(net, (torch.randn(9, 3), torch.arange(9) % 2), progress=False)
    >>> (found.method, found.weights, len(found.eigenvalues), found.trace > 0)
    ('dense', 8, 8, True)
    """
    problem = read(model, data, loss, forward=forward, params=params, examples=examples, device=device)
    _check(problem, k, memory, seed)
    _check_choices(convention, precision)
    stream, report = _stream(problem, vectorise, reuse=True), Progress("spectrum", progress)
    limit = 0.8 * ways.free_memory() if memory is None else memory * 2**30
    possible = ways.ways(stream, k, precision)
    way = ways.choose(possible, method, limit)
    others = "; ".join(str(w) for w in possible if w is not way)
    report.say(
        f"N = {problem.examples:,}, d = {problem.weights:,}: {way.method}, about {ways.size(way.memory)} and "
        f"{span(max(1.0, way.seconds))} (others: {others})"
    )
    begun = time.perf_counter()
    found = _found(stream, way.method, k, convention, precision, seed, report)
    rank, notes = _rank(found, problem, precision)
    count = min(len(found.values), problem.examples, problem.weights) if k is None else k
    return Spectrum(
        eigenvalues=found.values[:count],
        residuals=found.residuals[:count],
        trace=found.trace,
        frobenius=found.frobenius,
        rank=rank,
        threshold=spectra.threshold(found.values, precision, problem.weights),
        examples=problem.examples,
        weights=problem.weights,
        method=way.method,
        convention=convention,
        precision=precision,
        seconds=time.perf_counter() - begun,
        diagnoses=_diagnoses(found),
        notes=(*problem.notes, *notes),
    )


def _check(problem: Problem, k: int | None, memory: float | None, seed: int) -> None:
    most = min(problem.examples, problem.weights)
    if k is not None and (not is_whole(k) or not 1 <= k <= most):
        found = f"{k!r} eigenvalues of {most} that can differ from zero"
        raise InputError("k", found, f"ask for a whole number from 1 to {most}, or None for all")
    if memory is not None:
        require_number("memory", memory, "give GiB, such as memory=8", positive=True)
    require_whole("seed", seed, 0)


def _check_choices(convention: Convention, precision: Precision) -> None:
    for name, value, known in (("convention", convention, Convention), ("precision", precision, Precision)):
        if value not in get_args(known):
            raise InputError(name, f"unknown {name} {value!r}", f"expected {' or '.join(get_args(known))}")


class _Found(NamedTuple):
    """What a method found: all eigenvalues, or the k largest with their residuals."""

    values: Values
    residuals: Values
    trace: float
    frobenius: float


def _found(
    stream: PerExampleGradients,
    method: ways.Method,
    k: int | None,
    convention: Convention,
    precision: Precision,
    seed: int,
    report: Progress,
) -> _Found:
    if method == "krylov":
        assert k is not None
        top = top_eigenvalues(
            stream, k, seed=seed, convention=convention, precision=precision, progress=report
        )
        return _Found(top.eigenvalues, top.residuals, top.trace, top.frobenius)
    if method == "layers":
        values = spectra.eigenvalues(layered_gram(stream, convention, report))
    elif method == "dual":
        values = spectra.dual_eigenvalues(stream, convention=convention, precision=precision)
    else:
        values = spectra.eigenvalues(diffusion_matrix(stream, convention=convention, precision=precision))
    return _Found(values, np.full(len(values), np.nan), float(values.sum()), float(np.sqrt(values @ values)))


def _diagnoses(found: _Found) -> tuple[str, ...]:
    known = found.residuals[np.isfinite(found.residuals)]
    if len(known) and known.max() > 1e-3 * found.values[0]:
        return ("some residuals are above λ₁/1000: ask for fewer eigenvalues, or use another method",)
    if not found.trace:
        return ("all examples have the same gradient, D = 0: are they copies, or all without a label?",)
    return ()


def _rank(found: _Found, problem: Problem, precision: Precision) -> tuple[int | None, list[str]]:
    """How many eigenvalues are above the threshold, where that can be said, and what else is to be known."""
    values = found.values
    threshold = spectra.threshold(values, precision, problem.weights)
    if not found.trace:
        return 0, []
    if threshold >= values[0]:
        what = f"the threshold λ₁·d·ε = {threshold:.3g} is above λ₁ in {precision}"
        return None, [f"rank undecidable: {what}"]
    if len(values) < min(problem.examples, problem.weights) and values[-1] > threshold:
        return None, [f"rank above {len(values)}: all eigenvalues found exceed its threshold"]
    return int((values > threshold).sum()), []
