"""Copies of the checkout in which the DAG runs, and what two of them have computed."""

import csv
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "Snakefile",
    "environment.yml",
    "config",
    "profiles",
    "workflow",
    "src",
    "data/sources.csv",
    "data/digests.csv",
)
# What a run computes. Images and records hold times and names of machines.
COMPARED = (".csv", ".md", ".tex", ".npz", ".npy", ".parquet", ".pt")


def copy_checkout(target: Path) -> Path:
    for part in PARTS:
        source, goal = ROOT / part, target / part
        goal.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, goal, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(source, goal)
    return target


def is_computed(file: Path) -> bool:
    """Whether a file is a result: a table, an array, a part of a weight history; no state of a training."""
    kept = file.suffix in COMPARED and file.name != "resume.pt"
    in_history = any(part.endswith(".zarr") for part in file.parts) and not file.name.startswith(".")
    return file.is_file() and (kept or in_history)


def content(file: Path) -> bytes:
    """The bytes of a file; of a training's log without its column of times."""
    if file.name != "metrics.csv":
        return file.read_bytes()
    with file.open(newline="") as lines:
        rows = [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(lines)]
    return repr(rows).encode()


def computed(folder: Path) -> dict[str, bytes]:
    """Everything that was computed, by path."""
    found = (f for room in ("results", "figures", "data/prepared") for f in (folder / room).rglob("*"))
    return {f.relative_to(folder).as_posix(): content(f) for f in found if is_computed(f)}


def differences(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    """The files that only one has or that differ."""
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
