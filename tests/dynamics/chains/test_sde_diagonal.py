"""The compiled integrators against slow ones, exact solutions, and the stationary laws."""

import math
from dataclasses import astuple

import numpy as np
import pytest
from oracles.chain_numbers import normals
from scipy import stats

from sgdiffusion.dynamics.chains.blocks import run_chains
from sgdiffusion.dynamics.chains.diagonal import balanced
from sgdiffusion.dynamics.chains.sde_diagonal import _weights_kernel, run_effective, run_weights
from sgdiffusion.errors import ConfigError
from sgdiffusion.papers.ziyin2025.theory import data_law, laws
from sgdiffusion.papers.ziyin2025.theory.fokker_planck import EffectiveDiffusion

LAW = data_law.gaussian_linear(0.5, 0.3)
CONSTANTS = astuple(LAW)


def slow_terms(model: EffectiveDiffusion, x: float):
    """(drift, noise, noise·noise', rate) of log v (D ≥ 1) or v from A and B, the derivative by
    differences.
    """
    n, c = model.factors, model.constants

    def noise(z):
        v = math.exp(z) if n > 1 else z
        return math.sqrt(2 * float(model.diffusion(v))) / (v if n > 1 else 1)

    v = math.exp(x) if n > 1 else x
    a, b, g = float(model.drift(v)), float(model.diffusion(v)), float(c.noise(v))
    slope = (noise(x + 1e-6) - noise(x - 1e-6)) / 2e-6
    if n > 1:
        drift = a / v - b / v**2
        rate = noise(x) ** 2 * (1 + c.alpha1 * v**2 / g) + abs(drift) * (1 + v / math.sqrt(g / c.alpha1))
        return drift, noise(x), noise(x) * slope, rate + n * float(model.mobility(v)) * c.beta1
    rate = 4 * model.width**2 * model.temperature * c.alpha1 + abs(a) / math.sqrt(g / c.alpha1)
    return a, noise(x), noise(x) * slope, rate + 2 * model.width * c.beta1


def slow_effective(model, v, time, accuracy, scheme, seed):
    """One chain by the schemes' definitions."""
    x, now, draws = (math.log(v) if model.depth else v), 0.0, iter(normals(seed, 1, 20_000)[0])
    while now < time:
        a, b, bb, rate = slow_terms(model, x)
        h = min(accuracy / rate, time - now)
        dw = math.sqrt(h) * next(draws)
        if scheme == "platen":
            later = slow_terms(model, x + a * h + b * dw)[0]
            up = slow_terms(model, x + a * h + b * math.sqrt(h))[1]
            down = slow_terms(model, x + a * h - b * math.sqrt(h))[1]
            x += (a + later) * h / 2 + (up + down + 2 * b) * dw / 4
            x += (up - down) * (dw**2 - h) / (4 * math.sqrt(h))
        else:
            x += a * h + b * dw + (bb * (dw**2 - h) / 2 if scheme == "milstein" else 0)
        now = time if h == time - now else now + h
    return math.exp(x) if model.depth else x


@pytest.mark.parametrize("scheme", ["euler", "milstein", "platen"])
@pytest.mark.parametrize(
    ("depth", "width", "decay", "rate"),
    [(0, 1, 0.1, 0.2), (0, 3, 0.0, 0.1), (1, 1, 0.1, 0.2), (3, 2, 0.0, 0.3)],
)
def test_effective_equals_the_slow_twin(scheme, depth, width, decay, rate):
    model = EffectiveDiffusion(LAW, 0.2, depth, width, decay, rate)
    fast = run_effective(
        [0.4], CONSTANTS, 0.2, [1.5], depth=depth, width=width, decay=decay, learning_rate=rate,
        accuracy=0.05, scheme=scheme, seed=6,
    )  # fmt: skip
    # Differences give noise' to 1e-9; paths of about 100 steps keep 1e-6 of it.
    assert fast.v[0, 0] == pytest.approx(slow_effective(model, 0.4, 1.5, 0.05, scheme, 6), rel=1e-6)


def slow_weights(u, temperature, time, accuracy, decay, seed):
    """One chain of the weights' SDE in vector notation: b = 2√(Tg)∇v, Db·b by differences along b."""
    u, now, draws = u.copy(), 0.0, iter(normals(seed, 1, 20_000)[0])
    n = u.shape[1]

    def gradient(w):
        return np.array([[np.prod(np.delete(w[i], k)) for k in range(n)] for i in range(len(w))])

    def vector(w):
        return 2 * math.sqrt(temperature * float(LAW.noise(np.prod(w, 1).sum()))) * gradient(w)

    while now < time:
        v, kick = np.prod(u, 1).sum(), gradient(u)
        g, slope, total = float(LAW.noise(v)), 2 * (LAW.beta1 * v - LAW.beta2), (kick**2).sum()
        fastest = ((kick**2).sum(1) / (u**2).sum(1)).max() if n > 1 else 0.0
        rate = 4 * temperature * g * (n * fastest + total**2 * LAW.alpha1 / g)
        rate += abs(slope) * (math.sqrt(fastest) + total / math.sqrt(g / LAW.alpha1))
        rate += 2 * LAW.beta1 * total + 2 * decay
        h, xi = min(accuracy / rate, time - now), next(draws)
        move = (2 * math.sqrt(temperature * g * h) * xi - slope * h) * kick - 2 * decay * u * h
        b = vector(u)
        move += (vector(u + 1e-6 * b) - vector(u - 1e-6 * b)) / 2e-6 * h * (xi**2 - 1) / 2
        u, now = u + move, (time if h == time - now else now + h)
    return u


@pytest.mark.parametrize(("depth", "width"), [(0, 1), (1, 1), (1, 2), (2, 2), (3, 1)])
def test_weights_equal_the_slow_twin(depth, width):
    initial = np.random.default_rng(8).normal(0.6, 0.3, size=(1, width, depth + 1))
    fast = run_weights(initial, CONSTANTS, 0.2, [0.8], decay=0.1, accuracy=0.05, seed=6)
    slow = slow_weights(initial[0], 0.2, 0.8, 0.05, 0.1, 6)
    assert fast.weights[0, 0] == pytest.approx(slow, rel=1e-6)


def test_a_path_of_two_weights_has_the_bits_of_the_general_kernel():
    """Any sign, balanced or not, with records between, decay, and chains that escape."""
    initial = np.random.default_rng(9).standard_normal((500, 1, 2))
    initial[:20] = 1e12
    moments = np.array([0.1, 0.5, 0.6])
    for temperature, decay in ((0.05, 0.0), (0.3, 0.02), (3.0, 0.1)):
        given = CONSTANTS, (temperature, decay), 0.05
        general = run_chains(_weights_kernel, initial, moments, given, seed=4, threads=1)
        pair = run_weights(initial, CONSTANTS, temperature, moments, decay=decay, accuracy=0.05, seed=4)
        assert np.array_equal(pair.weights, general[0], equal_nan=True)
        assert (pair.escape_step == general[1]).all()
        assert pair.escaped.tolist() == [True] * 20 + [False] * 480


def test_results_do_not_depend_on_batching_or_threads():
    for run, initial in ((run_effective, np.full(40, 0.5)), (run_weights, balanced(np.full(40, 0.5), 1))):
        whole = run(initial, CONSTANTS, 0.1, [0.5, 1.0], seed=4)
        threaded = run(initial, CONSTANTS, 0.1, [0.5, 1.0], seed=4, threads=3)
        part = run(initial[:20], CONSTANTS, 0.1, [0.5, 1.0], seed=4)
        assert (whole.weights == threaded.weights).all()
        assert (whole.weights[:20] == part.weights).all()


def test_noiseless_limit_is_the_exact_flow():
    """T → 0 at depth 1: dv/dt = −4v(v − k), logistic; Platen's scheme at accuracy 0.01 to 1e-5."""
    k, v0, t = 0.5, 0.05, 2.0
    exact = k / (1 + (k / v0 - 1) * math.exp(-4 * k * t))
    path = run_effective([v0], CONSTANTS, 1e-14, [t], accuracy=0.01)
    assert path.v[0, 0] == pytest.approx(exact, rel=1e-5)
    weights = run_weights(balanced([v0], 1), CONSTANTS, 1e-14, [t], accuracy=0.001)
    assert weights.v[0, 0] == pytest.approx(exact, rel=2e-3)


def test_moments_over_time_at_depth_zero():
    """dE[v]/dt and dE[v²]/dt are linear: 40,000 chains (seed 12) against their solution, four standard
    errors.
    """
    temperature, times = 0.1, [0.25, 1.0]
    v = run_effective(np.full(40_000, 2.0), CONSTANTS, temperature, times, depth=0, accuracy=0.05, seed=12).v
    mean, square, h = 2.0, 4.0, 1e-5
    for step in range(100_000):
        if step in (25_000,):
            assert abs(v[:, 0].mean() - mean) < 4 * v[:, 0].std() / 200
            assert abs((v[:, 0] ** 2).mean() - square) < 4 * (v[:, 0] ** 2).std() / 200
        g = LAW.alpha1 * square - 2 * LAW.alpha2 * mean + LAW.alpha3
        square += h * (-4 * (LAW.beta1 * square - LAW.beta2 * mean) + 4 * temperature * g)
        mean += h * -2 * (LAW.beta1 * mean - LAW.beta2)
    assert abs(v[:, 1].mean() - mean) < 4 * v[:, 1].std() / 200
    assert abs((v[:, 1] ** 2).mean() - square) < 4 * (v[:, 1] ** 2).std() / 200


@pytest.mark.parametrize(("depth", "temperature"), [(0, 0.5), (1, 0.05), (1, 0.3), (3, 0.2)])
def test_stationary_laws_are_reached(depth, temperature):
    """20,000 independent chains (seed 21) for 20 time units: KS not rejected at 1 %, at accuracy 0.1."""
    law = laws.deep(LAW, temperature, depth)
    v = run_effective(np.full(20_000, 0.5), CONSTANTS, temperature, [20.0], depth=depth, seed=21).v[:, 0]
    assert stats.kstest(v, law.cdf).pvalue > 0.01


def test_convergence_in_step_size():
    """Depth 1, T = 0.05: the variance of log v at time 3 by each scheme, against Platen's at a tenth of
    the step.

    200,000 chains (seed 22) give the variance to 0.3 %; the bias of Euler and Milstein at accuracy 0.2 is
    10 %, half of it at 0.1; Platen's is below 1 % already at 0.2. Bounds are those with three standard
    errors added.
    """

    def variance(scheme, accuracy):
        v = run_effective(
            np.full(200_000, 0.5), CONSTANTS, 0.05, [3.0], accuracy=accuracy, scheme=scheme, seed=22
        )
        return float(np.log(v.v[:, 0]).var())

    reference = variance("platen", 0.05)
    for scheme in ("euler", "milstein"):
        coarse, fine = (variance(scheme, a) / reference - 1 for a in (0.2, 0.1))
        assert coarse > 0.04
        assert fine / coarse == pytest.approx(0.5, abs=0.25)
    assert abs(variance("platen", 0.2) / reference - 1) < 0.02


def test_weights_and_effective_law_agree():
    """The same law from both levels: two-sample KS of 5,000 chains at T = 0.1, D = 1, d = 1 (seed 31)."""
    weights = run_weights(balanced(np.full(5000, 0.5), 1), CONSTANTS, 0.1, [5.0], accuracy=0.02, seed=31)
    law = laws.depth_one(LAW, 0.1)
    assert stats.kstest(weights.v[:, 0], law.cdf).pvalue > 0.01
    u, w = weights.weights[:, 0, 0, 0], weights.weights[:, 0, 0, 1]
    assert u**2 - w**2 == pytest.approx(np.zeros(5000), abs=1e-9)


def test_escape_is_flagged():
    """The adapted steps hold every chain; one that starts beyond the limit is flagged and is NaN, alone."""
    far = run_effective([1e14, 0.5], CONSTANTS, 0.1, [0.1], depth=0)
    assert far.escaped.tolist() == [True, False]
    assert np.isnan(far.v[0]).all()
    assert np.isfinite(far.v[1]).all()
    weights = run_weights(np.array([[[1e8, 1e13]], [[0.5, 0.5]]]), CONSTANTS, 0.1, [0.1])
    assert weights.escaped.tolist() == [True, False]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature": 0.0}, "T > 0"),
        ({"accuracy": 0.0}, "accuracy"),
        ({"decay": -1.0}, "decay"),
        ({"times": [2.0, 1.0]}, "increase"),
        ({"times": []}, "increase"),
        ({"initial": [-0.5]}, "positive v"),
    ],
)
def test_bad_input_is_named(changes, message):
    arguments = {"initial": [0.5], "constants": CONSTANTS, "temperature": 0.1, "times": [1.0]} | changes
    with pytest.raises(ConfigError, match=message):
        run_effective(**arguments)
