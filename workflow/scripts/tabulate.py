"""Publishes one table, made from the input tables by the function that the rule names."""

from _job import job, named

with job(snakemake) as run:
    run.publish(named(snakemake.params.table)(**run.tables(), **snakemake.params.get("arguments", {})))
