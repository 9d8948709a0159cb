"""The two-layer ReLU nets of Fig 2 of Ziyin, Li & Ueda (2025): their data, their cases, their trainings.

Σ_i u_i ReLU(w_i·x) with loss ‖f − y‖² (eq. 6) on y = x + ε, and once with the biases of eq. 5: the figure is
of "the two weight matrices". SGD samples the data set with replacement. Learning rates and batch sizes are
crossed; at the second pair there are besides a net with biases, one of fewer outputs, and its trained weights
put off balance by (λu, w/λ).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sgdiffusion import networks
from sgdiffusion.config.readings import Reading
from sgdiffusion.dynamics.ensembles import ensemble
from sgdiffusion.dynamics.ensembles.batched import stack
from sgdiffusion.dynamics.ensembles.batched_mlp import BatchedMlp
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.errors import TrainingError
from sgdiffusion.papers.task import Task
from sgdiffusion.papers.ziyin2025.common import named_seed, record_steps
from sgdiffusion.papers.ziyin2025.readings import varied
from sgdiffusion.papers.ziyin2025.settings import TwoLayer
from sgdiffusion.streams import generator

Arrays = dict[str, NDArray[Any]]
SIDE, WIDTH, FEW = 20, 200, 5  # of the paper's net 20 → 200 → 20; outputs of the uneven one, 20 → 200 → 5
RECORDS = 40  # on a logarithmic scale, and as many on a linear one
SCALES = (0.7, 1.4)  # λ by which trained layers are put off balance


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

    def net(self, root_seed: int, seed: int) -> nn.Module:
        """The net as it was built, whatever the scale."""
        draws = torch.Generator().manual_seed(named_seed(root_seed, "two-layer", "weights", seed))
        shape: dict[str, Any] = {
            "in_shape": (SIDE,),
            "classes": self.outputs,
            "width": WIDTH,
            "bias": self.bias,
        }
        return networks.build("two-layer-relu", generator=draws, **shape)

    def trained(self, arrays: Arrays, root_seed: int) -> list[nn.Module]:
        """The nets of every seed with their weights at the end."""
        nets = []
        for seed, weights in enumerate(arrays[f"{self.name}.kept"][:, -1]):
            nets.append(self.net(root_seed, seed))
            nn.utils.vector_to_parameters(torch.from_numpy(weights.copy()), nets[-1].parameters())
        return nets


def cases_of(run: TwoLayer) -> list[Case]:
    """All cases, those put off balance last: they start where the uneven one ends."""
    rate, batch = run.rates[1], run.batches[1]
    uneven = Case(rate, batch, FEW)
    return [
        *(Case(*pair) for pair in zip(run.rates, run.batches, strict=True)),
        Case(rate, batch, bias=True),
        uneven,
        *(uneven._replace(scale=scale) for scale in SCALES),
    ]


def noisy_identity(examples: int, root_seed: int, outputs: int = SIDE) -> Examples:
    """y = the first `outputs` coordinates of x + ε, x and ε standard normal, in SIDE dimensions."""
    stream = generator(root_seed, "ziyin2025", "two-layer", "data")
    x = torch.from_numpy(stream.standard_normal((examples, SIDE)))
    y = x + torch.from_numpy(stream.standard_normal((examples, SIDE)))
    return Examples(x.float(), y[:, :outputs].float())


def layers_of(net: nn.Module) -> tuple[nn.Linear, nn.Linear]:
    """The first layer, u here, and the second, w."""
    first, second = (m for m in net.modules() if isinstance(m, nn.Linear))
    return first, second


def out_of_balance(net: nn.Module, scale: float) -> nn.Module:
    """(λu, w/λ), the same function."""
    first, second = layers_of(net)
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.mul_(scale)
        second.weight.div_(scale)
    return net.float()


def trained_cases(run: TwoLayer, root_seed: int) -> Arrays:
    """Of every case `<case>.steps`, [records], and `<case>.kept`, the weights then, [seeds, records, d]."""
    found: Arrays = {}
    for case in cases_of(run):
        nets = [case.net(root_seed, s) for s in range(run.seeds)]
        if case.scale != 1:
            balanced = case._replace(scale=1.0).trained(found, root_seed)
            nets = [out_of_balance(net, case.scale) for net in balanced]
        data = noisy_identity(run.n_examples, root_seed, case.outputs)
        trained = _train(nets, data, case, run.span, root_seed)
        found |= {f"{case.name}.steps": trained.kept_steps, f"{case.name}.kept": trained.kept.numpy()}
    return found


def _train(nets: Sequence[nn.Module], data: Examples, case: Case, span: float, seed: int) -> ensemble.Trained:
    steps, count = case.steps(span), len(nets)
    trained = ensemble.train(
        # ½‖f − y‖² at twice the rate is ‖f − y‖²
        BatchedMlp(nets[0], "squared"), data, stack(nets), "sgd", steps=steps, rates=[2 * case.rate] * count,
        batch_sizes=[case.batch] * count,
        seeds=[named_seed(seed, "two-layer", "batches", case.name, s) for s in range(count)],
        sampling="replacement", keep=record_steps(steps, RECORDS),
    )  # fmt: skip
    if trained.diverged.any():
        raise TrainingError(
            f"the two-layer net of seed {int(np.argmax(trained.diverged))} diverged at learning rate "
            f"{case.rate}, batch {case.batch}: lower the rate"
        )
    return trained


def train(task: Task, run: TwoLayer) -> dict[str, Arrays]:
    """Every case as the run's settings say."""
    task.seeds.extend(range(run.seeds))
    return {"trained": trained_cases(run, task.root_seed)}


def train_readings(task: Task, run: TwoLayer, readings: list[Reading]) -> dict[str, Arrays]:
    """Every case under every other reading, `<reading>/<case>.…`; none of a reading whose nets diverge."""
    task.seeds.extend(range(run.seeds))
    found: Arrays = {}
    for name, settings in varied(run, readings):
        try:
            arrays = trained_cases(settings, task.root_seed)
        except TrainingError as error:
            task.log.warning("%s cannot be trained: %s", name, error)
            continue
        found |= {f"{name}/{key}": values for key, values in arrays.items()}
        task.log.info("%s trained", name)
    return {"trained": found}
