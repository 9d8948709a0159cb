"""Every hot path beside its peers and floors in one run: equal numbers first, then times.

    make bench            # installs the peers into build/peers, then both tables and targets.md
    make bench-peers      # the library beside other libraries: peers.csv, .md, .png, which docs/ shows
    make bench-quick      # only whether the numbers are equal, no times, no files
    python benchmarks/bench.py gpu   # the same calls on one CUDA device and on all cores: gpu.csv, .md, .png
    OMP_NUM_THREADS=1 PYTHONPATH=build/peers python benchmarks/bench.py [--rounds N] [peers] [paths]

A peer that is not installed is a row that says so. Exit status 1 if two results differ.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import gpu_works
import path_works
import peer_works
import targets
from floors import measured
from harness import Alone, Work, circumstances, compare, markdown, picture, sound, table

HERE = Path(__file__).resolve().parent
LIBRARIES = ("backpack-for-pytorch", "curvlinops-for-pytorch", "devinterp", "opacus", "pyhessian")


@dataclass(frozen=True)
class Table:
    """One of the tables, and what its Markdown says of the run."""

    works: Callable[[], Iterable[Work | Alone]]
    peers: tuple[str, ...] = ()
    """Distributions whose versions are named."""
    cores: bool = False
    """Whether all cores may be used; else one thread."""
    device: Callable[[], str] | None = None


TABLES = {
    "peers": Table(peer_works.works, LIBRARIES),
    "paths": Table(path_works.works, ("backpack-for-pytorch", "opacus")),
    "gpu": Table(gpu_works.works, cores=True, device=gpu_works.card),
}


def bench(name: str, rounds: int) -> bool:
    """One table; without rounds the results are compared and nothing is written."""
    chosen = TABLES[name]
    threads = torch.get_num_threads() if chosen.cores else 1
    torch.set_num_threads(threads)
    load, rows = os.getloadavg()[0], []
    for work in chosen.works():
        rows.append(compare(work, rounds))
        ratio = f"{rows[-1]['ratio']:.2f} times" if "ratio" in rows[-1] else rows[-1].get("note", "")
        print(f"{work.work}, {work.peer}: {rows[-1]['outcome']}, {ratio}", flush=True)
    found = table(rows)
    if not rounds:
        return sound(found)
    found.to_csv(HERE / f"{name}.csv", index=False, float_format="%.4g")
    found = pd.read_csv(HERE / f"{name}.csv")  # so that both files round alike
    about = circumstances(chosen.peers, threads, load)
    if chosen.device:
        about["device"] = chosen.device()
    if found["floor_s"].notna().any():
        about["floors"] = measured().said()
    (HERE / f"{name}.md").write_text(markdown(found, about), encoding="utf-8")
    picture(found).savefig(HERE / f"{name}.png", dpi=150, metadata={"Software": None})
    return sound(found)


def main() -> bool:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[*TABLES, []], help="tables (default: peers and paths)")
    parser.add_argument("--rounds", type=int, default=3, help="timed rounds; 0: results only")
    chosen = parser.parse_args()
    names = chosen.names or ["peers", "paths"]
    verdicts = [bench(name, chosen.rounds) for name in names]  # all, also after a failure
    if chosen.rounds:
        (HERE / "targets.md").write_text(targets.markdown(targets.read()), encoding="utf-8")
    return all(verdicts)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
