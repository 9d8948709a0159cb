"""Trains one network of one run family with one seed; resumes from its own checkpoint when interrupted."""

from pathlib import Path

from _job import job

from sgdiffusion.config.runs import RUN
from sgdiffusion.data import load, subset
from sgdiffusion.dynamics.training import train

with job(snakemake) as run:
    settings = RUN.validate_python(snakemake.params.run)
    data = subset(load(snakemake.input.data), settings.data.n_train, settings.data.n_test)
    run.uses(data, seeds=[int(snakemake.wildcards.seed)], runs=[snakemake.wildcards.run])
    train(
        settings,
        data,
        run_id=f"{snakemake.wildcards.paper}/{snakemake.wildcards.run}",
        seed=int(snakemake.wildcards.seed),
        root_seed=snakemake.params.root_seed,
        device=run.device,
        folder=Path(snakemake.output.checkpoints).parent,
    )
