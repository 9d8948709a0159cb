"""Preparations against slow or independent computations; the same result whatever the source's order."""

import numpy as np
import pytest
import torch

from sgdiffusion.data import preparation
from sgdiffusion.data.content import Arrays, canonical, content_digests
from sgdiffusion.data.preparation import (
    full,
    gcn_zca,
    gcn_zca_weak,
    grey28,
    pool7,
    pool7_five,
    pool7_odd,
    pooled,
    prepare,
)
from sgdiffusion.data.store import join_digests
from sgdiffusion.errors import DataError

# Inputs are float32 (epsilon 1.2e-7) of size at most about 10.
SINGLE = 1e-5
TRANSFORMS = {
    "full": full,
    "pool7": pool7,
    "pool7-five": pool7_five,
    "pool7-odd": pool7_odd,
    "gcn-zca": gcn_zca,
    "gcn-zca-weak": gcn_zca_weak,
}


def prepared(arrays, name, real=False):
    return prepare(arrays, "some", name, TRANSFORMS[name], real=real)


def made(side, colours, n_train=300, n_test=60, classes=10, seed=0):
    rng = np.random.default_rng(seed)
    shape = (side, side) if colours == 1 else (side, side, colours)

    def split(count):
        images = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
        return images, rng.integers(0, classes, count, dtype=np.uint8)

    return Arrays(*split(n_train), *split(n_test))


@pytest.fixture
def grey():
    return made(28, 1)


@pytest.fixture
def colour():
    return made(6, 3)


def test_every_preparation_has_types_order_and_meta(grey, colour):
    for name in TRANSFORMS:
        arrays = colour if name == "gcn-zca" else grey
        data = prepared(arrays, name, real=True)
        assert data.x_train.dtype == data.x_test.dtype == np.float32
        assert data.y_train.dtype == data.y_test.dtype == np.int64
        assert data.x_train.flags.c_contiguous
        digests = content_digests(arrays)
        assert data.meta["digests"] == digests
        assert data.meta["digest"] == join_digests(digests)
        assert (data.meta["set"], data.meta["preparation"], data.meta["real"]) == ("some", name, True)
        assert data.meta["n_train"] == len(data.x_train)
        assert data.meta["shape"] == list(data.x_train.shape[1:])


@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_order_of_the_source_changes_no_bit(name):
    arrays = made(28, 1, n_train=80, n_test=30)
    order = np.random.default_rng(1).permutation(80)
    other = arrays._replace(x_train=arrays.x_train[order], y_train=arrays.y_train[order])
    one, two = (prepared(a, name, real=True) for a in (arrays, other))
    for key in ("x_train", "y_train", "x_test", "y_test"):
        np.testing.assert_array_equal(getattr(one, key), getattr(two, key))
    assert one.meta == two.meta


def test_full_normalises_each_colour_by_the_training_pixels(colour):
    data = prepared(colour, "full")
    ordered = canonical(colour)
    scaled = ordered.x_train.astype(np.float64) / 255
    for c in range(3):
        pixels = scaled[..., c].ravel()
        mean = sum(pixels) / len(pixels)
        std = (sum((p - mean) ** 2 for p in pixels) / len(pixels)) ** 0.5
        assert data.meta["constants"]["mean"][c] == pytest.approx(mean, rel=1e-12)
        assert data.meta["constants"]["std"][c] == pytest.approx(std, rel=1e-12)
        np.testing.assert_allclose(data.x_train[:, c], (scaled[..., c] - mean) / std, atol=SINGLE)
        test = ordered.x_test[..., c] / 255
        np.testing.assert_allclose(data.x_test[:, c], (test - mean) / std, atol=SINGLE)
    np.testing.assert_array_equal(data.y_train, ordered.y_train)


def test_full_keeps_the_bytes_as_they_are(grey):
    before = grey.x_train.copy()
    prepared(grey, "full")
    np.testing.assert_array_equal(grey.x_train, before)


def test_pooling_is_that_of_torch(grey):
    expected = torch.nn.functional.avg_pool2d(torch.tensor(grey.x_train[:, None]).double(), 4)
    np.testing.assert_array_equal(pooled(grey.x_train), expected.numpy())  # sixteenths are exact


def test_pool7_is_normalised_after_pooling(grey):
    data = prepared(grey, "pool7")
    assert data.x_train.shape == (300, 1, 7, 7)
    assert data.x_train.mean() == pytest.approx(0, abs=SINGLE)
    assert data.x_train.std() == pytest.approx(1, abs=SINGLE)
    small = pooled(canonical(grey).x_train) / 255
    np.testing.assert_allclose(data.x_train, (small - small.mean()) / small.std(), atol=SINGLE)


def test_pooling_wants_28_by_28(colour):
    with pytest.raises(DataError, match=r"28×28 pixels, found \(6, 6, 3\)"):
        prepared(colour, "pool7")


def test_five_classes_are_the_first_of_them_in_canonical_order(grey, monkeypatch):
    monkeypatch.setattr(preparation, "FIVE_TRAIN", 100)
    data = prepared(grey, "pool7-five")
    ordered = canonical(grey)
    chosen = [i for i, label in enumerate(ordered.y_train) if label < 5][:100]
    np.testing.assert_array_equal(data.y_train, ordered.y_train[chosen])
    np.testing.assert_array_equal(data.y_test, [label for label in ordered.y_test if label < 5])
    assert data.meta["classes"] == 5
    small = pooled(ordered.x_train[chosen]) / 255
    np.testing.assert_allclose(data.x_train, (small - small.mean()) / small.std(), atol=SINGLE)


def test_odd_digits_are_renumbered_in_their_order(grey):
    data = prepared(grey, "pool7-odd")
    ordered = canonical(grey)
    odd = [i for i, label in enumerate(ordered.y_train) if label % 2]
    assert data.y_train.tolist() == [{1: 0, 3: 1, 5: 2, 7: 3, 9: 4}[int(ordered.y_train[i])] for i in odd]
    small = pooled(ordered.x_train[odd]) / 255
    np.testing.assert_allclose(data.x_train, (small - small.mean()) / small.std(), atol=SINGLE)
    assert data.meta["classes"] == 5


def test_weak_whitening_is_the_other_with_a_tenth_of_the_regulariser(colour):
    """Both are of the same contrast-normalised images, so that one whitened set gives the other."""
    usual, weak = prepared(colour, "gcn-zca"), prepared(colour, "gcn-zca-weak")
    assert weak.meta["constants"] == {"zca_regulariser": pytest.approx(0.01)}
    # covariance of whitened images: λ/(λ + ε) with the images' own λ
    spectra = [
        np.linalg.eigvalsh(np.cov(d.x_train.reshape(300, -1).T, bias=True).astype(np.float64))
        for d in (usual, weak)
    ]
    own = 0.1 * spectra[0] / (1 - spectra[0])
    np.testing.assert_allclose(spectra[1], own / (own + 0.01), atol=1e-3)


def test_five_classes_of_a_small_set_are_all_of_them(grey):
    data = prepared(grey, "pool7-five")
    assert data.meta["n_train"] == np.sum(grey.y_train < 5)


def test_gcn_zca_keeps_images_in_their_places(colour):
    """Whitening acts on flat images; afterwards every pixel is still where it was, colour first."""
    data = prepared(colour, "gcn-zca")
    x = np.moveaxis(canonical(colour).x_train, 3, 1).reshape(300, -1).astype(np.float64)
    x = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
    x -= x.mean(axis=0)
    values, vectors = np.linalg.eigh(x.T @ x / 300)
    expected = x @ vectors @ np.diag((np.maximum(values, 0) + 0.1) ** -0.5) @ vectors.T
    np.testing.assert_allclose(data.x_train, expected.reshape(300, 3, 6, 6), atol=SINGLE)
    assert data.meta["constants"] == {"zca_regulariser": 0.1}


def test_a_constant_colour_cannot_be_normalised(colour):
    colour.x_train[..., 1] = 9
    with pytest.raises(DataError, match="constant"):
        prepared(colour, "full")


def test_grey28_is_the_middle_of_the_mean_over_colours():
    colour = made(32, 3, n_train=40, n_test=10)
    found = grey28(colour)
    assert found.x_train.shape[1:] == (1, 28, 28)
    slow = colour.x_train.astype(np.float64).sum(axis=3)[:, 2:-2, 2:-2] / 3
    np.testing.assert_allclose(found.x_train[:, 0], (slow - slow.mean()) / slow.std(), atol=1e-4)


def test_grey28_wants_colour_images_of_32_by_32(grey):
    with pytest.raises(DataError, match=r"32×32 pixels, found \(28, 28\)"):
        grey28(grey)
