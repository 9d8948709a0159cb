"""Judges a paper's claims by its measured quantities: the verdict table."""

from _files import publish, read
from _job import job

from sgdiffusion.config.models import Claim
from sgdiffusion.verdicts import read_quantities, verdict_table

with job(snakemake) as run:
    claims = [Claim.model_validate(c) for c in snakemake.params.claims]
    # optional measurements are judged where they exist, but nothing here may ask for them
    paths = [*snakemake.input.quantities, *snakemake.params.optional]
    quantities = read_quantities(read(p) for p in paths)
    table = verdict_table(
        claims, quantities, run.facts.preset, snakemake.params.substituted, snakemake.params.left_out
    )
    publish(snakemake.output, table, run.record())
    run.log.info("%s", table["verdict"].value_counts().to_string())
