"""Time a step of tiny-fc: the eager torch trainer's against the fused kernel's, in one process.

    OMP_NUM_THREADS=1 python benchmarks/fused.py [batch size]

Both train the same net on the same 30,000 random inputs of 49 numbers through the same code, metrics, weight
history and files included; only the steps differ. Epochs of the two alternate and the fastest of each counts,
so that other work on the machine disturbs both alike. Exit status 1 if the kernel is not ten times faster.
"""

import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from sgdiffusion.config.models import Data, Network, Phase, Training
from sgdiffusion.dynamics.training import fused_fc
from sgdiffusion.dynamics.training import trainer as training

EXAMPLES, EPOCHS, ROUNDS = 30_000, 4, 5
TRAINERS = {"torch": training.train, "fused": fused_fc.train}


def random_set() -> SimpleNamespace:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((EXAMPLES, 1, 7, 7), dtype=np.float32)
    y = generator.integers(0, 5, EXAMPLES)
    return SimpleNamespace(x_train=x, y_train=y, x_test=x[:100], y_test=y[:100])


def seconds_per_step(name: str, data: SimpleNamespace, batch: int, folder: Path) -> float:
    """From the metrics' clock: the differences between epochs leave start and end of the training out."""
    settings = Training(
        kind="training",
        network=Network(name="tiny-fc"),
        data=Data(set="mnist", preparation="pool7-five"),
        schedule=[Phase(until=1.0, rate=0.001)],
        batch_size=batch,
        epochs=EPOCHS,
        snapshot_every=1,
    )
    run = TRAINERS[name](settings, data, run_id="benchmark", seed=0, root_seed=0, folder=folder)
    return float(np.diff(run.metrics["seconds"]).min()) / (EXAMPLES // batch)


def main(batch: int) -> bool:
    torch.set_num_threads(1)
    data = random_set()
    best = dict.fromkeys(TRAINERS, np.inf)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            start = time.perf_counter()
            for name in TRAINERS:
                best[name] = min(best[name], seconds_per_step(name, data, batch, Path(folder)))
            print(f"round of {time.perf_counter() - start:.1f} s", flush=True)
    for name, seconds in best.items():
        hours = seconds * (EXAMPLES // batch) * 1e5 / 3600
        print(f"{name:6s} {1e6 * seconds:7.1f} µs a step of {batch}; 10⁵ epochs in {60 * hours:.1f} min")
    ratio = best["torch"] / best["fused"]
    print(f"the fused kernel is {ratio:.1f} times faster")
    return ratio >= 10


if __name__ == "__main__":
    sys.exit(0 if main(int(sys.argv[1]) if len(sys.argv) > 1 else 128) else 1)
