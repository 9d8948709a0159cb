"""Closed forms of the learning coefficient, against each other, known cases and brute-force averages."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from oracles import learning_coefficient as theory
from scipy.integrate import dblquad

from sgdiffusion.errors import MeasureError

SIZES = list(itertools.product(range(1, 7), repeat=3))


def test_deep_linear_of_two_layers_is_reduced_rank():
    """Two published theorems with different case distinctions: all 657 sizes up to 6."""
    for inputs, hidden, outputs in SIZES:
        for rank in range(min(inputs, hidden, outputs) + 1):
            sizes = (inputs, hidden, outputs)
            assert theory.deep_linear(sizes, rank) == theory.reduced_rank(*sizes, rank), (sizes, rank)


def test_full_rank_is_half_the_dimension_of_the_image():
    """Maps of rank r form a manifold of dimension r(M + N − r): a regular model of that dimension."""
    for m, h, n in SIZES:
        if h <= min(m, n):
            assert theory.reduced_rank(m, h, n, h).value == h * (m + n - h) / 2


def test_depth_of_single_units():
    """Π w_i of L factors: a normal crossing of L variables, λ = 1/2, m = L."""
    for layers in range(1, 6):
        expected = theory.normal_crossing([1] * layers)
        assert theory.deep_linear([1] * (layers + 1), 0) == expected == (0.5, layers)


def test_one_layer_is_linear_regression():
    assert theory.deep_linear((3, 4), 2) == (6.0, 1)


def test_order_of_hidden_layers_does_not_matter_and_width_saturates():
    assert theory.deep_linear((4, 2, 5, 3), 1) == theory.deep_linear((4, 5, 2, 3), 1)
    assert theory.deep_linear((2, 50, 50, 2), 1) == theory.deep_linear((2, 60, 70, 2), 1)


def test_normal_crossing():
    assert theory.normal_crossing([1, 1]) == (0.5, 2)
    assert theory.normal_crossing([1, 3, 2, 3]) == (1 / 6, 2)
    with pytest.raises(MeasureError, match="positive exponents"):
        theory.normal_crossing([])


def test_quadratic_at():
    assert theory.quadratic_at([2.0, 5.0, 0.0], 1e12, 1.0) == pytest.approx(1.0, rel=1e-9)
    assert theory.quadratic_at([2.0, 0.0], 3.0, 0.0) == 0.5
    stiffness = 3 * 2.0 + 1
    expected = 0.5 * 6 / (stiffness * (1 - 0.1 * stiffness / 4))
    assert theory.quadratic_at([2.0], 3.0, 1.0, step_size=0.1) == pytest.approx(expected)
    with pytest.raises(MeasureError, match="below 4/"):
        theory.quadratic_at([2.0], 3.0, 1.0, step_size=0.6)


@pytest.mark.parametrize(("n_beta", "localisation"), [(1.0, 1.0), (30.0, 0.5)])
def test_crossing_at_against_the_plain_integral(n_beta, localisation):
    def weight(v, u):
        return math.exp(-n_beta * u * u * v * v - localisation * (u * u + v * v) / 2)

    end = 9 / math.sqrt(localisation)
    total = dblquad(weight, 0, end, 0, end, epsabs=1e-10)[0]
    energy = dblquad(lambda v, u: n_beta * u * u * v * v * weight(v, u), 0, end, 0, end, epsabs=1e-10)[0]
    assert theory.crossing_at(n_beta, localisation) == pytest.approx(energy / total, rel=1e-5)


def test_reduced_rank_at_against_importance_sampling():
    """B from its Gaussian prior (seed 0), A integrated exactly; 2·10⁵ draws, tolerance 4 standard errors."""
    inputs, hidden, outputs, n_beta = 3, 2, 4, 5.0
    b = np.random.default_rng(0).standard_normal((200_000, outputs, hidden))
    square = np.linalg.svd(b, compute_uv=False) ** 2
    weight = np.prod((n_beta * square + 1) ** (-inputs / 2), axis=1)
    energy = inputs / 2 * (n_beta * square / (n_beta * square + 1)).sum(axis=1)
    mean = (weight * energy).sum() / weight.sum()
    error = math.sqrt((weight**2 * (energy - mean) ** 2).sum()) / weight.sum()
    assert abs(theory.reduced_rank_at(inputs, hidden, outputs, n_beta, 1.0) - mean) < 4 * error


@pytest.mark.parametrize("sizes", [(2, 2, 2), (3, 2, 2), (5, 1, 1), (3, 2, 4), (1, 3, 1)])
def test_finite_temperature_tends_to_the_closed_form(sizes):
    coefficient = theory.reduced_rank(*sizes, 0)
    gaps = [coefficient.value - theory.reduced_rank_at(*sizes, n, 1.0) for n in (1e4, 1e8, 1e16)]
    assert gaps[0] > gaps[1] > gaps[2] > -1e-6
    if coefficient.multiplicity == 1:
        assert gaps[2] < 1e-6
    else:  # (m − 1)/ln nβ, up to a constant beside the logarithm
        assert gaps[2] == pytest.approx(1 / math.log(1e16), rel=0.25)


def test_errors():
    with pytest.raises(MeasureError, match="0 ≤ rank ≤ the smallest"):
        theory.reduced_rank(3, 2, 3, 3)
    with pytest.raises(MeasureError, match="at least one unit"):
        theory.deep_linear((3, 0, 2), 0)
    with pytest.raises(MeasureError, match="positive localisation"):
        theory.reduced_rank_at(3, 3, 3, 10.0, 1.0)


@pytest.mark.parametrize("sizes", [(4, 4, 2), (3, 2, 2), (5, 2, 3), (3, 2, 4), (1, 1, 1)])
def test_temperature_allowance_on_exact_averages(sizes):
    """From the exact E[nβK] at nβ = 10³ and 10² to λ: what is missing is held, up to a tenth of it."""
    exact = theory.reduced_rank(*sizes, 0).value
    values = [theory.reduced_rank_at(*sizes, n, 1.0) for n in (1e3, 1e2)]
    cold, hot = (pd.DataFrame({"llc": [v], "low": [v], "high": [v], "chains": [4]}) for v in values)
    found = theory.with_temperature_allowance(cold, hot, 10).iloc[0]
    missing = exact - values[0]
    # 1/ln(10³) = 0.145 if m = 2 could not be excluded
    assert 0.9 * missing < found.allowance < missing + 0.13
    assert found.high == values[0] + found.allowance
    assert theory.with_temperature_allowance(hot, cold, 10).allowance.iloc[0] == 0
    with pytest.raises(MeasureError, match="ratio above 1"):
        theory.with_temperature_allowance(cold, hot, 1.0)
