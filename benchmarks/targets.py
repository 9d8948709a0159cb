"""What was aimed at for two cores, beside what the tables of bench.py have: met, or why not.

    python benchmarks/targets.py     # targets.md, from peers.csv and paths.csv

Targets were set before the tables were measured. Reasons are of the arithmetic or of a profile.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from harness import EQUAL, figures

HERE = Path(__file__).resolve().parent
Rows = pd.DataFrame


def least(rows: Rows) -> float:
    """Over the best peer."""
    return float(rows["ratio"].min())


def share(rows: Rows) -> float:
    """Time over its floor."""
    return float(1 / rows["floor_share"].iloc[0])


def gain(rows: Rows) -> float:
    """What the fastest of the others would gain."""
    return float(1 / rows["ratio"].min())


def bound(rows: Rows) -> float:
    """The best peer with all eigenvalues, over ours without any."""
    alone = rows["work"].str.startswith("exact trace")
    return float(rows.loc[~alone, "theirs_s"].min() / rows.loc[alone, "ours_s"].min())


@dataclass(frozen=True)
class Target:
    """A ratio that rows of a table should reach."""

    path: str
    table: str
    pattern: str
    """Of work, peer and call there, joined by " | "."""
    aim: float
    why_not: str
    number: Callable[[Rows], float] = least
    most: bool = False
    """Whether the aim is an upper limit."""
    elsewhere: bool = False
    """Whether the number is that of a way which the project does not take."""

    def found(self, rows: Rows) -> float:
        names = rows["work"] + " | " + rows["peer"] + " | " + rows["theirs"].fillna("")
        chosen = rows[names.str.contains(self.pattern) & (rows["outcome"] == EQUAL)]
        return self.number(chosen) if len(chosen) else float("nan")

    def met(self, number: float) -> bool:
        return not self.elsewhere and (number <= self.aim if self.most else number >= self.aim)


ORDERED = "the sums keep the order that published numbers have"
TARGETS = (
    Target(
        "tiny-fc beside the eager trainer",
        "paths",
        "epochs of tiny-fc.*eager trainer",
        15,
        "about half of the time is the kernel's, the rest orders of the examples, evaluation and files",
    ),
    Target(
        "tiny-fc over its floor (at most)",
        "paths",
        "epochs of tiny-fc.*eager trainer",
        2.5,
        "layers of 49, 16 and 5 units are far from the speed of a product of 1,024², which the floor takes, "
        f"and batch-norm, momentum and files are not in it; {ORDERED}",
        share,
        True,
    ),
    Target(
        "two seeds at once",
        "paths",
        "^two seeds",
        1.7,
        "other work of the machine had the second core (see the load)",
    ),
    Target(
        "SGD chains beside NumPy",
        "paths",
        r"^SGD of the two-layer.*\| numpy",
        5,
        "four fifths of the time are two normal numbers a step, which NumPy's loop needs too",
    ),
    Target(
        "SDE of v beside NumPy",
        "paths",
        "^the effective SDE",
        5,
        "three exponentials and five roots a step; NumPy takes eight at a time, a chain that chooses its own "
        "steps one by one",
    ),
    Target(
        "SDE of the weights beside NumPy",
        "paths",
        "^the SDE of both weights",
        5,
        "four roots and four divisions a step wait for each other",
    ),
    Target(
        "moons ensemble beside a loop",
        "paths",
        "2-16-16-2.*a loop",
        25,
        "some twenty calls of torch a step are half of the time",
    ),
    Target(
        "784-32-32-10, batch 16, beside a loop",
        "paths",
        "784.*batch 16 .*a loop",
        4,
        "products of 16 rows wait for the weights from memory; a loop waits for the same weights",
    ),
    Target(
        "784-32-32-10, batch 128, beside a loop",
        "paths",
        "784.*batch 128 .*a loop",
        4,
        "the products and the collecting of 784 inputs for each example are the same in a loop",
    ),
    Target(
        "D of small-lenet (convolutions), all eigenvalues",
        "paths",
        "all its eigenvalues, the convolutions of small-lenet",
        2,
        "gradients and eigenvalues are torch's on both sides; only the product is halved",
    ),
    Target(
        "the same above the rank's threshold, if they cost nothing",
        "paths",
        "the convolutions of small-lenet",
        5,
        "gradients and half of the product remain: no way to the eigenvalues can reach it",
        bound,
    ),
    Target(
        "λ̂ of 784-32-32-10 beside devinterp",
        "peers",
        "^λ̂ of 784",
        5,
        "two thirds of a step are products and the collecting of 512 images, the same there (where the "
        "peer's loader collects example by example, as torch's does by itself, it takes 1.8 times as long)",
    ),
    Target(
        "λ̂ of 2-16-16-2 beside devinterp",
        "peers",
        "^λ̂ of 2-16-16-2, all 200",
        60,
        "calls of torch, some twenty-five a step, are half of the time (with a loader that collects example "
        "by example the peer takes 2.5 times as long)",
    ),
    Target(
        "small-allcnn's epoch beside eager: the fastest of three other ways",
        "paths",
        "^an epoch of small-allcnn",
        1.3,
        "the trainer is the eager one; bfloat16 and other layouts change the numbers of the studies",
        gain,
        elsewhere=True,
    ),
)


def markdown(tables: dict[str, Rows]) -> str:
    """A line for each target."""
    lines = ["| path | target | measured | |", "| --- | --- | --- | --- |"]
    for target in TARGETS:
        number = target.found(tables[target.table])
        verdict = "met" if target.met(number) else f"not met: {target.why_not}"
        sign = "≤" if target.most else "≥"
        lines.append(f"| {target.path} | {sign} {target.aim:g} | {figures(number)} | {verdict} |")
    return "\n".join(lines) + "\n"


def read() -> dict[str, Rows]:
    return {name: pd.read_csv(HERE / f"{name}.csv") for name in ("peers", "paths")}


if __name__ == "__main__":
    (HERE / "targets.md").write_text(markdown(read()), encoding="utf-8")
