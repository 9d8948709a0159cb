"""Learning coefficient at the kept instants of another paper's trainings."""

from pathlib import Path

from _job import job
from torch import from_numpy

from sgdiffusion import streams
from sgdiffusion.config.hennick2025 import Langevin
from sgdiffusion.config.models import Training
from sgdiffusion.data import load, subset
from sgdiffusion.dynamics import checkpoints
from sgdiffusion.dynamics.sgld import Data
from sgdiffusion.studies import cross

with job(snakemake) as run:
    settings, network = Training.model_validate(snakemake.params.run), snakemake.params.network
    data = subset(load(snakemake.input.data), settings.data.n_train)
    points = {
        (seed, fraction): module
        for seed, path in enumerate(snakemake.input.checkpoints)
        for fraction, module in checkpoints.modules(Path(path)).items()
    }
    table = cross.coefficients(
        network,
        points,
        Data(from_numpy(data.x_train), from_numpy(data.y_train)),
        Langevin.model_validate(snakemake.params.plan),
        seed=streams.seed(snakemake.params.root_seed, "cross", network),
    )
    run.write("coefficients", table)
