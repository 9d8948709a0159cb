"""The Gibbs sampler against exact averages and a limit that is known."""

import numpy as np
import pytest
from oracles import learning_coefficient as theory
from oracles.linear_posterior import linear_at, most_singular


@pytest.mark.parametrize("sizes", [(2, 1, 3), (3, 2, 2)])
def test_two_layers_have_their_exact_average(sizes):
    """½‖BA‖² about zero at nβ = 50, γ = 1: within 3.5 standard errors, of at most 3 %."""
    found, error = linear_at(
        *(most_singular(sizes, 0), 50.0, 1.0), chains=200, sweeps=400, generator=np.random.default_rng(0)
    )
    exact = theory.reduced_rank_at(*sizes, 50.0, 1.0)
    assert abs(found - exact) < 3.5 * error
    assert error < 0.03 * exact


def test_one_layer_is_a_quadratic():
    """½‖W − C‖² of six weights: 3 nβ/(nβ + γ), whatever C."""
    found, error = linear_at(
        *([np.eye(3)[:2]], 20.0, 5.0), chains=400, sweeps=60, generator=np.random.default_rng(1)
    )
    assert abs(found - 3 * 20 / 25) < 3.5 * error
    assert error < 0.02


def test_a_regular_map_has_its_coefficient_in_the_limit():
    """A net of width (2, 2, 2) at a map of full rank: λ = 2, but for terms of order γ/nβ."""
    found, error = linear_at(
        *(most_singular((2, 2, 2), 2), 1e4, 10.0), chains=100, sweeps=300, generator=np.random.default_rng(2)
    )
    assert abs(found - theory.deep_linear((2, 2, 2), 2).value) < 3.5 * error + 0.02
