"""Errors and ambiguities found in the papers, with the numbers that demonstrate them: one table."""

from pathlib import Path

from _files import publish, read_tables
from _job import job

from sgdiffusion.config.texts import load_texts
from sgdiffusion.gallery.tables import findings_table

with job(snakemake) as run:
    papers = list(snakemake.input.keys())
    texts = {paper: load_texts(Path("config"), paper) for paper in papers}
    tables = read_tables(dict(snakemake.input.items()))
    publish(snakemake.output, findings_table(texts, **tables), run.record())
