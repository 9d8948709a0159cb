"""Joins the spectra of a run's seeds; statistics at the end of training and distances as quantities."""

import pandas as pd
from _job import job

from sgdiffusion.papers.chaudhari2018.spectra import distance_quantities, distances, quantities

with job(snakemake) as run:
    tables, name = run.tables(), snakemake.params.name
    apart = distances(tables["eigenvalues"])
    for output, table in tables.items():
        run.write(output, table)
    run.write("distances", apart)
    measured = [quantities(tables["statistics"], name), distance_quantities(apart, name)]
    run.write("quantities", pd.concat(measured))
