"""Fetches one set, from a mirror or its addresses; its size and licence are logged first (data/README.md)."""

from pathlib import Path

from _job import job

from sgdiffusion.data.fetch import fetch
from sgdiffusion.data.mirror import resolve_mirror
from sgdiffusion.data.sources import read_sources

with job(snakemake) as run:
    table = read_sources(Path(snakemake.input.sources), Path(snakemake.input.digests))
    # not a parameter of the rule: where verified bytes came from makes no result stale
    mirror = resolve_mirror(snakemake.config.get("mirror"))
    raw = Path(snakemake.output.manifest).parents[1]
    for file in fetch(table[snakemake.wildcards.set], raw, mirror).files:
        run.log.info("%s: %s bytes (%s)", file.name, f"{file.bytes:,}", file.origin)
