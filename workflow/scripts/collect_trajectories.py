"""Joins the trajectories of a run's seeds and takes the numbers behind Fig 3's claims over seeds."""

from _job import job, read_table

from sgdiffusion.config.models import Training
from sgdiffusion.papers.chaudhari2018.trajectories import Tables, quantities
from sgdiffusion.papers.tables import shares_bounded

with job(snakemake) as run:
    settings = Training.model_validate(snakemake.params.run)
    for name, table in run.tables().items():
        run.write(name, table)
    per_seed = zip(*(snakemake.input[name] for name in Tables._fields), strict=True)
    tables = [Tables(*(read_table(path) for path in paths)) for paths in per_seed]
    gradients = run.tables("gradients")["gradients"]
    run.write("quantities", shares_bounded(quantities(tables, gradients, burn_in=settings.burn_in)))
