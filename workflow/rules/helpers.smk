# What the rules ask for: input and params functions, the targets of a preset; makes nothing itself.
import csv
import hashlib
import math


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


def reading_files(paper):
    """An input function: every table of a paper's quantities under other readings."""
    return lambda w: [
        f"results/{w.preset}/{paper}/readings/{name}.csv" for name in READINGS[paper]
    ]


def curves(paper):
    """The specification curve of each claim that depends on open choices, by the claim's id."""
    return {
        claim.id: f"figures/{{preset}}/{paper}/readings/{claim.id}.png"
        for claim in CLAIMS[paper]
        if claim.choices
    }


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
    whole = [
        "verdicts.csv",
        "numbers.json",
        "index.html",
        "report.pdf",
        "composite.png",
    ]
    return [*figures, *tables, *(f"figures/{preset}/{name}" for name in whole)]


def raw_files(w):
    """Of a fetched set its manifest; of a set whose content is pinned the digests as well."""
    files = {"manifest": f"data/raw/{w.set}/manifest.json"} if w.set in FETCHED else {}
    return {**files, "digests": "data/digests.csv"} if w.set in REAL else files


def whitened(heavy, light):
    """A resource by preparation: the whitening holds all images and a 3,072 x 3,072 covariance."""
    return lambda w: heavy if w.preparation.startswith("gcn-zca") else light


def peaks(table):
    """The most memory that each rule of the published run took, in MB; none where no run is published."""
    if not table.exists():
        return {}
    with table.open(newline="", encoding="utf-8") as lines:
        return {row["rule"]: float(row["peak_mb"]) for row in csv.DictReader(lines)}


PEAKS = peaks(ROOT / "figures" / "reference" / "costs.csv")


def memory(rule, otherwise=1000):
    """A resource: MB that a job of a rule may take; a job that is tried again may take more.

    The most that the published run saw and up to a fifth more; of a rule which that run left out, `otherwise`.
    """
    first = 10 * math.ceil(0.115 * PEAKS.get(rule, 0)) or otherwise
    return lambda w, attempt: attempt * first


def study_output(paper, study):
    """Output files of a study by name."""
    files = {name: located(path, paper) for name, path in study.outputs.items()}
    marked = {n: directory(f) if f.endswith(".zarr") else f for n, f in files.items()}
    return {n: temp(f) if n in study.temporary else f for n, f in marked.items()}


def study_records(paper, study):
    """The provenance records beside the outputs."""
    records = [record_of(located(path, paper)) for path in study.outputs.values()]
    return [record for record in records if record]


def study_file(paper, study, ending):
    """A file beside the first output."""
    first = located(next(iter(study.outputs.values())), paper)
    return first.rpartition(".")[0] + ending


def study_settings(paper, study):
    """A params function: the parts of the configuration that a study is given."""
    return lambda w: {
        name: part(plan(paper, w)) for name, part in study.settings.items()
    }


def study_seed(paper, study):
    """A params function: the seed that the study's random streams descend from."""
    return lambda w: SETTINGS.root_seed + study.seed(plan(paper, w))


def study_runs(study):
    """A params function: the run that a training or simulation carries out, for its record."""
    return lambda w: [study.run.format_map(dict(w.items()))] if study.run else []


def study_code(paper, study):
    """A params function: the digest of the code that the study depends on."""
    entries = [entry(paper, e) for e in (study.function, study.model) if e]
    return lambda w: code_digest("compute.py", *entries)


def item_inputs(kind):
    """An input function: the tables of a figure or table."""
    return lambda w: inputs_of(w.paper, item(kind, w.paper, w[kind]).tables)(w)


def item_entry(kind, room=""):
    """A params function: the function that draws or tabulates."""
    return lambda w: entry(w.paper, item(kind, w.paper, w[kind]).function, room)


def item_arguments(kind):
    """A params function: what the function is told beside its tables."""
    return lambda w: dict(item(kind, w.paper, w[kind]).arguments(plan(w.paper, w)))


def content_digest(paths):
    """Digest of files that are read as they are, such as templates."""
    texts = [Path(path).read_text(encoding="utf-8") for path in sorted(paths)]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def optional_quantities(w):
    """What there is of a paper's optional quantities, with its content: judged where it exists, never asked for."""
    pattern = REGISTRIES[w.paper].optional_quantities
    found = Path(f"results/{w.preset}/{w.paper}").glob(pattern) if pattern else []
    return {path.as_posix(): content_digest([path]) for path in sorted(found)}


def code_places():
    """Which function each rule, and each figure and table, calls, and in which file the rules stand."""
    rules, called = {}, {}
    for paper, registry in REGISTRIES.items():
        for name, study in registry.studies.items():
            rules[rule_name(paper, name, study)] = entry(paper, study.function)
        for name, drawn in registry.figures.items():
            called[f"{paper}/{name}"] = entry(paper, drawn.function, "figures.")
        for name, listed in {**registry.tables, **registry.optional}.items():
            called[f"{paper}/{name}"] = entry(paper, listed.function)
    files = dict.fromkeys(("plot", "tabulate"), "workflow/rules/items.smk")
    return {
        "rules": rules,
        "items": called,
        "files": {"": "workflow/rules/studies.smk", **files},
    }


def items(preset):
    """What a preset consists of, and what is left out of it."""
    reasons = {item: LEFT_OUT.reason(item) for item in EVERY_ITEM}
    listed = {p: {"figures": FIGURES[p], "tables": TABLES[p]} for p in REGISTRIES}
    for paper in CONFIG.papers():
        listed[paper]["curves"] = list(curves(paper))
    return {
        "preset": preset,
        "across": listed.pop(CROSS),
        "papers": listed,
        "code": code_places(),
        "left_out": [
            {"item": item, "reason": reason}
            for item, reason in reasons.items()
            if reason
        ],
    }
