"""The library beside its peers on the same work in one run; writes peers.csv and peers.md beside this file.

    make bench-peers                                                 # installs the peers into build/peers
    OMP_NUM_THREADS=1 PYTHONPATH=build/peers python benchmarks/peers.py [rounds]

A peer that is not installed is a row that says so. Exit status 1 if two results differ.
"""

import os
import sys
from pathlib import Path

import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from harness import circumstances, compare, markdown, sound, table
from peer_works import works

HERE = Path(__file__).resolve().parent
PEERS = ("backpack-for-pytorch", "curvlinops-for-pytorch", "devinterp", "pyhessian")


def main(rounds: int) -> bool:
    torch.set_num_threads(1)
    load, rows = os.getloadavg()[0], []
    for work in works():
        rows.append(compare(work, rounds))
        ratio = f"{rows[-1]['ratio']:.2f} times" if "ratio" in rows[-1] else rows[-1]["note"]
        print(f"{work.work}, {work.peer}: {rows[-1]['outcome']}, {ratio}", flush=True)
    found = table(rows)
    found.to_csv(HERE / "peers.csv", index=False, float_format="%.4g")
    found = pd.read_csv(HERE / "peers.csv")  # so that both files round alike
    (HERE / "peers.md").write_text(markdown(found, circumstances(PEERS, 1, load)), encoding="utf-8")
    return sound(found)


if __name__ == "__main__":
    sys.exit(0 if main(int(sys.argv[1]) if len(sys.argv) > 1 else 3) else 1)
