"""Draws one figure: the input tables go to the function that the rule names; marks are stamped on."""

from _job import job, named

from sgdiffusion.figures import style

with job(snakemake) as run, style.style():
    figure = named(snakemake.params.figure)(**run.tables(), **snakemake.params.get("arguments", {}))
    if run.note():
        style.stamp(figure, run.note())
    style.save(figure, snakemake.output.pdf, snakemake.output.png)
