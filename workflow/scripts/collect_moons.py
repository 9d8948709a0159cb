"""Joins the measurements on the moons data sets: means over them, with intervals over them."""

import pandas as pd
from _job import job, read_table

from sgdiffusion.papers.hennick2025.sets import pooled

with job(snakemake) as run:
    given = {kind: [read_table(path) for path in snakemake.input[kind]] for kind in ("walks", "laws")}
    for kind, sets in given.items():
        run.write(kind, pooled(sets))
    numbered = [table.assign(set=i) for sets in given.values() for i, table in enumerate(sets)]
    run.write("sets", pd.concat(numbered, ignore_index=True))
