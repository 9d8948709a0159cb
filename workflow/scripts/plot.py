"""Draws one figure: the input tables go to the function that the registry names; marks are stamped on."""

from pathlib import Path

from _files import read_tables
from _job import job

from sgdiffusion.figures import style
from sgdiffusion.figures.vector import svg
from sgdiffusion.provenance import marks

with job(snakemake) as run, style.style():
    draw = run.named(snakemake.params.function)
    figure = draw(**read_tables(dict(snakemake.input.items())), **snakemake.params.arguments)
    if note := marks(run.record()):
        style.stamp(figure, note)
    style.save(figure, snakemake.output.pdf, snakemake.output.png)
    Path(snakemake.output.svg).write_text(svg(figure), encoding="utf-8")
