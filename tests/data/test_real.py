"""The real sets, where a mirror has them (environment variable SGDIFFUSION_MIRROR); skipped elsewhere."""

import os
from pathlib import Path

import numpy as np
import pytest

from sgdiffusion.data.fetch import fetch
from sgdiffusion.data.mirror import VARIABLE, resolve_mirror
from sgdiffusion.data.preparation import full, pool7_five, prepare
from sgdiffusion.data.raw import real_arrays
from sgdiffusion.data.sets import REAL_SETS
from sgdiffusion.data.sources import read_sources
from sgdiffusion.errors import DataError

DATA = Path(__file__).resolve().parents[2] / "data"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get(VARIABLE), reason=f"{VARIABLE} names no mirror of the real data"),
]


def arrays_of(name, raw):
    source = read_sources(DATA / "sources.csv", DATA / "digests.csv")[name]
    try:
        fetch(source, raw, resolve_mirror(None))
    except DataError as error:
        if "does not have the set" in str(error):
            pytest.skip(str(error))
        raise
    return real_arrays(name, str(raw / name / "manifest.json"), str(DATA / "digests.csv"))


@pytest.mark.parametrize("name", list(REAL_SETS))
def test_a_mirrors_set_has_the_known_content(name, tmp_path):
    spec, arrays = REAL_SETS[name], arrays_of(name, tmp_path)
    assert arrays.x_train.shape == (spec.n_train, *spec.shape)
    assert np.bincount(arrays.y_test).size == spec.classes


def test_mnist_has_the_moments_everybody_uses(tmp_path):
    data = prepare(arrays_of("mnist", tmp_path), "mnist", "full", full, real=True)
    # 0.1307 and 0.3081 are the rounded values that most published MNIST code normalises with
    assert data.meta["constants"]["mean"][0] == pytest.approx(0.1307, abs=5e-5)
    assert data.meta["constants"]["std"][0] == pytest.approx(0.3081, abs=5e-5)


def test_five_classes_of_mnist_are_30000(tmp_path):
    data = prepare(arrays_of("mnist", tmp_path), "mnist", "pool7-five", pool7_five, real=True)
    assert data.x_train.shape == (30_000, 1, 7, 7)
    assert data.meta["classes"] == 5
