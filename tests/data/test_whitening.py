"""GCN and ZCA against their definitions in float64, image by image."""

import numpy as np
import pytest
from scipy import linalg

from sgdiffusion.data import whitening
from sgdiffusion.data.whitening import contrast_normalised, fit_zca, whiten

# Tolerances: images are float32 (epsilon 1.2e-7) of size about 1, and sums over at most 48 of them.
SINGLE = 1e-5


@pytest.fixture
def images():
    """200 flat images of 24 correlated pixels."""
    rng = np.random.default_rng(5)
    mixed = rng.normal(size=(200, 24)) @ rng.normal(size=(24, 24))
    return np.clip(mixed * 15 + 120, 0, 255).astype(np.uint8)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Several blocks, the last one partly filled."""
    monkeypatch.setattr(whitening, "BLOCK", 64)


def test_gcn_is_its_definition(images):
    result = contrast_normalised(images)
    for image, normalised in zip(images.astype(float), result, strict=True):
        spread = np.sqrt(np.mean((image - image.mean()) ** 2))
        np.testing.assert_allclose(normalised, (image - image.mean()) / spread, atol=SINGLE)
    assert result.dtype == np.float32


def test_an_image_without_contrast_becomes_zero():
    flat = np.full((1, 24), 77, np.uint8)
    np.testing.assert_array_equal(contrast_normalised(flat), np.zeros((1, 24)))


@pytest.mark.parametrize("regulariser", [0.1, 1e-3])
def test_zca_is_the_inverse_root_of_the_regularised_covariance(images, regulariser):
    x = contrast_normalised(images)
    zca = fit_zca(x, regulariser)
    centred = x.astype(np.float64) - x.astype(np.float64).mean(axis=0)
    covariance = sum(np.outer(row, row) for row in centred) / len(centred)
    root = linalg.sqrtm(covariance + regulariser * np.eye(24))
    np.testing.assert_allclose(zca.matrix, linalg.inv(root), rtol=0, atol=1e-9)
    np.testing.assert_allclose(zca.mean, x.astype(np.float64).mean(axis=0), atol=1e-12)


def test_whitened_images_have_the_covariance_the_theory_gives(images):
    """Eigenvalues lambda become lambda / (lambda + epsilon)."""
    x = contrast_normalised(images)
    zca = fit_zca(x)
    before = np.linalg.eigvalsh(np.cov(x.T.astype(np.float64), bias=True))
    whiten(x, zca)
    after = np.linalg.eigvalsh(np.cov(x.T.astype(np.float64), bias=True))
    before = np.maximum(before, 0)
    np.testing.assert_allclose(np.sort(before / (before + zca.regulariser)), after, atol=SINGLE)
    assert x.dtype == np.float32


def test_whitening_test_images_uses_the_training_fit(images):
    train, test = contrast_normalised(images[:150]), contrast_normalised(images[150:])
    zca = fit_zca(train)
    expected = (test.astype(np.float64) - zca.mean) @ zca.matrix.T
    whiten(test, zca)
    np.testing.assert_allclose(test, expected, atol=SINGLE)


def test_fewer_images_than_pixels_are_no_obstacle(images):
    x = contrast_normalised(images[:10])
    zca = fit_zca(x)
    assert np.isfinite(zca.matrix).all()
    # directions without variance are amplified by epsilon^(-1/2) and no more
    assert np.linalg.eigvalsh(zca.matrix)[-1] == pytest.approx(0.1**-0.5, rel=1e-6)
