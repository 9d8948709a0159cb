"""Content of a data set: digests that are blind to order and container, and the canonical order.

The hash of one image is sha256(label byte + pixel bytes), pixels as height x width (x colour). The digest
of a split is the sha256 over the sorted image hashes, so the official archive, a re-packed copy and plain
arrays all have the same digest. Sorting the images by the same hashes gives the canonical order: it
depends on nothing but content, so training is identical whatever the source, and since hashes are
unrelated to labels the first n images are an unbiased sample.
"""

import hashlib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sgdiffusion.errors import DataError

Bytes = NDArray[np.uint8]
MOST_JPEG_BYTES = 2**18  # of one of 64×64 pixels; the largest of the sets here are far below

SPLITS = ("train", "test")


class Arrays(NamedTuple):
    """The bytes of one data set: images uint8 [n, h, w] or [n, h, w, colour], labels uint8 [n]."""

    x_train: Bytes
    y_train: Bytes
    x_test: Bytes
    y_test: Bytes

    def split(self, name: str) -> tuple[Bytes, Bytes]:
        """Images and labels of "train" or "test"."""
        return (self.x_train, self.y_train) if name == "train" else (self.x_test, self.y_test)


def image_hashes(images: Bytes, labels: Bytes) -> list[bytes]:
    """sha256(label byte + pixel bytes) of every image, in the order given."""
    if images.dtype != np.uint8 or labels.dtype != np.uint8 or len(images) != len(labels):
        raise ValueError("content is hashed over uint8 images and as many uint8 labels")
    pairs = zip(images, labels, strict=True)
    return [hashlib.sha256(label.tobytes() + image.tobytes()).digest() for image, label in pairs]


def content_digest(images: Bytes, labels: Bytes) -> str:
    """sha256 over the sorted image hashes, in hexadecimal."""
    return hashlib.sha256(b"".join(sorted(image_hashes(images, labels)))).hexdigest()


def content_digests(arrays: Arrays) -> dict[str, str]:
    """The content digest of each split."""
    return {split: content_digest(*arrays.split(split)) for split in SPLITS}


def member_digests(path: Path, folders: Mapping[str, str]) -> dict[str, str]:
    """The digest of each split of a zip of JPEGs: sha256 over the sorted sha256(name + newline + file).

    Files, not pixels: decoders of JPEG differ in the last bit. `folders` is where each split lies.
    """
    with zipfile.ZipFile(path) as archive:
        return {
            split: hashlib.sha256(b"".join(sorted(_member_hashes(archive, folder)))).hexdigest()
            for split, folder in folders.items()
        }


def _member_hashes(archive: zipfile.ZipFile, folder: str) -> Iterator[bytes]:
    for entry in archive.infolist():
        name = entry.filename
        if name.startswith(folder) and name.endswith(".JPEG"):
            if entry.file_size > MOST_JPEG_BYTES:
                raise DataError(f"refused: its member {name} unpacks to {entry.file_size:,} bytes")
            yield hashlib.sha256(name.encode() + b"\n" + archive.read(entry)).digest()


def canonical_order(images: Bytes, labels: Bytes) -> NDArray[np.int64]:
    """Indices that sort the images by their hash (equal hashes are equal images: ties cannot matter)."""
    hashes = image_hashes(images, labels)
    return np.array(sorted(range(len(hashes)), key=hashes.__getitem__), dtype=np.int64)


def canonical(arrays: Arrays) -> Arrays:
    """The same images, each split in canonical order."""
    train = canonical_order(arrays.x_train, arrays.y_train)
    test = canonical_order(arrays.x_test, arrays.y_test)
    return Arrays(arrays.x_train[train], arrays.y_train[train], arrays.x_test[test], arrays.y_test[test])
