"""Publishes one table, made from the input tables by the function that the registry names."""

from _files import publish, read_tables
from _job import job

with job(snakemake) as run:
    make = run.named(snakemake.params.function)
    table = make(**read_tables(dict(snakemake.input.items())), **snakemake.params.arguments)
    publish(snakemake.output, table, run.record())
