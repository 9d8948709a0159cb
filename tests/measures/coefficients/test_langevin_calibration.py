"""Calibrated steps against curvature and noise that are known."""

import pytest
import torch
from oracles.potential import Potential

from sgdiffusion.dynamics.chains.sgld import Sgld
from sgdiffusion.dynamics.ensembles.batched import Batched
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.errors import ConfigError, MeasureError
from sgdiffusion.measures.coefficients.langevin_calibration import calibrate

EMPTY = Examples(torch.zeros(1, 1, dtype=torch.float64), torch.zeros(1, 1))
CURVATURES = torch.tensor([4.0, 1.0, 0.0], dtype=torch.float64)
QUADRATIC = Potential(lambda w: 0.5 * (CURVATURES * w * w).sum(1), 3)
ORIGIN = torch.zeros(2, 3, dtype=torch.float64)


def test_step_of_a_quadratic_keeps_its_share():
    """ε h/4 = share with h = nβ a_max + γ; the power iteration is exact to (1/4)^12."""
    found = calibrate(QUADRATIC, EMPTY, ORIGIN, Sgld(1.0, 50.0, 2.0, 10, burn_in=50), share=0.05)
    expected = 4 * 0.05 / (50 * 4 + 2)
    torch.testing.assert_close(found.step_sizes, torch.full((2,), expected).double(), rtol=1e-6, atol=0)
    assert found.table["round"].tolist() == [r for r in range(6) for _ in range(4)]
    assert not found.table["diverged"].any()
    assert set(found.table.attrs["columns"]) == set(found.table.columns)
    # five times twenty steps of each pilot
    torch.testing.assert_close(found.elapsed, torch.full((4,), 100 * expected).double(), rtol=1e-6, atol=0)
    assert found.ends.shape == (4, 3)
    assert not torch.equal(found.ends[0], found.ends[1])


def test_power_iterations_that_go_on_find_the_same():
    """Curvatures 1 and 0.8. Begun anew with equal parts along both, the fourth iteration gives ‖Hv‖ of a v
    whose part along the second is 0.8³ of that along the first: 0.962. The mixture is no worse."""
    close = torch.tensor([1.0, 0.8, 0.0], dtype=torch.float64)
    net = Potential(lambda w: 0.5 * (close * w * w).sum(1), 3)
    found = calibrate(net, EMPTY, ORIGIN, Sgld(1.0, 50.0, 2.0, 10, burn_in=50), refine=4).table
    assert len(found) == 4 * 6
    assert found["curvature"].between(0.962, 1 + 1e-6).all()
    assert found[found["round"] == 0]["curvature"].to_numpy() == pytest.approx(1, abs=1e-2)


def test_upper_bound():
    bounded = calibrate(QUADRATIC, EMPTY, ORIGIN, Sgld(1e-5, 50.0, 2.0, 10), share=0.05)
    assert bounded.step_sizes.tolist() == [1e-5, 1e-5]


def test_stiffness_away_from_the_point_is_found():
    """w₁²w₂² is flat at the origin, where any step is allowed; chains go where nβ·2w² is large."""
    net = Potential(lambda w: (w[:, 0] * w[:, 1]).square(), 2)
    start = torch.zeros(8, 2, dtype=torch.float64)
    found = calibrate(net, EMPTY, start, Sgld(1.0, 1e4, 1.0, 10, burn_in=2000), share=0.1)
    first = found.table[found.table["round"] == 0]
    assert (first["curvature"] < 1e-6).all()
    assert found.table["diverged"].any()
    # within a standard deviation or so of the localisation: h = 2·10⁴ w² for w between 0.2 and 3
    assert 4 * 0.1 / 1.8e5 < float(found.step_sizes.min()) <= float(found.step_sizes.max()) < 4 * 0.1 / 800


class NoisyLine(Batched):
    """Slope of L_B along w₀ is the mean of the batch's x: its variance over batches is var(x)/b."""

    weights = 2

    def outputs(self, theta, x):
        raise NotImplementedError

    def losses(self, theta, x, y, shares=None):
        return 0.5 * theta[:, 0] ** 2

    def gradients(self, theta, x, y, shares=None):
        slope = theta[:, 0] + x.mean(1)[:, 0]
        return self.losses(theta, x, y), torch.stack([slope, torch.zeros_like(slope)], 1)


def test_gradient_noise_bounds_the_step():
    """ε ≤ 4 share b/(nβ² var x): 16 batches give the variance to 35 % (one standard error)."""
    g = torch.Generator().manual_seed(0)
    x = 3 * torch.randn(4000, 1, generator=g, dtype=torch.float64)
    start = torch.zeros(1, 2, dtype=torch.float64)
    sgld = Sgld(1.0, 200.0, 1.0, 10, batch_size=10)
    found = calibrate(NoisyLine(), Examples(x, x[:, 0]), start, sgld, share=0.05, rounds=0)
    expected = 4 * 0.05 / (200**2 * 9 / 10)
    assert expected / 2.5 < float(found.step_sizes[0]) < expected * 2.5
    assert float(found.table["noise_step"].iloc[0]) < float(found.table["discretisation_step"].iloc[0])


def test_errors():
    with pytest.raises(ConfigError, match="between 0 and 1"):
        calibrate(QUADRATIC, EMPTY, ORIGIN, Sgld(1.0, 50.0, 2.0, 10), share=1.0)
    with pytest.raises(ConfigError, match="pilots and examples ≥ 1 and rounds ≥ 0, found 0, 1024, 5"):
        calibrate(QUADRATIC, EMPTY, ORIGIN, Sgld(1.0, 50.0, 2.0, 10), pilots=0)
    broken = Potential(lambda w: torch.where(w.abs().sum(1) > 0, torch.nan, 0.0) * w.sum(1), 3)
    with pytest.raises(MeasureError, match="localise more strongly"):
        calibrate(broken, EMPTY, ORIGIN, Sgld(1.0, 50.0, 2.0, 10))
