"""Theorem 5, Lemmas 6 and 20, Theorem 22 of Chaudhari & Soatto where the truth is computable."""

import pandas as pd
from _job import job

from sgdiffusion.papers.chaudhari2018 import theorems as theory
from sgdiffusion.papers.chaudhari2018.double_well import scan_quantities
from sgdiffusion.papers.chaudhari2018.settings import TheoryChecks

with job(snakemake) as run:
    settings = TheoryChecks.model_validate(snakemake.params.run)
    run.facts.runs.append("theory")
    common = {"seed": snakemake.params.root_seed, "threads": snakemake.threads}
    linear = {"chains": settings.chains, "records": settings.linear_records, **common}
    descent, anisotropy = theory.descent_table(), theory.anisotropy_table(**linear)
    displacement = theory.displacement_table(
        chains=settings.chains, records=settings.regression_records, **common
    )
    rows = [
        *theory.descent_quantities(descent),
        *theory.lemma6_quantities(anisotropy, settings.chains),
        *theory.lemma20_quantities(**linear),
        *theory.theorem22_quantities(displacement, settings.chains),
        *scan_quantities(),
    ]
    run.write("descent", descent)
    run.write("anisotropy", anisotropy)
    run.write("displacement", displacement)
    run.write("quantities", pd.DataFrame(rows))
