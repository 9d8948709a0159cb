"""One image of the main figures of every paper, for the README."""

from pathlib import Path

import matplotlib.image
from _job import job

from sgdiffusion.config.texts import load_texts
from sgdiffusion.figures import style
from sgdiffusion.figures.composite import composite

with job(snakemake), style.style():
    rows = {}
    for paper, paths in snakemake.input.items():
        name = load_texts(Path("config"), paper).paper.short
        rows[name] = [matplotlib.image.imread(p) for p in ([paths] if isinstance(paths, str) else paths)]
    style.save(composite(rows), snakemake.output.pdf, snakemake.output.png)
