"""What the papers left open: choice, reason and measured sensitivity, as one table."""

from pathlib import Path

from _files import publish, read_tables
from _job import job

from sgdiffusion.config import Configuration
from sgdiffusion.gallery.tables import assumptions_table

with job(snakemake) as run:
    choices = Configuration(Path("config")).assumptions(run.facts.preset)
    tables = read_tables(dict(snakemake.input.items()))
    papers = snakemake.params.papers
    readings = {p: tables[f"{p}_readings"] for p in papers}
    publish(
        snakemake.output,
        assumptions_table(choices, readings, {p: tables[p] for p in papers if p in tables}),
        run.record(),
    )
