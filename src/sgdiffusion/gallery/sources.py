"""What made a figure or table, in words, from the records beside the files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Provenance:
    """The lines that a reader needs to trust a result or to make it again."""

    data: str
    scale: str
    seeds: str
    device: str
    commit: str
    cost: str


def duration(seconds: float) -> str:
    """2.4 s, 5 min 3 s, 3 h 12 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def steps(records: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Every job that led to the records, each once, themselves included; a job may have several outputs."""
    found: dict[Any, Mapping[str, Any]] = {}
    for record in records:
        for step in [*record.get("upstream", []), record]:
            found[step.get("job") or (step["output"], step["rule"], step.get("code_digest"))] = step
    return list(found.values())


def data_text(records: Iterable[Mapping[str, Any]]) -> str:
    """mnist, prepared pool7, real (content 1a2b3c4d)."""
    uses = {(d["set"], d["preparation"]): d for r in records for d in r["data"]}
    words = [
        f"{d['set']}, prepared {d['preparation']}, {'real' if d['real'] else 'substitute'} "
        f"(content {d['digest'][:8]})"
        for d in uses.values()
    ]
    return "; ".join(words) or "no data set"


def commit_text(records: Iterable[Mapping[str, Any]]) -> str:
    """The commits that the last steps ran at; changed: tracked files differed from it."""
    found = {
        f"{(r['git']['commit'] or 'none')[:10]}{' (changed)' if r['git']['dirty'] else ''}" for r in records
    }
    return ", ".join(sorted(found))


def seeds_text(records: Iterable[Mapping[str, Any]]) -> str:
    """Which trainings were repeated, and the numbers that every random stream descends from."""
    seeds, roots = (sorted({s for r in records for s in r.get(k, [])}) for k in ("seeds", "root_seeds"))
    parts = [f"trainings {', '.join(map(str, seeds))}"] if seeds else []
    if roots:
        parts.append(f"random streams from root seed {', '.join(map(str, roots))}")
    return "; ".join(parts) or "nothing random"


def provenance(records: Sequence[Mapping[str, Any]], preset: str) -> Provenance:
    """Of a figure, a table, or a whole paper."""
    jobs = steps(records)
    devices = sorted({str(job.get("device", "cpu")) for job in jobs})
    peak = max((job.get("peak_mb") or 0.0 for job in jobs), default=0.0)
    wall = sum(job.get("wall_s") or 0.0 for job in jobs)
    return Provenance(
        data=data_text(records),
        scale="the paper's own" if preset == "full" else f"reduced (preset {preset})",
        seeds=seeds_text(records),
        device=", ".join(devices),
        commit=commit_text(records),
        cost=f"{duration(wall)} in {len(jobs)} jobs, at most {peak / 1000:.1f} GB of memory",
    )
