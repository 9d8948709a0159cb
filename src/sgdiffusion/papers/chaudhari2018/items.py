"""Chaudhari & Soatto 2018 in the workflow: every study, figure and table, and what each is made from."""

import math
from collections.abc import Callable
from typing import Any

from sgdiffusion.config.readings import BASE
from sgdiffusion.papers.items import (
    SEED,
    TRAINED,
    Item,
    Plan,
    Study,
    of_seeds,
    prepared,
    settings_of,
    tables,
    training,
)

# figure: run, and over which examples D is evaluated
SPECTRA = {
    "fig1a": ("small-lenet", "plain"),
    "fig1b": ("small-fc", "plain"),
    "fig2a": ("small-allcnn", "plain"),
    "fig2b": ("small-allcnn-cifar100", "plain"),
    "fig2c": ("small-allcnn-augmented", "augmented"),
    "fig2c-plain": ("small-allcnn-augmented", "plain"),
}
GREY = ("small-lenet-grey-cifar10", "plain")  # Remark 14 with one network; in no figure
PRINTED_SPECTRA = [figure for figure in SPECTRA if not figure.endswith("-plain")]
DIVERSITY = {  # what Remarks 14 and 16 compare
    "mnist": SPECTRA["fig1a"],
    "fc": SPECTRA["fig1b"],
    "grey": GREY,
    "cifar10": SPECTRA["fig2a"],
    "cifar100": SPECTRA["fig2b"],
    "augmented": SPECTRA["fig2c"],
    "plain": SPECTRA["fig2c-plain"],
}
SPECTRUM_QUANTITIES = {
    f"spectra-{run}-{evaluation}": (run, evaluation) for run, evaluation in (*SPECTRA.values(), GREY)
}
CONSTANCY = ("small-lenet", "small-fc")  # the networks of Fig 1, on which Remark 13 is made
NETWORKS = [*dict.fromkeys(run for run, _ in (*SPECTRA.values(), GREY))]
TRAJECTORY = "tiny-fc"
TRAJECTORY_VARIANTS = rf"{TRAJECTORY}-variants\.[a-z0-9.-]+"
FIG3_TABLES = ["spectrum", "autocorrelation", "weights", "displacement", "circulation", "gradients"]
CYCLE_CLAIMS = (
    "fig3a-low-frequencies",
    "fig3a-stationary-modes",
    "assumption3-steady-state",
    "fig3a-periodic",
)
FIG4_TABLES = ["field", "potential", "histogram", "marginals", "points", "orbits", "returns"]


def quantity_name(run: str, evaluation: str) -> str:
    """The first part of the ids of a spectrum's quantities."""
    return run if evaluation == "plain" else f"{run}.{evaluation}"


def variants_of(run_id: str, plan: Plan) -> dict[str, Any]:
    """The settings of every variant of a training, by the variant's name."""
    return dict(plan.config.variants(plan.preset, plan.paper, f"{run_id}-variants"))


def of_variants(run_id: str, path: str) -> Any:
    """An input: the same file of every seed of every variant of a training."""

    def files(plan: Plan) -> list[str]:
        runs = [f"{run_id}-variants.{variant}" for variant in variants_of(run_id, plan)]
        return [file for run in runs for file in of_seeds(path, run)(plan)]

    return files


def measured_spectra(plan: Plan) -> list[tuple[str, str]]:
    """Run and evaluation of every spectrum that is not left out."""
    return [SPECTRUM_QUANTITIES[name] for name in plan.measured(SPECTRUM_QUANTITIES)]


def variant_settings(run_id: str) -> Any:
    """A setting: the settings of every variant of a training."""
    return lambda plan: {
        name: training.model_dump(mode="json", exclude={"assumptions"})
        for name, training in variants_of(run_id, plan).items()
    }


def published_spectrum(plan: Plan, figure: str) -> dict[str, float]:
    """Mean, s.d. and rank published with a figure; the second evaluation of Fig 2c has the same."""
    numbers = plan.published(quantity_name(*SPECTRA[figure.removesuffix("-plain")]))
    # the claims on Fig 2 are on the eigenvalues above threshold, the only reading that its pairs admit
    pair = {k: numbers[k] if k in numbers else numbers[f"{k}_above"] for k in ("mean", "sd")}
    return {**pair, "rank_percent": numbers["rank_percent"]}


def readings_of_variants(plan: Plan) -> dict[str, str]:
    """Of each variant of small-fc that is an admissible reading: the reading's name."""
    changes = plan.run("small-fc-variants").changes
    readings = {reading["name"]: reading["set"] for reading in plan.readings("small-fc-readings")}
    names = {name: v for name, changed in readings.items() for v, c in changes.items() if c == changed}
    return {"unchanged": BASE, **{variant: name for name, variant in names.items()}}


def published_spectra(plan: Plan) -> dict[str, float]:
    """The same for all figures, by quantity."""
    return {
        f"{quantity_name(*SPECTRA[figure])}.{statistic}": number
        for figure in SPECTRA
        for statistic, number in published_spectrum(plan, figure).items()
    }


def noise_settings(plan: Plan) -> dict[str, Any]:
    """Last learning rate and batch size of every run with a spectrum, for Remark 15."""
    runs = {run: plan.run(run) for run in NETWORKS}
    return {
        "rates": {name: run.schedule[-1].rate for name, run in runs.items()},
        "batches": {name: run.batch_size for name, run in runs.items()},
    }


def accepted(plan: Plan) -> dict[str, tuple[float, float]]:
    """What the claims on Fig 3a accept, by the ends of the quantities' names; a p-value of 1 % beside it."""
    claims = [c for c in plan.claims[plan.paper] if c.id in CYCLE_CLAIMS]
    found = {
        region.quantity.removeprefix("fig3a."): (
            -math.inf if region.low is None else region.low,
            math.inf if region.high is None else region.high,
        )
        for claim in claims
        for region in claim.accept
    }
    return {**found, "circulation_p": (0.0, 0.01)}


HISTORY = {**TRAINED, "trajectory": f"{SEED}/trajectory.zarr"}
TRAININGS = {
    "network": training("train_network", where=rf"(?!{TRAJECTORY}(/|-variants\.))[a-z0-9.-]+", gpu=True),
    "trajectory": training("train_fused", where=TRAJECTORY, outputs=HISTORY),
    "trajectory-variant": training(
        "train_fused", where=TRAJECTORY_VARIANTS, outputs=HISTORY, temporary=("trajectory",)
    ),
}
NOISE = {
    "spectra": Study(
        function="spectra:measure",
        settings={"run": settings_of(without="seeds")},
        inputs={"data": prepared(), "checkpoints": TRAINED["checkpoints"]},
        outputs=tables(f"{SEED}/{{evaluation}}", ["eigenvalues", "statistics"]),
        where={"evaluation": "plain|augmented"},
        threads=2,
        mem_mb=8000,
        minutes=120,
        gpu=True,
    ),
    "spectra-of-run": Study(
        verb="collect",
        function="spectra:collect",
        inputs={t: of_seeds(f"{{evaluation}}/{t}.parquet") for t in ("eigenvalues", "statistics")},
        outputs={
            **tables("{run}/{evaluation}", ["eigenvalues", "statistics", "distances"]),
            "quantities": "quantities/spectra-{run}-{evaluation}.csv",
        },
        where={"evaluation": "plain|augmented"},
    ),
    "constancy": Study(
        function="constancy:measure",
        settings={"run": settings_of()},
        inputs={"data": prepared(), "checkpoints": of_seeds("checkpoints.pt")},
        outputs={"constancy": "{run}/constancy.parquet", "quantities": "quantities/constancy-{run}.csv"},
        where={"run": "|".join(CONSTANCY)},
        threads=2,
        mem_mb=8000,
        minutes=120,
        gpu=True,
    ),
    # a job for each run: a number's record then names its own run and data alone
    "errors": Study(
        function="errors:measure",
        inputs={"checkpoints": of_seeds("checkpoints.pt"), "metrics": of_seeds("metrics.csv")},
        outputs={"errors": "{run}/errors.csv", "quantities": "quantities/errors-{run}.csv"},
    ),
    "variants-small-fc": Study(
        function="spectra:measure_variants",
        settings={
            "of": lambda plan: "small-fc",
            "variants": variant_settings("small-fc"),
            "readings": readings_of_variants,
        },
        inputs={
            "data": prepared("small-fc"),
            "checkpoints": of_variants("small-fc", "checkpoints.pt"),
            "metrics": of_variants("small-fc", "metrics.csv"),
        },
        outputs={"quantities": "quantities/variants-small-fc.csv", "readings": "readings/small-fc.csv"},
        minutes=240,
        gpu=True,
    ),
    "minibatch": Study(
        function="spectra:measure_minibatch",
        settings={"run": settings_of("minibatch"), "network": settings_of("small-fc", without="seeds")},
        inputs={"data": prepared("small-fc"), "checkpoints": "small-fc/seed-0/checkpoints.pt"},
        outputs={
            "minibatch": "minibatch/minibatch.parquet",
            "quantities": "quantities/minibatch.csv",
        },
        threads=2,
        gpu=True,
    ),
    "diversity": Study(
        function="spectra:measure_diversity",
        inputs=lambda plan: {
            name: plan.results("{}/{}/statistics.parquet".format(*spectrum))
            for name, spectrum in DIVERSITY.items()
            if spectrum in measured_spectra(plan)
        },
        outputs={"quantities": "quantities/diversity.csv", "readings": "readings/augmentation.csv"},
    ),
    "readings": Study(
        function="readings:measure",
        settings={"published": lambda plan: {f: published_spectrum(plan, f) for f in PRINTED_SPECTRA}},
        outputs={"quantities": "quantities/readings.csv"},
    ),
}
TRAJECTORIES = {
    "trajectory": Study(
        function="trajectories:measure",
        settings={"run": settings_of(without="seeds")},
        inputs={"data": prepared(), **{k: HISTORY[k] for k in ("checkpoints", "trajectory")}},
        outputs=tables(SEED, FIG3_TABLES),
        where={"run": TRAJECTORY},
        mem_mb=6000,
    ),
    "trajectories": Study(
        verb="collect",
        function="trajectories:collect",
        settings={"run": settings_of(without="seeds")},
        inputs={t: of_seeds(f"{t}.parquet") for t in FIG3_TABLES},
        outputs={
            **tables("{run}/fig3", FIG3_TABLES),
            "quantities": "quantities/trajectory-{run}.csv",
        },
        where={"run": TRAJECTORY},
    ),
    "variants-tiny-fc": Study(
        function="trajectories:measure_variants",
        settings={"variants": variant_settings(TRAJECTORY)},
        inputs={
            "data": prepared(TRAJECTORY),
            "checkpoints": of_variants(TRAJECTORY, "checkpoints.pt"),
            "trajectory": of_variants(TRAJECTORY, "trajectory.zarr"),
        },
        outputs={"quantities": f"quantities/variants-{TRAJECTORY}.csv"},
    ),
}
THEORY = {
    "cycle-tests": Study(
        run="cycle-tests",
        function="cycle_tests:measure",
        settings={"run": settings_of("cycle-tests"), "regions": accepted},
        outputs={"quantities": "quantities/cycle-tests.csv"},
    ),
    "double-well": Study(
        run="double-well",
        function="double_well:measure",
        settings={"run": settings_of("double-well")},
        outputs={**tables("double-well/{figure}", FIG4_TABLES), "quantities": "quantities/{figure}.csv"},
        where={"figure": "fig4[abc]"},
        threads=2,
    ),
    "theory": Study(
        run="theory",
        function="theorems:measure",
        settings={"run": settings_of("theory")},
        outputs={
            **tables("theory", ["descent", "anisotropy", "displacement"]),
            "quantities": "quantities/theory.csv",
        },
        threads=2,
    ),
}
THEORY["potential"] = Study(
    run="theory",
    function="potential:measure",
    settings={"run": settings_of("theory")},
    outputs={**tables("theory", ["modes", "potential"]), "quantities": "quantities/potential.csv"},
    threads=2,
)
STUDIES = {
    **{f"train-{name}": study for name, study in TRAININGS.items()},
    **NOISE,
    **TRAJECTORIES,
    **THEORY,
}


def spectrum_figure(figure: str) -> Item:
    """λ(D) over the instants and seeds of one run, with what is published."""
    run, evaluation = SPECTRA[figure]
    over = {"plain": "", "augmented": "\nD over augmented images"}[evaluation]
    return Item(
        "spectra:spectrum_figure",
        tables(f"{run}/{evaluation}", ["eigenvalues", "statistics"]),
        lambda plan: {"published": published_spectrum(plan, figure), "title": plan.title(run) + over},
    )


def trajectory_figure(
    function: str, tables_of: list[str], arguments: Callable[[Plan], dict[str, Any]] = lambda plan: {}
) -> Item:
    return Item(
        f"trajectories:{function}",
        tables(f"{TRAJECTORY}/fig3", tables_of),
        lambda plan: {"title": plan.title(TRAJECTORY), **arguments(plan)},
    )


def fall(plan: Plan) -> dict[str, Any]:
    """What Fig. 3c shows beside the norms: where the burn-in ends, and the published fall."""
    published = plan.published("fig3c")["fall_evaluation"]
    run = plan.run(TRAJECTORY)
    drops = [round(phase.until * run.epochs) for phase in run.schedule[:-1]]
    return {"burn_in": run.burn_in, "drops": drops, "published_fall": published}


FIGURES = {
    **{figure: spectrum_figure(figure) for figure in SPECTRA},
    "fig3a": trajectory_figure("fig3a", ["spectrum"]),
    "fig3b": trajectory_figure("fig3b", ["autocorrelation"]),
    "fig3c": trajectory_figure("fig3c", ["gradients"], fall),
    "fig3-motion": trajectory_figure("motion", ["displacement", "circulation"]),
    **{
        f: Item("double_well:fig4", tables(f"double-well/{f}", FIG4_TABLES))
        for f in ("fig4a", "fig4b", "fig4c")
    },
    "phi-beta": Item("theorems:potential_figure", tables("theory", ["potential", "modes"])),
    "theory": Item("theorems:theory_figure", tables("theory", ["descent", "anisotropy", "displacement"])),
}
TABLES = {
    "table_spectra": Item(
        "tables:statistics_table",
        {"quantity_table": lambda plan: [
            plan.results(f"quantities/{name}.csv") for name in plan.measured(SPECTRUM_QUANTITIES)
        ]},
        lambda plan: {"published": published_spectra(plan)},
    ),
    "table_constancy": Item(
        "tables:constancy_table", {run: f"{run}/constancy.parquet" for run in CONSTANCY}
    ),
    "table_minibatch": Item("tables:minibatch_table", tables("minibatch", ["minibatch"])),
    "table_remarks": Item(
        "tables:remarks_of_runs",
        lambda plan: {
            run: plan.results(f"{run}/plain/statistics.parquet") for run, _ in measured_spectra(plan)
        },
        noise_settings,
    ),
    "table_sensitivity": Item(
        "tables:sensitivity_table",
        {"quantities": f"quantities/variants-{TRAJECTORY}.csv"},
    ),
    "table_cycle_tests": Item("tables:cycle_tests_table", {"quantities": "quantities/cycle-tests.csv"}),
    "table_spectra_sensitivity": Item(
        "tables:variants_table",
        {"quantities": "quantities/variants-small-fc.csv"},
        lambda plan: {"name": "small-fc", "published": plan.published("small-fc")},
    ),
}  # fmt: skip
QUANTITIES = (
    *SPECTRUM_QUANTITIES,
    f"trajectory-{TRAJECTORY}",
    *(f"constancy-{run}" for run in CONSTANCY),
    *(f"errors-{run}" for run in [*NETWORKS, TRAJECTORY]),
    *(
        "cycle-tests",
        "fig4a",
        "fig4b",
        "fig4c",
        "diversity",
        "minibatch",
        "theory",
        "potential",
        "readings",
        "variants-small-fc",
        f"variants-{TRAJECTORY}",
    ),
)
READINGS = ("small-fc", "augmentation")
