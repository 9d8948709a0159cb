"""The gallery of a preset: one self-contained page."""

import json
from pathlib import Path

from _job import job

from sgdiffusion.config import load_claims
from sgdiffusion.config.texts import load_captions, load_texts
from sgdiffusion.gallery.page import Items, build
from sgdiffusion.provenance import substitute_note

with job(snakemake) as run:
    page, config = Path(snakemake.output.html), Path("config")
    items = Items.of(json.loads(Path(snakemake.input.listing).read_text(encoding="utf-8")))
    html = build(
        page.parent,
        items,
        {paper: load_texts(config, paper) for paper in items.figures},
        {paper: load_claims(config, paper) for paper in items.figures},
        load_captions(config),
        note=substitute_note(run.record()),
        description=snakemake.params.description,
        command=snakemake.params.command,
    )
    page.write_text(html, encoding="utf-8")
