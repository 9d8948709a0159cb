"""Which way to the spectrum of D: what each would take of memory and time, and the cheapest that fits.

- dense: the d×d matrix in one pass, all eigenvalues;
- dual: the N×N matrix of gradient products, from all gradients at once (N × d numbers);
- layers: the same matrix from what the layers saw and got back (`layered`), a few passes' cost;
- krylov: the k largest by products with D (`topk`), no matrix at all, one pass per block of the Krylov space.
"""

import functools
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import torch

from sgdiffusion.errors import InputError
from sgdiffusion.inputs.data import Inputs
from sgdiffusion.measures.noise.gradients import BLOCK_BYTES, PerExampleGradients
from sgdiffusion.measures.noise.layered import WORK_BYTES, record
from sgdiffusion.measures.noise.products import Precision
from sgdiffusion.measures.noise.topk import BASIS_BYTES

Method = Literal["auto", "dense", "dual", "layers", "krylov"]
PASSES = 14  # of a Krylov iteration for tens of eigenvalues to 1e-4 (measured on the networks of the papers)
SHORT = 0.2  # seconds: below that, estimates are noise and the simpler way goes first
PILOT = 4  # examples that are timed


@dataclass(frozen=True)
class Way:
    """A method with its estimated memory in bytes and time in seconds."""

    method: Method
    memory: float
    seconds: float

    def __str__(self) -> str:
        return f"{self.method} {size(self.memory)}, {self.seconds:.2g} s"


def size(amount: float) -> str:
    """Bytes in words."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1024
    return f"{amount:,.0f} TiB"


def free_memory() -> float:
    """Bytes that this machine can give without swapping, where it says so; else half of what it has."""
    page = os.sysconf("SC_PAGE_SIZE")
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:  # noqa: PTH123
            return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return 0.5 * page * os.sysconf("SC_PHYS_PAGES")


def ways(gradients: PerExampleGradients, k: int | None, precision: Precision = "float32") -> list[Way]:
    """Every method that gives the k largest eigenvalues (None: all that are not zero), cheapest first.

    Products by layers are sums in single precision, unless the module is in double.
    """
    assert isinstance(gradients.data, Inputs)
    n, d, item = len(gradients.data), gradients.weights, gradients.dtype.itemsize
    each, speed = _seconds_per_gradient(gradients), _operations_per_second(torch.get_num_threads())
    found = [
        Way("dense", 2.0 * d**2 * item + 2 * BLOCK_BYTES, n * each + (n * d**2 + 6.0 * d**3) / speed),
        Way("dual", 1.0 * n * d * item + 24 * n**2 + BLOCK_BYTES, n * each + (n**2 * d + 6 * n**3) / speed),
    ]
    precise = precision == "float32" or gradients.dtype == torch.float64
    if gradients.device.type == "cpu" and gradients.vectorise and precise:
        found.append(_by_layers(gradients, speed))
    if k is not None:
        memory = BASIS_BYTES + 4.0 * k * d * item + 3 * BLOCK_BYTES
        found.append(Way("krylov", memory, PASSES * n * (each + 4 * d * k / speed)))
    return sorted(found, key=lambda way: max(SHORT, way.seconds))


def _by_layers(gradients: PerExampleGradients, speed: float) -> Way:
    """The gradients of three examples are computed for its check; its products are few."""
    assert isinstance(gradients.data, Inputs)
    n, pilot = len(gradients.data), Inputs(gradients.data.part(slice(0, PILOT)))
    begun = time.perf_counter()
    layers = record(gradients, pilot)
    each = (time.perf_counter() - begun) / len(pilot)
    held = layers.nbytes / len(pilot) * n
    rest = sum(s for name, s in zip(gradients.names, gradients.sizes, strict=True) if name in layers.rest)
    memory = 1.5 * held + 4 * WORK_BYTES + 32 * n**2 + n * rest * 4 + 6.0 * gradients.weights * 4
    products = min(n, 100) * n * gradients.weights / speed  # what the cheap products leave, as measured
    return Way("layers", memory, n * each + products + 2 * n * each * (rest > 0) + 6 * n**3 / speed)


def _seconds_per_gradient(gradients: PerExampleGradients) -> float:
    assert isinstance(gradients.data, Inputs)
    first, few = (gradients.of(gradients.names, Inputs(gradients.data.part(slice(0, n)))) for n in (1, PILOT))
    for _ in first:  # loads and compiles what later passes use
        pass
    begun = time.perf_counter()
    for _ in few:
        pass
    return (time.perf_counter() - begun) / min(PILOT, len(gradients.data))


@functools.cache
def _operations_per_second(threads: int) -> float:
    """Multiplications with addition of so many threads in a matrix product of single precision."""
    square = torch.ones(512, 512)
    square @ square
    begun = time.perf_counter()
    square @ square
    return 512**3 / max(time.perf_counter() - begun, 1e-6)


def choose(found: Iterable[Way], method: Method, memory: float) -> Way:
    """The cheapest way that fits into ``memory``, or the named one if it fits."""
    if method not in get_args(Method):
        raise InputError("method", f"unknown method {method!r}", f"expected {', '.join(get_args(Method))}")
    possible = [way for way in found if method in ("auto", way.method)]
    if not possible and method == "layers":
        raise InputError(
            "method",
            "'layers' sums in the model's precision, on the CPU, and needs torch.func",
            "use method='dual', model.double(), or neither precision='float64' nor vectorise=False",
        )
    if not possible:
        raise InputError(
            "k", f"method {method!r} needs the number of eigenvalues wanted", "give k, such as k=20"
        )
    fitting = [way for way in possible if way.memory <= memory]
    if not fitting:
        needs = "; ".join(map(str, possible))
        raise InputError(
            "memory",
            f"nothing fits into {size(memory)} ({needs})",
            "ask for the k largest eigenvalues (k=20), fewer examples (examples=…), some weights (params=…), "
            "or give more memory=…",
        )
    return fitting[0]
