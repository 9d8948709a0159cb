"""The same work done by this project and by a peer, alternately in one run: equal numbers first, then times.

A `Work` names two functions that return the same quantity by different code. Their results are compared once,
by a distance whose tolerance was fixed beforehand; if they differ there are no times. Else the two alternate
for some rounds. Times are seconds of the processor, so that other work on the machine disturbs little; of the
clock, where other processes or a device beside the processor do the work. The median counts on each side; the
range of the ratio is that of the rounds. The comparison is the warm-up.
"""

import importlib
import importlib.metadata
import os
import platform
import statistics
import textwrap
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from floors import Floors, measured
from matplotlib.figure import Figure

from sgdiffusion.figures.style import new_figure, plain_log_ticks, style

CLOCKS = {"processor": time.process_time, "wall": time.perf_counter}
EQUAL, DIFFERENT, MISSING, ALONE = "equal", "different", "not installed", "no counterpart"
SKIPPED = "left out: it compiles for minutes"
COLUMNS = {
    "work": "what is computed, on what",
    "ours": "the call of this project",
    "peer": "distribution",
    "theirs": "what was called there",
    "outcome": f"{EQUAL} | {DIFFERENT} (no times) | {MISSING} | {ALONE}",
    "difference": "between the two results, in the unit of the tolerance",
    "tolerance": "fixed before the run",
    "unit": "of difference and tolerance",
    "clock": "of all times: processor | wall",
    "ours_s": "median seconds",
    "ours_low_s": "least",
    "ours_high_s": "most",
    "theirs_s": "median seconds",
    "theirs_low_s": "least",
    "theirs_high_s": "most",
    "ratio": "theirs_s / ours_s: above 1 we are faster",
    "ratio_low": "least ratio of a round",
    "ratio_high": "most",
    "rounds": "timed rounds of each",
    "floor_s": "seconds that the arithmetic alone would take, at speeds measured in the same run",
    "floor_share": "floor_s / ours_s",
    "note": "what else differs, or why there is no counterpart",
}


@dataclass(frozen=True)
class Work:
    """One quantity, ours and theirs."""

    work: str
    ours: str
    peer: str
    theirs: str
    modules: tuple[str, ...]
    """Imports that the peer's side needs; without one of them the row says so."""
    sides: Callable[[], tuple[Callable[[], Any], Callable[[], Any]]]
    """Makes both sides ready, which is not timed; called only if the peer is there."""
    distance: Callable[[Any, Any], float]
    tolerance: float
    unit: str
    note: str = ""
    floor: Callable[[Floors], float] | None = None
    """Seconds of the arithmetic that nobody can do without."""
    clock: str = "processor"
    """One of CLOCKS."""
    compiles: bool = False
    """Whether the peer first compiles for minutes: left out where nothing is timed."""


@dataclass(frozen=True)
class Alone:
    """A quantity that the peer, or any, does not compute."""

    work: str
    ours: str
    peer: str
    note: str


def absent(modules: Iterable[str]) -> str:
    """Why the peer cannot be imported; empty if it can."""
    try:
        for module in modules:
            importlib.import_module(module)
    except ImportError as error:
        return str(error)
    return ""


def seconds(run: Callable[[], Any], clock: str) -> float:
    start = CLOCKS[clock]()
    run()
    return CLOCKS[clock]() - start


def largest_share(found: Any, expected: Any) -> float:
    """The largest difference over the largest number, of arrays or tensors."""
    found, expected = np.asarray(found), np.asarray(expected)
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def _named(work: Work | Alone, **found: Any) -> dict[str, Any]:
    names = ("work", "ours", "peer", "theirs", "tolerance", "unit", "clock", "note")
    return {n: getattr(work, n) for n in names if hasattr(work, n)} | found


def compare(work: Work | Alone, rounds: int) -> dict[str, Any]:
    """A row of the table; without rounds the results are compared and nothing is timed."""
    if isinstance(work, Alone):
        return _named(work, outcome=ALONE)
    if reason := absent(work.modules):
        return _named(work, outcome=MISSING, note=reason)
    if work.compiles and not rounds:
        return _named(work, outcome=SKIPPED)
    ours, theirs = work.sides()
    difference = work.distance(ours(), theirs())
    if not difference <= work.tolerance:  # nor NaN
        return _named(work, outcome=DIFFERENT, difference=difference)
    row = _named(work, outcome=EQUAL, difference=difference, rounds=rounds)
    if not rounds:
        return row
    row |= _times([(seconds(ours, work.clock), seconds(theirs, work.clock)) for _ in range(rounds)])
    if work.floor is not None:
        floor = work.floor(measured())
        row |= {"floor_s": floor, "floor_share": floor / row["ours_s"]}
    return row


def _times(pairs: Sequence[tuple[float, float]]) -> dict[str, float]:
    found = {}
    for side, times in zip(("ours", "theirs"), zip(*pairs, strict=True), strict=True):
        found |= {f"{side}_s": statistics.median(times), f"{side}_low_s": min(times)}
        found |= {f"{side}_high_s": max(times)}
    ratios = [theirs / ours for ours, theirs in pairs]
    found |= {"ratio": found["theirs_s"] / found["ours_s"]}
    return found | {"ratio_low": min(ratios), "ratio_high": max(ratios)}


def table(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(list(rows)).reindex(columns=list(COLUMNS))


def sound(found: pd.DataFrame) -> bool:
    """Whether no two results differ."""
    return not (found["outcome"] == DIFFERENT).any()


def processor() -> str:
    """Its model, where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return MISSING


def circumstances(peers: Iterable[str], threads: int, load_before: float) -> dict[str, str]:
    """Machine, load and versions of a run."""
    names = ("torch", "numpy", "scipy", *dict.fromkeys(peers))
    versions = ", ".join(f"{name} {version(name)}" for name in dict.fromkeys(names))
    return {
        "processor": f"{processor()}, {os.cpu_count()} cores, {threads} thread{'s' * (threads > 1)} used",
        "load": f"{load_before:.1f} before the run, {os.getloadavg()[0]:.1f} at its end (means of a minute)",
        "versions": f"Python {platform.python_version()}, {versions}",
        "day": time.strftime("%Y-%m-%d"),
    }


def figures(value: float) -> str:
    return f"{value:.2g}" if value < 100 else f"{value:.0f}"


def _line(number: int, row: dict[str, Any]) -> list[str]:
    found = [str(number), row["work"], row["peer"]]
    if row["outcome"] != EQUAL:
        return [*found, row["outcome"], "", "", ""]
    ratio = f"**{figures(row['ratio'])}** ({figures(row['ratio_low'])} to {figures(row['ratio_high'])})"
    difference = f"{row['difference']:.1g} ({row['tolerance']:.1g}) {row['unit']}"
    ours = f"{figures(row['ours_s'])} s"
    if row["floor_share"] == row["floor_share"]:
        ours += f" (floor {100 * row['floor_share']:.0f} %)"
    return [*found, ratio, ours, f"{figures(row['theirs_s'])} s", difference]


def _calls(number: int, row: dict[str, Any]) -> str:
    """What was called in a row, and its note."""
    given = {name: row[name] for name in ("theirs", "note") if isinstance(row[name], str) and row[name]}
    beside = f" beside {given['theirs']}" if "theirs" in given else ""
    return f"{number}. {row['ours']}{beside}{': ' + given['note'] if 'note' in given else ''}"


def faster_peers(found: pd.DataFrame) -> str:
    """The rows in which the peer is the faster, in words."""
    timed = found[found["outcome"] == EQUAL]
    rows = [
        f"{row['peer']} {figures(1 / row['ratio'])} times as fast as {row['ours']} in row {number}"
        for number, row in enumerate(found.to_dict("records"), 1)
        if row["outcome"] == EQUAL and row["ratio"] < 1
    ]
    if rows:
        return f"**Where a peer is faster:** {'; '.join(rows)}."
    return f"In none of the {len(timed)} timed rows was a peer faster."


def picture(found: pd.DataFrame) -> Figure:
    """How many times as fast as the other each row is, with the range of its rounds; 1 is as fast."""
    timed = found[found["outcome"] == EQUAL]
    with style():
        figure, ax = new_figure(2, height=0.8 + 0.3 * len(timed))
        rows = range(len(timed))
        reach = [timed["ratio"] - timed["ratio_low"], timed["ratio_high"] - timed["ratio"]]
        ax.axvline(1, color="0.6", linewidth=1)
        ax.errorbar(timed["ratio"], rows, xerr=[r.clip(lower=0) for r in reach], fmt="o")
        names = [textwrap.fill(f"{i + 1}. {w}; {p}", 60) for i, w, p in timed[["work", "peer"]].itertuples()]
        ax.set_yticks(rows, labels=names, fontsize=6)
        ax.set_ylim(len(timed) - 0.5, -0.5)
        ax.set(xscale="log", xlabel="time there / time here, median and range of the rounds")
        plain_log_ticks(ax.xaxis)
    return figure


def clocks(found: pd.DataFrame) -> str:
    """Whose seconds the times are."""
    wall = [str(number) for number, clock in enumerate(found["clock"], 1) if clock == "wall"]
    if len(wall) == found["clock"].notna().sum():
        return "seconds of the clock"
    apart = f" (seconds of the clock in row {', '.join(wall)})" if wall else ""
    return f"processor seconds{apart}"


def markdown(found: pd.DataFrame, about: dict[str, str]) -> str:
    """The table with its circumstances, as the documentation includes it."""
    header = ["row", "work", "peer", "ratio", "time here", "time there", "difference (tolerance)"]
    rows = list(enumerate(found.to_dict("records"), 1))
    lines = [header, ["---"] * len(header), *(_line(*row) for row in rows)]
    rounds = found["rounds"].dropna()
    timed = f" of {int(rounds.min())} rounds" if len(rounds) else ""
    parts = [
        "\n".join("| " + " | ".join(line) + " |" for line in lines),
        f"Times are {clocks(found)}, the median{timed}. The ratio is time there / time here (least to most "
        "of the rounds): above 1, faster here.",
        faster_peers(found),
        "What was called, row by row:",
        "\n".join(_calls(*row) for row in rows),
        "\n".join(f"- {key}: {value}" for key, value in about.items()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
