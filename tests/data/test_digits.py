"""The embedded digits: interpolation against torch, sizes, and the split."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from sgdiffusion.data.content import content_digest, image_hashes
from sgdiffusion.data.digits import digits, interpolation
from sgdiffusion.data.preparation import pool7, prepare


@pytest.fixture(scope="module")
def arrays():
    return digits()


@pytest.mark.parametrize(("old", "new"), [(8, 28), (8, 7), (2, 5)])
def test_interpolation_is_torchs_bilinear(old, new):
    images = np.random.default_rng(0).normal(size=(3, old, old))
    matrix = interpolation(old, new)
    expected = torch.nn.functional.interpolate(
        torch.tensor(images[:, None]), size=(new, new), mode="bilinear", align_corners=False
    )
    # the same products in float64, in another order
    resized = matrix @ images @ matrix.T / (2 * new) ** 2
    np.testing.assert_allclose(resized, expected[:, 0].numpy(), atol=1e-12)


def test_all_digits_are_there_once_with_their_labels(arrays):
    bunch = load_digits()
    assert len(arrays.x_train) + len(arrays.x_test) == len(bunch.images) == 1797
    labels = np.concatenate([arrays.y_train, arrays.y_test])
    np.testing.assert_array_equal(np.bincount(labels), np.bincount(bunch.target))
    big = torch.nn.functional.interpolate(
        torch.tensor(bunch.images[:, None] * 255 / 16), size=(28, 28), mode="bilinear"
    )[:, 0].numpy()
    # halves round up here; the small number stands for the rounding of torch's own sums
    theirs = np.floor(big + 0.5 + 1e-9).astype(np.uint8)
    ours = [*image_hashes(arrays.x_train, arrays.y_train), *image_hashes(arrays.x_test, arrays.y_test)]
    assert sorted(ours) == sorted(image_hashes(theirs, bunch.target.astype(np.uint8)))


def test_the_digits_are_the_same_bytes_everywhere(arrays):
    """Whole-number arithmetic on data that ships with scikit-learn: pinned, so that a change is noticed."""
    assert (
        content_digest(arrays.x_train, arrays.y_train)
        == "59fdf616e215a9d90e1aa5f603c0ce84e2f9d9b2f395ff782d8ec548a94e6b2f"
    )


def test_the_split_is_a_sixth_of_every_class(arrays):
    train, test = np.bincount(arrays.y_train), np.bincount(arrays.y_test)
    np.testing.assert_array_equal(test, np.round((train + test) / 6))


def test_train_and_test_share_no_image(arrays):
    train = set(image_hashes(arrays.x_train, arrays.y_train))
    assert not train & set(image_hashes(arrays.x_test, arrays.y_test))


def test_a_nearest_neighbour_reads_the_pooled_digits(arrays):
    """The stand-in is a real task: 7×7 keeps what tells digits apart (chance is 0.1)."""
    data = prepare(arrays, "digits", "pool7", pool7, real=False)
    train, test = (x.reshape(len(x), -1) for x in (data.x_train, data.x_test))
    nearest = np.argmin(((test[:, None] - train[None]) ** 2).sum(axis=2), axis=1)
    assert np.mean(data.y_train[nearest] == data.y_test) > 0.9
