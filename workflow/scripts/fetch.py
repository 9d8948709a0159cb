"""Fetches one real data set, from a mirror or its addresses; every byte is verified (data/README.md)."""

from pathlib import Path

from _job import job

from sgdiffusion.data.fetch import fetch
from sgdiffusion.data.mirror import resolve_mirror
from sgdiffusion.data.sets import REAL_SETS
from sgdiffusion.data.sources import read_sources

with job(snakemake) as run:
    name = snakemake.wildcards.set
    table = read_sources(Path(snakemake.input.sources), Path(snakemake.input.digests))
    # not a parameter of the rule: where verified bytes came from makes no result stale
    mirror = resolve_mirror(snakemake.config.get("mirror"))
    raw = Path(snakemake.output.manifest).parents[1]
    manifest = fetch(REAL_SETS[name], table[name], raw, mirror)
    for file in manifest.files:
        run.log.info("%s: %s bytes (%s)", file.name, f"{file.bytes:,}", file.origin)
