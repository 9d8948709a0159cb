"""Fetches one item of data/optional.csv; its size and licence are logged before its download starts."""

from pathlib import Path

from _job import job

from sgdiffusion.data.mirror import resolve_mirror
from sgdiffusion.data.optional import obtain, read_optional

with job(snakemake) as run:
    item = read_optional(Path(snakemake.input.sources))[snakemake.wildcards.item]
    raw = Path(snakemake.output.manifest).parents[1]
    manifest = obtain(item, raw, resolve_mirror(snakemake.config.get("mirror")))
    run.log.info("%s: from %s at %s", item.item, manifest.origin, manifest.revision)
    for file in manifest.files:
        run.log.info("%s: %s bytes", file.name, f"{file.bytes:,}")
