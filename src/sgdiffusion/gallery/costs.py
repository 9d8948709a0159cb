"""Where the time of a run goes: by paper and rule, along the longest chain of jobs, and as a picture."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sgdiffusion.gallery.sources import duration, steps
from sgdiffusion.verdicts import markdown

Step = Mapping[str, Any]
SHOWN = 25  # rules in the picture
ALL = "all papers"  # data, page, report


def measured(found: Sequence[Step]) -> pd.DataFrame:
    """What each job took, one row each; what an earlier version did not record is 0."""
    keys = ("wall_s", "cpu_s", "peak_mb", "declared_mb")
    rows = [{"rule": step["rule"], **{k: step.get(k) or 0 for k in keys}} for step in found]
    return pd.DataFrame(rows)


def by_rule(found: Sequence[Step]) -> pd.DataFrame:
    """A row per rule, the dearest first: jobs, hours, the largest memory and the declared one."""
    groups = measured(found).groupby("rule")
    sums = groups[["wall_s", "cpu_s"]].sum() / 3600
    most = groups[["peak_mb", "declared_mb"]].max()
    columns = {"wall_s": "wall_h", "cpu_s": "cpu_h"}
    joined = pd.concat([groups.size().rename("jobs"), sums.rename(columns=columns), most], axis=1)
    joined["declared_over_peak"] = joined["declared_mb"] / joined["peak_mb"]
    return joined.sort_values("wall_h", ascending=False).reset_index().round(4)


def paper_of(step: Step) -> str:
    """The paper whose folder a job writes into; what is there for all of them has none."""
    parts = str(step["output"]).split("/")
    return parts[2] if len(parts) > 3 and parts[0] in ("results", "figures") else ALL


def by_paper(found: Sequence[Step]) -> pd.DataFrame:
    """A row per paper: jobs, hours of one core, of these on CIFAR, of processor, longest chain, memory.

    A job that is given two threads takes two cores for as long as it runs, busy or not.
    """
    heavy = descendants(found, "data/prepared/cifar")
    threads = pd.Series([step.get("threads") or 1 for step in found])
    on_cifar = pd.Series([float(step.get("job") in heavy) for step in found])
    table = measured(found).assign(
        paper=[paper_of(step) for step in found],
        core_h=lambda t: threads * t["wall_s"] / 3600,
        core_h_cifar=lambda t: on_cifar * t["core_h"],
        cpu_h=lambda t: t["cpu_s"] / 3600,
    )
    groups = table.groupby("paper")
    chains = {
        paper: critical_path([found[row] for row in rows])[0] / 3600 for paper, rows in groups.indices.items()
    }
    sums = groups[["core_h", "core_h_cifar", "cpu_h"]].sum()
    rest = [pd.Series(chains, name="longest_chain_h"), groups["peak_mb"].max()]
    joined = pd.concat([groups.size().rename("jobs"), sums, *rest], axis=1)
    return joined.rename_axis("paper").reset_index().round(3)


def descendants(found: Iterable[Step], start: str) -> set[str]:
    """The jobs that wait, directly or not, for a job whose output begins so, and that job itself."""
    jobs = {step["job"]: step for step in found if "job" in step}
    reached = {job for job, step in jobs.items() if str(step["output"]).startswith(start)}
    while more := {j for j, step in jobs.items() if j not in reached and reached & set(step["after"])}:
        reached |= more
    return reached


def critical_path(found: Iterable[Step]) -> tuple[float, list[str]]:
    """Seconds of the longest chain of jobs that wait for each other, and its rules: no machine is faster."""
    there = {step["job"]: step for step in found if "job" in step}
    ends: dict[str, tuple[float, list[str]]] = {}

    def end(job: str) -> tuple[float, list[str]]:
        if job not in ends:
            before = [end(other) for other in there[job]["after"] if other in there]
            seconds, rules = max(before, default=(0.0, []))
            ends[job] = seconds + (there[job]["wall_s"] or 0.0), [*rules, there[job]["rule"]]
        return ends[job]

    return max((end(job) for job in there), default=(0.0, []))


def span(found: Iterable[Step]) -> dict[str, str]:
    """When the first job began, when the last one did, and at which commits they ran."""
    began = sorted(step["job"].split(" ", 1)[1] for step in found if "job" in step)
    commits = sorted({str(git["commit"]) for step in found if (git := step.get("git"))})
    return {"first": began[0], "last": began[-1], "commits": ", ".join(commits)} if began else {}


def words(found: Sequence[Step], table: pd.DataFrame, papers: pd.DataFrame) -> str:
    """What the run cost, in a few lines and two tables."""
    longest, rules = critical_path(found)
    when = span(found)
    lines = [
        f"{len(found)} jobs of {len(table)} rules: {duration(3600 * table['wall_h'].sum())} one after the "
        f"other, {duration(3600 * table['cpu_h'].sum())} of processor time.",
        f"Longest chain of jobs that wait for each other: {duration(longest)} ({' → '.join(rules)}).",
        f"Largest memory of a job: {table['peak_mb'].max() / 1000:.1f} GB.",
    ]
    if when:
        lines.append(f"First job began {when['first']}, last {when['last']}, at commit {when['commits']}.")
    return "\n".join(f"- {line}" for line in lines) + "\n\n" + markdown(papers) + "\n" + markdown(table)


def picture(table: pd.DataFrame, path: Path) -> None:
    """Processor minutes of the dearest rules, as bars."""
    from sgdiffusion.figures.style import new_figure, style  # matplotlib takes a second to load

    shown = table.sort_values("cpu_h", ascending=False).head(SHOWN).iloc[::-1]
    with style():
        figure, ax = new_figure(columns=2, height=0.17 * len(shown) + 0.6)
        ax.barh(shown["rule"], 60 * shown["cpu_h"], color="0.45")
        ax.set_xlabel("processor time, minutes")
        ax.margins(y=0.01)
        figure.savefig(path, dpi=200)


def write(records: Iterable[Step], folder: Path) -> list[str]:
    """Writes the tables by rule and by paper, both in words, and the picture; the names of the files."""
    found = steps(records)
    table, papers = by_rule(found), by_paper(found)
    table.to_csv(folder / "costs.csv", index=False)
    papers.to_csv(folder / "costs-papers.csv", index=False)
    (folder / "costs.md").write_text(words(found, table, papers), encoding="utf-8")
    picture(table, folder / "costs.png")
    return ["costs.csv", "costs-papers.csv", "costs.md", "costs.png"]
