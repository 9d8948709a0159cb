"""A paper is added by two folders and its name: no rule, page or test has to learn of it.

FILES is the shortest complete example: one study without data, one figure, one table, one claim, and one open
choice whose readings the claim is judged over.
"""

import json
from pathlib import Path

import pytest

from sgdiffusion.papers import PAPERS
from sgdiffusion.papers.items import CROSS

FILES = {
    "src/sgdiffusion/papers/doe2026/__init__.py": '"""Doe 2026: a walk."""',
    "src/sgdiffusion/papers/doe2026/figures/__init__.py": '"""Figures of Doe 2026."""',
    "src/sgdiffusion/papers/doe2026/settings.py": """
from typing import Any, Literal

from pydantic import PositiveInt

from sgdiffusion.config.models import Assumption, Strict


class Walk(Strict):
    kind: Literal["walk"]
    chains: PositiveInt
    stride: PositiveInt = 1
    assumptions: list[Assumption] = []

    def arguments(self) -> dict[str, Any]:
        return {"chains": self.chains, "stride": self.stride}


Run = Walk
""",
    "src/sgdiffusion/papers/doe2026/walk.py": """
import numpy as np
import pandas as pd

from sgdiffusion import streams
from sgdiffusion.config.readings import Reading
from sgdiffusion.papers.tables import documented, quantity
from sgdiffusion.papers.task import Task


def walk(*, chains: int, stride: int, seed: int, threads: int) -> dict[str, pd.DataFrame]:
    random = np.random.default_rng(streams.seed(seed, "walk"))
    square = ((stride * random.choice([-1.0, 1.0], (chains, 100))).cumsum(1) ** 2).mean(0)
    rows = {"step": np.arange(1, 101), "square": square}
    return {
        "squares": documented(rows, {"step": "steps", "square": "mean square over chains"}),
        "quantities": pd.DataFrame([quantity("walk.ratio", square[-1] / 100)]),
    }


def vary(task: Task, walks: dict[str, int], readings: list[Reading]) -> dict[str, pd.DataFrame]:
    found = []
    for reading in readings:
        made = walk(**reading.applied(walks), seed=task.root_seed, threads=1)["quantities"]
        found.append(made.assign(reading=reading.name))
    return {"readings": pd.concat(found)}
""",
    "src/sgdiffusion/papers/doe2026/figures/walk.py": """
import pandas as pd
from matplotlib.figure import Figure

from sgdiffusion.figures.style import new_figure, style


@style()
def fig1(squares: pd.DataFrame) -> Figure:
    figure, ax = new_figure()
    ax.plot(squares["step"], squares["square"])
    return figure
""",
    "src/sgdiffusion/papers/doe2026/tables.py": """
import pandas as pd


def last_squares(squares: pd.DataFrame) -> pd.DataFrame:
    return squares.tail(3)
""",
    "src/sgdiffusion/papers/doe2026/items.py": """
from sgdiffusion.papers.items import Item, Study, settings_of, tables

STUDIES = {
    "walk": Study(
        function="walk:walk",
        model="settings:Walk",
        settings={"run": settings_of("walk")},
        outputs={**tables("walk", ["squares"]), "quantities": "quantities/walk.csv"},
    ),
    "walk-readings": Study(
        function="walk:vary",
        settings={
            "walks": lambda plan: plan.run("walk").arguments(),
            "readings": lambda plan: plan.readings("readings"),
        },
        outputs={"readings": "readings/walk.csv"},
    ),
}
FIGURES = {"fig1": Item("walk:fig1", tables("walk", ["squares"]))}
TABLES = {"table1": Item("tables:last_squares", tables("walk", ["squares"]))}
QUANTITIES = ("walk",)
READINGS = ("walk",)
""",
    "config/doe2026/experiments.yaml": """
runs:
  walk: {kind: walk, chains: 1000}
  readings: {kind: readings, of: [walk], choices: [stride]}
""",
    "config/doe2026/readings.yaml": """
choices:
  stride:
    open: how far a step goes
    base: "1"
    values:
      "1": {ground: the unit}
      "3": {ground: another unit, set: {stride: 3}}
""",
    "config/doe2026/claims.yaml": """
claims:
  - id: fig1-diffuses
    source: Fig 1
    statement: the mean square displacement is the number of steps
    kind: law
    published: "1"
    accept:
      - {quantity: walk.ratio, published: 1.0, low: 0.8, high: 1.2}
    reason: four standard errors, √(2/1000) each
    choices: [stride]
""",
    "config/doe2026/texts.yaml": """
paper:
  title: Walks
  short: Doe 2026
  authors: Jane Doe
  venue: a test
  arxiv: "2601.00001"
  subject: A walk diffuses.
figures:
  fig1: {title: A walk, text: Mean square displacement., alt: A straight line of the mean square over steps.}
tables:
  table1: {title: The last steps, text: Mean square displacement.}
""",
}
LISTED = "src/sgdiffusion/papers/__init__.py"
OTHERS = {"items": [f"{name}/*" for name in (*PAPERS, CROSS)], "reason": "not new"}


@pytest.fixture(scope="module")
def extended(dag, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with the paper."""
    folder = dag.copy(tmp_path_factory.mktemp("extended"))
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    last = f'"{PAPERS[-1]}"'
    listed = (folder / LISTED).read_text()
    (folder / LISTED).write_text(listed.replace(last, f'{last}, "doe2026"'))
    (folder / "others.yaml").write_text(json.dumps({"left_out": [OTHERS]}))
    return folder


def test_its_files_are_part_of_every_preset(dag, extended: Path):
    done = dag.run(extended, "-n", "smoke")
    assert done.returncode == 0, done.text
    assert done.jobs()["measure_doe2026_walk"] == 1
    assert done.jobs()["judge_claims"] == len(PAPERS) + 1
    assert "doe2026/fig1" in done.figures()
    assert "figures/smoke/doe2026/table1.csv" in done.text


@pytest.mark.slow
def test_it_is_computed_judged_and_shown(dag, extended: Path):
    """On a page whose other papers are left out."""
    page = "figures/smoke/index.html"
    done = dag.run(extended, "--cores", "1", page, "--config", "left_out=others.yaml")
    assert done.returncode == 0, done.text[-5000:]
    html = (extended / page).read_text()
    assert all(words in html for words in ("Jane Doe", "doe2026-fig1", "doe2026-claim-fig1-diffuses"))
    verdicts = (extended / "figures/smoke/doe2026/verdicts.csv").read_text()
    assert ",Depends on the reading,Holds," in verdicts
    assert "of 2 readings 1 hold, 1 fail" in verdicts
    assert (extended / "figures/smoke/doe2026/readings/fig1-diffuses.png").stat().st_size > 5000
    assert "Specification curve of fig1-diffuses" in html
    numbers = json.loads((extended / "figures/smoke/numbers.json").read_text())
    assert list(numbers["papers"]["doe2026"]) == ["walk.ratio"]
