"""What a run cost and what it rests on, from the records beside its files."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sgdiffusion.gallery.sources import commit_text, duration, steps
from sgdiffusion.provenance import read_record

Record = Mapping[str, Any]


def records_shown(folder: Path, listing: Mapping[str, Any]) -> list[Record]:
    """The records of everything that a preset shows."""
    shown = {**listing["papers"], "cross": listing.get("across") or {"figures": [], "tables": []}}
    paths = [folder / "verdicts"]
    for room, names in shown.items():
        paths += [folder / room / name for name in (*names["figures"], *names["tables"])]
    return [record for path in paths if (record := read_record(path)) is not None]


def costs(records: Iterable[Record], papers: Mapping[str, str]) -> list[dict[str, str]]:
    """Jobs, their time and their largest memory by paper; `papers` are their names in words."""
    rooms: dict[str, list[Record]] = {paper: [] for paper in (*papers, "data", "across")}
    for step in steps(records):
        parts = [part for part in step["output"].split("/") if part in papers or part == "data"]
        rooms[parts[0] if parts else "across"].append(step)
    names = {**papers, "data": "Data sets", "across": "Across the papers"}
    rows = [cost_row(names[room], found) for room, found in rooms.items() if found]
    return [*rows, cost_row("Together", [step for found in rooms.values() for step in found])]


def cost_row(name: str, found: Sequence[Record]) -> dict[str, str]:
    return {
        "name": name,
        "jobs": str(len(found)),
        "time": duration(sum(step.get("wall_s") or 0.0 for step in found)),
        "memory": f"{max((step.get('peak_mb') or 0.0 for step in found), default=0.0) / 1000:.1f} GB",
        "device": ", ".join(sorted({str(step.get("device", "cpu")) for step in found})),
    }


def data_sets(records: Iterable[Record]) -> list[dict[str, str]]:
    """Every prepared data set once, with the digest of its content."""
    found = {(use["set"], use["preparation"]): use for record in records for use in record["data"]}
    return [
        {
            "set": use["set"],
            "preparation": use["preparation"],
            "origin": "real" if use["real"] else "substitute",
            "digest": use["digest"][:12],
        }
        for _, use in sorted(found.items())
    ]


def sources(records: Sequence[Record]) -> str:
    """Platform, libraries and commits; of several records the first that has them."""
    versions: Mapping[str, str] = next((r["versions"] for r in records if r.get("versions")), {})
    libraries = ", ".join(f"{name} {version}" for name, version in versions.items())
    platform = next((f"{r['platform']}: " for r in records if r.get("platform")), "")
    return f"{platform}{libraries}. The figures and tables were made at commit {commit_text(records)}."
