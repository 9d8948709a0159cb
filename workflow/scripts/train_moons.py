"""Trains the ensemble of identical nets on two moons (Figs 1, 3, 4 of Hennick & De Baerdemacker)."""

import numpy as np
from _job import job

from sgdiffusion.papers.hennick2025.moons import train_moons
from sgdiffusion.papers.hennick2025.settings import MoonsTraining

with job(snakemake) as run:
    plan = MoonsTraining.model_validate(snakemake.params.training)
    run.facts.runs.append("moons")
    ensemble = train_moons(
        plan,
        snakemake.params.root_seed,
        lambda done, total: run.log.info("%.0f %% of the net steps", 100 * done / total),
    )
    np.savez(snakemake.output.ensemble, **ensemble.arrays())
