"""Draws the specification curve of every claim of a paper that depends on what the paper leaves open."""

from _files import read
from _job import job

from sgdiffusion.config.models import Claim
from sgdiffusion.figures.specification import specification
from sgdiffusion.figures.style import save, stamp
from sgdiffusion.provenance import substitute_note
from sgdiffusion.verdicts.readings import values_of_choices

with job(snakemake) as run:
    readings, note = read(snakemake.input.readings), substitute_note(run.record())
    for claim in (Claim.model_validate(c) for c in snakemake.params.claims):
        table = readings[readings["claim"] == claim.id]
        values = values_of_choices(table["reading"].unique(), claim, snakemake.params.bases)
        regions = {r.quantity: (r.low, r.high, r.published) for r in claim.accept}
        figure = specification(table, values, regions=regions)
        if note:
            stamp(figure, note)
        path = str(snakemake.output[claim.id])
        save(figure, path.replace(".png", ".pdf"), path)
