"""Ziyin, Li & Ueda 2025 in the workflow: every study, figure and table, and what each is made from."""

from dataclasses import replace
from functools import partial
from typing import Any

from sgdiffusion.papers.items import Item, Plan, Study, prepared, settings_of, tables


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
        ("two-layer", "balance:two_layer", "TwoLayer", "norms", "bounds", "windows"),
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
STUDIES["depth-scaling"] = Study(
    run="depth-scaling",
    function="depths:measure",
    settings={"run": settings_of("depth-scaling")},
    inputs={"data": prepared("depth-scaling")},
    outputs={**tables("depth-scaling", ["errors"]), "quantities": "quantities/depth-scaling.csv"},
)

STUDIES["real-networks"] = Study(
    run="real-networks",
    function="real_networks:measure",
    settings={"run": settings_of("real-networks")},
    inputs={"data": prepared("real-networks")},
    outputs={
        **tables("real-networks", ["pairs", "summary"]),
        "quantities": "quantities/real-networks.csv",
    },
)

VARIED = {  # run -> the study of its readings
    "plane": "plane:contrast_readings",
    "two-layer": "balance:two_layer_readings",
    "densities": "densities:densities_readings",
    "tanh-signs": "tanh:signs_readings",
    "inversion": "tanh:inversion_readings",
    "depth-scaling": "depths:depth_readings",
    "subnetworks": "subnetworks:subnetworks_readings",
}
BESIDES: dict[str, dict[str, Any]] = {  # what they need but settings
    "depth-scaling": {"data": prepared("depth-scaling"), "errors": "depth-scaling/errors.parquet"}
}
STUDIES |= {
    f"readings-{run}": Study(
        run=run,
        function=function,
        inputs=BESIDES.get(run, {}),
        settings={"run": settings_of(run), "readings": partial(Plan.readings, run_id=f"readings-{run}")},
        outputs={"readings": f"readings/{run}.csv"},
    )
    for run, function in VARIED.items()
}
READINGS = tuple(VARIED)
MEMORY = {  # MB: the peak of a run at full scale and a fifth more; all others stay below 460
    "two-layer": 3300,
    "real-networks": 1200,
    "depth-scaling": 1200,
    "readings-two-layer": 3600,
    "readings-depth-scaling": 1200,
}
STUDIES = {name: replace(study, mem_mb=MEMORY.get(name, 560)) for name, study in STUDIES.items()}


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
