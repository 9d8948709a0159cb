"""Trains every variant of one run, all seeds, and takes the spectrum of D at the end: what it depends on.

Only the numbers are kept: the trainings, each of seconds, go when all is measured.
"""

import shutil
from pathlib import Path

import pandas as pd
from _job import job, named

from sgdiffusion.config.models import Training
from sgdiffusion.data import load, subset
from sgdiffusion.dynamics.training import checkpoints
from sgdiffusion.papers.chaudhari2018.errors import error_quantities, error_table
from sgdiffusion.papers.chaudhari2018.spectra import quantities, spectra_table

with job(snakemake) as run:
    params = snakemake.params
    variants = {name: Training.model_validate(settings) for name, settings in params.variants.items()}
    chosen = variants["unchanged"]
    data = subset(load(snakemake.input.data), chosen.data.n_train, chosen.data.n_test)
    run.uses(data, runs=[params.name], seeds=list(range(chosen.seeds)))
    work, measured = Path(snakemake.output.quantities).parents[1] / f"{params.name}-variants", []
    for variant, settings in variants.items():
        name, instants, metas, metrics = f"{params.name}.{variant}", {}, [], []
        for seed in range(settings.seeds):
            trained = named(params.trainer)(
                settings,
                data,
                run_id=f"chaudhari2018/variant {name}",
                seed=seed,
                root_seed=params.root_seed,
                classes=data.meta["classes"],
                folder=work / variant / f"seed-{seed}",
                device=run.device,
                code=params.code,
                log=run.log,
            )
            instants[seed, 1.0] = checkpoints.modules(trained.checkpoints)[1.0].to(run.device)
            metas.append(checkpoints.load(trained.checkpoints)["meta"])
            metrics.append(trained.metrics)
        _, statistics = spectra_table(instants, (data.x_train, data.y_train))
        measured += [
            quantities(statistics, name),
            error_quantities(error_table(metas), pd.concat(metrics), name),
        ]
    run.write("quantities", pd.concat(measured))
    shutil.rmtree(work)
