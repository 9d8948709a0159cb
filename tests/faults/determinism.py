"""Three fresh runs of one part of the real DAG, which must give the same bytes in every table and array.

    python tests/faults/determinism.py                      # some minutes
    python tests/faults/determinism.py --whitened           # and whitened images
    python tests/faults/determinism.py --whitened cifar10   # those of a set that is fetched

The first run has one core, the second two; the third asks for one target after the other, the last first, so
that jobs come in another order. What two threads compute where there are two cores may differ, as BLAS adds
in another order: whitened images by 1e-3 of a standard deviation, tables of spectra, which are of single
precision, by 1e-5 of a column's largest number. The largest difference is printed.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import reduced  # noqa: E402
from copies.checkout import computed, differences  # noqa: E402

P = reduced.PRESET
TARGETS = (
    *reduced.TARGETS,
    f"figures/{P}/chaudhari2018/fig1b.pdf",
    f"figures/{P}/ziyin2025/fig7.pdf",
    f"results/{P}/ziyin2025/convergence/convergence.parquet",
    f"results/{P}/chaudhari2018/double-well/fig4b/field.parquet",
    f"results/{P}/hennick2025/mlps-sgd/part-0/trained.npz",
)
WHITENED = "/gcn-zca.npz"
LARGEST = 1e-3  # of whitened pixels, whose standard deviation is about 1: float32, sums of 3,072 terms
SPECTRA = ("/plain/", "/quantities/spectra-")  # in names of what is computed from products by two threads
ROUNDING = 1e-5  # of a column's largest number: a hundred units of single precision


def ran(folder: Path, calls: list[tuple[str, ...]]) -> dict[str, bytes]:
    """Everything that calls of snakemake compute in a fresh copy."""
    reduced.build(folder)
    for words in calls:
        call = reduced.Call(folder, *words, targets=())
        if call.ends():
            raise SystemExit(f"error: {call.log}:\n{call.said()[-2000:]}")
    return computed(folder)


def furthest(one: Path, other: Path) -> float:
    """The largest difference of two prepared sets."""
    with np.load(one) as first, np.load(other) as second:
        return max(float(np.abs(first[key] - second[key]).max()) for key in ("x_train", "x_test"))


def table_apart(one: Path, other: Path) -> float:
    """The largest difference of two tables, over the largest number of its column; infinite in words."""
    read = pd.read_parquet if one.suffix == ".parquet" else pd.read_csv
    first, second = read(one), read(other)
    if first.shape != second.shape or list(first) != list(second):
        return np.inf
    numbers = first.select_dtypes("number").columns
    if not first.drop(columns=numbers).equals(second.drop(columns=numbers)):
        return np.inf
    apart = (first[numbers] - second[numbers]).abs().max() / first[numbers].abs().max()
    return float(apart.fillna(0).max())


def accepted(name: str, one: Path, other: Path) -> bool:
    """Whether a file that differs may, by so much; says by how much."""
    whitened = name.endswith(WHITENED)
    if not whitened and not (any(part in name for part in SPECTRA) and name.endswith((".parquet", ".csv"))):
        return False
    far, most = (furthest, LARGEST) if whitened else (table_apart, ROUNDING)
    found = far(one / name, other / name)
    print(f"{other.name}: {name} differs by at most {found:.2g}")
    return found <= most


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument("--targets", nargs="+", default=TARGETS, metavar="TARGET")
    parser.add_argument(
        "--whitened", nargs="?", const="textures10", metavar="SET", help="whitened images of a set as well"
    )
    chosen = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.pop(variable, None)  # each rule says how many threads it has
    folder = (chosen.folder or Path(tempfile.mkdtemp(prefix="determinism-"))).resolve()
    targets = list(chosen.targets)
    if chosen.whitened:
        targets.append(f"data/prepared/{chosen.whitened}{WHITENED}")
    one = ran(folder / "one-core", [("--cores", "1", *targets)])
    wrong = 0
    others = {
        "two-cores": [("--cores", "2", *targets)],
        "reversed": [("--cores", "1", target) for target in reversed(targets)],
    }
    for name, calls in others.items():
        found = differences(one, ran(folder / name, calls))
        found = [f for f in found if not accepted(f, folder / "one-core", folder / name)]
        print(f"{name}: {len(one)} files, {len(found)} differ from one core", *found, sep="\n  ", flush=True)
        wrong += len(found)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
