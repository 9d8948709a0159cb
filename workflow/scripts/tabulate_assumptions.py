"""What the papers left open: choice, reason and measured sensitivity, as one table."""

from pathlib import Path

from _job import job

from sgdiffusion.config import Configuration
from sgdiffusion.gallery.tables import assumptions_table

with job(snakemake) as run:
    choices = Configuration(Path("config")).assumptions(run.facts.preset)
    run.publish(assumptions_table(choices, **run.tables()))
