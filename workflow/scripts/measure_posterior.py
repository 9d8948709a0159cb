"""Draws of the moons net's posterior by Langevin dynamics, from the best nets of the ensemble."""

import numpy as np
from _job import job

from sgdiffusion.papers.hennick2025.moons import Moons
from sgdiffusion.papers.hennick2025.posterior import sample_posterior
from sgdiffusion.papers.hennick2025.settings import PosteriorPlan

with job(snakemake) as run:
    plan = PosteriorPlan.model_validate(snakemake.params.plan)
    posterior = sample_posterior(
        Moons.from_arrays(dict(np.load(snakemake.input.ensemble))),
        run.tables("nets")["nets"],
        plan,
        snakemake.params.root_seed,
        lambda done, total: run.log.info("%.0f %% of the chain steps", 100 * done / total),
    )
    for chain in posterior.diverged:
        run.log.warning("posterior chain %d blew up and is left out", chain)
    np.savez(snakemake.output.posterior, **posterior.arrays())
