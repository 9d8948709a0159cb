"""Displacement and learning coefficient along the long trajectories of another paper."""

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

INSTANTS = 8  # along the trajectory, on a logarithmic scale

with job(snakemake) as run:
    settings = Training.model_validate(snakemake.params.run)
    data = subset(load(snakemake.input.data), settings.data.n_train)
    histories = {s: checkpoints.trajectory(Path(p)) for s, p in enumerate(snakemake.input.trajectories)}
    modules = [checkpoints.modules(Path(p))[1.0] for p in snakemake.input.checkpoints]
    points = {
        (seed, time): module
        for seed, history in histories.items()
        for time, module in cross.along(modules[seed], history, INSTANTS).items()
    }
    run.write("curves", cross.displacement_table(histories, [0, settings.burn_in]))
    table = cross.coefficients(
        "tiny-fc",
        points,
        Data(from_numpy(data.x_train), from_numpy(data.y_train)),
        Langevin.model_validate(snakemake.params.plan),
        seed=streams.seed(snakemake.params.root_seed, "cross", "tiny-fc"),
    )
    run.write("coefficients", table)
