"""All measured quantities of a preset in one file, for citing and for comparing runs."""

import json
from pathlib import Path

from _job import job

from sgdiffusion.gallery import numbers
from sgdiffusion.provenance import substitute_note

with job(snakemake) as run:
    files = {
        paper: [Path(p) for p in ([paths] if isinstance(paths, str) else paths)]
        for paper, paths in snakemake.input.items()
    }
    content = numbers.collect(run.facts.preset, substitute_note(run.record()), files, snakemake.params.runs)
    text = json.dumps(content, indent=1, ensure_ascii=False)
    Path(snakemake.output.json).write_text(text + "\n", encoding="utf-8")
    Path(snakemake.output.tex).write_text(numbers.tex(content), encoding="utf-8")
