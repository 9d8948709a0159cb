"""Each paper's measurement on the other papers' networks, where it is defined: displacement, walk dimension
and learning coefficient (Hennick & De Baerdemacker) along the trainings of Chaudhari & Soatto; the diffusion
matrix (Chaudhari & Soatto) and the noise balance (Ziyin, Li & Ueda) of the other nets.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from sgdiffusion.dynamics.ensembles.batched_mlp import batched
from sgdiffusion.dynamics.ensembles.ensemble import log_steps
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.errors import MeasureError
from sgdiffusion.inputs.losses import Loss, cross_entropy
from sgdiffusion.measures.noise.gradients import PerExampleGradients
from sgdiffusion.measures.noise.pair_balance import pair_balances
from sgdiffusion.measures.noise.spectra import spectrum, statistics
from sgdiffusion.measures.statistics.intervals import Estimate, mean_interval
from sgdiffusion.measures.trajectories import dimensions
from sgdiffusion.papers.hennick2025.coefficients import coefficient_table
from sgdiffusion.papers.hennick2025.settings import Langevin
from sgdiffusion.papers.tables import documented

Array = NDArray[Any]
Paper = Literal["chaudhari2018", "ziyin2025", "hennick2025"]

COLUMNS = {
    "quantity": "id",
    "measurement": "paper whose measurement it is",
    "network": "network, or ensemble of networks, it is taken on",
    "of": "paper whose network that is",
    "measured": "what is measured",
    "expected": "what the measurement's own paper says of its own networks",
    **{name: f"estimate: {name}" for name in Estimate._fields},
    "over": "unit of replication of the interval",
}
CURVE_COLUMNS = {
    "seed": "of the training",
    "origin": "epoch the displacement is taken from",
    "time": "epochs since the origin",
    "displacement": "R = ‖w(origin + time) − w(origin)‖₂",
}
COEFFICIENT_COLUMNS = {
    "network": "run",
    "seed": "of the training",
    "time": "epochs, or fraction of the training",
    "llc": "λ̂",
    "low": "lower end of its 95 % interval over chains",
    "high": "upper end",
    "weights": "d",
    "diagnoses": "what is wrong with the estimate; empty: nothing",
}
NET_COLUMNS = {
    "network": "ensemble",
    "of": "its paper",
    "net": "number in the ensemble",
    "measured": "what is measured",
    "value": "its value",
}
EXAMPLES = 5000  # at most, for diffusion matrices and balances: the first ones of the training set
LAST_DECADE = 0.1  # exponents are fitted over the last decade of time, as in the moons ensemble


def displacement(weights: Array, epochs: Array, origin: int) -> tuple[Array, Array]:
    """Times since `origin` at about 40 a decade, and R there; `epochs` are those of the rows of `weights`."""
    start = int(np.searchsorted(epochs, origin))
    if start >= len(epochs) - 10:
        raise MeasureError(
            f"the trajectory ends at epoch {epochs[-1]}: too short for displacements since {origin}"
        )
    rows = start + log_steps(len(epochs) - 1 - start, per_decade=40)
    distance = np.linalg.norm((weights[rows] - weights[start]).astype(float), axis=1)
    return (epochs[rows] - epochs[start]).astype(float), distance


def displacement_table(histories: Mapping[int, Mapping[str, Array]], origins: Sequence[int]) -> pd.DataFrame:
    """R(t) of every seed's trajectory since every origin."""
    parts = []
    for seed, history in histories.items():
        for origin in origins:
            time, moved = displacement(history["weights"], history["epochs"], origin)
            parts.append(pd.DataFrame({"seed": seed, "origin": origin, "time": time, "displacement": moved}))
    return documented(pd.concat(parts, ignore_index=True), CURVE_COLUMNS)


def exponents(curves: pd.DataFrame) -> pd.DataFrame:
    """d ln R / d ln t of every curve over the last decade of time."""
    rows = []
    for (origin, seed), curve in curves.groupby(["origin", "seed"]):
        t = curve["time"].to_numpy()
        fit = dimensions.power_laws(t, curve["displacement"], first=LAST_DECADE * t[-1], last=t[-1])
        rows.append({"origin": origin, "seed": seed, "slope": float(fit["slope"].iloc[0]), "last": t[-1]})
    return pd.DataFrame(rows)


def coefficients(
    network: str, points: Mapping[tuple[int, float], nn.Module], data: Examples, plan: Langevin, seed: int
) -> pd.DataFrame:
    """λ̂ at every (training's seed, time), all chains at once; batch-norm by the mini-batch."""
    first = next(iter(points.values()))
    rows = torch.stack([parameters_to_vector(m.parameters()).detach() for m in points.values()])
    table = coefficient_table(batched(first, statistics="batch"), data, rows, plan, seed=seed)
    seeds, times = zip(*points, strict=True)
    named = table.assign(network=network, seed=seeds, time=times, weights=rows.shape[1])
    return documented(named, COEFFICIENT_COLUMNS)


def along(module: nn.Module, history: Mapping[str, Array], count: int) -> dict[float, nn.Module]:
    """The network at `count` log-spaced epochs of its weight history, the last included."""
    epochs = history["epochs"]
    rows = np.unique(np.searchsorted(epochs, np.geomspace(max(1, epochs[1]), epochs[-1], count)))
    return {float(epochs[row]): _with_weights(module, history["weights"][row]) for row in rows}


def _with_weights(module: nn.Module, weights: Array | Tensor) -> nn.Module:
    net = copy.deepcopy(module)
    vector_to_parameters(torch.as_tensor(weights), net.parameters())
    return net


def net_table(
    network: str, of: Paper, nets: Iterable[nn.Module], data: Examples, loss: Loss = cross_entropy
) -> pd.DataFrame:
    """Noise balance of every net of an ensemble, and its diffusion matrix where that is another paper's."""
    rows = []
    for i, net in enumerate(nets):
        found = _balances(net, data, loss)
        if of != "chaudhari2018":
            found = _spectrum(net.eval(), data, loss) | found
        rows += [
            {"network": network, "of": of, "net": i, "measured": k, "value": v} for k, v in found.items()
        ]
    return documented(rows, NET_COLUMNS)


def _spectrum(net: nn.Module, data: Examples, loss: Loss) -> dict[str, float]:
    """Rank as in Chaudhari & Soatto, and (Tr D)²/‖D‖²_F, which no threshold enters; shares of d."""
    found = statistics(spectrum(PerExampleGradients(net, (data.x, data.y), loss)))
    participation = (found.trace / found.frobenius) ** 2 / found.weights
    return {"rank": found.rank_percent, "participation": 100 * participation}


def _balances(net: nn.Module, data: Examples, loss: Loss) -> dict[str, float]:
    """log₁₀ of the ratios of noise, and of squared norms, of every rescaling-symmetric pair of layers."""
    double = copy.deepcopy(net).double().eval()
    out: dict[str, float] = {}
    for i, pair in enumerate(pair_balances(PerExampleGradients(double, (data.x, data.y), loss)), start=1):
        noise, norms = (torch.tensor(side) for side in (pair[:2], pair[2:4]))
        out[f"noise-{i}"] = float(torch.log10(noise[0] / noise[1]))
        out[f"norms-{i}"] = float(torch.log10(norms[0] / norms[1]))
    return out


EXPECTED = {
    "exponent": "at most 1/2",
    "llc": "below d/2",
    "spectral": "at most λ̄",
}


class OfNets(NamedTuple):
    """A measurement on the nets of an ensemble."""

    paper: Paper
    text: str  # {0} and {1}: the two layers
    expected: str  # what the paper says of its own networks


OF_NETS = {
    "rank": OfNets("chaudhari2018", "rank of D, % of d", "0.3 to 1.8"),
    "participation": OfNets("chaudhari2018", "(Tr D)²/‖D‖²_F, % of d", "no number"),
    "noise": OfNets("ziyin2025", "log₁₀ uᵀC₁u / wᵀC₂w, layers {0} and {1}", "0: noise balance"),
    "norms": OfNets("ziyin2025", "log₁₀ ‖u‖²/‖w‖², layers {0} and {1}", "the norms need not balance"),
}


def cross_table(curves: pd.DataFrame, coefficients: pd.DataFrame, nets: pd.DataFrame) -> pd.DataFrame:
    """All of it in one table, with intervals over seeds or nets."""
    rows = [*_walk_rows(curves, coefficients), *_coefficient_rows(coefficients), *_net_rows(nets)]
    return documented(rows, COLUMNS)


def _row(quantity: str, network: str, measured: str, expected: str, found: Estimate, **more: Any) -> Any:
    given = {"measurement": "hennick2025", "of": "chaudhari2018", "over": "seeds"} | more
    named = {"quantity": f"cross.{quantity}", "network": network, "measured": measured, "expected": expected}
    return named | found._asdict() | given


def _walk_rows(curves: pd.DataFrame, coefficients: pd.DataFrame) -> list[Any]:
    slopes = exponents(curves)
    rows = []
    for origin, part in slopes.groupby("origin"):
        name = f"tiny-fc.exponent.from-{origin}"
        measured = f"exponent of R(t) since epoch {origin}, last decade"
        rows.append(_row(name, "tiny-fc", measured, EXPECTED["exponent"], mean_interval(part["slope"])))
    whole = slopes[slopes["origin"] == slopes["origin"].min()].set_index("seed")
    means = {
        seed: float(dimensions.time_average(p["time"], p["llc"], last=whole.loc[seed, "last"])[0])
        for seed, p in coefficients[coefficients["network"] == "tiny-fc"].groupby("seed")
    }
    if np.isfinite(list(means.values())).all():
        found = mean_interval([2 * mean * whole.loc[seed, "slope"] for seed, mean in means.items()])
        measured = f"d_s = 2 λ̄ · exponent, λ̄ = {np.mean(list(means.values())):.3g}"
        rows.append(_row("tiny-fc.spectral-dimension", "tiny-fc", measured, EXPECTED["spectral"], found))
    return rows


def _coefficient_rows(coefficients: pd.DataFrame) -> list[Any]:
    """The last time of every network, and every instant of those with a few."""
    rows = []
    for network, table in coefficients.groupby("network", sort=False):
        times = sorted(table["time"].unique())
        for time in times if len(times) <= 3 else times[-1:]:
            part = table[(table["time"] == time) & np.isfinite(table["llc"])]
            if part.empty:
                continue
            half = int(part["weights"].iloc[0]) / 2
            marked = int((part["diagnoses"] != "").sum())
            flagged = f", {marked} of {len(part)} with a diagnosis" if marked else ""
            rows.append(
                _row(
                    f"{network}.llc.{'end' if time == times[-1] else f'{time:g}'}",
                    str(network),
                    f"λ̂ at {time:g}{flagged}",
                    f"{EXPECTED['llc']} = {half:g}",
                    mean_interval(part["llc"]),
                )
            )
    return rows


def _net_rows(nets: pd.DataFrame) -> list[Any]:
    rows = []
    for (network, of, measured), part in nets.groupby(["network", "of", "measured"], sort=False):
        kind, _, layer = str(measured).partition("-")
        taken = OF_NETS[kind]
        if taken.paper == of:
            continue
        finite = part["value"][np.isfinite(part["value"])]
        text = taken.text.format(layer, int(layer) + 1) if layer else taken.text
        more = {"measurement": taken.paper, "of": of, "over": "nets"}
        found = mean_interval(finite)
        rows.append(_row(f"{network}.{measured}", str(network), text, taken.expected, found, **more))
    return rows
