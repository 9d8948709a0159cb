"""How cost grows: times of the hot paths over a decade of their sizes, and what ten times more would take.

    python benchmarks/growth.py     # growth.csv, .md, .png, a few minutes on one thread

Each path is timed at sizes over at least a decade of one variable, everything else fixed. The exponent is the
slope of log time in log size over the larger half of the sizes, where overheads count least. "Ten times more"
is the largest size times ten by that exponent, no measurement. Memory is what the path must hold there.
"""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from floors import fastest
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from harness import circumstances, figures
from path_works import CHAIN_RATE, NOISE, moons_set, our_ensemble, perceptron
from peer_works import convolutional, images, weights
from training_works import epochs_of

import sgdiffusion as sd
from sgdiffusion.dynamics.chains.diagonal import GaussianData, balanced, run_sgd
from sgdiffusion.dynamics.training import fused_fc
from sgdiffusion.figures.style import new_figure, style
from sgdiffusion.measures.noise.ways import size as bytes_in_words

HERE = Path(__file__).resolve().parent
QUIET = {"progress": False}


@dataclass(frozen=True)
class Growth:
    """One path, one variable."""

    work: str
    variable: str
    sizes: tuple[int, ...]
    make: Callable[[int], Callable[[], Any]]
    memory: Callable[[int], float]
    """Bytes that it must hold."""
    engine: str
    """Where ten times more would run."""


def spectrum_of_examples(n: int) -> Callable[[], Any]:
    net = convolutional(2, 8)
    return lambda: sd.spectrum(net, images(n), method="dual", memory=8, **QUIET)


def spectrum_of_weights(hidden: int) -> Callable[[], Any]:
    net = convolutional(1, hidden)
    return lambda: sd.spectrum(net, images(1000), method="dense", memory=8, **QUIET)


def largest_of_weights(channels: int) -> Callable[[], Any]:
    net = convolutional(channels, 64)
    return lambda: sd.spectrum(net, images(200), k=10, method="krylov", memory=8, **QUIET)


def chains(count: int) -> Callable[[], Any]:
    law = GaussianData(1.0, NOISE)
    return lambda: run_sgd(balanced(np.ones(count), 1), law, CHAIN_RATE, [200], seed=1)


def replicas(count: int) -> Callable[[], Any]:
    data = moons_set()
    modules = [perceptron(data, 16, seed) for seed in range(count)]
    return lambda: our_ensemble(data, modules, 100, 32)


def coefficient(steps: int) -> Callable[[], Any]:
    data = moons_set()
    net = perceptron(data, 16, 0).eval()
    options = {"chains": 4, "draws": steps // 2, "every": 1, "burn_in": steps // 2, "rounds": 0}
    return lambda: sd.learning_coefficient(net, (data.x, data.y), step_size=1e-4, **options, **QUIET)


def paths() -> Iterator[Growth]:
    d = weights(convolutional(2, 8))
    yield Growth(
        f"all eigenvalues of D by the N × N dual, convolutional net, d = {d:,}",
        "N",
        (200, 400, 800, 1600, 3200),
        spectrum_of_examples,
        lambda n: 4.0 * n * (d + n),
        'by layers on the same cores; else `device="cuda"` or `examples=`',
    )
    yield Growth(
        "all eigenvalues of D by the d × d matrix, convolutional net, N = 1,000",
        "d",
        (2, 5, 10, 20, 40),
        spectrum_of_weights,
        lambda h: 8.0 * weights(convolutional(1, h)) ** 2,
        "`k=` of them by Krylov on the same cores; all of them on a machine with the memory",
    )
    yield Growth(
        "10 largest eigenvalues of D by Krylov, convolutional net, N = 200",
        "d",
        (2, 4, 8, 16, 32),
        largest_of_weights,
        lambda c: 4.0 * 60 * weights(convolutional(c, 64)),
        '`device="cuda"`',
    )
    yield Growth(
        "SGD of the two-layer diagonal net, 200 steps",
        "chains",
        (4_000, 16_000, 64_000, 256_000),
        chains,
        lambda n: 16.0 * n,
        "the same cores, one block of chains each; a Slurm array by seeds",
    )
    yield Growth(
        "nets 2-16-16-2, 100 steps of SGD, batch 32",
        "nets",
        (30, 100, 300, 1000, 3000),
        replicas,
        lambda n: 8.0 * n * weights(perceptron(moons_set(), 16, 0)),
        "a GPU; a Slurm array by seeds",
    )
    yield Growth(
        "tiny-fc on 10,000 examples, batch 128",
        "epochs",
        (16, 32, 64, 128, 256),
        lambda e: epochs_of(fused_fc.train, e),
        lambda e: 4.0 * 10_000 * 49,
        "the same core for longer: steps follow each other; seeds side by side",
    )
    yield Growth(
        "λ̂ of 2-16-16-2, n = 200, 4 chains", "steps of a chain",
        (200, 400, 800, 1600, 3200), coefficient, lambda s: 4.0 * 4 * weights(perceptron(moons_set(), 16, 0)),
        "the same core for longer; chains side by side",
    )  # fmt: skip


def size_of(path: Growth, value: int) -> int:
    """The variable itself where the sizes are those of a layer."""
    if path.variable != "d":
        return value
    net = convolutional(1, value) if "d × d" in path.work else convolutional(value, 64)
    return weights(net)


def exponent(sizes: np.ndarray, times: np.ndarray) -> float:
    """The slope of log time in log size over the larger half."""
    late = len(sizes) // 2
    return float(np.polyfit(np.log(sizes[late:]), np.log(times[late:]), 1)[0])


def measured(path: Growth) -> pd.DataFrame:
    sizes = [size_of(path, value) for value in path.sizes]
    times = [fastest(path.make(value)) for value in path.sizes]
    print(f"{path.work}: {', '.join(figures(t) for t in times)} s", flush=True)
    return pd.DataFrame({"work": path.work, "variable": path.variable, "size": sizes, "seconds": times})


def row(path: Growth, found: pd.DataFrame) -> list[str]:
    sizes, times = found["size"].to_numpy(float), found["seconds"].to_numpy()
    slope = exponent(sizes, times)
    held = path.memory(path.sizes[-1]) * 10 ** _order(path, sizes)
    return [
        path.work,
        f"{path.variable} {sizes[0]:,.0f} to {sizes[-1]:,.0f}",
        f"{figures(times[0])} to {figures(times[-1])} s",
        f"{slope:.2f}",
        f"{figures(times[-1] * 10**slope)} s, {bytes_in_words(held)}",
        path.engine,
    ]


def _order(path: Growth, sizes: np.ndarray) -> float:
    """How memory grows in the variable."""
    first, last = path.memory(path.sizes[0]), path.memory(path.sizes[-1])
    return float(np.log(last / first) / np.log(sizes[-1] / sizes[0]))


def picture(found: pd.DataFrame) -> Figure:
    """Time against size, each path from its smallest size."""
    with style():
        figure, ax = new_figure(2, height=3.6)
        for number, (_, part) in enumerate(found.groupby("work", sort=False), 1):
            sizes = part["size"] / part["size"].iloc[0]
            ax.loglog(sizes, part["seconds"], "o-", label=f"{number}. {part['variable'].iloc[0]}")
        ax.set(xlabel="size over the smallest", ylabel="processor seconds")
        figure.legend(loc="outside right center")
    return figure


def main() -> None:
    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    done = [(path, measured(path)) for path in paths()]
    found = pd.concat([part for _, part in done], ignore_index=True)
    found.to_csv(HERE / "growth.csv", index=False, float_format="%.4g")
    header = ["row", "work", "size", "time", "exponent", "ten times more", "where that would run"]
    lines = [header, ["---"] * len(header), *([str(i), *row(*one)] for i, one in enumerate(done, 1))]
    about = [f"- {key}: {value}" for key, value in circumstances((), 1, load).items()]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n\n" + "\n".join(about) + "\n"
    (HERE / "growth.md").write_text(text, encoding="utf-8")
    picture(found).savefig(HERE / "growth.png", dpi=150, metadata={"Software": None})


if __name__ == "__main__":
    main()
