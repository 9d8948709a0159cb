"""Noise balance of the trained networks of Chaudhari & Soatto, at their ends."""

from pathlib import Path

from _job import job
from torch import from_numpy

from sgdiffusion.config.models import Training
from sgdiffusion.data import load, subset
from sgdiffusion.dynamics.chains.sgld import Data
from sgdiffusion.dynamics.training import checkpoints
from sgdiffusion.papers.cross import examinations as cross

with job(snakemake) as run:
    settings = Training.model_validate(snakemake.params.run)
    data = subset(load(snakemake.input.data), settings.data.n_train)
    first = Data(*(from_numpy(values[: cross.EXAMPLES]) for values in (data.x_train, data.y_train)))
    nets = [checkpoints.modules(Path(path))[1.0] for path in snakemake.input.checkpoints]
    run.write("nets", cross.net_table(snakemake.wildcards.run, "chaudhari2018", nets, first))
