"""The JSON beside every result: what made it, from what, on what, and in how much time."""

import importlib.metadata
import json
import platform
import resource
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

LIBRARIES = (
    "numpy",
    "scipy",
    "pandas",
    "numba",
    "torch",
    "torchvision",
    "scikit-learn",
    "matplotlib",
    "snakemake",
)
STEP = (  # what a record tells of each job upstream
    "job",
    "after",
    "output",
    "rule",
    "config_digest",
    "code_digest",
    "device",
    "threads",
    "declared_mb",
    "wall_s",
    "cpu_s",
    "peak_mb",
    "git",
)
Status = Literal["none", "real", "embedded", "mixed"]


@dataclass(frozen=True)
class DataUse:
    """One prepared data set: its name, preparation, content digest, and whether it is the real one."""

    set: str
    preparation: str
    real: bool
    digest: str


@dataclass
class Record:
    """What a job declares of its own; the rest is found at writing time."""

    preset: str
    rule: str
    runs: list[str] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)
    root_seeds: list[int] = field(default_factory=list)  # what its random streams descend from
    data: list[DataUse] = field(default_factory=list)
    config_digest: str = ""
    code_digest: str = ""
    device: str = "cpu"
    threads: int = 1
    declared_mb: int = 0  # memory that the rule asks for
    notes: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)  # what its outputs say against it (guards.py)


class Job:
    """When a job began, its wall and processor time since, and its peak memory."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._began_at = datetime.now(UTC).isoformat(timespec="milliseconds")

    def cost(self) -> dict[str, Any]:
        """Of the whole process, the start of Python included in its processor time only."""
        unit = 1024 if sys.platform != "darwin" else 1024**2  # ru_maxrss: KiB on Linux, bytes on macOS
        own, children = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        processor = sum(usage.ru_utime + usage.ru_stime for usage in (own, children))
        return {
            "began": self._began_at,
            "wall_s": round(time.perf_counter() - self._began, 3),
            "cpu_s": round(processor, 3),
            "peak_mb": round(own.ru_maxrss / unit, 1),
        }


def record_path(output: Path) -> Path:
    """The record of `figures/x/fig1.pdf` is `figures/x/fig1.json`."""
    return output.with_suffix(".json")


def read_record(output: Path) -> dict[str, Any] | None:
    """The record beside an output, or None where it has none."""
    path = record_path(output)
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) and "rule" in content else None


def git(folder: Path, *words: str) -> str | None:
    """What git answers; None where there is no checkout, or no git."""
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def git_state(folder: Path) -> dict[str, Any]:
    """Commit and whether tracked files differ from it; nulls outside a checkout."""
    commit = git(folder, "rev-parse", "HEAD")
    changed = git(folder, "status", "--porcelain", "--untracked-files=no")
    return {
        "commit": None if commit is None else commit.strip(),
        "dirty": None if changed is None else bool(changed.strip()),
    }


def text_at(folder: Path, commit: str, path: str) -> str:
    """A file as it was at a commit; as it is, where the commit is not known here; empty without either."""
    text = git(folder, "show", f"{commit}:{path}") if commit else None
    if text is not None:
        return text
    file = folder / path
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def versions() -> dict[str, str]:
    """Versions of the libraries that make numbers or marks, without importing them."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def data_status(data: list[dict[str, Any]]) -> Status:
    kinds = {bool(d["real"]) for d in data}
    if not kinds:
        return "none"
    return "mixed" if len(kinds) == 2 else "real" if True in kinds else "embedded"


def _merged(records: list[dict[str, Any]], key: str) -> list[Any]:
    """The union of a list-valued field, in order of appearance."""
    merged: list[Any] = []
    for record in records:
        merged.extend(item for item in record.get(key, []) if item not in merged)
    return merged


def _step(record: dict[str, Any]) -> dict[str, Any]:
    return {k: record.get(k) for k in STEP}


def compose(
    output: Path, own: Record, cost: dict[str, Any], inputs: list[Path], folder: Path
) -> dict[str, Any]:
    """The whole record: this job's facts, joined with those of everything upstream."""
    before = [r for path in inputs if (r := read_record(path)) is not None]
    mine = {
        "output": output.as_posix(),
        "job": f"{own.rule} {cost['began']}",  # several outputs may be one job's
        "after": sorted({r["job"] for r in before if "job" in r}),
        **{k: v for k, v in vars(own).items() if k != "data"},
        "data": [vars(d) for d in own.data],
        **cost,
        "git": git_state(folder),
        "versions": versions(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
    together = [mine, *before]
    for key in ("runs", "seeds", "root_seeds", "data", "warnings"):
        mine[key] = _merged(together, key)
    mine["data_status"] = data_status(mine["data"])
    steps = [step for r in before for step in [*r.get("upstream", []), _step(r)]]
    mine["upstream"] = [s for i, s in enumerate(steps) if s not in steps[:i]]
    mine["total_wall_s"] = round(sum(s["wall_s"] or 0 for s in [*mine["upstream"], mine]), 3)
    return mine


def substitute_note(record: dict[str, Any]) -> str:
    """What a reader must be told on the figure or table itself; empty at full scale on real data."""
    embedded = sorted({d["set"] for d in record["data"] if not d["real"]})
    parts = [f"substitute data: {', '.join(embedded)}"] if embedded else []
    if record["preset"] != "full":
        parts.append(f"preset {record['preset']}: reduced scale")
    return " · ".join(parts)


def flag_note(record: dict[str, Any]) -> str:
    """What a result rests on that did not go well; empty where all did."""
    found = record.get("warnings", [])
    more = f" and {len(found) - 1} more, see the record" if len(found) > 1 else ""
    return f"flagged: {found[0]}{more}" if found else ""


def marks(record: dict[str, Any]) -> str:
    """All that a reader must be told on a figure or table itself."""
    return " · ".join(note for note in (substitute_note(record), flag_note(record)) if note)


def write_record(output: Path, content: dict[str, Any]) -> Path:
    """Writes the record beside the output, whole or not at all."""
    path = record_path(output)
    partial = path.with_suffix(".json.part")
    partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
    return path
