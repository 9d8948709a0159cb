"""The SDE of all weights against eqs 14 and 15: a small run, and that the width is told."""

import numpy as np

from sgdiffusion.papers.ziyin2025.tables import weights_table
from sgdiffusion.papers.ziyin2025.theory.phases import critical_temperature
from sgdiffusion.papers.ziyin2025.weights_law import CASES, weights_law


def test_no_case_is_rejected_at_a_small_scale():
    table = weights_table(weights_law(chains=150, duration=12.0, accuracy=0.2, seed=1)["distances"])
    assert len(table) == len(CASES) >= 12
    assert table["p_value"].min() > 1e-3 / len(CASES)
    assert (table["to_width_one"] == table["distance"])[table["depth"] == 1].all()
    deep = table[(table["depth"] > 1) & (table["width"] > 2)]
    assert (deep["to_width_one"] > deep["distance"]).all()


def test_cases_differ_and_lie_below_their_transition():
    assert len(set(CASES)) == len(CASES)
    assert {c.depth for c in CASES} == {1, 2, 3, 4}
    for case in CASES:
        assert case.temperature < critical_temperature(case.constants, case.decay)
        assert np.isfinite(case.constants.delta)
        assert case.constants.delta > 0
