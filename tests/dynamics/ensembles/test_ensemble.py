"""Batched training against a loop of eager torch nets and optimisers, in double precision."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.nn.utils import parameters_to_vector

from sgdiffusion import networks
from sgdiffusion.dynamics.ensembles import ensemble
from sgdiffusion.dynamics.ensembles.batched import stack
from sgdiffusion.dynamics.ensembles.batched_mlp import batched
from sgdiffusion.dynamics.ensembles.ensemble import log_steps, train
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.errors import ConfigError, TrainingError

RATES, SIZES, SEEDS = [0.05, 0.1, 0.2], [7, 4, 7], [21, 22, 23]


def problem(batch_norm=True):
    g = torch.Generator().manual_seed(5)
    nets = [
        networks.build("mlp", in_shape=(4,), classes=3, generator=g, width=5, batch_norm=batch_norm).double()
        for _ in RATES
    ]
    x = torch.randn(30, 4, generator=g, dtype=torch.float64)
    return nets, Examples(x, torch.randint(3, (30,), generator=g))


def order(seed, size, examples, steps, sampling):
    """The examples of each step, as documented: epochs of ⌊n/b⌋ whole batches."""
    rng = np.random.default_rng(seed)
    if sampling == "replacement":
        return rng.integers(examples, size=(steps, size)) if steps <= 32 else None
    epochs = [rng.permutation(examples)[: examples - examples % size].reshape(-1, size) for _ in range(steps)]
    return np.concatenate(epochs)[:steps]


def eager(net, data, make_optimiser, rate, batches):
    optimiser = make_optimiser(net.parameters(), lr=rate)
    start = parameters_to_vector(net.parameters()).detach().clone()
    reach, losses = [], []
    for chosen in batches:
        optimiser.zero_grad()
        loss = F.cross_entropy(net(data.x[chosen]), data.y[chosen])
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        reach.append(float((parameters_to_vector(net.parameters()).detach() - start).norm()))
    return reach, losses, parameters_to_vector(net.parameters()).detach()


OPTIMISERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}


@pytest.mark.parametrize("sampling", ["reshuffle", "replacement"])
@pytest.mark.parametrize(("optimiser", "make"), OPTIMISERS.items())
def test_against_a_loop_of_eager_nets(optimiser, make, sampling):
    """Different rates, batch sizes and seeds in one batch; 25 steps over four epochs and more."""
    # a bias before batch-norm has no gradient but rounding, which Adam divides by its own size
    nets, data = problem(batch_norm=optimiser == "sgd")
    starts, steps = stack(nets), 25
    moments = np.arange(1, steps + 1)
    found = train(
        batched(nets[0], statistics="batch"),
        data,
        starts,
        optimiser,
        steps=steps,
        rates=RATES,
        batch_sizes=SIZES,
        seeds=SEEDS,
        sampling=sampling,
        record=moments,
        keep=[0, 10, steps],
    )
    for i, net in enumerate(nets):
        batches = order(SEEDS[i], SIZES[i], 30, steps if sampling == "reshuffle" else 32, sampling)[:steps]
        reach, losses, final = eager(net, data, make, RATES[i], batches)
        torch.testing.assert_close(found.theta[i], final, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(found.displacements[i], reach, rtol=1e-8)
        np.testing.assert_allclose(found.losses[i], losses, rtol=1e-8)
    assert torch.equal(found.kept[:, 0], starts)
    assert torch.equal(found.kept[:, 2], found.theta)
    assert found.kept_steps.tolist() == [0, 10, 25]
    np.testing.assert_allclose((found.kept[:, 1] - starts).norm(dim=1), found.displacements[:, 9])


@pytest.mark.parametrize("chunk", [1, 2])
def test_a_net_does_not_depend_on_those_beside_it(chunk):
    nets, data = problem(batch_norm=False)
    given = {"steps": 70, "rates": RATES, "batch_sizes": SIZES, "seeds": SEEDS}
    whole = train(batched(nets[0], statistics="batch"), data, stack(nets), "adam", **given)
    seen = []
    parts = train(
        batched(nets[0], statistics="batch"),
        data,
        stack(nets),
        "adam",
        **given,
        chunk=chunk,
        progress=lambda *a: seen.append(a),
    )
    torch.testing.assert_close(parts.theta, whole.theta, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(parts.displacements, whole.displacements, rtol=1e-10)
    assert seen[-1] == (210, 210)
    assert whole.kept.shape == (3, 0, stack(nets).shape[1])
    assert whole.steps[-1] == 70


def test_log_steps():
    steps = log_steps(1000, per_decade=5)
    assert steps[0] == 1
    assert steps[-1] == 1000
    assert (np.diff(steps) > 0).all()
    ratios = steps[8:] / steps[7:-1]
    assert ratios.max() / ratios.min() < 1.2  # rounding to whole steps
    assert log_steps(1).tolist() == [1]


def test_diverging_nets_are_marked_and_a_total_loss_is_an_error():
    nets, data = problem(batch_norm=False)
    given = {"steps": 40, "batch_sizes": SIZES, "seeds": SEEDS}
    one = train(batched(nets[0]), data, stack(nets), "sgd", rates=[0.1, 1e30, 0.1], **given)
    assert one.diverged.tolist() == [False, True, False]
    assert np.isfinite(one.losses[[0, 2]]).all()
    ensemble.refuse_total_loss(one, "test")
    everything = train(batched(nets[0]), data, stack(nets), "sgd", rates=[1e30] * 3, **given)
    with pytest.raises(TrainingError, match=r"all 3 nets of test diverged, .* at step \d+: lower"):
        ensemble.refuse_total_loss(everything, "test")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rates": [0.1]}, "as many of each, found {'rates': 1}"),
        ({"batch_sizes": [7, 4, 31]}, "1 to 30"),
        ({"keep": [41]}, "between 0 and 40"),
        ({"steps": 0}, "between 0 and 0"),
    ],
)
def test_errors(wrong, message):
    nets, data = problem()
    given = {"steps": 40, "rates": RATES, "batch_sizes": SIZES, "seeds": SEEDS} | wrong
    with pytest.raises(ConfigError, match=message):
        train(batched(nets[0], statistics="batch"), data, stack(nets), "sgd", **given)


def test_an_unknown_optimiser_is_named():
    nets, data = problem()
    given = {"steps": 40, "rates": RATES, "batch_sizes": SIZES, "seeds": SEEDS}
    with pytest.raises(ConfigError, match="'sgd' or 'adam', not 'sdg'"):
        train(batched(nets[0], statistics="batch"), data, stack(nets), "sdg", **given)
