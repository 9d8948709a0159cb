"""Prepares one data set: canonical order, then the preparation that the rule names (data/README.md)."""

from pathlib import Path

from _job import job

from sgdiffusion.data.preparation import prepare
from sgdiffusion.data.store import save
from sgdiffusion.provenance.record import DataUse

with job(snakemake) as run:
    wildcards, params = snakemake.wildcards, snakemake.params
    arrays = run.named(params.arrays)(wildcards.set, **dict(snakemake.input.items()))
    transform = run.named(params.transform)
    data = prepare(arrays, wildcards.set, wildcards.preparation, transform, real=params.real)
    save(Path(snakemake.output.arrays), data)
    meta = data.meta
    run.facts.data.append(DataUse(meta["set"], meta["preparation"], meta["real"], meta["digest"]))
    run.log.info("%s", meta)
