"""The examinations in the workflow: which nets, at which instants, over which examples."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import from_numpy
from torch.nn.utils import vector_to_parameters

from sgdiffusion import streams
from sgdiffusion.config.models import Data as Images
from sgdiffusion.config.models import Training
from sgdiffusion.data.store import Prepared, subset
from sgdiffusion.dynamics.chains.averages import with_statistics
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.dynamics.training import checkpoints as stored
from sgdiffusion.inputs.losses import cross_entropy, half_squared_error
from sgdiffusion.papers.cross import examinations as cross
from sgdiffusion.papers.hennick2025 import design, moons
from sgdiffusion.papers.hennick2025.settings import Langevin
from sgdiffusion.papers.task import Task
from sgdiffusion.papers.ziyin2025.settings import TwoLayer
from sgdiffusion.papers.ziyin2025.two_layer import cases_of, noisy_identity

Arrays = dict[str, NDArray[Any]]
Tables = dict[str, pd.DataFrame]
INSTANTS = 8  # along a trajectory, on a logarithmic scale
NETS = 50  # of the moons ensemble


def walks(task: Task, run: Training, trajectories: list[Path]) -> Tables:
    """Displacement along the long trajectories of another paper."""
    histories = {seed: stored.trajectory(path) for seed, path in enumerate(trajectories)}
    return {"curves": cross.displacement_table(histories, [0, run.burn_in])}


def coefficients(
    task: Task,
    run: Training,
    plan: Langevin,
    data: Prepared,
    checkpoints: list[Path],
    trajectories: list[Path],
) -> Tables:
    """Learning coefficient along another paper's trainings: at instants of a trajectory, or the kept ones."""
    network, chosen = task.wildcards["run"], subset(data, run.data.n_train)
    modules = [stored.modules(path) for path in checkpoints]
    if trajectories:
        histories = [stored.trajectory(path) for path in trajectories]
        modules = [cross.along(m[1.0], h, INSTANTS) for m, h in zip(modules, histories, strict=True)]
    points = {(seed, time): module for seed, found in enumerate(modules) for time, module in found.items()}
    examples = Examples(from_numpy(chosen.x_train), from_numpy(chosen.y_train))
    seed = streams.seed(task.root_seed, "cross", network)
    return {"coefficients": cross.coefficients(network, points, examples, plan, seed=seed)}


def nets(task: Task, two_layer: TwoLayer, ensemble: Arrays, trained: Arrays) -> Tables:
    """Diffusion matrices and noise balance of the moons nets and of the first case of the two-layer nets."""
    found = moons.Moons.from_arrays(ensemble)
    shallow = [moons.network(found.width, found.depth, 0) for _ in found.theta[:NETS]]
    for net, weights in zip(shallow, found.theta, strict=False):
        vector_to_parameters(from_numpy(weights), net.parameters())
    relu = cases_of(two_layer)[0].trained(trained, task.root_seed)
    examples = noisy_identity(two_layer.n_examples, task.root_seed)
    tables = [
        cross.net_table("moons", "hennick2025", shallow, found.data, cross_entropy),
        cross.net_table("two-layer-relu", "ziyin2025", relu, examples, half_squared_error),
    ]
    joined = pd.concat(tables, ignore_index=True)
    joined.attrs = tables[0].attrs
    return {"nets": joined}


def mlps(task: Task, images: Images, data: Prepared, trained: Arrays) -> Tables:
    """Diffusion matrices and noise balance of some designed runs, at their ends."""
    chosen = subset(data, images.n_train)
    train = design.as_data(chosen.x_train, chosen.y_train)
    groups = design.unpack(trained)
    group = groups[len(groups) // 2]  # the middle one of the batch sizes
    ends = []
    for weights in group.kept[np.isfinite(group.kept[:, -1]).all(1), -1]:
        net = design.network(train.x.shape[1], int(train.y.max()) + 1, group.width, group.depth, 0)
        vector_to_parameters(from_numpy(weights.copy()), net.parameters())
        ends.append(with_statistics(net, train.x))
    first = Examples(train.x[: cross.EXAMPLES], train.y[: cross.EXAMPLES])
    return {"nets": cross.net_table("mnist-mlp", "hennick2025", ends, first)}


def balance(task: Task, run: Training, data: Prepared, checkpoints: list[Path]) -> Tables:
    """Noise balance of the trained networks of Chaudhari & Soatto, at their ends."""
    chosen = subset(data, run.data.n_train)
    arrays = (chosen.x_train, chosen.y_train)
    first = Examples(*(from_numpy(values[: cross.EXAMPLES]) for values in arrays))
    ends = [stored.modules(path)[1.0] for path in checkpoints]
    return {"nets": cross.net_table(task.wildcards["run"], "chaudhari2018", ends, first)}
