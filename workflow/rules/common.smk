# Validates the configuration and helps the rules; makes nothing itself.
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "src"))

from sgdiffusion.config import Configuration, load_claims, parse_settings
from sgdiffusion.config.left_out import load_left_out
from sgdiffusion.config.load import config_digest
from sgdiffusion.config.texts import load_captions, load_texts
from sgdiffusion.errors import ConfigError
from sgdiffusion.papers.items import CROSS, Plan, located, record_of, registries
from sgdiffusion.provenance import Code

REGISTRIES = registries()
try:
    SETTINGS = parse_settings(config)
    CONFIG = Configuration(Path("config"), SETTINGS.substitute)
    CONFIG.preset(SETTINGS.preset)
    CLAIMS = {paper: load_claims(Path("config"), paper) for paper in CONFIG.papers()}
    TEXTS = {paper: load_texts(Path("config"), paper) for paper in CONFIG.papers()}
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


def code_digest(script, *entries):
    """Digest of a script of workflow/scripts and the library functions it and the entries depend on."""
    return CODE.digest(ROOT / "workflow" / "scripts" / script, *entries)


def plan(paper, wildcards):
    """What an entry of a paper's registry may ask of the configuration."""
    return Plan(
        paper=paper,
        preset=wildcards.preset,
        wildcards=dict(wildcards.items()),
        config=CONFIG,
        claims=CLAIMS,
        kept=lambda item: LEFT_OUT.reason(item) is None,
    )


def inputs_of(paper, inputs):
    """An input function: the files of an entry's inputs, by name."""
    return lambda w: plan(paper, w).files(inputs)


def entry(paper, function, room=""):
    """A function of the registry as "package.module:function"."""
    if function.startswith("sgdiffusion."):
        return function
    return f"{REGISTRIES[paper].package}.{room}{function}"


def item(kind, paper, name):
    """A figure or table of a paper; an unknown one is an error that lists what there is."""
    chosen = REGISTRIES[paper]
    there = chosen.figures if kind == "figure" else {**chosen.tables, **chosen.optional}
    if name not in there:
        raise WorkflowError(f"{paper} has no {kind} {name}; it has: {', '.join(there)}")
    return there[name]


def quantity_files(paper):
    """An input function: every table of a paper's quantities."""
    return lambda w: [
        f"results/{w.preset}/{paper}/quantities/{name}.csv"
        for name in QUANTITIES[paper]
    ]


def texts_digest():
    """Digest of the words of all papers."""
    return config_digest(*(TEXTS[paper] for paper in CONFIG.papers()))


def targets(preset, paper=None):
    """Every final file of a preset, or of one paper at it."""
    papers = list(REGISTRIES) if paper is None else [paper]
    figures = [f"figures/{preset}/{p}/{f}.pdf" for p in papers for f in FIGURES[p]]
    tables = [f"figures/{preset}/{p}/{t}.csv" for p in papers for t in TABLES[p]]
    if paper is not None:
        verdicts = [f"figures/{preset}/{paper}/verdicts.csv"] if paper != CROSS else []
        return [*figures, *tables, *verdicts]
    whole = ["verdicts.csv", "numbers.json", "index.html", "composite.png"]
    return [*figures, *tables, *(f"figures/{preset}/{name}" for name in whole)]
