"""What the preset consists of, and what is left out of it with which reason."""

import json
from pathlib import Path

from _job import job

with job(snakemake):
    text = json.dumps(snakemake.params.listing, indent=1, ensure_ascii=False)
    Path(snakemake.output.json).write_text(text + "\n", encoding="utf-8")
