"""Langevin chains against a slow eager twin, exact stationary laws, and what happens when they blow up."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from oracles.learning_coefficient import quadratic_at
from oracles.potential import Potential
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from sgdiffusion import networks
from sgdiffusion.dynamics.chains.sgld import Sgld, chain_seeds, interleave, sample
from sgdiffusion.dynamics.ensembles.batched import stack
from sgdiffusion.dynamics.ensembles.batched_mlp import batched
from sgdiffusion.dynamics.examples import Examples, gather
from sgdiffusion.errors import ConfigError

EMPTY = Examples(torch.zeros(1, 1, dtype=torch.float64), torch.zeros(1, 1))


def problem(chains=3):
    g = torch.Generator().manual_seed(5)
    nets = [
        networks.build("mlp", in_shape=(4,), classes=3, generator=g, width=5, batch_norm=False).double()
        for _ in range(chains)
    ]
    x = torch.randn(30, 4, generator=g, dtype=torch.float64)
    return nets, Examples(x, torch.randint(3, (30,), generator=g))


def twin(net, data, sgld, seed, centre, epsilon, examples_seed=None):
    """One chain, the obvious way, on the random numbers that the stream documents."""
    noise = torch.Generator().manual_seed(seed)
    word = int(np.random.SeedSequence(examples_seed or seed).generate_state(1, np.uint64)[0] >> 1)
    choice = torch.Generator().manual_seed(word)
    d = len(centre)
    block = max(1, (1 << 13) // d)
    normals = torch.cat(
        [torch.empty(block, d, dtype=torch.float64).normal_(generator=noise) for _ in range(3)]
    )
    batch = sgld.batch_size
    rows = (1 << 13) // batch
    indices = torch.randint(len(data), (rows, batch), generator=choice)
    losses = []
    for t in range(sgld.steps):
        loss = F.cross_entropy(net(data.x[indices[t]]), data.y[indices[t]])
        slope = parameters_to_vector(torch.autograd.grad(loss, list(net.parameters())))
        w = parameters_to_vector(net.parameters()).detach()
        xi = normals[t] if sgld.integrator == "euler" else (normals[t] + normals[t + 1]) / 2
        drift = sgld.n_beta * slope + sgld.localisation * (w - centre)
        w = w - epsilon / 2 * drift + torch.sqrt(epsilon) * xi
        losses.append(float(loss.detach()))
        vector_to_parameters(w, net.parameters())
    return losses[sgld.burn_in :: sgld.every][: sgld.draws], w


@pytest.mark.parametrize("integrator", ["euler", "averaged"])
@pytest.mark.parametrize("chunk", [None, 1, 2])
def test_chains_against_the_eager_twin(integrator, chunk):
    """Own centres and step sizes; the result does not depend on the chains beside it."""
    nets, data = problem()
    theta = stack(nets)
    g = torch.Generator().manual_seed(8)
    centres = theta + 0.1 * torch.randn(theta.shape, generator=g, dtype=torch.float64)
    steps = torch.tensor([1e-3, 3e-3, 2e-3], dtype=torch.float64)
    sgld = Sgld(1.0, 9.0, 2.0, draws=4, burn_in=3, every=2, batch_size=7, integrator=integrator)
    seeds = [11, 12, 13]
    chains = sample(
        batched(nets[0]),
        data,
        theta,
        sgld,
        seeds,
        centres=centres,
        step_sizes=steps,
        references=centres,
        keep=2,
        chunk=chunk,
    )
    for i, net in enumerate(nets):
        losses, final = twin(net, data, sgld, seeds[i], centres[i], steps[i])
        np.testing.assert_allclose(chains.losses[i], losses, rtol=1e-10)
        torch.testing.assert_close(chains.final[i], final, rtol=1e-9, atol=1e-12)
    assert chains.kept.shape == (3, 2, theta.shape[1])
    assert chains.references is not None
    assert chains.references.shape == chains.losses.shape
    assert (chains.diverged == -1).all()


def test_references_are_the_losses_at_the_centre_on_the_same_batches():
    """A chain that cannot move has its own reference as loss, batch by batch."""
    nets, data = problem(2)
    theta = stack(nets)
    sgld = Sgld(1e-30, 9.0, 0.0, draws=5, batch_size=7)
    chains = sample(batched(nets[0]), data, theta, sgld, [1, 2], references=theta)
    torch.testing.assert_close(chains.losses, chains.references)
    assert float(chains.losses.std(1).min()) > 0


@pytest.mark.parametrize(
    ("integrator", "epsilon"), [("euler", 4e-3), ("euler", 1.6e-2), ("averaged", 1.6e-2)]
)
def test_stationary_energy_of_a_quadratic(integrator, epsilon):
    """E[nβ K] = ½Σ nβ a/h · (1/(1 − εh/4) with Euler): 60 chains, seed 3, tolerance 4 standard errors."""
    curvatures, n_beta, localisation = [1.0, 0.3, 0.0], 100.0, 2.0
    a = torch.tensor(curvatures, dtype=torch.float64)
    net = Potential(lambda w: 0.5 * (a * w * w).sum(1), 3)
    sgld = Sgld(epsilon, n_beta, localisation, 1500, burn_in=1500, integrator=integrator)
    start = torch.zeros(60, 3, dtype=torch.float64)
    energy = n_beta * sample(net, EMPTY, start, sgld, chain_seeds(3, 60)).losses.mean(1)
    error = float(energy.std()) / math.sqrt(60)
    biased = quadratic_at(curvatures, n_beta, localisation, epsilon)
    exact = quadratic_at(curvatures, n_beta, localisation)
    assert abs(float(energy.mean()) - (biased if integrator == "euler" else exact)) < 4 * error
    if epsilon > 1e-2:  # the chain tells the two laws apart
        assert biased - exact > 8 * error


def test_chains_that_blow_up_are_stopped_and_leave_the_others_alone():
    net = Potential(lambda w: w.pow(4).sum(1), 2)
    start = torch.ones(3, 2, dtype=torch.float64)
    steps = torch.tensor([1e-4, 10.0, 1e-4], dtype=torch.float64)
    sgld = Sgld(1.0, 1.0, 0.0, draws=20, burn_in=2)
    chains = sample(net, EMPTY, start, sgld, [1, 2, 3], step_sizes=steps)
    assert chains.diverged[[0, 2]].tolist() == [-1, -1]
    draw = int(chains.diverged[1])
    assert 0 <= draw < 20
    assert torch.isnan(chains.losses[1, draw:]).all()
    assert torch.isfinite(chains.losses[1, :draw]).all()
    assert torch.equal(chains.final[1], start[1])
    alone = sample(net, EMPTY, start[[0, 2]], sgld, [1, 3], step_sizes=steps[[0, 2]])
    torch.testing.assert_close(alone.losses, chains.losses[[0, 2]])


def test_progress_and_seeds():
    seen = []
    net = Potential(lambda w: w.pow(2).sum(1), 2)
    sgld = Sgld(1e-3, 1.0, 1.0, draws=2)
    start = torch.zeros(3, 2)
    sample(net, EMPTY, start, sgld, [1, 2, 3], chunk=2, progress=lambda *a: seen.append(a))
    assert seen == [(4, 6), (6, 6)]
    assert chain_seeds(0, 3) == chain_seeds(0, 5)[:3]
    assert len(set(chain_seeds(0, 100) + chain_seeds(1, 100))) == 200
    with pytest.raises(ConfigError, match="as many seeds"):
        sample(net, EMPTY, torch.zeros(3, 2), sgld, [1])


def test_gather_is_indexing():
    values, chosen = torch.randn(9, 2, 3), torch.randint(9, (4, 5))
    assert torch.equal(gather(values, chosen), values[chosen])


def test_options_are_checked_and_noise_is_averaged_by_default():
    with pytest.raises(ConfigError, match="integrator must be 'averaged' or 'euler', found 'verlet'"):
        Sgld(1.0, 1.0, 1.0, 8, integrator="verlet")
    assert Sgld(1.0, 1.0, 1.0, 8).integrator == "averaged"


def test_forces_of_an_euler_chain():
    """‖nβ ∇L_B + γ(w − c)‖² at the draws: with the recorded weights, by autograd's gradient of L."""
    a = torch.tensor([1.0, 0.3], dtype=torch.float64)
    net = Potential(lambda w: 0.5 * (a * w * w).sum(1), 2)
    start = torch.ones(3, 2, dtype=torch.float64)
    sgld = Sgld(1e-2, 7.0, 2.0, 4, every=3, integrator="euler")
    chains = sample(net, EMPTY, start, sgld, [1, 2, 3], keep=1)
    force = 7.0 * a * chains.kept + 2.0 * (chains.kept - start[:, None])
    torch.testing.assert_close(chains.forces, force.square().sum(-1))


@pytest.mark.parametrize("wrong", [{"step_size": 0.0}, {"n_beta": -1.0}, {"localisation": -1.0}])
def test_impossible_temperatures(wrong):
    with pytest.raises(ConfigError, match="step_size > 0"):
        Sgld(**({"step_size": 1.0, "n_beta": 1.0, "localisation": 1.0, "draws": 1} | wrong))


@pytest.mark.parametrize("wrong", [{"draws": 0}, {"every": 0}, {"burn_in": -1}, {"batch_size": 0}])
def test_impossible_lengths(wrong):
    with pytest.raises(ConfigError, match="draws, every and batch_size"):
        Sgld(**({"step_size": 1.0, "n_beta": 1.0, "localisation": 1.0, "draws": 1} | wrong))


@pytest.mark.parametrize("chunk", [None, 1, 2])
def test_chains_that_share_their_examples(chunk):
    """Each is the eager twin with noise of its own seed and the mini-batches of the common one."""
    nets, data = problem()
    theta = stack(nets)
    steps = torch.tensor([1e-3, 3e-3, 2e-3], dtype=torch.float64)
    sgld = Sgld(1.0, 9.0, 2.0, draws=4, burn_in=3, every=2, batch_size=7)
    given = {"step_sizes": steps, "references": theta, "examples_seed": 5, "chunk": chunk}
    chains = sample(batched(nets[0]), data, theta, sgld, [11, 12, 13], **given)
    for i, net in enumerate(nets):
        losses, final = twin(net, data, sgld, (11, 12, 13)[i], theta[i], steps[i], examples_seed=5)
        np.testing.assert_allclose(chains.losses[i], losses, rtol=1e-10)
        torch.testing.assert_close(chains.final[i], final, rtol=1e-9, atol=1e-12)
    still = sample(batched(nets[0]), data, theta, sgld, [1, 2, 3], **given | {"step_sizes": 1e-30 * steps})
    torch.testing.assert_close(still.losses, chains.references)


def test_interleaving_takes_turns():
    nets, data = problem()
    sgld = Sgld(1e-3, 9.0, 2.0, draws=2, batch_size=7)
    parts = [sample(batched(nets[0]), data, stack(nets), sgld, seeds) for seeds in ([1, 2, 3], [4, 5, 6])]
    both = interleave(parts)
    for name in ("losses", "diverged", "final", "kept"):
        for i, part in enumerate(parts):
            assert torch.equal(getattr(both, name)[i::2], getattr(part, name))
    assert both.references is both.forces is None
