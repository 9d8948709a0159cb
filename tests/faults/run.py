"""Disturbs a reduced run of the real workflow in many ways; the results must be those of a quiet run.

    python tests/faults/run.py --runs 200                  # 200 kills, and ten of every other fault
    python tests/faults/run.py --runs 5 --faults kill twice

In a copy of the checkout: some results are taken away, a call of snakemake makes them again and is disturbed,
called again (a kill may strike again) until it is done, without a step between. After every fault each file
that a reader could take for whole must be whole; at the end all results must have the bytes of a quiet run.
Exit status 1 if anything was lost. faults.csv in the folder has every run.
"""

import argparse
import csv
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import forked
import reduced
from injections import FAULTS, ON_A_DISK_OF_ITS_OWN, small_disk
from installation import interrupted

INSTALLATION = "installation"
NAMES = [*FAULTS, INSTALLATION]
MOST_CALLS = 12  # of one run: kills strike half of the calls after the first


class Campaign:
    """One folder that is disturbed again and again, beside the results of a quiet run."""

    def __init__(self, folder: Path, seed: int, table: Path):
        self.folder, self.chance, self.table = folder, random.Random(seed), table
        self.rows: list[dict[str, str | int]] = []
        forked.warm(folder)
        call = reduced.Call(folder)
        if call.ends():
            raise SystemExit(f"error: the undisturbed run failed: {call.log}")
        self.reference = reduced.computed(folder)
        self.length = time.monotonic() - call.began
        print(f"undisturbed: {len(self.reference)} files in {self.length:.0f} s", flush=True)

    def run(self, name: str) -> None:
        """One run: what is taken away is made again under a fault, and compared."""
        gone = reduced.forget(self.folder, self.chance)
        done, losses = [], []
        for calls in range(1, MOST_CALLS):
            strike = calls == 1 or (name == "kill" and self.chance.random() < 0.5)
            if not strike:
                if status := reduced.Call(self.folder).ends():
                    losses.append(f"did not go on: status {status}")
                break
            fault = FAULTS[name](self.folder, self.chance, self.length / 2)
            losses += [fault.wrong] * bool(fault.wrong)
            losses += reduced.broken(self.folder, self.reference)
            done += [fault.what] * fault.hit
        losses += reduced.compared(self.folder, self.reference)
        self.note(name, len(done), calls, gone, "; ".join(done) or "came too late", losses)

    def installation(self) -> None:
        """One making of .venv that is ended in between."""
        fault = interrupted(self.table.parent / "checkout", self.chance)
        self.note(INSTALLATION, int(fault.hit), 2, 0, fault.what, [fault.wrong] * bool(fault.wrong))

    def note(self, name: str, hits: int, calls: int, gone: int, what: str, losses: list[str]) -> None:
        row = {"fault": name, "faults": hits, "calls": calls, "taken_away": gone, "losses": len(losses)}
        self.rows.append(row | {"what": what, "lost": "; ".join(losses)})
        with self.table.open("w", newline="") as file:
            writer = csv.DictWriter(file, self.rows[0])
            writer.writeheader()
            writer.writerows(self.rows)
        print(f"{len(self.rows):4} {name}: {what}", *losses, sep="\n     LOST ", flush=True)

    def summary(self) -> int:
        """Prints runs, faults and losses of each kind; the number of losses."""
        counts = {key: Counter() for key in ("runs", "faults", "calls", "losses")}
        for row in self.rows:
            for key, counter in counts.items():
                counter[row["fault"]] += row.get(key, 1)
        print(f"\n{'fault':<12}", *(f"{key:>8}" for key in counts))
        for name in counts["runs"]:
            print(f"{name:<12}", *(f"{counter[name]:>8}" for counter in counts.values()))
        return counts["losses"].total()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200, help="runs under kills (default: 200)")
    parser.add_argument("--others", type=int, help="runs under each other fault (default: a twentieth)")
    parser.add_argument("--faults", nargs="+", choices=NAMES, default=NAMES, metavar="FAULT")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    chosen = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = "1"
    for number in (signal.SIGINT, signal.SIGTERM):  # in the background SIGINT is ignored, by children too
        signal.signal(number, signal.default_int_handler)
    folder = (chosen.folder or Path(tempfile.mkdtemp(prefix="faults-"))).resolve()
    others = max(1, chosen.runs // 20) if chosen.others is None else chosen.others
    with small_disk(folder / "copy") as alone:
        campaign = Campaign(reduced.build(folder / "copy"), chosen.seed, folder / "faults.csv")
        runs = [name for name in chosen.faults for _ in range(chosen.runs if name == "kill" else others)]
        campaign.chance.shuffle(runs)
        try:
            for name in runs:
                if name == INSTALLATION:
                    campaign.installation()
                elif alone or name not in ON_A_DISK_OF_ITS_OWN:
                    campaign.run(name)
        finally:
            losses = campaign.summary()
    print("" if alone else f"not run, as only root may mount a small disk: {', '.join(ON_A_DISK_OF_ITS_OWN)}")
    print(f"{losses} losses; every run: {campaign.table}")
    return int(losses > 0)


if __name__ == "__main__":
    sys.exit(main())
