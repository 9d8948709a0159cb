"""Joins the parts of the designed runs of both optimisers: one row per run, correlations, contrasts."""

import numpy as np
import pandas as pd
from _job import job, read_table

from sgdiffusion.papers.hennick2025 import runs as study
from sgdiffusion.papers.hennick2025.design import design, unpack
from sgdiffusion.papers.hennick2025.settings import MlpRuns

MEASURED = ("coefficients", "evaluations", "varied")

with job(snakemake) as run:
    parts: dict[str, list[pd.DataFrame]] = {}
    for name, settings in snakemake.params.runs.items():
        plan = MlpRuns.model_validate(settings)
        inputs = {k: list(snakemake.input[f"{k}_{plan.optimiser}"]) for k in ("trained", *MEASURED)}
        groups = [g for path in inputs["trained"] for g in unpack(dict(np.load(path)))]
        measured = [read_table(inputs[k]) for k in MEASURED]
        table = design(plan.optimiser, plan.design, snakemake.params.root_seed)
        found = study.optimiser_tables(table, groups, *measured, plan, name)
        for key, value in found.items():
            parts.setdefault(key, []).append(value)
    tables = {key: pd.concat(values, ignore_index=True) for key, values in parts.items()}
    tables["correlations"] = study.correlations(tables["runs"])
    contrasts = study.contrast_quantities(tables["runs"], "mlps")
    rho = study.correlation_quantities(tables["correlations"])
    tables["quantities"] = pd.concat([tables["quantities"], rho, contrasts])
    for key, table in tables.items():
        run.write(key, table)
