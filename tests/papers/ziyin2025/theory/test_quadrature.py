import math

import numpy as np
import pytest
from scipy import stats

from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.ziyin2025.theory.quadrature import find_mode, integrate


@pytest.mark.parametrize("width", [1e-4, 1.0, 1e3])
def test_gaussians_of_any_width(width):
    panels = integrate(lambda t: -0.5 * ((t - 2.0) / width) ** 2, [2.0])
    assert panels.log_integral == pytest.approx(math.log(width * math.sqrt(2 * math.pi)), abs=1e-11)
    t = 2.0 + width * np.array([-6.0, -1.0, 0.0, 0.3, 8.0])
    assert panels.below(t) == pytest.approx(stats.norm.cdf(t, 2.0, width), abs=1e-12)
    assert panels.above(t) == pytest.approx(stats.norm.sf(t, 2.0, width), rel=1e-9)


@pytest.mark.parametrize("slope", [1e-7, 1e-3, 1.0])
def test_slow_exponential_ends(slope):
    """exp(slope·t) to the left, as just below a transition: ∫ exp(slope t − eᵗ) dt = Γ(slope)."""
    panels = integrate(lambda t: slope * t - np.exp(np.minimum(t, 700)), [0.0])
    assert panels.log_integral == pytest.approx(math.lgamma(slope), rel=1e-11)


def test_hint_far_from_the_mode():
    assert find_mode(lambda t: -(np.abs(t - 37.25) ** 3), [0.0]) == pytest.approx(37.25, abs=1e-6)


def test_two_peaks():
    panels = integrate(
        lambda t: np.logaddexp(stats.norm.logpdf(t, 0, 0.01), stats.norm.logpdf(t, 5, 0.3)), [0, 5]
    )
    assert panels.log_integral == pytest.approx(math.log(2), abs=1e-11)


def test_what_cannot_be_normalised():
    with pytest.raises(MeasureError, match="right end"):
        integrate(lambda t: -np.maximum(-t, 0.0), [0.0])
    with pytest.raises(MeasureError, match="left end"):
        integrate(lambda t: -np.maximum(t, 0.0), [0.0])
    with pytest.raises(MeasureError, match="finite maximum"):
        integrate(lambda t: np.full_like(t, -np.inf), [0.0])
    with pytest.raises(MeasureError, match="too singular"):
        integrate(lambda t: -(t**2) + 3 * np.sin(1e7 * t), [0.0])
