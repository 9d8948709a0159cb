"""Judges a paper's claims by its quantities: the verdict table, and every claim under every reading."""

from pathlib import Path

from _files import publish, read, write
from _job import job

from sgdiffusion.config.models import Claim
from sgdiffusion.provenance import flag_note, read_record, substitute_note
from sgdiffusion.verdicts import read_quantities, read_readings, verdict_table

with job(snakemake) as run:
    given = snakemake.input
    claims = [Claim.model_validate(c) for c in snakemake.params.claims]
    # optional measurements are judged where they exist, but nothing here may ask for them
    quantities = read_quantities(read(p) for p in [*given.quantities, *snakemake.params.optional])
    readings = read_readings(read(p) for p in given.get("readings", []))
    table, under = verdict_table(
        claims,
        quantities,
        run.facts.preset,
        snakemake.params.substituted,
        snakemake.params.left_out,
        readings,
    )
    record = run.record()
    # at full scale a claim that rests on substitute data says so itself, as its obstacle
    note = "" if run.facts.preset == "full" else substitute_note(record)
    # a claim is flagged with the tables of its own numbers
    flags = {
        name: flag_note(read_record(Path(path)) or {})
        for path in [*given.quantities, *snakemake.params.optional]
        for name in read(path)["quantity"]
    }
    numbers = {c.id: [flags.get(r.quantity, "") for r in c.accept] for c in claims}
    notes = [" · ".join(dict.fromkeys(n for n in (note, *numbers[c]) if n)) for c in table["claim"]]
    publish(snakemake.output, table.assign(note=notes), record)
    write(snakemake.output.readings, under)
    run.log.info("%s", table["verdict"].value_counts().to_string())
