"""Digest and canonical order depend on content alone."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_sets import CIFAR, random_arrays

from sgdiffusion.data.content import Arrays, canonical, content_digest, content_digests, image_hashes


def slow_digest(images, labels):
    """The definition, byte by byte."""
    hashes = []
    for image, label in zip(images, labels, strict=True):
        content = bytes([int(label)]) + bytes(int(v) for v in np.ravel(image))
        hashes.append(hashlib.sha256(content).digest())
    return hashlib.sha256(b"".join(sorted(hashes))).hexdigest()


def test_digest_is_its_definition():
    arrays = random_arrays(CIFAR)
    assert content_digest(arrays.x_train, arrays.y_train) == slow_digest(arrays.x_train, arrays.y_train)
    assert content_digests(arrays)["test"] == slow_digest(arrays.x_test, arrays.y_test)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(12)))
def test_order_changes_neither_digest_nor_canonical_arrays(order):
    arrays = random_arrays(CIFAR)
    shuffled = Arrays(arrays.x_train[list(order)], arrays.y_train[list(order)], arrays.x_test, arrays.y_test)
    assert content_digests(shuffled) == content_digests(arrays)
    for one, other in zip(canonical(shuffled), canonical(arrays), strict=True):
        np.testing.assert_array_equal(one, other)


def test_canonical_order_sorts_by_hash_and_keeps_pairs_together():
    arrays = random_arrays(CIFAR)
    hashes = image_hashes(arrays.x_train, arrays.y_train)
    sorted_arrays = canonical(arrays)
    assert image_hashes(sorted_arrays.x_train, sorted_arrays.y_train) == sorted(hashes)


def test_one_pixel_or_one_label_changes_the_digest():
    arrays = random_arrays(CIFAR)
    digest = content_digest(arrays.x_train, arrays.y_train)
    images, labels = arrays.x_train.copy(), arrays.y_train.copy()
    images[3, 1, 2, 0] ^= 1
    assert content_digest(images, arrays.y_train) != digest
    labels[[0, 1]] = labels[[1, 0]]
    assert content_digest(arrays.x_train, labels) != digest


def test_content_that_is_not_bytes_is_refused():
    with pytest.raises(ValueError, match="uint8"):
        image_hashes(np.zeros((2, 3, 3)), np.zeros(2, np.uint8))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="as many"):
        image_hashes(np.zeros((2, 3, 3), np.uint8), np.zeros(3, np.uint8))
