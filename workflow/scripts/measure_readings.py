"""Checks of printed numbers and formulas of Chaudhari & Soatto that need no data (Figs 1, 2, App. A.2)."""

from _job import job

from sgdiffusion.papers.chaudhari2018.readings import quantities

with job(snakemake) as run:
    run.write("quantities", quantities(snakemake.params.published))
