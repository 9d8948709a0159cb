"""Chaudhari & Soatto 2018 in the workflow: every study, figure and table, and what each is made from."""

from collections.abc import Callable
from typing import Any

from sgdiffusion.papers.chaudhari2018.planning import (
    CONSTANCY,
    DIVERSITY,
    DOUBLE,
    FIG3_TABLES,
    FIG4_TABLES,
    LONG,
    NETWORKS,
    PRINTED_SPECTRA,
    SHORT,
    SPECTRA,
    SPECTRUM_QUANTITIES,
    TRAJECTORY,
    TRAJECTORY_VARIANTS,
    VARIED,
    VARIED_READINGS,
    accepted,
    constant_of,
    fixed,
    instants,
    measured_spectra,
    noise_settings,
    published_spectra,
    published_spectrum,
    readings_of_variants,
    spectrum_names,
    variant_files,
    variant_inputs,
    variant_settings,
)
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

HISTORY = {**TRAINED, "trajectory": f"{SEED}/trajectory.zarr"}
TRAININGS = {
    "network": training(
        "train_network", where=rf"(?!{TRAJECTORY}(/|-(variants|long)\.))[a-z0-9.-]+", gpu=True
    ),
    "trajectory": training("train_fused", where=TRAJECTORY, outputs=HISTORY),
    "trajectory-variant": training(
        "train_fused", where=TRAJECTORY_VARIANTS, outputs=HISTORY, temporary=("trajectory",)
    ),
}
NOISE = {
    "spectra": Study(
        function="spectra:measure",
        settings={"run": settings_of(without="seeds"), "instants": instants},
        inputs={"data": prepared(), "checkpoints": TRAINED["checkpoints"]},
        outputs=tables(f"{SEED}/{{evaluation}}", ["eigenvalues", "statistics"]),
        where={"evaluation": "plain|augmented"},
        threads=2,
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
        minutes=120,
        gpu=True,
    ),
    # a job for each run: a number's record then names its own run and data alone
    "errors": Study(
        function="errors:measure",
        inputs={"checkpoints": of_seeds("checkpoints.pt"), "metrics": of_seeds("metrics.csv")},
        outputs={"errors": "{run}/errors.csv", "quantities": "quantities/errors-{run}.csv"},
    ),
    **{
        f"variants-{run}": Study(
            function="variants:measure",
            settings={
                "of": fixed(run),
                "variants": variant_settings(f"{run}-variants"),
                "readings": readings_of_variants(f"{run}-variants"),
                "constant": constant_of(run),
            },
            inputs=variant_inputs(run),
            outputs={
                "quantities": f"quantities/variants-{run}.csv",
                **({"readings": f"readings/{run}.csv"} if run in VARIED_READINGS else {}),
            },
            threads=2,
            minutes=240,
            gpu=True,
        )
        for run in VARIED
    },
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
        outputs={"quantities": "quantities/diversity.csv"},
    ),
    "spectrum-readings": Study(
        function="spectrum_readings:measure",
        settings={"readings": lambda plan: plan.readings("spectrum-readings"), "names": spectrum_names},
        inputs=lambda plan: {
            key: plan.results("{}/{}/eigenvalues.parquet".format(*DIVERSITY[key]))
            for key in spectrum_names(plan)
        },
        outputs={"readings": "readings/spectra.csv"},
    ),
    "double-precision": Study(
        function="spectrum_readings:measure_double",
        settings={
            "runs": lambda plan: {k: settings_of(run)(plan) for k, run in DOUBLE.items()},
            "names": fixed(DOUBLE),
            "reading": fixed("rank-precision=double"),
        },
        inputs=lambda plan: {
            "data": [plan.prepared(run) for run in DOUBLE.values()],
            **{key: of_seeds("checkpoints.pt", run)(plan) for key, run in DOUBLE.items()},
        },
        outputs={"readings": "readings/double-precision.csv"},
        threads=2,
        minutes=120,
        gpu=True,
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
    ),
    "trajectories": Study(
        verb="collect",
        function="trajectories:collect",
        settings={
            "run": settings_of(without="seeds"),
            "readings": lambda plan: plan.readings("fig3-readings"),
        },
        inputs={t: of_seeds(f"{t}.parquet") for t in FIG3_TABLES},
        outputs={
            **tables("{run}/fig3", FIG3_TABLES),
            "quantities": "quantities/trajectory-{run}.csv",
            "readings": "readings/{run}-figure.csv",
        },
        where={"run": TRAJECTORY},
    ),
    "variants-tiny-fc": Study(
        function="trajectories:measure_variants",
        settings={"variants": variant_settings(SHORT)},
        inputs=variant_files(SHORT, checkpoints="checkpoints.pt", trajectory="trajectory.zarr"),
        outputs={"quantities": f"quantities/variants-{TRAJECTORY}.csv"},
    ),
    "long-tiny-fc": Study(
        function="trajectories:measure_long",
        settings={
            "variants": variant_settings(LONG),
            "readings": readings_of_variants(LONG),
        },
        inputs=variant_files(LONG, checkpoints="checkpoints.pt", trajectory="trajectory.zarr"),
        outputs={"readings": f"readings/{TRAJECTORY}.csv"},
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
THEORY["equilibrium"] = Study(
    function="equilibrium:measure",
    outputs={**tables("theory", ["equilibrium"]), "quantities": "quantities/equilibrium.csv"},
    minutes=10,
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
    twice = sum(r == run for r, _ in SPECTRA.values()) > 1  # two figures of one training must differ in words
    over = {
        "plain": "\nD over the images themselves" if twice else "",
        "augmented": "\nD over augmented images",
    }[evaluation]
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
    "equilibrium": Item("theorems:equilibrium_figure", tables("theory", ["equilibrium"])),
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
        "equilibrium",
        "readings",
        *(f"variants-{run}" for run in VARIED),
        f"variants-{TRAJECTORY}",
    ),
)
READINGS = (*VARIED_READINGS, "spectra", "double-precision", TRAJECTORY, f"{TRAJECTORY}-figure")
