"""Trains one part of the designed runs of one optimiser: all nets of one architecture."""

import numpy as np
from _job import job

from sgdiffusion.config.models import Data
from sgdiffusion.data import load, subset
from sgdiffusion.papers.hennick2025.design import as_data, design, pack, train_part
from sgdiffusion.papers.hennick2025.settings import MlpDesign, MlpTraining

with job(snakemake) as run:
    params = snakemake.params
    settings = Data.model_validate(params.data)
    plan = MlpTraining.model_validate(params.training)
    data = subset(load(snakemake.input.data), settings.n_train)
    table = design(params.optimiser, MlpDesign.model_validate(params.design), params.root_seed)
    part = table[table["part"] == int(snakemake.wildcards.part)]
    run.uses(data, runs=[snakemake.wildcards.run], seeds=[])
    groups = list(train_part(part, as_data(data.x_train, data.y_train), plan, run.log.info))
    np.savez(snakemake.output.trained, **pack(groups))
