"""Diffusion matrices and noise balance of the moons nets and of the two-layer ReLU nets."""

import numpy as np
import pandas as pd
from _job import job
from torch import from_numpy
from torch.nn.utils import vector_to_parameters

from sgdiffusion.measures.noise.gradients import cross_entropy, half_squared_error
from sgdiffusion.papers.cross import examinations as cross
from sgdiffusion.papers.hennick2025.moons import Moons, network
from sgdiffusion.papers.ziyin2025 import balance as ziyin2025_balance

NETS = 50  # of the moons ensemble

with job(snakemake) as run:
    ensemble = Moons.from_arrays(dict(np.load(snakemake.input.ensemble)))
    moons = [network(ensemble.width, ensemble.depth, 0) for _ in ensemble.theta[:NETS]]
    for net, weights in zip(moons, ensemble.theta, strict=False):
        vector_to_parameters(from_numpy(weights), net.parameters())
    two_layer, examples = ziyin2025_balance.trained_nets(
        **snakemake.params.two_layer, seed=snakemake.params.root_seed
    )
    tables = [
        cross.net_table("moons", "hennick2025", moons, ensemble.data, cross_entropy),
        cross.net_table("two-layer-relu", "ziyin2025", two_layer, examples, half_squared_error),
    ]
    nets = pd.concat(tables, ignore_index=True)
    nets.attrs = tables[0].attrs
    run.write("nets", nets)
