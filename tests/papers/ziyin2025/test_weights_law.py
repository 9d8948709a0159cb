"""The SDE of all weights against eqs 14 and 15: a small run; the laws by quadrature; the width is told."""

import numpy as np
import pytest
from scipy.integrate import cumulative_trapezoid

from sgdiffusion.papers.ziyin2025.tables import weights_table
from sgdiffusion.papers.ziyin2025.theory.phases import critical_temperature
from sgdiffusion.papers.ziyin2025.weights_law import CASES, Case, law_of, weights_law


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


def quadrature(case: Case, at: np.ndarray) -> np.ndarray:
    """P(v < at) from drift and diffusion of v on balanced equal subnetworks, by trapezoids in log v.

    dv = [−2nm(β₁v − β₂) − 2γnv + 2Tn(n−1)gm²/v] dt + 2nm√(Tg) dW, n = D + 1, m = d(v/d)^{2−2/n}; p goes as
    exp(∫A/B)/B with B half the square of the noise.
    """
    c, t, n, d = case.constants, case.temperature, case.depth + 1, case.width

    def ratio(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        g = c.alpha1 * v**2 - 2 * c.alpha2 * v + c.alpha3
        m = d * (v / d) ** (2 - 2 / n)
        pull = -2 * n * m * (c.beta1 * v - c.beta2) - 2 * case.decay * n * v
        spread = 2 * n**2 * m**2 * t * g
        return (pull + 2 * t * n * (n - 1) * g * m**2 / v) / spread, spread

    x = np.log(c.beta2 / c.beta1) + np.linspace(-40, 25, 400_001)
    drift, spread = ratio(np.exp(x))
    middle = int(np.searchsorted(x, np.log(c.beta2 / c.beta1)))
    # outward from the minimiser: inward the sum would lose all digits where p vanishes at v → 0
    up = cumulative_trapezoid(drift[middle:] * np.exp(x[middle:]), x[middle:], initial=0)
    down = cumulative_trapezoid((drift * np.exp(x))[middle::-1], x[middle::-1], initial=0)[::-1]
    mass = np.exp(np.concatenate([down[:-1], up]) - np.log(spread) + x)
    below = cumulative_trapezoid(mass, x, initial=0)
    return np.interp(np.log(at), x, below / below[-1])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_law_of_every_case_by_quadrature_of_its_own_diffusion(case):
    law = law_of(case)
    at = np.asarray(law.quantile(np.array([0.05, 0.3, 0.5, 0.8, 0.99])))
    assert quadrature(case, at) == pytest.approx([0.05, 0.3, 0.5, 0.8, 0.99], abs=1e-6)


def test_the_quadrature_tells_widths_and_decays():
    """A tenth of the decay or another width moves it by far more than it is compared to."""
    for case in (CASES[7], CASES[4]):
        other = case._replace(width=case.width + 1) if case.depth > 1 else case._replace(decay=0.09)
        at = np.asarray(law_of(case).quantile(np.array([0.5])))
        assert abs(quadrature(other, at)[0] - 0.5) > 1e-3
