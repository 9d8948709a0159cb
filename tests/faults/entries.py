"""After an edit of a configuration entry or a data file, the planned jobs are those that read it.

    python tests/faults/entries.py --entries 100 --files 100

Real jobs are run once under a trace: the kernel's times of last access say which files below config/, data/,
results/, figures/ and src/ a job has read, patched models of pydantic which of their fields. Then a scalar
of config/ is another, or the bytes of a file are, and Snakemake plans. A job depends on an edit when it has
read the file, or when a parameter that it has read is another now; what is made from its outputs as well.
Exit status 1 if such a job is not planned, or if any job is after an edit of the layout alone.
"""

import argparse
import collections
import contextlib
import json
import os
import random
import runpy
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import forked  # noqa: E402
import reduced  # noqa: E402
from snakemake.workflow import Workflow  # noqa: E402  (forked has imported what it needs first)
from staleness import MORE  # noqa: E402

ROOMS = ("config", "data", "results", "figures", "src")
LIGHT = (
    *reduced.TARGETS,
    *(t for t in MORE if "subnetworks" not in t),
    f"figures/{reduced.PRESET}/items.json",
)
WHOLE = ("model_dump", "model_copy", "__iter__", "__eq__", "__repr_args__")  # read every field of a model
NO_USE = ("config_digest", "_bounded")  # functions that look at everything and decide nothing
Plan = dict[str, dict[str, Any]]


def files(folder: Path) -> Iterator[Path]:
    """What a job may read that is not code."""
    for room in ROOMS:
        for file in (folder / room).rglob("*"):
            if file.is_file() and file.suffix not in (".py", ".pyc", ".pyi", ".nbi", ".nbc"):
                yield file


def unread(folder: Path) -> None:
    """Sets the time of last access of every file to the epoch: the kernel sets it anew when one is read."""
    for file in files(folder):
        os.utime(file, ns=(0, file.stat().st_mtime_ns))


def read(folder: Path) -> set[str]:
    return {f.relative_to(folder).as_posix() for f in files(folder) if f.stat().st_atime_ns > 0}


def noting(fields: set[str]) -> None:
    """Has every model note the names of the fields that are read, digests apart."""
    plain = BaseModel.__getattribute__

    def used() -> bool:
        frame, depth = sys._getframe(2), 0
        while frame is not None and depth < 40:
            if frame.f_code.co_name in NO_USE:
                return False
            frame, depth = frame.f_back, depth + 1
        return True

    def one(self: BaseModel, name: str) -> Any:
        if name not in fields and name in type(self).__pydantic_fields__ and used():
            fields.add(name)
        return plain(self, name)

    def every(method: Callable[..., Any]) -> Callable[..., Any]:
        def noted(self: BaseModel, *words: Any, **options: Any) -> Any:
            if used():
                fields.update(all_fields(type(self)))
            return method(self, *words, **options)

        return noted

    for name in WHOLE:
        setattr(BaseModel, name, every(getattr(BaseModel, name)))
    BaseModel.__getattribute__ = one  # type: ignore[method-assign]


def all_fields(model: type[BaseModel]) -> set[str]:
    """The names of a model's fields; of models within it as well, which go with it."""
    names = set(model.__pydantic_fields__)
    for kind in BaseModel.__subclasses__() if names else []:
        names |= set(kind.__pydantic_fields__) if kind.__module__ == model.__module__ else set()
    return names


def traced(notes: Path, folder: Path) -> Callable[[str], None]:
    """In place of a job: the job, and a note of what it has read."""

    def run(script: str) -> None:
        unread(folder)
        noting(fields := set())
        job = runpy.run_path(script, run_name="__main__")["snakemake"]
        outputs = sorted(str(path) for path in job.output)
        told = {"outputs": outputs, "fields": sorted(fields), "files": sorted(read(folder) - set(outputs))}
        (notes / f"{os.getpid()}.json").write_text(json.dumps(told))

    return run


def leaves(content: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every scalar of nested parameters, with its path."""
    if isinstance(content, BaseModel):
        content = content.model_dump(mode="json")
    parts = content.items() if isinstance(content, dict) else ()
    if isinstance(content, list | tuple):
        parts = enumerate(content)
    elif not isinstance(content, dict):
        yield path, content
    for key, value in parts:
        yield from leaves(value, (*path, str(key)))


def telling_plans(file: Path) -> None:
    """Has every plan written to a file: jobs by first output, inputs, parameters, whether they run."""
    build = Workflow._build_dag

    def built(self: Workflow) -> None:
        build(self)
        told = {}
        for job in self.dag.jobs:
            if job.output:
                given = {key: list(leaves(value)) for key, value in job.params.items()}
                inputs, outputs = sorted(map(str, job.input)), sorted(map(str, job.output))
                told[outputs[0]] = {"runs": bool(self.dag.needrun(job)), "inputs": inputs, "outputs": outputs}
                told[outputs[0]]["params"] = [
                    [[key, *path], repr(value)] for key in sorted(given) for path, value in given[key]
                ]
        file.write_text(json.dumps(told))

    Workflow._build_dag = built  # type: ignore[method-assign]


@dataclass
class Edit:
    """One change: of a scalar of a file of configuration, of a file's bytes, or of a layout."""

    file: Path
    content: bytes
    what: str
    neutral: bool = False


class Edits:
    """Random edits of one traced copy."""

    def __init__(self, folder: Path, targets: list[str], seed: int):
        self.folder, self.targets, self.chance = folder, targets, random.Random(seed)
        self.told = folder.parent / "plan.json"
        telling_plans(self.told)
        self.reads: dict[str, dict[str, Any]] = {}
        for note in (folder.parent / "notes").glob("*.json"):
            told = json.loads(note.read_text())
            self.reads[told["outputs"][0]] = told
        before = self.planned()
        assert before is not None
        assert not any(job["runs"] for job in before.values()), "the traced copy is not up to date"
        assert set(before) == set(self.reads), "a job was not traced"
        self.before: Plan = before
        self.counts: collections.Counter[str] = collections.Counter()

    def planned(self) -> Plan | None:
        """What Snakemake would do now; None if it refuses the configuration."""
        self.told.unlink(missing_ok=True)
        call = reduced.Call(self.folder, "-n", targets=self.targets, log="../plan.log")
        status = call.ends()
        if status and "configuration is not valid" not in call.said():
            raise SystemExit(f"error: no plan:\n{call.said()[-2000:]}")
        return None if status else json.loads(self.told.read_text())

    def depend(self, file: str, after: Plan) -> set[str]:
        """First outputs of the jobs that have read the file, or a parameter that is another now."""
        found = set()
        for output, told in self.reads.items():
            was, now = self.before[output], after.get(output)
            if now is None:
                continue  # no longer part of the run
            old, new = ({(tuple(p), v) for p, v in job["params"]} for job in (was, now))
            given = any(self.is_read(path, told["fields"]) for path, _ in old ^ new)
            if given or file in told["files"] or was["inputs"] != now["inputs"]:
                found.add(output)
        return found

    @staticmethod
    def is_read(path: tuple[str, ...], fields: list[str]) -> bool:
        """Whether a job has read a parameter: of its settings the fields of models that it looked at."""
        word = next((key for key in reversed(path) if not key.isdigit()), "")
        return path[0] != "settings" or word not in FIELDS or word in fields

    def downstream(self, found: set[str], after: Plan) -> set[str]:
        while True:
            made = {o for output in found if output in after for o in after[output]["outputs"]}
            more = {output for output, job in after.items() if made & set(job["inputs"])} - found
            if not more:
                return found
            found |= more

    def of_entry(self) -> Edit:
        """A scalar of config/ that is another."""
        used = [f"{paper}/experiments.yaml" for paper in ("chaudhari2018", "hennick2025", "ziyin2025")]
        used += [f"presets/{reduced.PRESET}.yaml"] * 2
        every = sorted((self.folder / "config").rglob("*.yaml"))
        file = self.folder / "config" / self.chance.choice(used) if self.chance.random() < 0.7 else None
        file = file or self.chance.choice(every)
        content = yaml.safe_load(file.read_text())
        if self.chance.random() < 0.05:
            return Edit(file, as_yaml(content), f"layout of {file.name}", neutral=True)
        path, value = self.chance.choice(self.likely(list(scalars(content))))
        put(content, path, other(value))
        return Edit(file, as_yaml(content), f"{file.parent.name}/{file.name}: {'.'.join(map(str, path))}")

    def likely(self, entries: list[tuple[tuple, Any]]) -> list[tuple[tuple, Any]]:
        """Most of the time entries that a traced job may read: a field that some job has looked at, of a run
        whose name stands in the path of an output.
        """
        names = {part for output in self.reads for part in Path(output).parts}
        fields = {name for told in self.reads.values() for name in told["fields"]}
        ours = [(p, v) for p, v in entries if fields.intersection(p) and named(p, names)]
        return ours if ours and self.chance.random() < 0.8 else entries

    def of_file(self) -> Edit:
        """A file of data, results or templates with other bytes, or with the same bytes written again.

        Not a record alone: it is written together with the output that it stands beside, which is the input.
        """
        every = {f.relative_to(self.folder).as_posix() for f in files(self.folder) if "config" not in f.parts}
        inputs = {path for job in self.before.values() for path in job["inputs"]}
        every = {name for name in every if not name.endswith(".json") or name in inputs}
        used = every & {name for told in self.reads.values() for name in told["files"]}
        name = self.chance.choice(sorted(used if self.chance.random() < 0.7 else every))
        file = self.folder / name
        content = file.read_bytes()
        if self.chance.random() < 0.1:
            return Edit(file, content, f"{name}: the same bytes again", neutral=True)
        at = self.chance.randrange(len(content) + 1)
        return Edit(file, content[:at] + b" " + content[at:], name)

    def one(self, kind: str) -> None:
        edit = self.of_entry() if kind == "entry" else self.of_file()
        name, was, times = (
            edit.file.relative_to(self.folder).as_posix(),
            edit.file.read_bytes(),
            edit.file.stat(),
        )
        edit.file.write_bytes(edit.content)
        try:
            after = self.planned()
        finally:
            edit.file.write_bytes(was)
            os.utime(edit.file, ns=(times.st_atime_ns, times.st_mtime_ns))
        if after is None:
            self.counts[f"{kind}: refused"] += 1
            return
        runs = {output for output, job in after.items() if job["runs"]}
        depend = set() if edit.neutral else self.depend(name, after)
        missed, more = depend - runs, runs - self.downstream(depend, after)
        self.counts.update(
            {f"{kind}: edits": 1, f"{kind}: neutral": edit.neutral, f"{kind}: some job depends": bool(depend)}
        )
        self.counts.update({f"{kind}: missed": len(missed), f"{kind}: superfluous": len(more)})
        self.counts[f"{kind}: neutral that are not"] += edit.neutral and bool(runs)
        for word, jobs in (("MISSED", missed), ("superfluous", more)):
            if jobs:
                print(f"{word} after {edit.what}: {', '.join(sorted(jobs))}", flush=True)

    def run(self, entries: int, files: int) -> int:
        for kind, edits in (("entry", entries), ("file", files)):
            while self.counts[f"{kind}: edits"] < edits:
                self.one(kind)
        print(f"{len(self.reads)} jobs traced")
        print(*(f"{key}: {int(value)}" for key, value in sorted(self.counts.items())), sep="\n")
        # a file above a megabyte that is written again is new to Snakemake, whatever it holds
        wrong = ("entry: missed", "file: missed", "entry: neutral that are not")
        return sum(self.counts[key] for key in wrong)


FIELDS: set[str] = set()  # of every model of the project


def scalars(content: Any, path: tuple = ()) -> Iterator[tuple[tuple, Any]]:
    pairs = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in pairs:
        if isinstance(value, dict | list):
            yield from scalars(value, (*path, key))
        else:
            yield (*path, key), value


def named(path: tuple, names: set[str]) -> bool:
    """Whether an entry is of a run that begins as one of the names does."""
    return len(path) > 1 and path[0] == "runs" and any(name.startswith(path[1]) for name in names)


def put(content: Any, path: tuple, value: Any) -> None:
    for key in path[:-1]:
        content = content[key]
    content[path[-1]] = value


def other(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 1.25 or 0.125
    return f"{value} indeed"


def as_yaml(content: Any) -> bytes:
    return yaml.safe_dump(content, allow_unicode=True, sort_keys=False).encode()


def trace(folder: Path, targets: list[str]) -> None:
    """Runs the targets, one job at a time, each under the trace."""
    (notes := folder.parent / "notes").mkdir()
    forked.run_script = traced(notes, folder)
    call = reduced.Call(folder, "--cores", "1", targets=targets)
    if call.ends():
        raise SystemExit(f"error: the traced run failed:\n{call.said()[-3000:]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=100, help="edits of entries (default: 100)")
    parser.add_argument("--files", type=int, default=100, help="edits of files (default: 100)")
    parser.add_argument("--targets", nargs="+", default=list(LIGHT), metavar="TARGET")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where to work; a trace that is there is used again")
    chosen = parser.parse_args()
    folder = (chosen.folder or Path(tempfile.mkdtemp(prefix="entries-"))).resolve() / "copy"
    made = folder.exists()
    if not made:
        reduced.build(folder)
    with contextlib.chdir(folder):
        forked.warm(folder)
    waiting = [BaseModel]
    while waiting:
        kinds = [
            k for k in waiting.pop().__subclasses__() if k.__module__.startswith(("sgdiffusion", "pydantic"))
        ]
        waiting += kinds
        FIELDS.update(*(set(k.__pydantic_fields__) for k in kinds))
    if not made:
        trace(folder, chosen.targets)
    return int(Edits(folder, chosen.targets, chosen.seed).run(chosen.entries, chosen.files) > 0)


if __name__ == "__main__":
    sys.exit(main())
