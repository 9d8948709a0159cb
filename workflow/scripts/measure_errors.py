"""Training and test errors of a run's seeds, beside the errors that the paper reports for its networks."""

from pathlib import Path

from _job import job

from sgdiffusion.dynamics.training import checkpoints
from sgdiffusion.papers.chaudhari2018.errors import error_quantities, error_table

with job(snakemake) as run:
    metas = [checkpoints.load(Path(path))["meta"] for path in snakemake.input.checkpoints]
    errors = error_table(metas)
    run.write("errors", errors)
    measured = error_quantities(errors, run.tables("metrics")["metrics"], snakemake.wildcards.run)
    run.write("quantities", measured)
