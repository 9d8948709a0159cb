"""After an edit, the jobs that are planned are those that depend on what was edited, as a trace of them says.

    python tests/faults/staleness.py --edits 200

Real jobs are run once under a trace (traced/sitecustomize.py) of the functions that each one calls and of
the globals that those load. Then random definitions are edited. No job that used a definition may keep its
digest; an edit of comments, docstrings and layout may change none. In batches, edits are written into the
copy, and `snakemake -n` must plan the jobs whose digest has changed, with all that is made from their
outputs, and no other. Exit status 1 if an edit is missed.
"""

import argparse
import ast
import collections
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import reduced  # noqa: E402

from sgdiffusion.provenance.code import Code, parse_module  # noqa: E402

ZIYIN, CHAUDHARI, HENNICK = (
    f"results/{reduced.PRESET}/{p}" for p in ("ziyin2025", "chaudhari2018", "hennick2025")
)
MORE = (
    f"figures/{reduced.PRESET}/ziyin2025/fig7.pdf",
    f"{ZIYIN}/inversion/inversion.parquet",
    f"{ZIYIN}/subnetworks/subnetworks.parquet",
    f"{ZIYIN}/convergence/convergence.parquet",
    f"{ZIYIN}/tanh-signs/signs.parquet",
    f"{CHAUDHARI}/double-well/fig4b/field.parquet",
    f"{CHAUDHARI}/quantities/readings.csv",
    f"{HENNICK}/mlps-sgd/part-0/trained.npz",
)
BATCH = 10
NEUTRAL = ("comment", "docstring", "layout")


@dataclass
class Traced:
    """A job: what its rule names, and what it used, by file and name of a definition."""

    script: str
    entries: list[str]
    code: str
    inputs: list[str]
    outputs: list[str]
    lines: list[tuple[str, int]]
    loads: list[tuple[str, str]]
    used: set[tuple[str, str]] = field(default_factory=set)


class Source:
    """The definitions at the top of every module: where they begin and end, and their names."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.files = {
            p.relative_to(folder / "src").as_posix(): p for p in (folder / "src/sgdiffusion").rglob("*.py")
        }
        scripts = (p for p in (folder / "workflow/scripts").glob("*.py") if p.name != "_job.py")
        self.files |= {p.name: p for p in scripts}

    @cached_property
    def statements(self) -> dict[str, list[tuple[int, int, str, ast.stmt]]]:
        """By file: first line, last line, name and tree of everything that binds a name."""
        found = {}
        for file, path in self.files.items():
            rows = []
            for node in ast.parse(path.read_text()).body:
                first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
                rows += [(first, node.end_lineno or first, name, node) for name in names(node)]
            found[file] = rows
        return found

    def at(self, file: str, line: int) -> set[tuple[str, str]]:
        return {
            (file, name) for first, last, name, _ in self.statements.get(file, []) if first <= line <= last
        }

    def bound(self, file: str, name: str) -> set[tuple[str, str]]:
        return {(file, n) for _, _, n, _ in self.statements.get(file, []) if n == name}


def names(node: ast.stmt) -> list[str]:
    """The names that a statement at the top of a module binds by `def`, `class` or `=`."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return (
        [t.id for t in targets if isinstance(t, ast.Name)]
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        else []
    )


def trace(folder: Path, targets: list[str]) -> None:
    """Runs the targets, every job under the trace."""
    (notes := folder.parent / "notes").mkdir()
    paths = os.pathsep.join([str(Path(__file__).with_name("traced"))])
    variables = {**os.environ, "PYTHONPATH": paths, "TRACE": str(notes)}
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *targets]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"error: the traced run failed:\n{done.stderr[-3000:]}")


def jobs_of(folder: Path, source: Source) -> list[Traced]:
    """What the traced jobs have noted."""
    jobs = [Traced(**json.loads(p.read_text())) for p in sorted((folder.parent / "notes").glob("*.json"))]
    for job in jobs:
        job.used = {d for file, line in job.lines for d in source.at(file, line)}
        job.used |= {d for file, name in job.loads for d in source.bound(file, name)}
    return jobs


class Planner:
    """Digests of the jobs' code as it is and after an edit, without reading every file again."""

    def __init__(self, source: Source):
        self.source, self.folder = source, source.folder
        self.code = Code(self.folder / "src", self.folder / "workflow/scripts")

    def digest(self, job: Traced, code: Code | None = None) -> str:
        return (code or self.code).digest(self.folder / "workflow/scripts" / job.script, *job.entries)

    def edited(self, file: str, text: str) -> Code:
        """The code with another text in one file."""
        module = (
            file if "/" not in file else file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        )
        if "/" not in file and file.startswith("_"):
            module = file.removesuffix(".py")  # a helper of scripts is known by its import
        package = module if file.endswith("__init__.py") else module.rpartition(".")[0]
        code = Code(self.folder / "src", self.folder / "workflow/scripts")
        code._modules = {**self.code._modules, module: parse_module(text, "" if "/" not in file else package)}
        code._uses = {d: uses for d, uses in self.code._uses.items() if d[0] != module}
        code._texts = {d: t for d, t in self.code._texts.items() if d[0] != module}
        return code

    def stale(self, jobs: list[Traced], code: Code) -> set[str]:
        return {job.outputs[0] for job in jobs if self.digest(job, code) != job.code}


def changed(source: Source, file: str, name: str, kind: str) -> str:
    """The text of a file in which one definition is another, or differs in nothing that runs."""
    text = source.files[file].read_text()
    first, last, _, node = next(row for row in source.statements[file] if row[2] == name)
    lines = text.splitlines(keepends=True)
    if kind == "comment":
        return "".join([*lines[: first - 1], "# a word\n", *lines[first - 1 :]])
    if kind == "layout":
        return "".join([*lines[:last], "\n\n\n", *lines[last:]])
    if kind == "docstring":
        return text.replace('"""', '"""Indeed. ', 1) if text.startswith('"""') else text
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        node.body.append(ast.parse("_edited = 1").body[0])
        new = ast.unparse(node)
        node.body.pop()
    else:
        value = ast.unparse(node.value) if node.value else "None"
        new = ast.unparse(node).replace(f"= {value}", f"= [{value}][0]") if node.value else f"{name}: int = 0"
    return "".join([*lines[: first - 1], new + "\n", *lines[last:]])


def downstream(jobs: list[Traced], stale: set[str]) -> set[str]:
    """The stale jobs with all that is made from their outputs."""
    found = set(stale)
    while True:
        outputs = {o for job in jobs if job.outputs[0] in found for o in job.outputs}
        more = {job.outputs[0] for job in jobs if outputs & set(job.inputs)} - found
        if not more:
            return found
        found |= more


def planned(folder: Path, targets: list[str]) -> set[str]:
    """First outputs, in order of their names, of the jobs that `snakemake -n` would run now."""
    command = [sys.executable, "-m", "snakemake", "-n", *targets]
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return {
        sorted(o.split(", "))[0]
        for o in re.findall(r"^    output: (.*)$", done.stdout + done.stderr, flags=re.M)
    }


class Edits:
    """Random edits of one traced copy."""

    def __init__(self, folder: Path, targets: list[str], seed: int):
        self.folder, self.targets, self.chance = folder, targets, random.Random(seed)
        self.source = Source(folder)
        self.jobs = jobs_of(folder, self.source)
        self.planner = Planner(self.source)
        self.counts: collections.Counter[str] = collections.Counter()
        assert all(self.planner.digest(job) == job.code for job in self.jobs), "a digest is not the rule's"
        self.everything = sorted((f, row[2]) for f, rows in self.source.statements.items() for row in rows)
        self.used = sorted({d for job in self.jobs for d in job.used})

    def one(self) -> tuple[str, str, set[str]]:
        """An edit: file, its text, the jobs whose digest it changes. Half are of what some job has used."""
        file, name = self.chance.choice(self.used if self.chance.random() < 0.5 else self.everything)
        kind = self.chance.choice(NEUTRAL) if self.chance.random() < 0.1 else "code"
        text = changed(self.source, file, name, kind)
        stale = self.planner.stale(self.jobs, self.planner.edited(file, text))
        depend = (
            {job.outputs[0] for job in self.jobs if (file, name) in job.used} if kind == "code" else set()
        )
        if missed := depend - stale:
            print(f"MISSED {file}:{name}: {', '.join(sorted(missed))}", flush=True)
        if kind != "code" and stale:
            print(f"SUPERFLUOUS after an edit of {kind} in {file}: {', '.join(sorted(stale))}", flush=True)
        told = {"edits": 1, "missed": len(missed), "neutral": kind != "code", "as traced": stale == depend}
        told |= {"jobs stale": len(stale), "jobs that depend": len(depend)}
        self.counts.update({key: int(value) for key, value in told.items()})
        self.counts["neutral that are not"] += kind != "code" and bool(stale)
        return file, text, stale

    def batch(self) -> None:
        """Some edits at once in the copy: the plan of Snakemake against the digests."""
        edits = {}
        expected: set[str] = set()
        for _ in range(BATCH):
            file, text, stale = self.one()
            if file not in edits:  # a later edit of one file would take the first back
                edits[file], expected = text, expected | stale
        for file, text in edits.items():
            self.source.files[file].write_text(text)
        try:
            plan, expected = planned(self.folder, self.targets), downstream(self.jobs, expected)
        finally:
            for file in edits:
                self.source.files[file].write_text(self.texts[file])
        if plan != expected:
            print(f"PLAN differs: {sorted(plan ^ expected)} after edits of {sorted(edits)}", flush=True)
        self.counts.update({"plans": 1, "plans as expected": int(plan == expected)})

    @cached_property
    def texts(self) -> dict[str, str]:
        return {file: path.read_text() for file, path in self.source.files.items()}

    def run(self, edits: int, plans: int) -> int:
        self.texts  # noqa: B018  (before anything is edited)
        for _ in range(min(plans, edits // BATCH)):
            self.batch()
        while self.counts["edits"] < edits:
            self.one()
        print(
            f"{len(self.jobs)} jobs traced; they used {len(self.used)} of {len(self.everything)} definitions"
        )
        print(", ".join(f"{key}: {value}" for key, value in self.counts.items()))
        wrong = self.counts["plans"] - self.counts["plans as expected"]
        return self.counts["missed"] + self.counts["neutral that are not"] + wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--plans", type=int, default=20, help="batches of ten edits that Snakemake plans")
    parser.add_argument("--targets", nargs="+", default=[*reduced.TARGETS, *MORE], metavar="TARGET")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where to work; a trace that is there is used again")
    chosen = parser.parse_args()
    folder = (chosen.folder or Path(tempfile.mkdtemp(prefix="staleness-"))).resolve() / "copy"
    targets = chosen.targets
    if not folder.exists():
        trace(reduced.build(folder), targets)
    return int(Edits(folder, targets, chosen.seed).run(chosen.edits, chosen.plans) > 0)


if __name__ == "__main__":
    sys.exit(main())
