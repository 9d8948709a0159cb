"""Hennick & De Baerdemacker 2025 in the workflow: studies, figures and tables, and what each is made from."""

from collections.abc import Callable
from typing import Any

from sgdiffusion.papers.items import Item, Plan, Study, prepared, section_of, settings_of, tables

MLPS = {"sgd": "mlps-sgd", "adam": "mlps-adam"}
MOONS_TABLES = ["displacement", "nets", "models", "windows", "independent", "sensitivity"]
LAW_TABLES = ["laws", "distances", "scan", "convergence"]
MLP_TABLES = ["runs", "coefficients", "models", "windows", "sensitivity", "correlations"]
MEASURED = ["coefficients", "evaluations"]
WALKS, LAWS = "readings-walks", "readings-laws"
DESIGNS = ("readings-designs", "readings-correlations", "readings-chains")
TABLE1_RUNS = ["table1-vision", "table1-language", "table1-cifar"]

# The ensemble on the first data set is called moons, those on the others moons-1, moons-2, …
ENSEMBLE = {"ensemble": r"moons(-\d+)?"}
PART = {"run": "|".join(MLPS.values()), "part": r"\d+"}
TRAINED_PART = "{run}/part-{part}/trained.npz"


def seed_of_ensemble(plan: Plan) -> int:
    """1,000 from one data set to the next."""
    return 1000 * int(plan.wildcards["ensemble"].partition("-")[2] or 0)


def of_ensembles(name: str) -> Callable[[Plan], list[str]]:
    """An input: the same file of every moons ensemble."""

    def files(plan: Plan) -> list[str]:
        count = plan.run("moons").data_sets
        ensembles = ["moons", *(f"moons-{i}" for i in range(1, count))]
        return [plan.results(f"{ensemble}/{name}") for ensemble in ensembles]

    return files


def readings(*designs: str) -> Callable[[Plan], Any]:
    """A setting: the readings of some designs, each once."""

    def found(plan: Plan) -> list[dict[str, Any]]:
        sampled = {r["name"]: r for design in designs for r in plan.readings(design)}
        return list(sampled.values())

    return found


def of_parts(optimiser: str, name: str) -> Callable[[Plan], list[str]]:
    """An input: the same file of every part of the designed runs of one optimiser."""
    run = MLPS[optimiser]
    return lambda plan: [
        plan.results(f"{run}/part-{part}/{name}") for part in range(plan.run(run).design.parts)
    ]


def chains(plan: Plan) -> Any:
    """Which settings of the chains a job has: those along a training are lighter."""
    return section_of("moons", "along" if plan.wildcards["which"] == "along" else "coefficients")(plan)


def of_ensemble(function: str, **more: Any) -> Study:
    """A study of one moons ensemble."""
    where = {**ENSEMBLE, **more.pop("where", {})}
    return Study(function=f"study_moons:{function}", where=where, seed=seed_of_ensemble, **more)


def prior(plan: Plan) -> Any:
    """Which of the two posteriors a job samples."""
    return section_of("moons", "posteriors")(plan)[plan.wildcards["prior"]]


MOONS = {
    "train-moons": of_ensemble(
        "train",
        verb="train",
        run="moons",
        settings={"training": section_of("moons", "training")},
        outputs={"ensemble": "{ensemble}/ensemble.npz"},
    ),
    "moons-coefficients": of_ensemble(
        "coefficients",
        settings={"plan": chains},
        inputs={"ensemble": "{ensemble}/ensemble.npz"},
        outputs={"coefficients": "{ensemble}/coefficients-{which}.parquet"},
        where={"which": "end|along"},
    ),
    "moons-chains": of_ensemble(
        "vary",
        settings={"run": settings_of("moons"), "readings": readings(WALKS)},
        inputs={"ensemble": "{ensemble}/ensemble.npz"},
        outputs={"coefficients": "{ensemble}/coefficients-readings.parquet"},
    ),
    "moons": of_ensemble(
        "measure",
        settings={"run": settings_of("moons"), "readings": readings(WALKS)},
        inputs={
            "ensemble": "{ensemble}/ensemble.npz",
            "end": "{ensemble}/coefficients-end.parquet",
            "along": "{ensemble}/coefficients-along.parquet",
            "varied": "{ensemble}/coefficients-readings.parquet",
        },
        outputs={
            **tables("{ensemble}", MOONS_TABLES),
            "quantities": "{ensemble}/walks.csv",
            "readings": "{ensemble}/readings-walks.csv",
        },
    ),
    "posterior": of_ensemble(
        "posterior",
        settings={"plan": prior},
        inputs={"ensemble": "{ensemble}/ensemble.npz", "nets": "{ensemble}/nets.parquet"},
        outputs={"posterior": "{ensemble}/posterior-{prior}.npz"},
        where={"prior": "local|global"},
    ),
    "train-descents": of_ensemble(
        "descend",
        verb="train",
        settings={"plan": section_of("moons", "descents")},
        inputs={"ensemble": "{ensemble}/ensemble.npz", "posterior": "{ensemble}/posterior-global.npz"},
        outputs={"descents": "{ensemble}/descents.npz"},
    ),
    "minima": of_ensemble(
        "measure_minima",
        settings={"plan": section_of("moons", "coefficients")},
        inputs={"ensemble": "{ensemble}/ensemble.npz", "descents": "{ensemble}/descents.npz"},
        outputs={"minima": "{ensemble}/minima.parquet"},
    ),
    "laws": of_ensemble(
        "compare_laws",
        settings={"run": settings_of("moons"), "readings": readings(LAWS)},
        inputs={
            "ensemble": "{ensemble}/ensemble.npz",
            "nets": "{ensemble}/nets.parquet",
            "descents": "{ensemble}/minima.parquet",
            "local": "{ensemble}/posterior-local.npz",
            "global": "{ensemble}/posterior-global.npz",
        },
        outputs={
            **tables("{ensemble}", LAW_TABLES),
            "quantities": "{ensemble}/clusters.csv",
            "readings": "{ensemble}/readings-laws.csv",
        },
    ),
    "moons-of-sets": Study(
        verb="collect",
        function="sets:collect",
        inputs={
            "walks": of_ensembles("walks.csv"),
            "laws": of_ensembles("clusters.csv"),
            "walk_readings": of_ensembles("readings-walks.csv"),
            "law_readings": of_ensembles("readings-laws.csv"),
        },
        outputs={
            "walks": "quantities/moons.csv",
            "laws": "quantities/laws.csv",
            "sets": "moons/sets.parquet",
            "walk_readings": "readings/walks.csv",
            "law_readings": "readings/laws.csv",
        },
        minutes=10,
    ),
}

# A part is one architecture of the design with all its batch sizes and rates: jobs that can be interrupted
# and run side by side.
DESIGNED = {
    "train-mlps": Study(
        verb="train",
        run="{run}",
        function="study_mlps:train",
        settings={
            "optimiser": section_of(None, "optimiser"),
            "images": section_of(None, "data"),
            "plan": section_of(None, "design"),
            "training": section_of(None, "training"),
        },
        inputs={"data": prepared()},
        outputs={"trained": TRAINED_PART},
        where=PART,
        minutes=120,
    ),
    "mlps": Study(
        function="study_mlps:measure",
        settings={"images": section_of(None, "data"), "run": settings_of()},
        inputs={"data": prepared(), "trained": TRAINED_PART},
        outputs=tables("{run}/part-{part}", MEASURED),
        where=PART,
        minutes=120,
    ),
    "mlps-chains": Study(
        function="study_mlps:vary",
        settings={"images": section_of(None, "data"), "run": settings_of(), "readings": readings(*DESIGNS)},
        inputs={"data": prepared(), "trained": TRAINED_PART},
        outputs=tables("{run}/part-{part}", ["varied"]),
        where=PART,
        minutes=120,
    ),
    "mlps-of-designs": Study(
        verb="collect",
        function="study_mlps:collect",
        settings={
            "plans": lambda plan: {run: settings_of(run)(plan) for run in MLPS.values()},
            "readings": readings(*DESIGNS),
        },
        inputs={
            f"{file.partition('.')[0]}_{optimiser}": of_parts(optimiser, file)
            for optimiser in MLPS
            for file in ("trained.npz", *(f"{name}.parquet" for name in (*MEASURED, "varied")))
        },
        outputs={
            **tables("mlps", MLP_TABLES),
            "quantities": "quantities/mlps.csv",
            "readings": "readings/mlps.csv",
        },
        minutes=60,
    ),
}


# Table 1's optional runs; a model of a vision run is called <network>_<set>
def sizes(plan: Plan) -> dict[str, Any]:
    """The settings of a run that say which examples there are, how many, and of what length."""
    named = {"kind", "text", "n_train", "n_test", "context"}
    return dict(plan.run().model_dump(mode="json", include=named))


def examples_of_model(plan: Plan) -> dict[str, Any]:
    """The prepared images of a vision model at its preset, or a language model with its blocks of tokens."""
    model = plan.wildcards["model"]
    if plan.run().kind == "larger-language":
        blocks = plan.results("table1/{run}/{model}/blocks.npz")
        return {"data": blocks, "model": f"data/raw/{model}/manifest.json"}
    data = plan.config.source_set(plan.preset, model.split("_")[1])
    return {"data": f"data/prepared/{data}/full.npz"}


def rows_of_run(plan: Plan) -> list[str]:
    """The measured rows of all models of a run."""
    chosen = plan.run()
    if chosen.kind == "larger-language":
        models = chosen.models
    else:
        models = [f"{net}_{data}" for data in chosen.sets for net in chosen.networks]
    return [plan.results(f"table1/{{run}}/{model}/row.parquet") for model in models]


MODEL = {"run": "|".join(TABLE1_RUNS), "model": "[a-z0-9_-]+"}
MODEL_FILES = {
    "trained": "table1/{run}/{model}/trained.pt",
    "displacement": "table1/{run}/{model}/displacement.parquet",
}
TABLE1 = {
    "text": Study(
        verb="prepare",
        function="study_table1:prepare_text",
        settings={"sizes": sizes},
        inputs={
            "text": lambda plan: f"data/raw/{plan.run().text}/manifest.json",
            "model": "data/raw/{model}/manifest.json",
        },
        outputs={"blocks": "table1/{run}/{model}/blocks.npz"},
        where={**MODEL, "run": "table1-language"},
        mem_mb=8000,
    ),
    "train-larger": Study(
        verb="train",
        run="{run}",
        function="study_table1:train",
        settings={"training": section_of(None, "training"), "sizes": sizes},
        inputs=examples_of_model,
        outputs=MODEL_FILES,
        where=MODEL,
        mem_mb=24000,
        minutes=600,
        gpu=True,
    ),
    "larger": Study(
        function="study_table1:measure",
        settings={
            "training": section_of(None, "training"),
            "plan": section_of(None, "coefficients"),
            "window": section_of(None, "window"),
            "sizes": sizes,
        },
        inputs=lambda plan: {**examples_of_model(plan), **plan.files(MODEL_FILES)},
        outputs={
            "row": "table1/{run}/{model}/row.parquet",
            "coefficients": "table1/{run}/{model}/coefficients.parquet",
        },
        where=MODEL,
        mem_mb=24000,
        minutes=600,
        gpu=True,
    ),
    "table1": Study(
        verb="collect",
        function="study_table1:collect",
        inputs={"rows": rows_of_run},
        outputs={"rows": "table1/{run}/rows.parquet", "quantities": "table1/{run}/quantities.csv"},
        where={"run": MODEL["run"]},
    ),
}
STUDIES = {**MOONS, **DESIGNED, **TABLE1}

FIGURES = {
    "fig1": Item("walks:fig1", {"displacement": of_ensembles("displacement.parquet")}),
    "fig2a": Item("mlps:fig2a", tables("mlps", ["runs"])),
    "fig2b": Item("mlps:fig2b", tables("mlps", ["runs", "correlations"])),
    "fig3": Item("laws:fig3", {"scan": of_ensembles("scan.parquet")}),
    "fig4a": Item(
        "laws:fig4a",
        {"nets": of_ensembles("nets.parquet"), "descents": of_ensembles("minima.parquet")},
    ),
    "fig4b": Item(
        "laws:fig4b",
        {"laws": of_ensembles("laws.parquet"), "distances": of_ensembles("distances.parquet")},
    ),
    "correlations": Item(
        "mlps:correlations_figure",
        {**tables("mlps", ["correlations"]), "readings": "readings/mlps.csv"},
    ),
    "sensitivity": Item(
        "walks:sensitivity_figure",
        {"moons": "moons/sensitivity.parquet", "mlps": "mlps/sensitivity.parquet"},
    ),
}
TABLES = {
    "table2": Item("tables:table2", tables("moons", ["distances"])),
    "table4": Item("tables:table4", tables("mlps", ["runs"])),
    "table_models": Item(
        "tables:models_table", {"moons": "moons/models.parquet", "mlps": "mlps/models.parquet"}
    ),
    "table_sets": Item("sets:sets_table", {"quantities": "moons/sets.parquet"}),
}
QUANTITIES = ("moons", "laws", "mlps")
READINGS = ("walks", "laws", "mlps")


def table1(*runs: str) -> Item:
    """Table 1 or a part of it: asking for it is asking for the fetches that data/README.md lists."""
    return Item(
        "table1:table1", {"rows": lambda plan: [plan.results(f"table1/{r}/rows.parquet") for r in runs]}
    )


OPTIONAL = {"table1": table1(*TABLE1_RUNS), **{run: table1(run) for run in TABLE1_RUNS}}
OPTIONAL_QUANTITIES = "table1/*/quantities.csv"
