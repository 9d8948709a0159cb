"""The quantities of one part of Table 1, for the verdicts."""

from _job import job

from sgdiffusion.papers.hennick2025.table1 import run_quantities

with job(snakemake) as run:
    run.write("quantities", run_quantities(run.tables()["rows"]))
