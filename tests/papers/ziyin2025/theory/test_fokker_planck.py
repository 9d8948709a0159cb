"""The effective diffusion against Itô's formula applied, symbolically, to SGD on the weights."""

import numpy as np
import pytest
import sympy as sp

from sgdiffusion.papers.ziyin2025.theory import data_law, laws
from sgdiffusion.papers.ziyin2025.theory.fokker_planck import EffectiveDiffusion, relative_current

A1, A2, A3, B1, B2, T, GAMMA, ETA, V = sp.symbols("a1 a2 a3 b1 b2 T gamma eta V", positive=True)


def _weights_ito(depth: int, width: int) -> tuple[sp.Expr, sp.Expr, list]:
    """Drift and squared noise of v = Σ_i Π_k u_ik under SGD's SDE, from the weights' own equations."""
    u = [[sp.Symbol(f"u{i}{k}", positive=True) for k in range(depth + 1)] for i in range(width)]
    flat = [symbol for path in u for symbol in path]
    v = sum(sp.prod(path) for path in u)
    slope = 2 * (B1 * v - B2)
    noise = 4 * (A1 * v**2 - 2 * A2 * v + A3)
    # Noise-free loss, by its derivative; the second-order term is (η/4)|∇L|².
    gradient = [slope * sp.diff(v, s) for s in flat]
    penalty = ETA / 4 * sum(g**2 for g in gradient)
    drift = [-g - 2 * GAMMA * s - sp.diff(penalty, s) for g, s in zip(gradient, flat, strict=True)]
    kick = [sp.diff(v, s) for s in flat]  # times √(T·noise) dW, one W
    ito = sum(drift[a] * kick[a] for a in range(len(flat)))
    ito += (
        T
        * noise
        / 2
        * sum(
            sp.diff(v, flat[a], flat[b]) * kick[a] * kick[b]
            for a in range(len(flat))
            for b in range(len(flat))
        )
    )
    squared = T * noise * sum(k**2 for k in kick) ** 2
    balanced = {s: (V / width) ** sp.Rational(1, depth + 1) for s in flat}
    return ito.subs(balanced), squared.subs(balanced), flat


@pytest.mark.parametrize(("depth", "width"), [(0, 1), (0, 3), (1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2)])
@pytest.mark.parametrize(("decay", "rate"), [(0.0, 0.0), (0.2, 0.0), (0.0, 0.3)])
def test_drift_and_diffusion_follow_from_the_weights(depth, width, decay, rate):
    c = data_law.gaussian_linear(0.8, 0.6)
    drift, squared, _ = _weights_ito(depth, width)
    numbers = {
        A1: c.alpha1, A2: c.alpha2, A3: c.alpha3, B1: c.beta1, B2: c.beta2, T: 0.13, GAMMA: decay, ETA: rate
    }  # fmt: skip
    model = EffectiveDiffusion(c, 0.13, depth, width, decay, rate)
    for v in (0.05, 0.8, 2.5):
        values = {**numbers, V: v}
        assert float(model.drift(v)) == pytest.approx(float(drift.subs(values)), rel=1e-10)
        assert float(model.diffusion(v)) == pytest.approx(float(squared.subs(values)) / 2, rel=1e-10)


def _printed_laws() -> dict[str, tuple[sp.Expr, int]]:
    g, root = A1 * V**2 - 2 * A2 * V + A3, sp.sqrt(A1 * A3 - A2**2)
    angle = sp.atan((A1 * V - A2) / root)
    eq12 = g ** (-1 - B1 / (2 * T * A1)) * sp.exp(-(A2 * B1 - A1 * B2) / (T * A1 * root) * angle)
    eq15 = (
        V ** (B2 / (2 * A3 * T) - sp.Rational(3, 2))
        * g ** (-1 - B2 / (4 * T * A3))
        * sp.exp(-(A3 * B1 - A2 * B2) / (2 * T * A3 * root) * angle)
    )
    return {"eq. 12": (eq12, 0), "eq. 15": (eq15, 1)}


@pytest.mark.parametrize("name", ["eq. 12", "eq. 15"])
def test_printed_laws_have_no_current_symbolically(name):
    """A p − (B p)' = 0 identically in all constants, for the printed eqs 12 and 15."""
    density, depth = _printed_laws()[name]
    drift, squared, _ = _weights_ito(depth, 1)
    drift = drift.subs({GAMMA: 0, ETA: 0})
    log_current = drift - sp.diff(squared, V) / 2 - squared / 2 * sp.diff(sp.log(density), V)
    assert sp.simplify(sp.expand_log(log_current, force=True)) == 0


def test_printed_eq_14_has_no_current_symbolically():
    """Its exponent enters by its integrand, so the printed lower limit (a finding) plays no part."""
    for depth, width in ((2, 1), (2, 2), (3, 2)):
        n = depth + 1
        g = A1 * V**2 - 2 * A2 * V + A3
        power = sp.Rational(2 * depth, n)
        score = -3 * (1 - sp.Rational(1, n)) / V - sp.diff(g, V) / g
        score -= sp.Integer(width) ** (1 - sp.Rational(2, n)) * (B1 * V - B2) / (T * n * V**power * g)
        drift, squared, _ = _weights_ito(depth, width)
        drift = drift.subs({GAMMA: 0, ETA: 0})
        assert sp.simplify(drift - sp.diff(squared, V) / 2 - squared / 2 * score) == 0


def test_a_wrong_density_has_a_current():
    """The measure can fail: a law at another temperature, and one of another depth."""
    c = data_law.gaussian_linear(1.0, 0.5)
    law = laws.depth_one(c, 0.1)
    v = law.quantile(np.linspace(0.1, 0.9, 9))
    assert relative_current(law, EffectiveDiffusion(c, 0.1), v).max() < 1e-8
    assert relative_current(law, EffectiveDiffusion(c, 0.101), v).max() > 1e-3
    assert relative_current(law, EffectiveDiffusion(c, 0.1, depth=2), v).max() > 1e-2
