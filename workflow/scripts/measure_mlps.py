"""Learning coefficients along one part of the designed runs, their sensitivity, and the runs' ends."""

import numpy as np
import pandas as pd
from _job import job

from sgdiffusion import streams
from sgdiffusion.config.models import Data
from sgdiffusion.data import load, subset
from sgdiffusion.papers.hennick2025 import design as study
from sgdiffusion.papers.hennick2025.settings import Langevin, Sensitivity

with job(snakemake) as run:
    params, which = snakemake.params, snakemake.wildcards
    settings, plan = Data.model_validate(params.data), Langevin.model_validate(params.plan)
    changes = [Sensitivity.model_validate(change) for change in params.changes]
    prepared = subset(load(snakemake.input.data), settings.n_train, settings.n_test)
    train = study.as_data(prepared.x_train, prepared.y_train)
    test = study.as_data(prepared.x_test, prepared.y_test)
    coefficients, evaluations, varied = [], [], []
    for group in study.unpack(dict(np.load(snakemake.input.trained))):
        names = ("hennick2025", which.run, int(group.runs[0]))
        seed = streams.seed(params.root_seed, *names, "coefficients")
        coefficients.append(study.measure_coefficients(group, train, plan, seed=seed))
        evaluations.append(study.evaluate(group, train, test))
        seed = streams.seed(params.root_seed, *names, "sensitivity")
        varied.append(study.measure_sensitivity(group, train, plan, changes, every=params.every, seed=seed))
        run.log.info("runs %d to %d measured", group.runs[0], group.runs[-1])
    run.write("coefficients", pd.concat(coefficients, ignore_index=True))
    run.write("evaluations", pd.concat(evaluations, ignore_index=True))
    run.write("varied", pd.concat([t for t in varied if len(t)] or varied[:1], ignore_index=True))
