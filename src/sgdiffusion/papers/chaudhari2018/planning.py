"""What the registry of Chaudhari & Soatto 2018 asks of the configuration: its runs, spectra and readings,
and the settings and inputs that follow from them.
"""

import math
from typing import Any

from sgdiffusion.papers.items import Plan, of_seeds

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
TRAJECTORY_VARIANTS = rf"{TRAJECTORY}-(variants|long)\.[a-z0-9.-]+"
VARIED = ("small-fc", "small-lenet", "small-allcnn")  # networks trained again with other settings
VARIED_READINGS = VARIED[:2]  # at the paper's scale, so that their numbers are readings of its claims
INSTANTS = (0.2, 0.4, 1.0)  # of Figs 1 and 2; earlier checkpoints are baselines of Remark 13
COMPARED = {  # ratios of Remarks 14 and 16 in which a varied network stands, and with what of DIVERSITY
    "small-fc": {"r16.fc-over-lenet": "mnist"},
    "small-lenet": {"r16.fc-over-lenet": "fc", "r14.cifar10-over-mnist": "cifar10"},
}
DOUBLE = {"mnist": "small-lenet", "fc": "small-fc"}  # small enough for D in double precision
SHORT, LONG = f"{TRAJECTORY}-variants", f"{TRAJECTORY}-long"
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


def variants_of(family: str, plan: Plan) -> dict[str, Any]:
    """The settings of every variant of a training, by the variant's name."""
    return dict(plan.config.variants(plan.preset, plan.paper, family))


def variant_settings(family: str) -> Any:
    """A setting: the same as plain values."""
    return lambda plan: {
        name: training.model_dump(mode="json", exclude={"assumptions"})
        for name, training in variants_of(family, plan).items()
    }


def variant_files(family: str, **paths: str) -> Any:
    """Inputs: by name the same file of every seed of every variant; as `data` every preparation once."""

    def files(plan: Plan) -> dict[str, Any]:
        trainings = variants_of(family, plan)
        runs = [f"{family}.{variant}" for variant in trainings]
        sets = dict.fromkeys(plan.config.prepared(plan.preset, t) for t in trainings.values())
        found = {n: [f for run in runs for f in of_seeds(p, run)(plan)] for n, p in paths.items()}
        return {"data": list(sets), **found}

    return files


def measured_spectra(plan: Plan) -> list[tuple[str, str]]:
    """Run and evaluation of every spectrum that is not left out."""
    return [SPECTRUM_QUANTITIES[name] for name in plan.measured(SPECTRUM_QUANTITIES)]


def published_spectrum(plan: Plan, figure: str) -> dict[str, float]:
    """Mean, s.d. and rank published with a figure; the second evaluation of Fig 2c has the same."""
    numbers = plan.published(quantity_name(*SPECTRA[figure.removesuffix("-plain")]))
    # the claims on Fig 2 are on the eigenvalues above threshold, the only reading that its pairs admit
    pair = {k: numbers[k] if k in numbers else numbers[f"{k}_above"] for k in ("mean", "sd")}
    return {**pair, "rank_percent": numbers["rank_percent"]}


def constant_of(run: str) -> Any:
    """A setting: the variants under which Remark 13 is tried; of small-lenet, whose matrices take minutes,
    that with another annealing alone.
    """

    def variants(plan: Plan) -> list[str]:
        return {"small-fc": [*variants_of("small-fc-variants", plan)], "small-lenet": ["epochs-10"]}.get(
            run, []
        )

    return variants


def fixed(value: Any) -> Any:
    """A setting that is the same in every preset."""
    return lambda plan: value


def readings_of_variants(family: str) -> Any:
    """A setting: the reading of each variant that is an admissible one; none of short trainings."""

    def readings(plan: Plan) -> dict[str, str]:
        design = f"{family.rpartition('-')[0]}-readings"
        if design not in plan.config.runs(plan.preset, plan.paper):
            return {}
        changes = plan.run(family).changes
        sets = {reading["name"]: reading["set"] for reading in plan.readings(design)}
        return {v: name for name, changed in sets.items() for v, c in changes.items() if c == changed}

    return readings


def variant_inputs(run: str) -> Any:
    """Inputs of the variants of a network: its trainings, and the statistics of the runs that Remarks 14 and
    16 compare it with.
    """
    trained = variant_files(f"{run}-variants", checkpoints="checkpoints.pt", metrics="metrics.csv")

    def files(plan: Plan) -> dict[str, Any]:
        others = {ratio: DIVERSITY[key] for ratio, key in COMPARED.get(run, {}).items()}
        return trained(plan) | {
            ratio: plan.results("{}/{}/statistics.parquet".format(*spectrum))
            for ratio, spectrum in others.items()
            if spectrum in measured_spectra(plan)
        }

    return files


def instants(plan: Plan) -> list[float]:
    """Where D is measured: at the instants of the figures, of all seeds where claims compare the instants,
    else of the first seed, which the figures draw; all other claims speak of the end.
    """
    run, evaluation = plan.wildcards["run"], plan.wildcards["evaluation"]
    figures = [SPECTRA[figure] for figure in PRINTED_SPECTRA]
    drawn = (run, evaluation) in figures and plan.wildcards["seed"] == "0"
    return list(INSTANTS) if run in CONSTANCY or drawn else [1.0]


def spectrum_names(plan: Plan) -> dict[str, str]:
    """The first part of the ids of every measured spectrum's quantities, by its name in DIVERSITY."""
    known = {k: s for k, s in DIVERSITY.items() if s in measured_spectra(plan)}
    return {key: quantity_name(*spectrum) for key, spectrum in known.items()}


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
