# What the rules of hennick2025.smk share; makes nothing itself.
HENNICK = "results/{preset}/hennick2025"
MLPS = {"sgd": "mlps-sgd", "adam": "mlps-adam"}
MOONS_TABLES = [
    "displacement",
    "nets",
    "models",
    "windows",
    "independent",
    "sensitivity",
]
LAW_TABLES = ["laws", "distances", "scan", "convergence"]
MLP_TABLES = [
    "runs",
    "coefficients",
    "models",
    "windows",
    "sensitivity",
    "correlations",
]


def section(run_id, *keys):
    """A params function: one part of a run's settings at the preset."""

    def find(w):
        found = CONFIG.run(w.preset, "hennick2025", w.run if run_id is None else run_id)
        found = found.model_dump(mode="json", exclude={"assumptions"})
        for key in keys:
            found = found[key]
        return found

    return find


def parts_of(optimiser, name):
    """An input function: the same file of every part of the designed runs of one optimiser."""
    run = MLPS[optimiser]
    return lambda w: [
        f"results/{w.preset}/hennick2025/{run}/part-{part}/{name}"
        for part in range(CONFIG.run(w.preset, "hennick2025", run).design.parts)
    ]


def narrow_and_deep(w):
    """The trained nets of the narrowest and deepest architecture of the SGD design."""
    run = MLPS["sgd"]
    part = len(CONFIG.run(w.preset, "hennick2025", run).design.depths) - 1
    return f"results/{w.preset}/hennick2025/{run}/part-{part}/trained.npz"


def of_tables(folder, names):
    """Outputs: a table and its record by the table's name."""
    tables = {t: f"{HENNICK}/{folder}/{t}.parquet" for t in names}
    return tables | {f"record_{t}": f"{HENNICK}/{folder}/{t}.json" for t in names}


# The ensemble on the first data set is called moons, those on the others moons-1, moons-2, …
def of_ensembles(name):
    """An input function: the same file of every moons ensemble."""

    def files(w):
        count = CONFIG.run(w.preset, "hennick2025", "moons").data_sets
        names = ["moons", *(f"moons-{i}" for i in range(1, count))]
        return [f"results/{w.preset}/hennick2025/{e}/{name}" for e in names]

    return files


def seed_of_ensemble(w):
    """The root seed of an ensemble and of its data set: 1,000 from one to the next."""
    return SETTINGS.root_seed + 1000 * int(w.ensemble.partition("-")[2] or 0)


def chains_of(w):
    """Which settings of the chains a job has: those along a training are lighter."""
    return section("moons", "along" if w.which == "along" else "coefficients")(w)


# figure: function, and the tables it is drawn from
HENNICK_FIGURES = {
    "fig1": ("walks:fig1", {"displacement": "moons/displacement"}),
    "fig2a": ("mlps:fig2a", {"runs": "mlps/runs"}),
    "fig2b": ("mlps:fig2b", {t: f"mlps/{t}" for t in ("runs", "correlations")}),
    "fig3": ("laws:fig3", {"scan": "moons/scan"}),
    "fig4a": ("laws:fig4a", {"nets": "moons/nets"}),
    "fig4b": ("laws:fig4b", {t: f"moons/{t}" for t in ("laws", "distances")}),
    "correlations": ("mlps:correlations_figure", {"correlations": "mlps/correlations"}),
    "sensitivity": (
        "walks:sensitivity_figure",
        {"moons": "moons/sensitivity", "mlps": "mlps/sensitivity"},
    ),
}
HENNICK_TABLES = {
    "table2": (
        "sgdiffusion.papers.hennick2025.laws:table2",
        {"distances": "moons/distances"},
    ),
    "table4": ("sgdiffusion.papers.hennick2025.runs:table4", {"runs": "mlps/runs"}),
    "table_sets": (
        "sgdiffusion.papers.hennick2025.sets:sets_table",
        {"quantities": "moons/sets"},
    ),
    "table_models": (
        "sgdiffusion.papers.hennick2025.runs:models_table",
        {"moons": "moons/models", "mlps": "mlps/models"},
    ),
}


def hennick_figure(w):
    return f"sgdiffusion.figures.hennick2025_{HENNICK_FIGURES[w.figure][0]}"


def hennick_tables(registry, wildcard):
    """An input function: the tables of a figure or table, by the names its function takes."""
    return lambda w: {
        name: f"results/{w.preset}/hennick2025/{path}.parquet"
        for name, path in registry[getattr(w, wildcard)][1].items()
    }


# Table 1's optional runs; a model of a vision run is called <network>_<set>
def table1_run(w):
    return CONFIG.run(w.preset, "hennick2025", w.run)


def table1_sizes(w):
    """The settings of a run that say which examples there are, how many, and of what length."""
    named = {"kind", "text", "n_train", "n_test", "context"}
    return table1_run(w).model_dump(mode="json", include=named)


def table1_models(preset, run):
    """The models of a run as wildcards."""
    chosen = CONFIG.run(preset, "hennick2025", run)
    if chosen.kind == "larger-language":
        return chosen.models
    return [f"{net}_{data}" for data in chosen.sets for net in chosen.networks]


def examples_of_model(w):
    """The prepared images of a vision model at its preset, or a language model with its blocks of tokens."""
    if table1_run(w).kind == "larger-language":
        folder = f"results/{w.preset}/hennick2025/table1/{w.run}/{w.model}"
        return {
            "data": f"{folder}/blocks.npz",
            "model": f"data/raw/{w.model}/manifest.json",
        }
    data = CONFIG.source_set(w.preset, w.model.split("_")[1])
    return {"data": f"data/prepared/{data}/full.npz"}


def text_of_run(w):
    return f"data/raw/{table1_run(w).text}/manifest.json"


def rows_of_runs(preset, runs):
    """The measured rows of all models of some runs."""
    return [
        f"results/{preset}/hennick2025/table1/{run}/{model}/row.parquet"
        for run in runs
        for model in table1_models(preset, run)
    ]


def measured_table1(w):
    """What there is of Table 1's quantities, with its content: judged where it exists, never asked for."""
    if w.paper != "hennick2025":
        return {}
    folder = Path(f"results/{w.preset}/hennick2025/table1")
    found = sorted(folder.glob("*/quantities.csv"))
    return {path.as_posix(): content_digest([path]) for path in found}
