"""Ziyin, Li & Ueda 2025 in the workflow: every study, figure and table, and what each is made from."""

from functools import partial
from typing import Any

from sgdiffusion.papers.items import Input, Item, Plan, Study, prepared, settings_of, tables


def simulation(run_id: str, function: str, model: str, *names: str) -> Study:
    """A study whose settings are the arguments of one function; it needs no data."""
    return Study(
        run=run_id,
        function=function,
        model=f"settings:{model}",
        settings={"run": settings_of(run_id)},
        outputs={**tables(run_id, names), "quantities": f"quantities/{run_id}.csv"},
    )


STUDIES = {
    run_id: simulation(run_id, *rest)
    for run_id, *rest in (
        ("plane", "plane:contrast", "Plane", "paths", "imbalance"),
        ("balance-rate", "plane:balance_rates", "BalanceRate", "rates"),
        ("densities", "densities:densities", "Densities", "histograms", "distances"),
        ("convergence", "densities:convergence", "Convergence", "convergence"),
        ("tanh-signs", "tanh:signs", "TanhSigns", "signs"),
        ("transition", "phases:transition", "Transition", "growth", "located", "collapse", "scan"),
        ("regimes", "phases:regimes", "Regimes", "regimes"),
        ("tails", "stationary_laws:tails", "Tails", "exponents", "survival"),
        ("moments", "stationary_laws:second_moments", "Moments", "moments", "rising"),
        ("inversion", "tanh:inversion", "Inversion", "inversion"),
        ("table-one", "table_one:table_one", "TableOne", "laws", "ends"),
        ("weights-law", "weights_law:weights_law", "WeightsLaw", "distances"),
        ("discrete-depth", "discrete_depth:discrete_depth", "DiscreteDepth", "approach", "escapes"),
        ("memory", "memory:memory", "Memory", "ends"),
        ("closed-forms", "closed_forms:closed_forms", "ClosedForms", "findings"),
        ("subnetworks", "subnetworks:subnetworks", "Subnetworks", "subnetworks"),
    )
}


def trained(run_id: str, module: str, name: str, path: str, **inputs: Input) -> dict[str, Study]:
    """The studies that train the nets of a run, `name`: once as its settings say, once under its readings."""

    def study(function: str, folder: str, **settings: Any) -> Study:
        return Study(
            verb="train",
            run=run_id,
            function=f"{module}:{function}",
            settings={"run": settings_of(run_id), **settings},
            inputs=inputs,
            outputs={name: f"{folder}/{path}"},
        )

    readings = partial(Plan.readings, run_id=f"readings-{run_id}")
    return {
        f"train-{run_id}": study("train", run_id),
        f"train-readings-{run_id}": study("train_readings", f"readings-{run_id}", readings=readings),
    }


DATA = {run: prepared(run) for run in ("depth-scaling", "real-networks")}
STUDIES |= trained("two-layer", "two_layer", "trained", "trained.npz")
STUDIES |= trained("depth-scaling", "depths", "errors", "errors.parquet", data=DATA["depth-scaling"])
STUDIES |= {
    "train-real-networks": Study(
        verb="train",
        run="real-networks",
        function="real_networks:train",
        settings={"run": settings_of("real-networks")},
        inputs={"data": DATA["real-networks"]},
        outputs={"trained": "real-networks/trained.npz"},
    ),
    "two-layer": Study(
        function="balance:measure",
        settings={"run": settings_of("two-layer")},
        inputs={"trained": "two-layer/trained.npz"},
        outputs={
            **tables("two-layer", ["norms", "bounds", "windows"]),
            "quantities": "quantities/two-layer.csv",
        },
    ),
    "depth-scaling": Study(
        function="depths:measure",
        settings={"run": settings_of("depth-scaling")},
        inputs={"errors": "depth-scaling/errors.parquet"},
        outputs={"quantities": "quantities/depth-scaling.csv"},
    ),
    "real-networks": Study(
        function="real_networks:measure",
        settings={"run": settings_of("real-networks")},
        inputs={"data": DATA["real-networks"], "trained": "real-networks/trained.npz"},
        outputs={
            **tables("real-networks", ["pairs", "summary"]),
            "quantities": "quantities/real-networks.csv",
        },
    ),
}

VARIED = {  # run -> the study of its readings
    "plane": "plane:contrast_readings",
    "two-layer": "balance:two_layer_readings",
    "densities": "densities:densities_readings",
    "tanh-signs": "tanh:signs_readings",
    "inversion": "tanh:inversion_readings",
    "depth-scaling": "depths:depth_readings",
    "subnetworks": "subnetworks:subnetworks_readings",
}
TRAINED = {  # the nets that they read
    "two-layer": {"trained": "readings-two-layer/trained.npz"},
    "depth-scaling": {
        "errors": "depth-scaling/errors.parquet",
        "trained": "readings-depth-scaling/errors.parquet",
    },
}
STUDIES |= {
    f"readings-{run}": Study(
        run="" if run in TRAINED else run,
        function=function,
        inputs=TRAINED.get(run, {}),
        settings={"run": settings_of(run), "readings": partial(Plan.readings, run_id=f"readings-{run}")},
        outputs={"readings": f"readings/{run}.csv"},
    )
    for run, function in VARIED.items()
}
READINGS = tuple(VARIED)


def item(function: str, *paths: str) -> Item:
    """A figure or table: its function takes each table by its file's name."""
    return Item(function, {path.rpartition("/")[2]: f"{path}.parquet" for path in paths})


FIGURES = {
    "fig1": item("balance:fig1", "plane/paths"),
    "fig2a": item("balance:fig2a", "two-layer/norms"),
    "fig2b": item("balance:fig2b", "two-layer/norms", "two-layer/windows"),
    "fig3a": item("densities:fig3a", "densities/histograms"),
    "fig3b": item("densities:fig3b", "densities/histograms", "densities/distances"),
    "fig3c": item("densities:fig3c", "tanh-signs/signs"),
    "fig4": item("phases:fig4", "regimes/regimes"),
    "fig5a": item("depth:fig5a", "tails/exponents", "tails/survival"),
    "fig5b": item("depth:fig5b", "inversion/inversion"),
    "fig5c": Item(
        "depth:fig5c",
        {"errors": "depth-scaling/errors.parquet"},
        lambda plan: {"title": plan.title("depth-scaling")},
    ),
    "fig7": item("balance:fig7", "plane/imbalance"),
    "transition": item(
        "phases:transition_figure", "transition/located", "transition/collapse", "transition/scan"
    ),
    "discrete-depth": item("depth:discrete_depth", "discrete-depth/approach", "discrete-depth/escapes"),
    "real-networks": Item(
        "networks:real_networks",
        {name: f"real-networks/{name}.parquet" for name in ("pairs", "summary")},
        lambda plan: {"title": plan.title("real-networks")},
    ),
    "theorem41": item("depth:theorem41", "subnetworks/subnetworks"),
    "checks": item(
        "checks:checks",
        "two-layer/windows",
        "balance-rate/rates",
        "convergence/convergence",
        "moments/moments",
    ),
}
TABLES = {
    "table1": item("tables:table_one_table", "table-one/laws"),
    "table_weights": item("tables:weights_table", "weights-law/distances"),
    "table_ends": item("tables:ends_table", "table-one/ends"),
    "table_findings": item("tables:findings_table", "closed-forms/findings"),
    "table_distances": item("tables:distances_table", "densities/distances"),
    "table_tails": item("tables:tails_table", "tails/exponents"),
    "table_transition": item("tables:transition_table", "transition/located"),
}
QUANTITIES = tuple(name for name, study in STUDIES.items() if "quantities" in study.outputs)
