"""Learning coefficients along the training of one of Table 1's models, and its row of the table."""

from pathlib import Path

import numpy as np
from _job import job, read_table
from _larger import problem_of, title_of

from sgdiffusion import streams
from sgdiffusion.dynamics.training import checkpoints
from sgdiffusion.papers.hennick2025 import table1 as study
from sgdiffusion.papers.hennick2025.settings import Langevin, LargerTraining

with job(snakemake) as run:
    params, which = snakemake.params, snakemake.wildcards
    training, plan = LargerTraining.model_validate(params.training), Langevin.model_validate(params.plan)
    problem = problem_of(snakemake, run)
    kept = checkpoints.read_state(Path(snakemake.input.trained))
    theta, steps = kept["theta"], np.array(kept["steps"])
    seed = streams.seed(params.root_seed, "hennick2025", which.run, which.model, "coefficients")
    found = study.coefficients(
        *(problem, theta, steps, plan),
        seed=seed,
        progress=lambda done, of: run.log.info("λ̂ at %d of %d instants", done, of),
    )
    test_loss = study.average_test_loss(problem, theta[-1], training.batch_size)
    displacement = read_table(snakemake.input.displacement)
    name, data = title_of(snakemake)
    row = study.model_row(name, data, theta.shape[1], displacement, found, training, params.window, test_loss)
    run.write("coefficients", found.assign(model=name))
    run.write("row", row)
