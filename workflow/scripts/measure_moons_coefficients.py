"""Local learning coefficients of the moons nets: at the end, along the training, or under other settings."""

import numpy as np
from _job import job

from sgdiffusion import streams
from sgdiffusion.papers.hennick2025.coefficients import points_of, sensitivity_table
from sgdiffusion.papers.hennick2025.moons import Moons
from sgdiffusion.papers.hennick2025.settings import Langevin, Sensitivity
from sgdiffusion.papers.hennick2025.walks import net_coefficients

with job(snakemake) as run:
    params, which = snakemake.params, snakemake.wildcards.which
    plan = Langevin.model_validate(params.plan)
    ensemble = Moons.from_arrays(dict(np.load(snakemake.input.ensemble)))

    def progress(done: int, total: int) -> None:
        run.log.info("%s: %.0f %%", which, 100 * done / total)

    if which == "sensitivity":
        table = sensitivity_table(
            *(ensemble.net, ensemble.data, points_of(ensemble.theta[: params.nets]), plan),
            [Sensitivity.model_validate(change) for change in params.changes],
            seed=streams.seed(params.root_seed, "hennick2025", "moons", "sensitivity"),
            progress=progress,
        )
    else:
        table = net_coefficients(
            ensemble, plan, along=which == "along", root_seed=params.root_seed, progress=progress
        )
    run.write("coefficients", table)
