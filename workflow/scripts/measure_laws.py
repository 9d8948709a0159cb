"""Clusters of solutions under SGD, posterior and tempered SGD, their distances and the scan over ξ."""

import numpy as np
import pandas as pd
from _job import job

from sgdiffusion.papers.hennick2025 import laws
from sgdiffusion.papers.hennick2025.moons import Moons
from sgdiffusion.papers.hennick2025.posterior import Posterior, convergence_table, coordinates
from sgdiffusion.papers.hennick2025.settings import LawPlan

TABLES = {"laws": laws.law_table, "distances": laws.distance_table, "scan": laws.scan_table}

with job(snakemake) as run:
    plan, seed = LawPlan.model_validate(snakemake.params.plan), snakemake.params.root_seed
    ensemble = Moons.from_arrays(dict(np.load(snakemake.input.ensemble)))
    posterior = Posterior.from_arrays(dict(np.load(snakemake.input.posterior)))
    found = laws.all_laws(ensemble, posterior, run.tables("nets")["nets"], plan)
    run.log.info("%d ways to compare the laws", len(found))
    tables = {
        name: pd.concat([measure(choice, plan, seed) for choice in found], ignore_index=True)
        for name, measure in TABLES.items()
    }
    tables["convergence"] = convergence_table(posterior, coordinates(ensemble, posterior, "function"))
    for name, table in tables.items():
        run.write(name, table)
    run.write("quantities", laws.law_quantities(found, tables, plan, seed))
