# Validates the configuration and helps the rules; makes nothing itself.
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.basedir)
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "workflow")]

import calls
from sgdiffusion.config import Configuration, load_claims, parse_settings
from sgdiffusion.config.left_out import load_left_out
from sgdiffusion.config.load import config_digest
from sgdiffusion.config.report import load_report
from sgdiffusion.config.texts import load_captions, load_texts
from sgdiffusion.errors import ConfigError
from sgdiffusion.papers.items import (
    CROSS,
    Plan,
    located,
    record_of,
    registries,
    rule_name,
)
from sgdiffusion.provenance import Code

calls.watch()
REGISTRIES = registries()
try:
    SETTINGS = parse_settings(config)
    CONFIG = Configuration(Path("config"), SETTINGS.substitute)
    CONFIG.preset(SETTINGS.preset)
    CLAIMS = {paper: load_claims(Path("config"), paper) for paper in CONFIG.papers()}
    TEXTS = {paper: load_texts(Path("config"), paper) for paper in CONFIG.papers()}
    REPORT = load_report(Path("config"), TEXTS)
    # everything that may be left out: figures, tables, tables of quantities, claims
    EVERY_ITEM = [
        *(
            f"{r.paper}/{n}"
            for r in REGISTRIES.values()
            for n in (*r.figures, *r.tables)
        ),
        *(
            f"{r.paper}/quantities/{n}"
            for r in REGISTRIES.values()
            for n in r.quantities
        ),
        *(f"{r.paper}/readings/{n}" for r in REGISTRIES.values() for n in r.readings),
        *(f"{paper}/claims/{claim.id}" for paper in CLAIMS for claim in CLAIMS[paper]),
    ]
    LEFT_OUT = load_left_out(SETTINGS.left_out, EVERY_ITEM)
except ConfigError as error:
    raise WorkflowError(f"The configuration is not valid; nothing was run.\n{error}")

CODE = Code(ROOT / "src", ROOT / "workflow" / "scripts")
ENVIRONMENT = "../../environment.yml"
FIGURES = {p: LEFT_OUT.keep(p, r.figures) for p, r in REGISTRIES.items()}
TABLES = {p: LEFT_OUT.keep(p, r.tables) for p, r in REGISTRIES.items()}
QUANTITIES = {
    p: LEFT_OUT.keep(f"{p}/quantities", r.quantities) for p, r in REGISTRIES.items()
}
READINGS = {
    p: LEFT_OUT.keep(f"{p}/readings", r.readings) for p, r in REGISTRIES.items()
}
# the main figures, in one image; a paper without any is not in it
COMPOSITE = {
    paper: names
    for paper in CONFIG.papers()
    if (names := LEFT_OUT.keep(paper, TEXTS[paper].composite))
}


wildcard_constraints:
    preset="|".join(CONFIG.presets()),
    paper="|".join(REGISTRIES),
    run="[a-z0-9.-]+",
    seed=r"\d+",
