"""Publishes one table, made from the input tables by the function that the rule names."""

from importlib import import_module

from _job import job

with job(snakemake) as run:
    module, function = snakemake.params.table.split(":")
    make = getattr(import_module(module), function)
    run.publish(make(**run.tables(), **snakemake.params.get("arguments", {})))
