"""Random processes whose walk and spectral dimensions are known: the estimators' calibration.

Walks on graphs (lattices, the Sierpiński gasket), fractional Brownian motion, and the continuous-time random
walk with heavy-tailed waits.
"""

import itertools
from dataclasses import dataclass

import numba
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sgdiffusion.errors import MeasureError

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Graph:
    """Vertices with places in space and lists of neighbours (padded with −1)."""

    neighbours: NDArray[np.int32]
    degrees: NDArray[np.int32]
    places: Array


def lattice(side: int, dimension: int) -> Graph:
    """A periodic cubic lattice of `side`^dimension vertices; walks must stay shorter than about (side/8)²."""
    index = np.arange(side**dimension).reshape((side,) * dimension)
    columns = [np.roll(index, shift, axis).ravel() for axis in range(dimension) for shift in (1, -1)]
    neighbours = np.stack(columns, 1).astype(np.int32)
    places = np.stack(np.unravel_index(np.arange(side**dimension), index.shape), 1).astype(float)
    return Graph(neighbours, np.full(len(neighbours), 2 * dimension, np.int32), places)


def sierpinski_gasket(level: int) -> Graph:
    """The gasket of 3^level small triangles of side 1."""
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])
    triangles = corners[None]
    for k in range(level):
        triangles = np.concatenate([triangles + 2**k * corner for corner in corners])
    points = triangles.reshape(-1, 2)
    # x is a multiple of 1/2, y of √3/2: exact integer keys for joining the corners that triangles share
    keys = np.rint(points * [2.0, 2 / np.sqrt(3)]).astype(np.int64)
    unique, first, vertex = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    edges = vertex.reshape(-1, 3)[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    edges = np.concatenate([edges, edges[:, ::-1]])
    edges = edges[np.argsort(edges[:, 0], kind="stable")]
    degrees = np.bincount(edges[:, 0], minlength=len(unique)).astype(np.int32)
    slot = np.arange(len(edges)) - np.repeat(np.cumsum(degrees) - degrees, degrees)
    neighbours = np.full((len(unique), degrees.max()), -1, np.int32)
    neighbours[edges[:, 0], slot] = edges[:, 1]
    return Graph(neighbours, degrees, points[first])


@dataclass(frozen=True)
class Walked:
    """What walkers on a graph did, at `times`."""

    times: Ints
    starts: NDArray[np.int32]
    vertices: NDArray[np.int32]
    """[walkers, times]: where they were."""
    returns: Array
    """[steps]: share of walkers that were at their start after 1, 2, … steps."""
    visited: NDArray[np.int32]
    """[walkers, times]: distinct vertices seen, the start included."""


@numba.njit(cache=True, nogil=True)
def _walk(neighbours, degrees, starts, times, generator):  # type: ignore[no-untyped-def]
    walkers, steps = len(starts), times[-1]
    vertices = np.empty((walkers, len(times)), np.int32)
    visited = np.empty((walkers, len(times)), np.int32)
    returns = np.zeros(steps)
    seen = np.full(len(degrees), -1, np.int32)
    for walker in range(walkers):
        at = starts[walker]
        seen[at], distinct, record = walker, 1, 0
        for t in range(1, steps + 1):
            at = neighbours[at, int(generator.random() * degrees[at])]
            if seen[at] != walker:
                seen[at] = walker
                distinct += 1
            if at == starts[walker]:
                returns[t - 1] += 1
            if t == times[record]:
                vertices[walker, record], visited[walker, record] = at, distinct
                record += 1
    return vertices, visited, returns / walkers


def walk(
    graph: Graph,
    walkers: int,
    times: ArrayLike,
    generator: np.random.Generator,
    start: int | None = None,
) -> Walked:
    """Walkers that choose among the neighbours of their vertex with equal probability at every step.

    They start at random vertices, or all at `start`.
    """
    moments = np.unique(np.asarray(times, dtype=np.int64))
    if moments[0] < 1:
        raise MeasureError(f"walks are recorded after at least one step, found time {moments[0]}")
    chosen = (
        generator.integers(len(graph.degrees), size=walkers) if start is None else np.full(walkers, start)
    )
    starts = chosen.astype(np.int32)
    vertices, visited, returns = _walk(graph.neighbours, graph.degrees, starts, moments, generator)
    return Walked(moments, starts, vertices, returns, visited)


def displacements(graph: Graph, walked: Walked) -> Array:
    """Euclidean distances from the starts, [walkers, times]; on a lattice of walks that have not gone
    round.
    """
    steps = graph.places[walked.vertices] - graph.places[walked.starts][:, None]
    return np.linalg.norm(steps, axis=-1)


def fractional_brownian(
    hurst: float, paths: int, steps: int, generator: np.random.Generator, dimension: int = 1
) -> Array:
    """Exact paths [paths, steps, dimension] at times 1 … steps, E[x²] = t^{2H} per coordinate.

    Davies & Harte (1987): the covariance of the increments is embedded in a circulant matrix.
    """
    if not 0 < hurst < 1:
        raise MeasureError(f"fractional Brownian motion needs 0 < H < 1, found {hurst}")
    k = np.arange(steps + 1, dtype=np.float64)
    row = 0.5 * (np.abs(k + 1) ** (2 * hurst) - 2 * k ** (2 * hurst) + np.abs(k - 1) ** (2 * hurst))
    circle = np.concatenate([row, row[-2:0:-1]])
    eigenvalues = np.maximum(np.fft.fft(circle).real, 0.0)
    size = (paths, dimension, len(circle))
    noise = generator.standard_normal(size) + 1j * generator.standard_normal(size)
    increments = np.fft.fft(noise * np.sqrt(eigenvalues / len(circle)), axis=-1).real[..., :steps]
    return np.cumsum(increments, axis=-1).transpose(0, 2, 1)


def waiting_walk(
    alpha: float, walkers: int, times: ArrayLike, generator: np.random.Generator, chunk: int = 256
) -> Array:
    """Continuous-time random walk on a line: Gaussian jumps after waits with P(wait > s) = s^{−α}, s > 1.

    Positions [walkers, times]. For α < 1 the mean wait is infinite and E[x²] ∼ t^α.
    """
    moments = np.asarray(times, dtype=np.float64)
    if not 0 < alpha < 1:
        raise MeasureError(f"waits without mean need 0 < α < 1, found {alpha}")
    positions = np.empty((walkers, len(moments)))
    for walker in range(walkers):
        clocks: list[Array] = []
        now = 0.0
        while now <= moments[-1]:
            clocks.append(now + np.cumsum(generator.random(chunk) ** (-1 / alpha)))
            now = float(clocks[-1][-1])
        jumps = np.searchsorted(np.concatenate(clocks), moments, side="right")
        path = np.concatenate([[0.0], np.cumsum(generator.standard_normal(jumps[-1]))])
        positions[walker] = path[jumps]
    return positions


def binned_returns(returns: ArrayLike, edges: ArrayLike, walkers: int) -> pd.DataFrame:
    """Returns per walker and step, P at steps 1, 2, …, averaged over the steps in [edge, next edge).

    Binning over an even number of steps removes the parity of bipartite lattices. `count` is the number of
    returns seen in the bin; `time` is the geometric mean of the bin's first and last step.
    """
    p, borders = np.asarray(returns, dtype=np.float64), np.asarray(edges, dtype=np.int64)
    rows = []
    for a, b in itertools.pairwise(borders):
        part = p[a - 1 : b - 1]
        rows.append((np.sqrt(a * (b - 1.0)), part.mean(), part.sum() * walkers))
    return pd.DataFrame(rows, columns=["time", "probability", "count"])
