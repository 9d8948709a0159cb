"""Draws one figure: the input tables go to the function that the rule names; marks are stamped on."""

from importlib import import_module

from _job import job

from sgdiffusion.figures import style

with job(snakemake) as run:
    module, function = snakemake.params.figure.split(":")
    with style.style():
        draw = getattr(import_module(module), function)
        figure = draw(**run.tables(), **snakemake.params.get("arguments", {}))
        if run.note():
            style.stamp(figure, run.note())
        style.save(figure, snakemake.output.pdf, snakemake.output.png)
