"""Displacements, exponents, dimensions and the learning coefficient's sensitivity on the moons ensemble."""

import numpy as np
import pandas as pd
from _job import job

from sgdiffusion.papers.hennick2025 import walks
from sgdiffusion.papers.hennick2025.coefficients import sensitivity_quantities, sensitivity_summary
from sgdiffusion.papers.hennick2025.moons import Moons
from sgdiffusion.papers.hennick2025.settings import MoonsEnsemble

with job(snakemake) as run:
    plan, seed = MoonsEnsemble.model_validate(snakemake.params.run), snakemake.params.root_seed
    given = run.tables("end", "along", "varied")
    ensemble = Moons.from_arrays(dict(np.load(snakemake.input.ensemble)))
    nets = walks.net_table(ensemble, given["end"], given["along"], window=plan.window)
    models = walks.model_table(ensemble, window=plan.window)
    independent = walks.independent_table(ensemble, nets, radii=plan.radii, root_seed=seed)
    sensitivity = sensitivity_summary(given["varied"])
    run.write("displacement", walks.displacement_table(ensemble, root_seed=seed))
    run.write("nets", nets)
    run.write("models", models)
    run.write("windows", walks.window_table(ensemble, plan.windows))
    run.write("independent", independent)
    run.write("sensitivity", sensitivity)
    measured = walks.walk_quantities(ensemble, nets, models, independent, plan, seed)
    run.write("quantities", pd.concat([measured, sensitivity_quantities(sensitivity, "moons")]))
