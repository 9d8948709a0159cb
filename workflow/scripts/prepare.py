"""Prepares one data set: canonical order, then the preparation that the rule names (data/README.md)."""

from pathlib import Path

from _job import job, named

from sgdiffusion.data.preparation import apply
from sgdiffusion.data.store import save

with job(snakemake) as run:
    wildcards, params = snakemake.wildcards, snakemake.params
    arrays = named(params.arrays)(wildcards.set, **dict(snakemake.input.items()))
    transform = named(params.transform)
    data = apply(arrays, wildcards.set, wildcards.preparation, transform, real=params.real)
    save(Path(snakemake.output.arrays), data)
    run.uses(data, runs=[], seeds=[])
    run.log.info("%s", data.meta)
