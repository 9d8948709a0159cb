"""Trains and measures one variant of the long trajectory, all its seeds: what Fig 3's numbers depend on.

Only the numbers are kept: the weight histories go when all is measured.
"""

import shutil
from pathlib import Path

import pandas as pd
import torch
from _job import job, named

from sgdiffusion.config.models import Training
from sgdiffusion.data import load, subset
from sgdiffusion.dynamics.training import checkpoints
from sgdiffusion.papers.chaudhari2018.trajectories import quantities, seed_tables
from sgdiffusion.streams import generator

with job(snakemake) as run:
    settings, root_seed = Training.model_validate(snakemake.params.run), snakemake.params.root_seed
    data = subset(load(snakemake.input.data), settings.data.n_train, settings.data.n_test)
    examples = torch.from_numpy(data.x_train), torch.from_numpy(data.y_train)
    name = f"chaudhari2018/variant {snakemake.wildcards.variant}"
    run.uses(data, runs=[snakemake.wildcards.variant], seeds=list(range(settings.seeds)))
    work, parts = Path(snakemake.output.quantities).parent / "work", []
    for seed in range(settings.seeds):
        trained = named(snakemake.params.trainer)(
            settings,
            data,
            run_id=name,
            seed=seed,
            root_seed=root_seed,
            classes=data.meta["classes"],
            folder=work / f"seed-{seed}",
            code=snakemake.params.code,
            log=run.log,
        )
        module, history = (
            checkpoints.modules(trained.checkpoints)[1.0],
            checkpoints.trajectory(trained.trajectory),
        )
        nulls = generator(root_seed, name, seed, "nulls")
        parts.append(seed_tables(module, history, settings, examples, nulls, seed))
    tables, gradients = zip(*parts, strict=True)
    run.write("quantities", quantities(tables, pd.concat(gradients), burn_in=settings.burn_in))
    shutil.rmtree(work)
