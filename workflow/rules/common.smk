# Validates the configuration and helps the rules; makes nothing itself.
import hashlib
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
from sgdiffusion.provenance import Code

try:
    SETTINGS = parse_settings(config)
    CONFIG = Configuration(Path("config"), SETTINGS.substitute)
    CONFIG.preset(SETTINGS.preset)
    CLAIMS = {paper: load_claims(Path("config"), paper) for paper in CONFIG.papers()}
    TEXTS = {paper: load_texts(Path("config"), paper) for paper in CONFIG.papers()}
except ConfigError as error:
    raise WorkflowError(f"The configuration is not valid; nothing was run.\n{error}")

CODE = Code(ROOT / "src")

# figure: run, and over which examples D is evaluated
SPECTRA = {
    "fig1a": ("small-lenet", "plain"),
    "fig1b": ("small-fc", "plain"),
    "fig2a": ("small-allcnn", "plain"),
    "fig2b": ("small-allcnn-cifar100", "plain"),
    "fig2c": ("small-allcnn-augmented", "augmented"),
    "fig2c-plain": ("small-allcnn-augmented", "plain"),
}
PRINTED_SPECTRA = [figure for figure in SPECTRA if not figure.endswith("-plain")]
DIVERSITY = {
    "mnist": SPECTRA["fig1a"],
    "cifar10": SPECTRA["fig2a"],
    "cifar100": SPECTRA["fig2b"],
    "augmented": SPECTRA["fig2c"],
}
TRAJECTORIES = ["tiny-fc"]
TRAINED = [*dict.fromkeys(run for run, _ in SPECTRA.values()), *TRAJECTORIES]
TRAINERS = {
    "torch": "sgdiffusion.dynamics.training.trainer:train",
    "fused": "sgdiffusion.dynamics.training.fused_fc:train",
}
SET_NAMES = {"mnist": "MNIST", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}

# Ziyin, Li & Ueda 2025. run: study, model of its settings, its tables; figure or table: function, run/table of inputs
ZIYIN_STUDIES = {
    "plane": ("ziyin2025_plane:contrast", "Plane", ["paths", "imbalance"]),
    "balance-rate": ("ziyin2025_plane:balance_rates", "BalanceRate", ["rates"]),
    "two-layer": ("ziyin2025_balance:two_layer", "TwoLayer", ["norms", "bounds"]),
    "densities": (
        "ziyin2025_densities:densities",
        "Densities",
        ["histograms", "distances"],
    ),
    "convergence": ("ziyin2025_densities:convergence", "Convergence", ["convergence"]),
    "tanh-signs": ("ziyin2025_tanh:signs", "TanhSigns", ["signs"]),
    "transition": (
        "ziyin2025_phases:transition",
        "Transition",
        ["growth", "located", "collapse"],
    ),
    "regimes": ("ziyin2025_phases:regimes", "Regimes", ["regimes"]),
    "tails": ("ziyin2025_laws:tails", "Tails", ["exponents", "survival"]),
    "moments": ("ziyin2025_laws:second_moments", "Moments", ["moments", "rising"]),
    "inversion": ("ziyin2025_tanh:inversion", "Inversion", ["inversion"]),
    "table-one": ("ziyin2025_laws:table_one", "TableOne", ["laws", "findings"]),
    "subnetworks": (
        "ziyin2025_subnetworks:subnetworks",
        "Subnetworks",
        ["subnetworks"],
    ),
}
ZIYIN_FIGURES = {
    "fig1": ("ziyin2025_balance:fig1", ["plane/paths"]),
    "fig2a": ("ziyin2025_balance:fig2a", ["two-layer/norms"]),
    "fig2b": ("ziyin2025_balance:fig2b", ["two-layer/norms"]),
    "fig3a": ("ziyin2025_densities:fig3a", ["densities/histograms"]),
    "fig3b": ("ziyin2025_densities:fig3b", ["densities/histograms"]),
    "fig3c": ("ziyin2025_densities:fig3c", ["tanh-signs/signs"]),
    "fig4": (
        "ziyin2025_phases:fig4",
        ["regimes/regimes"],
    ),
    "fig5a": ("ziyin2025_depth:fig5a", ["tails/exponents", "tails/survival"]),
    "fig5b": ("ziyin2025_depth:fig5b", ["inversion/inversion"]),
    "fig5c": ("ziyin2025_depth:fig5c", ["depth-scaling/errors"]),
    "fig7": ("ziyin2025_balance:fig7", ["plane/imbalance"]),
    "transition": (
        "ziyin2025_phases:transition_figure",
        ["transition/growth", "transition/located", "transition/collapse"],
    ),
    "theorem41": ("ziyin2025_depth:theorem41", ["subnetworks/subnetworks"]),
    "checks": (
        "ziyin2025_checks:checks",
        [
            "two-layer/norms",
            "balance-rate/rates",
            "convergence/convergence",
            "moments/moments",
        ],
    ),
}
ZIYIN_TABLES = {
    "table1": ("ziyin2025_laws:published_table_one", ["table-one/laws"]),
    "table_findings": ("ziyin2025_laws:published_findings", ["table-one/findings"]),
    "table_distances": (
        "ziyin2025_densities:published_distances",
        ["densities/distances"],
    ),
    "table_tails": ("ziyin2025_laws:published_tails", ["tails/exponents"]),
    "table_transition": (
        "ziyin2025_phases:published_transition",
        ["transition/located"],
    ),
}

# What each paper gives: the target rules in report.smk are built from these.
FIGURES = {
    "chaudhari2018": [
        *SPECTRA,
        *(f"fig3{panel}" for panel in "abc"),
        *(f"fig4{panel}" for panel in "abc"),
        "theory",
    ],
    "ziyin2025": [*ZIYIN_FIGURES],
    "hennick2025": [
        *("fig1", "fig2a", "fig2b", "fig3", "fig4a", "fig4b"),
        *("correlations", "sensitivity"),
    ],
}
TABLES = {
    "chaudhari2018": [
        "table_spectra",
        "table_minibatch",
        "table_remarks",
        "table_sensitivity",
        "table_spectra_sensitivity",
    ],
    "ziyin2025": [*ZIYIN_TABLES],
    "hennick2025": ["table2", "table4", "table_models", "table_sets"],
}
QUANTITIES = {
    "chaudhari2018": [
        *(f"spectra-{run}-{evaluation}" for run, evaluation in SPECTRA.values()),
        *(f"errors-{run}" for run in TRAINED),
        *(f"trajectory-{run}" for run in TRAJECTORIES),
        *(f"fig4{panel}" for panel in "abc"),
        *("diversity", "minibatch", "theory", "readings"),
        "variants-small-fc",
    ],
    "ziyin2025": [*ZIYIN_STUDIES, "depth-scaling"],
    "hennick2025": ["moons", "laws", "mlps"],
}

# what belongs to no paper alone
CROSS_ITEMS = {"figures": ["cross"], "tables": ["table_cross"]}


def every_item():
    """Everything that may be left out: figures, tables, tables of quantities, claims."""
    for paper in CONFIG.papers():
        yield from (f"{paper}/{name}" for name in [*FIGURES[paper], *TABLES[paper]])
        yield from (f"{paper}/quantities/{name}" for name in QUANTITIES[paper])
        yield from (f"{paper}/claims/{claim.id}" for claim in CLAIMS[paper])
    yield from (f"cross/{name}" for names in CROSS_ITEMS.values() for name in names)


EVERY_ITEM = list(every_item())
try:
    LEFT_OUT = load_left_out(SETTINGS.left_out, EVERY_ITEM)
except ConfigError as error:
    raise WorkflowError(f"The configuration is not valid; nothing was run.\n{error}")
FIGURES = {paper: LEFT_OUT.keep(paper, names) for paper, names in FIGURES.items()}
TABLES = {paper: LEFT_OUT.keep(paper, names) for paper, names in TABLES.items()}
QUANTITIES = {
    p: LEFT_OUT.keep(f"{p}/quantities", names) for p, names in QUANTITIES.items()
}
CROSS_ITEMS = {
    kind: LEFT_OUT.keep("cross", names) for kind, names in CROSS_ITEMS.items()
}
# the main figures, in one image; a paper without any is not in it
COMPOSITE = {
    paper: names
    for paper in CONFIG.papers()
    if (names := LEFT_OUT.keep(paper, TEXTS[paper].composite))
}


wildcard_constraints:
    preset="|".join(CONFIG.presets()),
    paper="|".join(CONFIG.papers()),
    run="[a-z0-9-]+",
    seed=r"\d+",
    evaluation="plain|augmented",


def code_digest(script, *entries):
    """Digest of a script of workflow/scripts and the library functions it and the entries depend on."""
    return CODE.digest(ROOT / "workflow" / "scripts" / script, *entries)


def settings(paper, run_id, *without):
    """A params function: the run's settings at the preset, without what changes no result."""
    exclude = {"assumptions", *without}
    return lambda w: CONFIG.run(
        w.preset,
        w.paper if paper is None else paper,
        w.run if run_id is None else run_id,
    ).model_dump(mode="json", exclude=exclude)


def prepared(paper=None, run_id=None):
    """An input function: the prepared arrays of a run, by default the wildcards'."""
    return lambda w: CONFIG.prepared(
        w.preset, CONFIG.run(w.preset, paper or w.paper, run_id or w.run)
    )


def trainer(w):
    """The function that trains a run."""
    return TRAINERS[CONFIG.run(w.preset, w.paper, w.run).trainer]


def of_seeds(paper, name, run=None):
    """An input function: the same file of every seed of a run, by default the wildcard's."""

    def files(w):
        chosen = run or w.run
        seeds = range(CONFIG.run(w.preset, paper, chosen).seeds)
        return [f"results/{w.preset}/{paper}/{chosen}/seed-{s}/{name}" for s in seeds]

    return files


def trajectories_of_run(w):
    """The trajectories of every seed of a run of Chaudhari & Soatto, where it keeps them."""
    kept = w.run in TRAJECTORIES
    return of_seeds("chaudhari2018", "trajectory.zarr")(w) if kept else []


def published(paper, name):
    """What is published of the quantities <name>.<statistic>: statistic -> number."""
    regions = [region for claim in CLAIMS[paper] for region in claim.accept]
    numbers = {r.quantity: r.published for r in regions if r.published is not None}
    return {
        q.removeprefix(f"{name}."): n
        for q, n in numbers.items()
        if q.startswith(f"{name}.")
    }


def published_spectrum(figure):
    """Mean, s.d. and rank published with a figure; the second evaluation of Fig 2c has the same."""
    numbers = published(
        "chaudhari2018", quantity_name(*SPECTRA[figure.removesuffix("-plain")])
    )
    return {k: numbers[k] for k in ("mean", "sd", "rank_percent")}


def published_spectra():
    """The same for all figures, by quantity."""
    return {
        f"{quantity_name(*SPECTRA[figure])}.{statistic}": number
        for figure in SPECTRA
        for statistic, number in published_spectrum(figure).items()
    }


def measured_spectra():
    """Run and evaluation of every spectrum that is not left out."""
    return [
        (run, evaluation)
        for run, evaluation in SPECTRA.values()
        if f"spectra-{run}-{evaluation}" in QUANTITIES["chaudhari2018"]
    ]


def spectra(name):
    """An input function: a file of the spectra that a figure shows."""
    return lambda w: "results/{}/chaudhari2018/{}/{}/{}".format(
        w.preset, *SPECTRA[w.figure], name
    )


def quantity_name(run, evaluation):
    """The first part of the ids of a spectrum's quantities."""
    return run if evaluation == "plain" else f"{run}.{evaluation}"


def spectrum_title(w):
    run, evaluation = SPECTRA[w.figure]
    over = {"plain": "", "augmented": "\nD over augmented images"}[evaluation]
    return title(w.preset, "chaudhari2018", run) + over


def noise_settings(preset):
    """Last learning rate and batch size of every run with a spectrum, for Remark 15."""
    runs = {
        run: CONFIG.run(preset, "chaudhari2018", run) for run, _ in SPECTRA.values()
    }
    return {
        "rates": {name: run.schedule[-1].rate for name, run in runs.items()},
        "batches": {name: run.batch_size for name, run in runs.items()},
    }


def ziyin_outputs(run_id, tables):
    """Output files of a study: its tables, their records, and its quantities."""
    results = "results/{preset}/ziyin2025"
    return {
        **{t: f"{results}/{run_id}/{t}.parquet" for t in tables},
        **{f"record_{t}": f"{results}/{run_id}/{t}.json" for t in tables},
        "quantities": f"{results}/quantities/{run_id}.csv",
        "record_quantities": f"{results}/quantities/{run_id}.json",
    }


def ziyin_inputs(tables):
    """Input files of a figure or table, each by its table's name."""
    return {Path(t).name: f"results/{{preset}}/ziyin2025/{t}.parquet" for t in tables}


def ziyin_titles(figure):
    """A params function: what the figure must say about its data."""
    if figure != "fig5c":
        return {}
    return lambda w: {"title": title(w.preset, "ziyin2025", "depth-scaling")}


def title(preset, paper, run):
    """A figure's title: the run and the data it really used."""
    chosen = CONFIG.run(preset, paper, run)
    data = CONFIG.source_set(preset, chosen.data.set)
    size = "7×7 " if chosen.data.preparation.startswith("pool7") else ""
    return f"{run}, {size}{SET_NAMES.get(data, data)}"


def variants(preset, run):
    """The trainings that show what the numbers of a run depend on, by name."""
    runs = CONFIG.runs(preset, "chaudhari2018")
    chosen = runs[f"{run}-variants"]
    return chosen.trainings(runs[chosen.of])


def two_layer_case(w):
    """The first case of Ziyin, Li & Ueda's Fig 2: arguments of the training of its nets."""
    run = CONFIG.run(w.preset, "ziyin2025", "two-layer")
    case = {"rate": run.rates[0], "batch": run.batches[0]}
    return case | {
        "n_examples": run.n_examples,
        "steps": run.steps,
        "seeds": run.seeds,
    }


def whitened(heavy, light):
    """A resource by preparation: the whitening holds all images and a 3,072 x 3,072 covariance."""
    return lambda w: heavy if w.preparation == "gcn-zca" else light


def quantity_files(paper):
    """An input function: every table of a paper's quantities."""
    return lambda w: [
        f"results/{w.preset}/{paper}/quantities/{name}.csv"
        for name in QUANTITIES[paper]
    ]


def content_digest(paths):
    """Digest of files that are read as they are, such as templates."""
    texts = [Path(path).read_text(encoding="utf-8") for path in sorted(paths)]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def texts_digest():
    """Digest of the words of all papers."""
    return config_digest(*(TEXTS[paper] for paper in CONFIG.papers()))


def items(preset):
    """What a preset consists of, and what is left out of it."""
    reasons = {item: LEFT_OUT.reason(item) for item in EVERY_ITEM}
    return {
        "preset": preset,
        "papers": {
            paper: {"figures": FIGURES[paper], "tables": TABLES[paper]}
            for paper in CONFIG.papers()
        },
        "across": CROSS_ITEMS,
        "left_out": [
            {"item": item, "reason": reason}
            for item, reason in reasons.items()
            if reason
        ],
    }


def targets(preset, paper=None):
    """Every final file of a preset."""
    papers = CONFIG.papers() if paper is None else [paper]
    figures = [f"figures/{preset}/{p}/{f}.pdf" for p in papers for f in FIGURES[p]]
    tables = [f"figures/{preset}/{p}/{t}.csv" for p in papers for t in TABLES[p]]
    if paper is not None:
        return [*figures, *tables, f"figures/{preset}/{paper}/verdicts.csv"]
    cross = [f"cross/{f}.pdf" for f in CROSS_ITEMS["figures"]]
    cross += [f"cross/{t}.csv" for t in CROSS_ITEMS["tables"]]
    whole = [*cross, "verdicts.csv", "numbers.json", "index.html", "composite.png"]
    return [*figures, *tables, *(f"figures/{preset}/{name}" for name in whole)]
