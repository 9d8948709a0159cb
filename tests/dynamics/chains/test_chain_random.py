"""The compiled generator against arbitrary-precision integers, and its numbers against their
distributions.
"""

import math

import numpy as np
from oracles import chain_numbers
from scipy import stats


def test_streams_equal_their_slow_twin(slow_stream):
    fast_normals = chain_numbers.normals(123456789, 3, 3000)
    fast_uniforms = chain_numbers.uniforms(5, 2, 50)
    for chain in range(3):
        slow = slow_stream(123456789, chain)
        assert fast_normals[chain].tolist() == [slow.normal() for _ in range(3000)]
    for chain in range(2):
        slow = slow_stream(5, chain)
        assert fast_uniforms[chain].tolist() == [slow.uniform() for _ in range(50)]


def test_normals_are_normal():
    """Two million numbers, seed 1: KS at 1 %, four moments and the tail within four standard errors."""
    z = chain_numbers.normals(1, 200, 10_000).ravel()
    assert stats.kstest(z[::10], stats.norm.cdf).pvalue > 0.01
    for power, exact, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs(np.mean(z**power) - exact) < 4 * math.sqrt(variance / z.size)
    beyond = 2 * stats.norm.sf(3.6541528853610088) * z.size  # the ziggurat's tail routine alone
    assert abs(np.sum(np.abs(z) > 3.6541528853610088) - beyond) < 4 * math.sqrt(beyond)


def test_chains_and_seeds_are_unrelated():
    """Correlations between 60 neighbouring chains and seeds, 2,000 numbers each: at most 4.5 σ in 3,540."""
    z = np.concatenate([chain_numbers.normals(s, 30, 2000) for s in (7, 8)])
    correlation = np.corrcoef(z)[np.triu_indices(60, 1)] * math.sqrt(2000)
    assert np.abs(correlation).max() < 4.5
    assert abs(correlation.var() - 1) < 4 * math.sqrt(2 / correlation.size)
