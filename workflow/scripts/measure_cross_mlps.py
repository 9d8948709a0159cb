"""Diffusion matrices and noise balance of some designed runs of Hennick & De Baerdemacker, at their ends."""

import numpy as np
from _job import job
from torch import from_numpy
from torch.nn.utils import vector_to_parameters

from sgdiffusion.config.models import Data as Settings
from sgdiffusion.data import load, subset
from sgdiffusion.dynamics.chains.sgld import Data
from sgdiffusion.papers.cross import examinations as cross
from sgdiffusion.papers.hennick2025.design import as_data, network, unpack

with job(snakemake) as run:
    settings = Settings.model_validate(snakemake.params.data)
    prepared = subset(load(snakemake.input.data), settings.n_train)
    train = as_data(prepared.x_train, prepared.y_train)
    groups = unpack(dict(np.load(snakemake.input.trained)))
    group = groups[len(groups) // 2]  # the middle one of the batch sizes
    nets = []
    for weights in group.kept[np.isfinite(group.kept[:, -1]).all(1), -1]:
        net = network(train.x.shape[1], int(train.y.max()) + 1, group.width, group.depth, 0)
        vector_to_parameters(from_numpy(weights.copy()), net.parameters())
        nets.append(cross.with_statistics(net, train.x))
    first = Data(train.x[: cross.EXAMPLES], train.y[: cross.EXAMPLES])
    run.write("nets", cross.net_table(snakemake.params.network, "hennick2025", nets, first))
