"""Trains one network of one run family with one seed; resumes from its own checkpoint when interrupted."""

from pathlib import Path

from _job import job, named

from sgdiffusion.config.models import Training
from sgdiffusion.data import load, subset

with job(snakemake) as run:
    settings = Training.model_validate(snakemake.params.run)
    family, seed = f"{snakemake.wildcards.paper}/{snakemake.wildcards.run}", int(snakemake.wildcards.seed)
    data = subset(load(snakemake.input.data), settings.data.n_train, settings.data.n_test)
    run.uses(data, runs=[snakemake.wildcards.run], seeds=[seed])
    trained = named(snakemake.params.trainer)(
        settings,
        data,
        run_id=family,
        seed=seed,
        root_seed=snakemake.params.root_seed,
        classes=data.meta["classes"],
        folder=Path(snakemake.output.checkpoints).parent,
        device=run.device,
        code=snakemake.params.code,
        log=run.log,
    )
    trained.metrics.to_csv(snakemake.output.metrics, index=False)
