"""What spans the papers, in the workflow: each paper's measurements on the other papers' networks."""

from sgdiffusion.papers.items import Inputs, Item, Plan, Study, of_seeds, prepared, section_of, settings_of

CHAUDHARI, HENNICK, ZIYIN = "chaudhari2018", "hennick2025", "ziyin2025"
NETWORKS = ["tiny-fc", "small-lenet"]
BALANCES = ["tiny-fc", "small-fc", "small-lenet", "small-allcnn"]
DESIGN = "mlps-sgd"
TRAJECTORY = "tiny-fc"
TABLES_OF_NETS: Inputs = {
    "curves": "curves.parquet",
    "coefficients": lambda plan: [plan.results(f"{network}.parquet") for network in NETWORKS],
    "nets": lambda plan: [
        plan.results(f"{name}.parquet") for name in ("nets", "mlps", *(f"balance-{run}" for run in BALANCES))
    ],
}
NETWORK = settings_of(paper=CHAUDHARI, without="seeds")
CHECKPOINTS = of_seeds("checkpoints.pt", paper=CHAUDHARI)


def trajectories(plan: Plan) -> list[str]:
    """The trajectories of every seed of a run, where it keeps them."""
    kept = plan.wildcards["run"] == TRAJECTORY
    return of_seeds("trajectory.zarr", paper=CHAUDHARI)(plan) if kept else []


def narrow_and_deep(plan: Plan) -> str:
    """The nets of the design's narrowest, deepest architecture: about as many weights as small-lenet."""
    part = len(plan.run(DESIGN, HENNICK).design.depths) - 1
    return plan.results(f"{DESIGN}/part-{part}/trained.npz", HENNICK)


STUDIES = {
    "walks": Study(
        function="studies:walks",
        settings={"run": settings_of(TRAJECTORY, paper=CHAUDHARI, without="seeds")},
        inputs={"trajectories": of_seeds("trajectory.zarr", TRAJECTORY, CHAUDHARI)},
        outputs={"curves": "curves.parquet"},
    ),
    "coefficients": Study(
        function="studies:coefficients",
        settings={"run": NETWORK, "plan": section_of(DESIGN, "coefficients", HENNICK)},
        inputs={
            "data": prepared(paper=CHAUDHARI),
            "checkpoints": CHECKPOINTS,
            "trajectories": trajectories,
        },
        outputs={"coefficients": "{run}.parquet"},
        where={"run": "|".join(NETWORKS)},
    ),
    "nets": Study(
        function="studies:nets",
        settings={"two_layer": settings_of("two-layer", paper=ZIYIN)},
        inputs={
            "ensemble": f"results/{{preset}}/{HENNICK}/moons/ensemble.npz",
            "trained": f"results/{{preset}}/{ZIYIN}/two-layer/trained.npz",
        },
        outputs={"nets": "nets.parquet"},
    ),
    "mlps": Study(
        function="studies:mlps",
        settings={"images": section_of(DESIGN, "data", HENNICK)},
        inputs={"data": prepared(DESIGN, HENNICK), "trained": narrow_and_deep},
        outputs={"nets": "mlps.parquet"},
    ),
    "balance": Study(
        function="studies:balance",
        settings={"run": NETWORK},
        inputs={"data": prepared(paper=CHAUDHARI), "checkpoints": CHECKPOINTS},
        outputs={"nets": "balance-{run}.parquet"},
        where={"run": "|".join(BALANCES)},
    ),
}
FIGURES = {"cross": Item("networks:cross_figure", TABLES_OF_NETS)}
TABLES = {"table_cross": Item("examinations:cross_table", TABLES_OF_NETS)}
QUANTITIES: tuple[str, ...] = ()
