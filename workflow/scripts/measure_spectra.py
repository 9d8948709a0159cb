"""Spectrum of the diffusion matrix D at each checkpoint of one training (Figs 1 and 2)."""

from _job import job

from sgdiffusion.config.runs import RUN
from sgdiffusion.data import load, subset
from sgdiffusion.dynamics import checkpoints
from sgdiffusion.studies.chaudhari2018_spectra import spectra_table

with job(snakemake) as run:
    settings, seed = RUN.validate_python(snakemake.params.run), int(snakemake.wildcards.seed)
    data = subset(load(snakemake.input.data), settings.data.n_train)
    modules = checkpoints.modules(snakemake.input.checkpoints)
    instants = {(seed, fraction): module.to(run.device) for fraction, module in modules.items()}
    eigenvalues, statistics = spectra_table(instants, (data.x_train, data.y_train))
    run.write("eigenvalues", eigenvalues)
    run.write("statistics", statistics)
