"""Corrections for many tests."""

import numpy as np

from sgdiffusion.measures.statistics.multiple import holm


def test_holm_by_hand():
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.03, 0.5])), [0.09, 0.04, 0.09, 0.5])
    assert len(holm([])) == 0


def test_holm_is_the_stepwise_correction():
    """From the smallest p-value on, each against level/(number of those not yet rejected)."""
    assert (holm([0.001, 0.2, 0.004, 0.0049]) <= 0.01).tolist() == [True, False, False, False]
    assert (holm([0.001, 0.2, 0.003, 0.0049]) <= 0.01).tolist() == [True, False, True, True]
