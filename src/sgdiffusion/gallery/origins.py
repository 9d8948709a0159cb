"""Where configuration, rule and function of a number stand, as links: at the commit that it was made at.

With the address of a public repository a link leads there, to that commit and line. Without one it leads to
the file of the checkout that the page lies in; its text names line and commit, which `git show` opens.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import yaml

from sgdiffusion.provenance.record import text_at

_QUANTITIES = re.compile(r"results/[^/]+/([^/]+)/(?:.*/)?quantities(?:/([^/]+))?$")


@dataclass(frozen=True)
class Origin:
    """One link: what it leads to, and where that is."""

    kind: str  # configuration, rule, function
    name: str
    where: str  # path, line and commit
    href: str


def repository(root: Path) -> str:
    """The repository's address in CITATION.cff, if it names one."""
    file = root / "CITATION.cff"
    if not file.is_file():
        return ""
    return str(yaml.safe_load(file.read_text(encoding="utf-8")).get("repository-code", "")).rstrip("/")


class Origins:
    """Links from a page in `folder` into the checkout `root`; `code` names functions by rule (items.json)."""

    def __init__(self, root: Path, folder: Path, code: Mapping[str, Any]):
        self._root, self._folder, self._code = root, folder, code
        self._repository = repository(root)
        self._line, self._text = cache(self._find), cache(partial(text_at, root))

    def of_item(self, paper: str, name: str, record: Mapping[str, Any]) -> list[Origin]:
        """Of a figure or table: its runs, the rule that drew it, the function that the rule called."""
        commit = _commit(record)
        function = self._code.get("items", {}).get(f"{paper}/{name}")
        runs = [f"{paper}/{run}" for run in record.get("runs", [])]
        made = self._made(record["rule"], function, commit) if function else []
        return [*self.of_runs(runs, commit), *made]

    def of_numbers(
        self, quantities: Iterable[Mapping[str, Any]], paper: str, judged: Mapping[str, Any]
    ) -> list[Origin]:
        """Of measured numbers: their runs, and rule and function of every job that they come from.

        `quantities` are entries of numbers.json; `judged`, the record of the verdicts, knows the jobs.
        """
        entries = list(quantities)
        tables = {(paper, entry.get("table", "")) for entry in entries}
        upstream = judged.get("upstream", [])  # a step for each output; a job may have several
        jobs = {step.get("job"): step for step in upstream}
        ends = [step for step in upstream if _table(step["output"]) in tables]
        runs = list(dict.fromkeys(run for entry in entries for run in entry["runs"]))
        found = self.of_runs(runs, _commit(judged))
        for step in _chain(ends, jobs):
            function = self._code.get("rules", {}).get(step["rule"])
            found += self._made(step["rule"], function, _commit(step)) if function else []
        return list(dict.fromkeys(found))

    def of_runs(self, runs: Iterable[str], commit: str) -> list[Origin]:
        """Of settings, named paper/run; what spans the papers has none of its own."""
        found = []
        for paper, run in (name.split("/", 1) for name in runs):
            path = f"config/{paper}/experiments.yaml"
            if self._text(commit, path):
                found.append(self._origin("configuration", run, path, rf"^  {re.escape(run)}:", commit))
        return found

    def _made(self, rule: str, function: str, commit: str) -> list[Origin]:
        module, name = function.split(":")
        source = f"src/{module.replace('.', '/')}.py"
        rules = self._code["files"].get(rule, self._code["files"][""])
        return [
            self._origin("rule", rule, rules, rf"^\s*rule(?: {re.escape(rule)})?:", commit),
            self._origin("function", name, source, rf"^(?:def|class) {re.escape(name)}\b", commit),
        ]

    def _origin(self, kind: str, name: str, path: str, pattern: str, commit: str) -> Origin:
        line = self._line(path, pattern, commit)
        where = f"{path}{f':{line}' if line else ''}{f' at {commit[:10]}' if commit else ''}"
        if self._repository and commit:
            href = f"{self._repository}/blob/{commit}/{path}{f'#L{line}' if line else ''}"
        else:
            href = Path(os.path.relpath(self._root / path, self._folder)).as_posix()
        return Origin(kind, name, where, href)

    def _find(self, path: str, pattern: str, commit: str) -> int:
        """The first line that fits, counted from 1; 0 if none does."""
        text = self._text(commit, path)
        fits = re.compile(pattern)
        return next((n for n, line in enumerate(text.splitlines(), 1) if fits.match(line)), 0)


def _commit(record: Mapping[str, Any]) -> str:
    return (record.get("git") or {}).get("commit") or ""


def _table(output: str) -> tuple[str, str] | None:
    """Paper and name of a table of quantities, of a job's output."""
    found = _QUANTITIES.search(output)
    return (found[1], found[2] or "quantities") if found else None


def _chain(
    ends: Sequence[Mapping[str, Any]], jobs: Mapping[Any, Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The jobs and all before them, one of each rule, the first to run first."""
    waiting, found = list(ends), dict[str, Mapping[str, Any]]()
    seen = set()
    while waiting:
        step = waiting.pop(0)
        if step.get("job") in seen:
            continue
        seen.add(step.get("job"))
        found.setdefault(step["rule"], step)
        waiting += [jobs[name] for name in step.get("after", []) if name in jobs]
    return list(reversed(found.values()))
