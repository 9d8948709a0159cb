"""Spectrum of the diffusion matrix D at each checkpoint of one training (Figs 1 and 2).

For the augmented evaluation D is that of the augmented distribution: every image in one random version.
"""

from pathlib import Path

from _job import job

from sgdiffusion.config.models import Training
from sgdiffusion.data import load, subset
from sgdiffusion.dynamics.training import checkpoints
from sgdiffusion.dynamics.training.augmentation import augmented
from sgdiffusion.papers.chaudhari2018.spectra import spectra_table
from sgdiffusion.streams import generator

with job(snakemake) as run:
    settings, seed = Training.model_validate(snakemake.params.run), int(snakemake.wildcards.seed)
    data = subset(load(snakemake.input.data), settings.data.n_train)
    x, y = data.x_train, data.y_train
    if snakemake.wildcards.evaluation == "augmented":
        names = (snakemake.wildcards.run, seed, "augmented evaluation")
        x, y = augmented(x, y, 1, generator(snakemake.params.root_seed, *names))
    modules = checkpoints.modules(Path(snakemake.input.checkpoints))
    instants = {(seed, fraction): module.to(run.device) for fraction, module in modules.items()}
    eigenvalues, statistics = spectra_table(instants, (x, y), evaluation=snakemake.wildcards.evaluation)
    run.write("eigenvalues", eigenvalues)
    run.write("statistics", statistics)
