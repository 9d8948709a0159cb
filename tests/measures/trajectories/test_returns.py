"""Returns and volumes against processes whose spectral dimension is known."""

import math

import numpy as np
import pandas as pd
import pytest
from oracles import walks

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.trajectories import returns as spectral

GASKET = 2 * math.log(3) / math.log(5)


def even_edges(last, count):
    return np.unique(2 * np.rint(np.geomspace(2, last, count) / 2).astype(int))


def lattice_returns(dimension, side, last, walkers, seed):
    g = np.random.default_rng(seed)
    walked = walks.walk(walks.lattice(side, dimension), walkers, [last], g)
    return walks.binned_returns(walked.returns, even_edges(last, 20), walkers)


def test_returns_on_the_line_and_the_plane():
    """d_s is the dimension, within 3 %, from t = 10 on: corrections are of relative order 1/t."""
    line = lattice_returns(1, 401, 2000, 10_000, seed=1)
    assert abs(spectral.from_returns(line[line.time > 10]).value - 1) < 0.03
    plane = lattice_returns(2, 200, 500, 60_000, seed=2)
    found = spectral.from_returns(plane[plane.time > 10])
    assert abs(found.value / 2 - 1) < 0.03
    assert found.low < found.value < found.high < found.low + 0.4


def test_exact_return_probability_of_the_line_in_bins():
    walkers = 10_000
    table = lattice_returns(1, 401, 200, walkers, seed=3)
    exact = [math.comb(t, t // 2) / 2**t if t % 2 == 0 else 0 for t in range(1, 201)]
    edges = even_edges(200, 20)
    for row, a, b in zip(table.itertuples(), edges[:-1], edges[1:], strict=True):
        mean = np.mean(exact[a - 1 : b - 1])
        # returns of one walker at different times are correlated: variance at most (b − a) times larger
        assert abs(row.probability - mean) < 4 * math.sqrt(mean / walkers)


def test_gasket_from_returns_and_from_visited_vertices():
    g, last = np.random.default_rng(4), 5**5
    times = np.unique(np.rint(np.geomspace(1, last, 60)).astype(int))
    walked = walks.walk(walks.sierpinski_gasket(9), 10_000, times, g)
    table = walks.binned_returns(walked.returns, even_edges(last, 50), 10_000)
    assert abs(spectral.from_returns(table[table.time > 5]).value / GASKET - 1) < 0.03
    for first in (25, 125):
        volume = spectral.from_volume(walked.times, walked.visited, first=first, last=last, generator=g)
        assert abs(volume.value / GASKET - 1) < 0.03
        assert volume.low <= GASKET <= volume.high
        assert volume.high - volume.low < 0.15


@pytest.mark.slow
def test_gasket_at_larger_scale():
    g, last = np.random.default_rng(5), 5**6
    times = np.unique(np.rint(np.geomspace(1, last, 80)).astype(int))
    walked = walks.walk(walks.sierpinski_gasket(10), 20_000, times, g)
    table = walks.binned_returns(walked.returns, even_edges(last, 60), 20_000)
    assert abs(spectral.from_returns(table[table.time > 25]).value / GASKET - 1) < 0.01
    volume = spectral.from_volume(walked.times, walked.visited, first=125, last=last, generator=g)
    assert abs(volume.value / GASKET - 1) < 0.02
    assert volume.low <= GASKET <= volume.high


@pytest.mark.parametrize(("hurst", "dimension"), [(0.3, 2), (0.5, 1)])
def test_returns_of_fractional_brownian_motion(hurst, dimension):
    """P(t) ∼ t^{−dH}: d_s = 2dH, from a small ball in continuous space."""
    paths = walks.fractional_brownian(hurst, 60, 4096, np.random.default_rng(6), dimension)
    table = spectral.return_probability(paths, [8, 12, 17, 24, 34, 48, 68, 96, 136, 192], radius=0.5)
    # at lag 8 the ball is 0.5/8^H of the spread: the corrections at that lag are of that size squared
    assert abs(spectral.from_returns(table).value / (2 * dimension * hurst) - 1) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("hurst", "dimension"), [(0.3, 2), (0.5, 1)])
def test_returns_of_fractional_brownian_motion_at_larger_scale(hurst, dimension):
    """Within 3 %: from lag 32 on, the ball's corrections (r/2σ)² are below 1 %."""
    g = np.random.default_rng(9)
    parts = [walks.fractional_brownian(hurst, 60, 8192, g, dimension) for _ in range(6)]
    lags = np.unique(np.rint(np.geomspace(32, 1024, 12)).astype(int))
    table = spectral.return_probability(np.concatenate(parts), lags, radius=0.5)
    assert abs(spectral.from_returns(table).value / (2 * dimension * hurst) - 1) < 0.03


def test_return_probability_against_a_double_loop():
    path = np.random.default_rng(7).standard_normal((30, 3))
    table = spectral.return_probability(path, [1, 7], radius=1.5)
    for row in table.itertuples():
        lag = int(row.time)
        near = [math.dist(path[t], path[t + lag]) < 1.5 for t in range(30 - lag)]
        assert (row.probability, row.count) == (np.mean(near), sum(near))


def test_volume_visited_against_a_plain_cover():
    path = np.cumsum(np.random.default_rng(8).standard_normal((200, 2)), axis=0)
    centres, counts = [], []
    for point in path:
        if all(math.dist(point, c) >= 2.0 for c in centres):
            centres.append(point)
        counts.append(len(centres))
    assert spectral.volume_visited(path, 2.0).tolist() == counts


def test_volume_of_a_brownian_line():
    """One dimension: the range grows as t^{1/2}, d_s = 1; 60 paths, tolerance 15 %, four standard errors."""
    g = np.random.default_rng(9)
    paths = np.cumsum(g.standard_normal((60, 2000, 1)), axis=1)
    volumes = np.stack([spectral.volume_visited(p, 1.0) for p in paths])
    found = spectral.from_volume(np.arange(1, 2001), volumes, first=50, last=2000, generator=g)
    assert abs(found.value - 1) < 0.15
    assert found.low <= 1 <= found.high


def test_volume_of_a_rough_path_in_the_plane():
    """d_s = 2dH = 1.2: in reach of 2,000 steps the slope is 1.34, and its own interval would miss."""
    g = np.random.default_rng(9)
    paths = walks.fractional_brownian(0.3, 60, 2000, g, 2)
    volumes = np.stack([spectral.volume_visited(p, 1.0) for p in paths])
    found = spectral.from_volume(np.arange(1, 2001), volumes, first=50, last=2000, generator=g)
    assert found.low <= 1.2 <= found.high


def drift(g):
    return np.arange(500)[:, None] + 0.01 * g.standard_normal((500, 50))


def brownian(g):
    return np.cumsum(g.standard_normal((500, 50)), axis=0)


@pytest.mark.parametrize("make", [drift, brownian])
def test_volume_cannot_tell_a_drift_from_brownian_motion_in_many_dimensions(make):
    """A known limit: paths of 500 snapshots that do not return give about 2, at every radius.

    A drift has no spectral dimension, Brownian motion in 50 dimensions has 50.
    """
    g = np.random.default_rng(10)
    paths = [make(g) for _ in range(6)]
    unit = np.median(np.linalg.norm(np.diff(np.stack(paths), axis=1), axis=-1))
    for radius in (1, 2, 4):
        volumes = np.stack([spectral.volume_visited(p, radius * unit) for p in paths])
        found = spectral.from_volume(np.arange(1, 501), volumes, first=50, last=500, generator=g)
        assert 1.85 < found.value < 2.05
        assert found.high <= 2


def test_returns_of_brownian_motion_in_many_dimensions_are_those_of_the_first_steps():
    """The same limit of the other method: small balls see no returns, large ones a d_s far from 50."""
    g = np.random.default_rng(11)
    paths = np.stack([brownian(g) for _ in range(6)])
    unit = np.median(np.linalg.norm(np.diff(paths, axis=1), axis=-1))
    lags = np.unique(np.rint(np.geomspace(1, 250, 16)).astype(int))
    with pytest.raises(MeasureError, match="use a larger radius"):
        spectral.from_returns(spectral.return_probability(paths, lags, unit))
    assert spectral.from_returns(spectral.return_probability(paths, lags, 4 * unit)).high < 5


def test_volume_of_the_plane_stays_short_of_two():
    """A known limit: V ∼ t/ln t, so that 1/ln t decides within any window."""
    g = np.random.default_rng(12)
    times = np.unique(np.rint(np.geomspace(1, 1000, 50)).astype(int))
    walked = walks.walk(walks.lattice(200, 2), 2000, times, g)
    found = spectral.from_volume(walked.times, walked.visited, first=50, last=1000, generator=g)
    assert 1.6 < found.value < 1.8
    assert 1.8 < found.high < 2


def test_errors():
    with pytest.raises(MeasureError, match="lags must be 1 to 9"):
        spectral.return_probability(np.zeros((10, 2)), [10], 1.0)
    empty = pd.DataFrame({"time": [1.0, 2.0], "probability": [0.0, 0.1], "count": [0.0, 3.0]})
    with pytest.raises(
        MeasureError, match=r"returns were seen in 1 of 2 bins, a fit needs \d+: use a larger"
    ):
        spectral.from_returns(empty)
