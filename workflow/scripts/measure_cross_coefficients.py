"""Learning coefficient along another paper's trainings: at instants of a trajectory, or the kept ones."""

from pathlib import Path

from _job import job
from torch import from_numpy

from sgdiffusion import streams
from sgdiffusion.config.models import Training
from sgdiffusion.data import load, subset
from sgdiffusion.dynamics.chains.sgld import Data
from sgdiffusion.dynamics.training import checkpoints
from sgdiffusion.papers.cross import examinations as cross
from sgdiffusion.papers.hennick2025.settings import Langevin

INSTANTS = 8  # along a trajectory, on a logarithmic scale

with job(snakemake) as run:
    network, settings = snakemake.wildcards.run, Training.model_validate(snakemake.params.run)
    data = subset(load(snakemake.input.data), settings.data.n_train)
    modules = [checkpoints.modules(Path(p)) for p in snakemake.input.checkpoints]
    if snakemake.input.trajectories:
        histories = [checkpoints.trajectory(Path(p)) for p in snakemake.input.trajectories]
        modules = [cross.along(m[1.0], h, INSTANTS) for m, h in zip(modules, histories, strict=True)]
    points = {(seed, time): module for seed, found in enumerate(modules) for time, module in found.items()}
    table = cross.coefficients(
        network,
        points,
        Data(from_numpy(data.x_train), from_numpy(data.y_train)),
        Langevin.model_validate(snakemake.params.plan),
        seed=streams.seed(snakemake.params.root_seed, "cross", network),
    )
    run.write("coefficients", table)
