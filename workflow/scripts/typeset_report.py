"""The report of a preset: one typeset article."""

from pathlib import Path

from _job import job

from sgdiffusion.config import load_claims
from sgdiffusion.config.report import load_report
from sgdiffusion.config.texts import load_captions, load_texts
from sgdiffusion.report.content import content
from sgdiffusion.report.typesetting import typeset

with job(snakemake):
    pdf, config, papers = Path(snakemake.output.pdf), Path("config"), snakemake.params.papers
    texts = {paper: load_texts(config, paper) for paper in papers}
    said = content(
        pdf.parent,
        texts,
        {paper: load_claims(config, paper) for paper in papers},
        load_captions(config),
        load_report(config, texts),
        snakemake.params.description,
    )
    pdf.write_bytes(typeset(said))
