"""What a paper's registry, papers/<paper>/items.py, is made of: studies, figures and tables as plain values.

The registry says what is computed from what; the workflow turns each entry into a rule. A path is relative to
the results of the paper, results/<preset>/<paper>/, unless it begins with results/ or data/. Where a path, a
setting or an argument depends on the configuration, the entry holds a function of a Plan.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import PurePosixPath
from types import ModuleType
from typing import Any, Literal

from sgdiffusion.config.models import Claim
from sgdiffusion.papers import PAPERS

CROSS = "cross"  # what spans the papers has a registry as well
RECORDED = (".parquet", ".csv", ".npz", ".pt")
SEED = "{run}/seed-{seed}"
TRAINED = {"checkpoints": f"{SEED}/checkpoints.pt", "metrics": f"{SEED}/metrics.csv"}


SET_NAMES = {"mnist": "MNIST", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}
Paths = str | list[str]
Input = str | Callable[["Plan"], Paths]
# by name; a function where the names themselves depend on the configuration
Inputs = Mapping[str, Input] | Callable[["Plan"], Mapping[str, Paths]]


@dataclass(frozen=True)
class Plan:
    """The configuration as one entry of a registry asks it: at a preset, for the wildcards of one job."""

    paper: str
    preset: str
    wildcards: Mapping[str, str]
    config: Any  # sgdiffusion.config.Configuration
    claims: Mapping[str, list[Claim]]
    kept: Callable[[str], bool]  # whether an item <paper>/… is not left out

    def run(self, run_id: str | None = None, paper: str | None = None) -> Any:
        """The settings of a run; by default that of the wildcard `run`."""
        return self.config.run(self.preset, paper or self.paper, run_id or self.wildcards["run"])

    def prepared(self, run_id: str | None = None, paper: str | None = None) -> str:
        """Path of the prepared arrays of a run."""
        return str(self.config.prepared(self.preset, self.run(run_id, paper)))

    def readings(self, run_id: str) -> list[dict[str, Any]]:
        """The readings that a run of kind `readings` samples, as a study's setting."""
        found = self.config.readings(self.preset, self.paper, run_id)
        return [reading.model_dump(mode="json") for reading in found]

    def results(self, path: str, paper: str | None = None) -> str:
        """A path below the results of a paper, this one by default, with the wildcards filled in."""
        return located(path, paper or self.paper).format_map({**self.wildcards, "preset": self.preset})

    def files(self, inputs: Inputs) -> dict[str, Paths]:
        """The files of an entry's inputs, by name."""
        if callable(inputs):
            return dict(inputs(self))
        return {n: self.results(i) if isinstance(i, str) else i(self) for n, i in inputs.items()}

    def published(self, name: str) -> dict[str, float]:
        """What is published of the quantities <name>.<statistic>: statistic -> number."""
        regions = [r for claim in self.claims[self.paper] for r in claim.accept]
        numbers = {r.quantity: r.published for r in regions if r.published is not None}
        return {q.removeprefix(f"{name}."): n for q, n in numbers.items() if q.startswith(f"{name}.")}

    def measured(self, names: Iterable[str]) -> list[str]:
        """Those of the tables of quantities that are not left out."""
        return [name for name in names if self.kept(f"{self.paper}/quantities/{name}")]

    def title(self, run_id: str) -> str:
        """A figure's title: the run and the data it really used."""
        data = self.run(run_id).data
        name = self.config.source_set(self.preset, data.set)
        size = "7×7 " if data.preparation.startswith("pool7") else ""
        return f"{run_id}, {size}{SET_NAMES.get(name, name)}"


@dataclass(frozen=True)
class Study:
    """A job that computes: `function`(task, **settings, **inputs) gives the outputs by name.

    `function` is "module:function" in the paper's folder. Settings are checked against the function's
    annotations, inputs are read (see workflow/scripts/_files.py) unless they are checkpoints or folders.
    With a `model` the arguments are the fields of the settings `run`, seed and threads.
    """

    function: str
    outputs: Mapping[str, str]
    model: str | None = None
    inputs: Inputs = field(default_factory=dict)
    settings: Mapping[str, Callable[[Plan], Any]] = field(default_factory=dict)
    verb: Literal["train", "measure", "collect", "prepare"] = "measure"
    where: Mapping[str, str] = field(default_factory=dict)  # wildcard -> regular expression
    run: str = ""  # for the record: the run of experiments.yaml that it carries out, if any
    temporary: tuple[str, ...] = ()  # outputs that go when all that reads them is done
    seed: Callable[[Plan], int] = lambda plan: 0  # added to the root seed
    threads: int = 1
    mem_mb: int = 4000
    minutes: int = 60
    gpu: bool = False  # whether it gains from one


@dataclass(frozen=True)
class Item:
    """A figure or table: `function`(**tables, **arguments), drawn or published."""

    function: str
    tables: Inputs
    arguments: Callable[[Plan], Mapping[str, Any]] = lambda plan: {}


@dataclass(frozen=True)
class Registry:
    """One paper's entries, by name."""

    paper: str
    studies: Mapping[str, Study]
    figures: Mapping[str, Item]
    tables: Mapping[str, Item]
    quantities: tuple[str, ...]  # tables of quantities that its claims are judged by
    readings: tuple[str, ...] = ()  # tables of quantities under other readings, readings/<name>.csv
    optional: Mapping[str, Item] = field(default_factory=dict)  # tables that nothing else asks for
    optional_quantities: str | None = None  # pattern of files: judged where they exist

    @property
    def package(self) -> str:
        return f"sgdiffusion.papers.{self.paper}"


def registry(paper: str) -> Registry:
    """The entries of papers/<paper>/items.py."""
    module: ModuleType = import_module(f"sgdiffusion.papers.{paper}.items")
    names = ("studies", "figures", "tables", "quantities", "readings", "optional", "optional_quantities")
    return Registry(paper, **{n: getattr(module, n.upper()) for n in names if hasattr(module, n.upper())})


def registries() -> dict[str, Registry]:
    """Every paper's, and what spans them."""
    return {name: registry(name) for name in (*PAPERS, CROSS)}


def located(path: str, paper: str) -> str:
    """A path of the registry as the workflow knows it."""
    return path if path.startswith(("results/", "data/")) else f"results/{{preset}}/{paper}/{path}"


def rule_name(paper: str, name: str, study: Study) -> str:
    """Verb, paper, study: what the workflow calls the rule of a study."""
    return f"{study.verb}_{paper}_{name.removeprefix(f'{study.verb}-').replace('-', '_')}"


def record_of(path: str) -> str | None:
    """The provenance record beside an output; none of a folder."""
    pure = PurePosixPath(path)
    return str(pure.with_suffix(".json")) if pure.suffix in RECORDED else None


def tables(folder: str, names: Iterable[str]) -> dict[str, str]:
    """Tables of one folder, each by its name."""
    return {name: f"{folder}/{name}.parquet" for name in names}


def settings_of(run_id: str | None = None, *, paper: str | None = None, without: str = "") -> Any:
    """A setting: a run's settings without what changes no result."""
    exclude = {"assumptions", without}
    return lambda plan: plan.run(run_id, paper).model_dump(mode="json", exclude=exclude)


def section_of(run_id: str | None, key: str, paper: str | None = None) -> Callable[[Plan], Any]:
    """A setting: one part of a run's settings."""
    return lambda plan: plan.run(run_id, paper).model_dump(mode="json")[key]


def of_seeds(path: str, run_id: str | None = None, paper: str | None = None) -> Callable[[Plan], list[str]]:
    """An input: the same file of every seed of a run; `path` lies in the folder of a seed."""

    def files(plan: Plan) -> list[str]:
        run = run_id or plan.wildcards["run"]
        count = plan.run(run, paper).seeds
        return [plan.results(f"{run}/seed-{seed}/{path}", paper) for seed in range(count)]

    return files


def prepared(run_id: str | None = None, paper: str | None = None) -> Callable[[Plan], str]:
    """An input: the prepared arrays of a run."""
    return lambda plan: plan.prepared(run_id, paper)


def training(function: str, *, where: str, outputs: Mapping[str, str] = TRAINED, **more: Any) -> Study:
    """A study that trains the runs `where` fits, a job for each seed, by a function of papers/training.py."""
    return Study(
        verb="train",
        run="{run}",
        function=f"sgdiffusion.papers.training:{function}",
        settings={"run": settings_of(without="seeds")},
        inputs={"data": prepared()},
        outputs=outputs,
        minutes=600,
        where={"run": where},
        **more,
    )
