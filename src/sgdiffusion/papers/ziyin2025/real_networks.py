"""Theorem 3.1 of Ziyin, Li & Ueda (2025) on real networks: every rescaling pair along trainings on images.

A deep ReLU net, a convolutional net with batch-norm and a two-layer transformer (queries with keys, values
with the output layer, the layers about a ReLU), at several batch sizes. For each pair (u, w)

    d/dt (‖u‖² − ‖w‖²) = −T (uᵀC₁u − wᵀC₂w) + η (‖∇_u L‖² − ‖∇_w L‖²),

the last term as discrete time adds it (eq. 44 with η for its T). Both terms are estimated at records of the
training from independent batches of its own size, drawn as SGD draws them: with batch-norm the gradient of an
example depends on its batch, and C is that of batches times S.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sgdiffusion import networks
from sgdiffusion.data.store import Prepared, subset
from sgdiffusion.dynamics.ensembles import ensemble
from sgdiffusion.dynamics.ensembles.batched import Batched, stack
from sgdiffusion.dynamics.ensembles.batched_mlp import batched
from sgdiffusion.dynamics.examples import Examples, gather
from sgdiffusion.errors import TrainingError
from sgdiffusion.inputs.data import Inputs
from sgdiffusion.measures.noise.gradients import PerExampleGradients
from sgdiffusion.measures.noise.symmetries import Part, find_symmetries
from sgdiffusion.measures.statistics.intervals import mean_interval
from sgdiffusion.papers.tables import documented, estimated
from sgdiffusion.papers.task import Task
from sgdiffusion.papers.ziyin2025.common import Array, integral, named_seed, record_steps
from sgdiffusion.papers.ziyin2025.settings import RealNetworks

Arrays = dict[str, NDArray[Any]]
NetworkName = Literal["mlp", "conv-norm", "row-transformer"]
SIZES: dict[str, dict[str, Any]] = {
    "mlp": {"width": 32, "depth": 3, "batch_norm": False},
    "conv-norm": {"width": 8},
    "row-transformer": {"width": 16, "depth": 2},
}
LATE = 0.5  # the second half of the training counts as its end
FORMS = ("predicted", "printed", "corrected")

PAIR_COLUMNS = {
    "network": "mlp: 3 hidden ReLU layers; conv-norm: 2 convolutions, batch-norm; row-transformer: 2 layers",
    "batch": "S",
    "temperature": "T = η/S",
    "pair": "modules of u → modules of w",
    "kind": "what the two sides are",
    "seed": "of initial weights and batches",
    "step": "step of SGD",
    "time": "step · η",
    "u_noise": "uᵀC₁u = S · Tr Cov(∇_w L_B) over batches",
    "w_noise": "wᵀC₂w = S · Tr Cov(∇_u L_B)",
    "pull": "‖E∇_u L‖² − ‖E∇_w L‖², unbiased",
    "u_squared": "‖u‖²",
    "w_squared": "‖w‖²",
    "change": "‖u‖² − ‖w‖² minus its initial value",
    "predicted": "−T ∫ (uᵀC₁u − wᵀC₂w) dt",
    "printed": "predicted + T ∫ pull dt: eq. 44 as printed",
    "corrected": "predicted + η ∫ pull dt: eq. 44 with η for its T",
}
SUMMARY_COLUMNS = {
    "network": PAIR_COLUMNS["network"],
    "batch": "S",
    "measured": "start, end: mean over pairs of |log₁₀ uᵀC₁u/wᵀC₂w| at the start and over the second half; "
    "relaxations: length of the training in times to balance, least over pairs; error_…: "
    "Σ |change − …|/Σ |change| over pairs and records",
    "value": "mean over seeds",
    "low": "lower end of its 95 % interval",
    "high": "upper end",
    "n": "seeds",
}


class Pair(NamedTuple):
    """A symmetric pair and the places of its weights in a row of θ."""

    name: str
    kind: str
    u: Tensor
    w: Tensor


def pairs_of(net: nn.Module, x: Tensor, y: Tensor) -> list[Pair]:
    """The rescaling pairs of a net; a few examples try them."""
    ends = np.cumsum([0, *(p.numel() for p in net.parameters())])
    places = {
        name: torch.arange(int(start), int(end))
        for (name, _), start, end in zip(net.named_parameters(), ends[:-1], ends[1:], strict=True)
    }

    def chosen(parts: Sequence[Part]) -> Tensor:
        return torch.cat(
            [places[p.name] if p.mask is None else places[p.name][p.mask.flatten()] for p in parts]
        )

    found = find_symmetries(PerExampleGradients(net.eval(), Inputs((x, y)))).found
    return [Pair(s.name, s.kind, chosen(s.u), chosen(s.w)) for s in found if s.w]


class _Case(NamedTuple):
    """One network at one batch size."""

    run: RealNetworks
    network: NetworkName
    batch: int
    root: int

    @property
    def name(self) -> str:
        return f"{self.network}.s{self.batch}"

    @property
    def draws(self) -> int:
        """Batches at each record, or as many as hold `n_examples` examples."""
        return max(self.run.draws, self.run.n_examples // self.batch)

    def net(self, seed: int, data: Prepared) -> nn.Module:
        return networks.build(
            self.network, in_shape=tuple(data.x_train.shape[1:]), classes=data.meta["classes"],
            **SIZES[self.network],
            generator=torch.Generator().manual_seed(named_seed(self.root, "real", self.network, seed)),
        )  # fmt: skip

    def along_training(self, data: Prepared, examples: Examples, trained: Arrays) -> pd.DataFrame:
        """Both terms of Theorem 3.1 for every pair, at every record of every seed."""
        module = self.net(0, data)
        net, pairs = batched(module, statistics="batch"), pairs_of(module, examples.x[:8], examples.y[:8])
        steps, parts = trained[f"{self.name}.steps"], []
        for s, kept in enumerate(torch.from_numpy(trained[f"{self.name}.kept"])):
            measured = [
                self._measure(net, theta, pairs, examples, self.seed(s, i)) for i, theta in enumerate(kept)
            ]
            for i, pair in enumerate(pairs):
                rows = np.array([m[i] for m in measured])
                parts.append(self._path(pair, rows, steps * self.run.rate).assign(seed=s, step=steps))
        table = pd.concat(parts, ignore_index=True).assign(network=self.network, batch=self.batch)
        return table.assign(temperature=self.run.rate / self.batch)

    def seed(self, *names: int) -> int:
        """Of the batches of a training, −1 and its seed, or of a record, its training's seed and place."""
        return named_seed(self.root, "real", self.network, "draws", self.batch, *names)

    def _measure(
        self, net: Batched, theta: Tensor, pairs: list[Pair], examples: Examples, seed: int
    ) -> list[tuple[float, ...]]:
        """(S Tr Cov ∇_w, S Tr Cov ∇_u, ‖E∇_u‖² − ‖E∇_w‖², ‖u‖², ‖w‖²) of each pair, by `draws` batches."""
        chosen = torch.from_numpy(
            np.random.default_rng(seed).integers(len(examples), size=(self.draws, self.batch))
        )
        _, g = net.gradients(
            theta.expand(self.draws, -1), gather(examples.x, chosen), gather(examples.y, chosen)
        )
        g, out = g.double(), []
        for pair in pairs:
            (u_trace, u_mean), (w_trace, w_mean) = moments(g[:, pair.u]), moments(g[:, pair.w])
            size = [float(theta[side].double().square().sum()) for side in (pair.u, pair.w)]
            out.append((self.batch * w_trace, self.batch * u_trace, u_mean - w_mean, *size))
        return out

    def _path(self, pair: Pair, rows: Array, times: Array) -> pd.DataFrame:
        u_noise, w_noise, pull, u_squared, w_squared = rows.T
        predicted = -self.run.rate / self.batch * integral(u_noise - w_noise, times)
        pulled, difference = integral(pull, times), u_squared - w_squared
        return pd.DataFrame(
            {"pair": pair.name, "kind": pair.kind, "time": times, "u_noise": u_noise, "w_noise": w_noise,
             "pull": pull, "u_squared": u_squared, "w_squared": w_squared,
             "change": difference - difference[0], "predicted": predicted,
             "printed": predicted + self.run.rate / self.batch * pulled,
             "corrected": predicted + self.run.rate * pulled}
        )  # fmt: skip


def moments(g: Tensor) -> tuple[float, float]:
    """Trace of the covariance of the rows of g, and the squared norm of their mean, both unbiased."""
    count, mean = len(g), g.mean(0)
    trace = float((g - mean).square().sum()) / (count - 1)
    return trace, float(mean.square().sum()) - trace / count


def _per_seed(pairs: pd.DataFrame) -> list[tuple[dict[str, Any], list[float]]]:
    """Every measured number of each network and batch size, with its value for each seed."""
    out = []
    for (network, batch), part in pairs.groupby(["network", "batch"], sort=False):
        found = pd.DataFrame([_of_seed(of_seed) for _, of_seed in part.groupby("seed")])
        for name, values in found.items():
            out.append(({"network": network, "batch": batch, "measured": name}, values.tolist()))
    return out


def _of_seed(part: pd.DataFrame) -> dict[str, float]:
    distance = np.abs(np.log10(part["u_noise"] / part["w_noise"]))
    start, late = part["step"] == 0, part["step"] >= LATE * part["step"].max()
    size = part["change"].abs().sum()
    errors = {f"error_{form}": (part["change"] - part[form]).abs().sum() / size for form in FORMS}
    end = distance[late].mean()
    return {
        "start": distance[start].mean(), "end": end, "end_over_start": end / distance[start].mean(),
        "relaxations": _relaxations(part[late], part["time"].max()), **errors,
    }  # fmt: skip


def _relaxations(late: pd.DataFrame, duration: float) -> float:
    """Length of the training in times to balance, least over pairs, at the late noises and norms.

    Along (λu, w/λ) uᵀC₁u/wᵀC₂w goes as λ⁴, and Theorem 3.1 gives, near balance,
    d ln(uᵀC₁u/wᵀC₂w)/dt = −T (uᵀC₁u + wᵀC₂w)/(‖u‖² + ‖w‖²) ln(uᵀC₁u/wᵀC₂w).
    """
    rate = (late["u_noise"] + late["w_noise"]) / (late["u_squared"] + late["w_squared"]) * late["temperature"]
    return duration * float(rate.groupby(late["pair"]).median().min())


def _summaries(pairs: pd.DataFrame) -> list[dict[str, Any]]:
    return [{**row, **mean_interval(values)._asdict()} for row, values in _per_seed(pairs)]


def cases_of(run: RealNetworks, root_seed: int) -> list[_Case]:
    """Every network at every batch size."""
    return [_Case(run, name, batch, root_seed) for name in run.names for batch in run.batches]


def _chosen(run: RealNetworks, data: Prepared) -> tuple[Prepared, Examples]:
    chosen = subset(data, run.data.n_train, run.data.n_test)
    return chosen, Examples(torch.from_numpy(chosen.x_train), torch.from_numpy(chosen.y_train))


def _train(case: _Case, data: Prepared, examples: Examples) -> Arrays:
    """The steps of the records, and the weights then, [seeds, records, d]."""
    run, nets = case.run, [case.net(s, data) for s in range(case.run.seeds)]
    trained = ensemble.train(
        batched(nets[0], statistics="batch"), examples, stack(nets), "sgd", steps=run.steps,
        rates=[run.rate] * run.seeds, batch_sizes=[case.batch] * run.seeds, sampling="replacement",
        record=np.array([1]), seeds=[case.seed(-1, s) for s in range(run.seeds)],
        keep=record_steps(run.steps, run.records // 2),
    )  # fmt: skip
    if trained.diverged.any():
        raise TrainingError(
            f"{case.network} of seed {int(np.argmax(trained.diverged))} diverged at learning rate "
            f"{run.rate}, batch {case.batch}: lower the rate"
        )
    return {f"{case.name}.steps": trained.kept_steps, f"{case.name}.kept": trained.kept.numpy()}


def train(task: Task, run: RealNetworks, data: Prepared) -> dict[str, Arrays]:
    """Trains every network at every batch size, over seeds; `<network>.s<S>.steps` and `.kept`."""
    task.seeds.extend(range(run.seeds))
    chosen, found = _chosen(run, data), Arrays()
    for case in cases_of(run, task.root_seed):
        found |= _train(case, *chosen)
        task.log.info("%s trained", case.name)
    return {"trained": found}


def measure(task: Task, run: RealNetworks, data: Prepared, trained: Arrays) -> dict[str, pd.DataFrame]:
    """Noises, norms and their changes of every pair along the trainings, for every network and batch size."""
    chosen = _chosen(run, data)
    tables = [case.along_training(*chosen, trained) for case in cases_of(run, task.root_seed)]
    pairs = documented(pd.concat(tables, ignore_index=True), PAIR_COLUMNS)
    summary = documented(_summaries(pairs), SUMMARY_COLUMNS)
    quantities = [
        estimated(f"real.{r['network']}.s{r['batch']}.{r['measured']}", mean_interval(values))
        for r, values in _per_seed(pairs)
    ]
    return {"pairs": pairs, "summary": summary, "quantities": pd.DataFrame(quantities)}
