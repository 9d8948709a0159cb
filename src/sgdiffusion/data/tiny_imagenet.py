"""Tiny ImageNet (Le & Yang 2015): a zip of 64×64 JPEGs of 200 classes, read in memory.

The 10,000 images of the archive's validation split, which have labels, are the test split here; the
archive's own test images have none. That it is the published set says the archive's checksum, or, of another
archive of the same files, the digests of its JPEGs (data/README.md).
"""

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from sgdiffusion.data.content import MOST_JPEG_BYTES, Arrays, Bytes
from sgdiffusion.data.raw import read_manifest
from sgdiffusion.errors import UNREADABLE, DataError, brief

ROOT = "tiny-imagenet-200"
MOST_TEXT = 2**20  # of a list of names


def tiny_imagenet(
    name: str, manifest: str, *, side: int = 64, classes: int = 200, train: int = 500, test: int = 50
) -> Arrays:
    """The arrays of the fetched archive; `train` and `test` are images per class."""
    path = Path(manifest).parent / read_manifest(Path(manifest)).files[0].name
    try:
        with zipfile.ZipFile(path) as archive:
            return _arrays(archive, path, side, (classes, train, test))
    except (*UNREADABLE, LookupError) as error:  # a member that is missing, a text that is none
        raise _unreadable(path, name, error) from error


def _unreadable(path: Path, name: str, error: Exception) -> DataError:
    return DataError(f"{path}: not a readable archive of {name} ({brief(error)}). Delete it, fetch again.")


def _member(archive: zipfile.ZipFile, path: Path, name: str, most: int) -> bytes:
    """The content of a member, unless it unpacks to more than it may have."""
    if archive.getinfo(name).file_size > most:
        raise DataError(f"{path}: refused, its member {name} unpacks to more than {most:,} bytes.")
    return archive.read(name)


def _arrays(archive: zipfile.ZipFile, path: Path, side: int, sizes: tuple[int, int, int]) -> Arrays:
    classes, train, test = sizes
    ids = sorted(_member(archive, path, f"{ROOT}/wnids.txt", MOST_TEXT).decode().split())
    if len(ids) != classes:
        raise DataError(f"{path}: {len(ids)} classes in wnids.txt, expected {classes}.")
    names = [f"{ROOT}/train/{i}/images/{i}_{k}.JPEG" for i in ids for k in range(train)]
    labels = np.repeat(np.arange(classes), train)
    lines = _member(archive, path, f"{ROOT}/val/val_annotations.txt", MOST_TEXT).decode().splitlines()
    rows = [[*line.split("\t"), ""][:2] for line in lines if line]
    unknown = sorted({row[1] for row in rows} - set(ids))
    if len(rows) != classes * test or unknown:
        raise DataError(
            f"{path}: val_annotations.txt has {len(rows)} images and unknown classes {unknown[:3]}, expected "
            f"{classes * test} and none."
        )
    x_test = _images(archive, path, [f"{ROOT}/val/images/{row[0]}" for row in rows], side)
    y_test = np.array([ids.index(row[1]) for row in rows], dtype=np.uint8)
    return Arrays(_images(archive, path, names, side), labels.astype(np.uint8), x_test, y_test)


def _images(archive: zipfile.ZipFile, path: Path, names: list[str], side: int) -> Bytes:
    """Decoded images [n, side, side, 3]; a few of the set are grey and get three equal colours."""
    images = np.empty((len(names), side, side, 3), np.uint8)
    for i, name in enumerate(names):
        content = _member(archive, path, name, MOST_JPEG_BYTES)
        try:
            image = Image.open(io.BytesIO(content), formats=["JPEG"])
            if image.size == (side, side):
                images[i] = np.asarray(image.convert("RGB"))
        except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError) as error:
            raise DataError(f"{path}: its member {name} is not a readable JPEG ({error}).") from error
        if image.size != (side, side):
            raise DataError(f"{path}: its member {name} has {image.size} pixels, expected {side}×{side}.")
    return images
