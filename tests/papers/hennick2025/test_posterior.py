"""The Langevin reference: where it starts, what it keeps, and what happens when its chains are lost."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from sgdiffusion.dynamics.chains import sgld
from sgdiffusion.errors import DataError, MeasureError
from sgdiffusion.papers.hennick2025 import posterior as study
from sgdiffusion.papers.hennick2025.moons import Moons
from sgdiffusion.papers.hennick2025.settings import PosteriorPlan

PLAN = PosteriorPlan(
    starts=3, chains=2, draws=20, burn_in=30, every=2, keep=4, temperature="posterior",
    centre="zero", precision=1.0, share=0.3,
)  # fmt: skip


@pytest.fixture(scope="module")
def posterior(moons: Moons, nets: pd.DataFrame) -> study.Posterior:
    return study.sample_posterior(moons, nets, PLAN, root_seed=0)


def test_starts_at_the_best_nets(posterior: study.Posterior, nets: pd.DataFrame):
    score = nets["loss"].rank() + nets["llc"].rank()
    assert set(posterior.starts) <= set(nets.loc[score <= score.nsmallest(3).max(), "net"])
    assert_array_equal(posterior.starts[::2], posterior.starts[1::2])
    assert posterior.losses.shape == (6, 20)
    assert posterior.kept.shape[:2] == (6, 5)
    assert posterior.n_beta == 60
    assert len(set(posterior.step_sizes)) == 1


def test_prior_alone_has_its_variance(moons: Moons, nets: pd.DataFrame):
    # at nβ = 10⁻⁹ the chain samples N(0, 1/γ) alone; ε is set by γ = 4, so that 300 steps forget the start
    plan = PosteriorPlan.model_validate(
        {**PLAN.model_dump(), "temperature": 1e-9, "precision": 4.0, "burn_in": 300, "every": 10}
    )
    kept = study.sample_posterior(moons, nets, plan, root_seed=0).kept
    n = kept.size  # draws 40 steps apart are nearly independent
    assert_allclose(kept.var(), 0.25, rtol=4 * np.sqrt(2 / n) + 0.02)


def test_a_local_posterior_is_about_its_start(moons: Moons, nets: pd.DataFrame):
    # without the loss: N(w*, 1/γ) about each start
    plan = PosteriorPlan.model_validate(
        {**PLAN.model_dump(), "temperature": 1e-9, "precision": 400.0, "centre": "start", "burn_in": 100}
    )
    found = study.sample_posterior(moons, nets, plan, root_seed=0)
    about = found.kept - moons.theta[found.starts][:, None]
    assert_allclose(about.var(), 1 / 400, rtol=0.15)


def test_survives_storage(posterior: study.Posterior, tmp_path):
    np.savez(tmp_path / "p.npz", **posterior.arrays())
    again = study.Posterior.from_arrays(dict(np.load(tmp_path / "p.npz")))
    assert again.n_beta == posterior.n_beta
    assert_array_equal(again.kept, posterior.kept)
    arrays = posterior.arrays()
    del arrays["starts"]
    with pytest.raises(DataError, match="lacks starts"):
        study.Posterior.from_arrays(arrays)


@pytest.mark.parametrize("space", study.SPACES)
def test_nets_and_draws_share_their_axes(moons: Moons, posterior: study.Posterior, space: study.Space):
    # draws that are the nets themselves have the nets' coordinates
    same = replace(posterior, kept=moons.theta[:, None])
    found = study.coordinates(moons, same, space)
    assert_allclose(found.draws[:, 0], found.nets, atol=1e-4)


def test_weights_are_compared_modulo_symmetry(moons: Moons, posterior: study.Posterior):
    order = [1, 0, *range(2, 6)]
    theta = torch.from_numpy(moons.theta)
    first, bias, second = theta[:, :12].view(-1, 6, 2), theta[:, 12:18], theta[:, 18:30].view(-1, 2, 6)
    exchanged = torch.cat(
        [first[:, order].flatten(1), bias[:, order], second[:, :, order].flatten(1), theta[:, 30:]], 1
    )
    swapped = replace(posterior, kept=exchanged.numpy()[:, None])
    found = study.coordinates(moons, swapped, "weights")
    assert_allclose(found.draws[:, 0], found.nets, atol=1e-3)


def test_convergence_sees_chains_that_never_met(moons: Moons, posterior: study.Posterior):
    rng = np.random.default_rng(0)
    apart = np.arange(6)[:, None, None] + 0.1 * rng.standard_normal((6, 20, 2))
    together = rng.standard_normal((6, 20, 2))
    losses = rng.standard_normal((6, 20))
    axes = np.concatenate([apart[..., :1], together[..., :1]], -1)
    table = study.convergence_table(replace(posterior, losses=losses), study.Coordinates(axes[:, 0], axes))
    rows = table.set_index("observable")
    assert rows.loc["axis 1", "r_hat"] > 2
    assert rows.loc["axis 1", "between"] > 0.9
    assert rows.loc["axis 2", "r_hat"] < 1.2
    assert rows.loc["loss", "r_hat"] < 1.2


def test_too_few_nets_are_refused(moons: Moons, nets: pd.DataFrame):
    lost = nets.assign(llc=np.nan)
    with pytest.raises(MeasureError, match="3 starts are wanted, but only 0 nets"):
        study.sample_posterior(moons, lost, PLAN, root_seed=0)


def test_lost_chains_are_left_out_and_all_lost_is_refused(moons: Moons, nets: pd.DataFrame, monkeypatch):
    real = sgld.sample

    def losing(which):
        def sample(*args, **kwargs):
            paths = real(*args, **kwargs)
            return replace(paths, diverged=torch.where(which(paths.diverged), 7, paths.diverged))

        return sample

    monkeypatch.setattr(study, "sample", losing(lambda d: torch.arange(len(d)) == 2))
    found = study.sample_posterior(moons, nets, PLAN, root_seed=0)
    assert len(found.losses) == 5
    assert list(found.diverged) == [2]
    monkeypatch.setattr(study, "sample", losing(lambda d: d == d))
    with pytest.raises(MeasureError, match="all 6 posterior chains blew up, first at draw 7, at step size"):
        study.sample_posterior(moons, nets, PLAN, root_seed=0)
