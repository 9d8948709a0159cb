"""Runs one simulation study: the rule names the study, the model of its settings, and the tables it gives."""

import pandas as pd
from _job import job, named

with job(snakemake) as run:
    settings = named(snakemake.params.model).model_validate(snakemake.params.run)
    run.facts.runs.append(snakemake.params.run_id)
    study = named(snakemake.params.study)
    tables: dict[str, pd.DataFrame] = study(
        **settings.arguments(), seed=snakemake.params.root_seed, threads=snakemake.threads
    )
    for name, table in tables.items():
        run.write(name, table)
