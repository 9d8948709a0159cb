"""Time one exact diffusion matrix D(x) and its spectrum over a whole training set, piece by piece.

    OMP_NUM_THREADS=2 python benchmarks/spectra.py [small-lenet | small-allcnn]

Prints the seconds of the per-example gradients, the symmetric Gram product and the eigenvalues, beside the
floors that the arithmetic sets: N·d² operations of the symmetric product at the speed this machine reaches on
one product of the same shape. The images are random numbers: the cost does not depend on them.
"""

import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from sgdiffusion.measures.noise.diffusion import ROWS, diffusion_matrix
from sgdiffusion.measures.noise.gradients import PerExampleGradients
from sgdiffusion.measures.noise.products import SymmetricSum
from sgdiffusion.measures.noise.spectra import eigenvalues, statistics
from sgdiffusion.networks import build

TRAINING_SETS = {"small-lenet": (60_000, (1, 28, 28)), "small-allcnn": (50_000, (3, 32, 32))}


class Timed:
    """The same stream, with the seconds spent inside it summed."""

    def __init__(self, gradients: PerExampleGradients) -> None:
        self.gradients, self.seconds = gradients, 0.0

    def __iter__(self) -> Iterator[torch.Tensor]:
        stream = iter(self.gradients)
        while True:
            start = time.perf_counter()
            block = next(stream, None)
            self.seconds += time.perf_counter() - start
            if block is None:
                return
            yield block


def product_speed(weights: int) -> float:
    """Operations per second of one symmetric product of ROWS gradients, from the second of two calls."""
    rows = np.random.default_rng(0).standard_normal((ROWS, weights), dtype=np.float32)
    products = SymmetricSum(weights, "float32")
    for _ in range(2):
        start = time.perf_counter()
        products.add(rows)
        seconds = time.perf_counter() - start
    return ROWS * weights**2 / seconds


def main(name: str) -> None:
    examples, shape = TRAINING_SETS[name]
    generator = torch.Generator().manual_seed(0)
    network = build(name, in_shape=shape, classes=10, generator=generator).eval()
    images = torch.randn(examples, *shape, generator=generator)
    labels = torch.randint(10, (examples,), generator=generator)
    stream = Timed(PerExampleGradients(network, (images, labels)))
    weights = stream.gradients.weights
    speed = product_speed(weights)
    start = time.perf_counter()
    matrix = diffusion_matrix(stream)
    accumulated = time.perf_counter()
    values = eigenvalues(matrix)
    end = time.perf_counter()
    threads = os.environ.get("OMP_NUM_THREADS", "unset")
    print(f"{name}: d = {weights:,}, N = {examples:,}, float32, OMP_NUM_THREADS = {threads}")
    print(f"per-example gradients   {stream.seconds:7.1f} s  ({1e6 * stream.seconds / examples:.0f} µs each)")
    gram = accumulated - start - stream.seconds
    floor = examples * weights**2 / speed
    print(f"Gram product, centring  {gram:7.1f} s  (floor {floor:.1f} s: N·d² at {speed / 1e9:.0f} GFLOP/s)")
    print(f"D, the two lines above {accumulated - start:6.1f} s")
    print(f"eigenvalues             {end - accumulated:7.1f} s  (4/3·d³ operations)")
    print(f"total                   {end - start:7.1f} s")
    print(f"peak memory             {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:7.2f} GiB")
    print(statistics(values))


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    main(sys.argv[1] if len(sys.argv) > 1 else "small-lenet")
