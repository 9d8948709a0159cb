"""The moons ensemble: what is kept, and that a net does not depend on the nets beside it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sgdiffusion.errors import DataError, TrainingError
from sgdiffusion.papers.hennick2025.moons import Moons, train_moons
from sgdiffusion.papers.hennick2025.settings import MoonsTraining

from .conftest import TRAINING


def changed(**values) -> MoonsTraining:
    return MoonsTraining.model_validate({**TRAINING.model_dump(), **values})


def test_keeps_what_is_asked_for(moons: Moons):
    d = 6 * 2 + 6 + 2 * 6 + 2
    assert moons.theta.shape == (14, d)
    assert_array_equal(moons.kept_steps, [40, 200, 300, 400])
    assert moons.kept.shape == (14, 4, d)
    assert_array_equal(moons.kept[:, -1], moons.theta)
    assert moons.late.shape == (4, len(moons.late_steps), d)
    assert (moons.late_steps[0], moons.late_steps[-1]) == (200, 400)
    assert_array_equal(moons.late[:, -1], moons.theta[:4])


def test_displacement_grows_as_the_steps_of_the_same_training(moons: Moons):
    shorter = train_moons(changed(steps=100, late_snapshots=40), root_seed=1)
    _, here, there = np.intersect1d(moons.steps, shorter.steps, return_indices=True)
    assert len(here) > 20
    # the same seeds: a shorter training is the beginning of a longer one
    assert_allclose(shorter.displacements[:, there], moons.displacements[:, here], rtol=1e-5)
    assert (np.diff(moons.displacements.mean(0)) > 0).all()


def test_a_net_does_not_depend_on_its_neighbours(moons: Moons):
    fewer = train_moons(changed(nets=10, late_nets=2), root_seed=1)
    assert_allclose(fewer.theta, moons.theta[:10], rtol=1e-4, atol=1e-5)
    other = train_moons(changed(nets=10), root_seed=2)
    assert not np.allclose(other.theta, moons.theta[:10], atol=0.1)


def test_survives_storage(moons: Moons, tmp_path):
    np.savez(tmp_path / "moons.npz", **moons.arrays())
    again = Moons.from_arrays(dict(np.load(tmp_path / "moons.npz")))
    assert (again.width, again.depth) == (6, 1)
    assert_array_equal(again.theta, moons.theta)
    assert len(again.data) == 60


def test_incomplete_file_is_named(moons: Moons):
    arrays = moons.arrays()
    del arrays["late"]
    with pytest.raises(DataError, match="lacks late: train the ensemble again"):
        Moons.from_arrays(arrays)


def test_an_ensemble_that_diverges_is_refused():
    with pytest.raises(TrainingError, match=r"all 4 nets of moons nets diverged.*lower the learning rates"):
        train_moons(changed(rate=1e12, nets=10), root_seed=1)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"late_nets": 15}, "late_nets 15 is more than the 14 nets"),
        ({"checkpoints": [0.5, 0.1, 1.0]}, "checkpoints must increase"),
    ],
)
def test_impossible_settings_are_refused(values, words: str):
    with pytest.raises(ValueError, match=words):
        changed(**values)
