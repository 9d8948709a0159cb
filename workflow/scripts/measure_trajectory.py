"""Fourier transform, autocorrelation, nulls and gradient norms of one long trajectory (Fig 3)."""

from pathlib import Path

import torch
from _job import job

from sgdiffusion.config.models import Training
from sgdiffusion.data import load, subset
from sgdiffusion.dynamics.training import checkpoints
from sgdiffusion.papers.chaudhari2018.trajectories import seed_tables
from sgdiffusion.streams import generator

with job(snakemake) as run:
    settings, seed = Training.model_validate(snakemake.params.run), int(snakemake.wildcards.seed)
    data = subset(load(snakemake.input.data), settings.data.n_train)
    module = checkpoints.modules(Path(snakemake.input.checkpoints))[1.0]
    history = checkpoints.trajectory(Path(snakemake.input.trajectory))
    nulls = generator(snakemake.params.root_seed, "chaudhari2018", snakemake.wildcards.run, seed, "nulls")
    examples = torch.from_numpy(data.x_train), torch.from_numpy(data.y_train)
    tables, gradients = seed_tables(module, history, settings, examples, nulls, seed)
    for name, table in tables._asdict().items():
        run.write(name, table)
    run.write("gradients", gradients)
