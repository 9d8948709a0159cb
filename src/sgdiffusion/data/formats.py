"""Parsers for the original files: IDX, the CIFAR binary archive, and plain npz arrays.

Nothing is ever unpickled and nothing is extracted to disk: archives are read into memory, member by
expected member, and every size is checked against what the set must have before it is allocated.
"""

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import numpy as np

from sgdiffusion.data.content import SPLITS, Arrays, Bytes
from sgdiffusion.data.sets import RealSet
from sgdiffusion.errors import UNREADABLE, DataError, brief

IDX_IMAGES, IDX_LABELS = 0x0803, 0x0801
"""IDX magic numbers: unsigned bytes in three dimensions, and in one."""

EXTRA_BYTES = 8 * 2**20
"""Room in an archive for its small text members and tar headers; a bomb is far larger."""

NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")


def read_originals(spec: RealSet, files: Mapping[str, Path]) -> Arrays:
    """The arrays in the original files, given by role (see `sources.Role`)."""
    if spec.layout == "cifar":
        splits = _read_cifar(spec, files["archive"])
    else:
        splits = {split: _read_idx_split(spec, files, split) for split in SPLITS}
    for split, (_, labels) in splits.items():
        _check_labels(spec, labels, f"{spec.name} {split}")
    return Arrays(*splits["train"], *splits["test"])


def _check_labels(spec: RealSet, labels: np.ndarray, where: str) -> None:
    if labels.min() < 0 or labels.max() >= spec.classes:
        raise DataError(
            f"{where}: labels run from {labels.min()} to {labels.max()}, expected 0 to {spec.classes - 1}."
        )


@contextmanager
def _readable(path: Path, kind: str) -> Iterator[None]:
    """Turn every way a damaged container can fail into one message."""
    try:
        yield
    except UNREADABLE as error:
        raise DataError(f"{path}: not a readable {kind} ({type(error).__name__}: {brief(error)}).") from error


# --- IDX (MNIST) ---------------------------------------------------------------------------------------


def _read_idx_split(spec: RealSet, files: Mapping[str, Path], split: str) -> tuple[Bytes, Bytes]:
    count = spec.count(split)
    images = read_idx(files[f"{split}_images"], IDX_IMAGES, (count, *spec.shape))
    return images, read_idx(files[f"{split}_labels"], IDX_LABELS, (count,))


def read_idx(path: Path, magic: int, shape: tuple[int, ...]) -> Bytes:
    """A gzipped IDX file of unsigned bytes that must have exactly this magic number and shape."""
    header = struct.pack(f">{1 + len(shape)}I", magic, *shape)
    size = len(header) + int(np.prod(shape))
    with _readable(path, "gzip file"), gzip.open(path) as stream:
        content = stream.read(size + 1)  # one byte more than expected, so that a bomb is never unpacked
    if content[: len(header)] != header:
        raise DataError(f"{path}: its IDX header is not that of {shape} unsigned bytes.")
    if len(content) != size:
        found = "more" if len(content) > size else f"{len(content):,}"
        raise DataError(f"{path}: {found} bytes unpacked, expected {size:,}.")
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)


# --- CIFAR binary archive ------------------------------------------------------------------------------


class _Bounded(io.BufferedIOBase):
    """A stream that refuses to give more than `limit` bytes, however much its archive would unpack to."""

    def __init__(self, stream: gzip.GzipFile, limit: int) -> None:
        self._stream, self._left = stream, limit

    def read(self, size: int | None = -1, /) -> bytes:
        content = self._stream.read(self._left + 1 if size is None or size < 0 else min(size, self._left + 1))
        self._left -= len(content)
        if self._left < 0:
            raise tarfile.ReadError("it unpacks to more than the set can have")
        return content


def _read_cifar(spec: RealSet, path: Path) -> dict[str, tuple[Bytes, Bytes]]:
    record = spec.label_bytes + spec.pixels
    sizes = {
        name: spec.count(split) // len(names) * record
        for split, names in spec.members.items()
        for name in names
    }
    content = read_members(path, sizes)
    return {
        split: _records(spec, b"".join(content[name] for name in names))
        for split, names in spec.members.items()
    }


def read_members(path: Path, sizes: Mapping[str, int]) -> dict[str, bytes]:
    """The named members of a tar.gz, each a regular file of exactly the given size; nothing touches disk."""
    limit = sum(sizes.values()) + EXTRA_BYTES
    found: dict[str, bytes] = {}
    with (
        _readable(path, "tar.gz archive"),
        gzip.open(path) as stream,
        tarfile.open(fileobj=cast(BinaryIO, _Bounded(stream, limit)), mode="r|") as archive,
    ):
        for member in archive:
            _refuse_escape(path, member)
            if member.name in sizes:
                found[member.name] = _member(path, archive, member, sizes[member.name])
    missing = sorted(set(sizes) - set(found))
    if missing:
        raise DataError(f"{path}: the archive lacks {', '.join(missing)}.")
    return found


def _refuse_escape(path: Path, member: tarfile.TarInfo) -> None:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts:
        raise DataError(f"{path}: refused, its member {member.name!r} points outside the archive.")


def _member(path: Path, archive: tarfile.TarFile, member: tarfile.TarInfo, size: int) -> bytes:
    if not member.isreg():
        raise DataError(f"{path}: refused, its member {member.name} is not a regular file.")
    if member.size != size:
        raise DataError(f"{path}: its member {member.name} has {member.size:,} bytes, expected {size:,}.")
    stream = archive.extractfile(member)
    return stream.read(size) if stream else b""


def _records(spec: RealSet, content: bytes) -> tuple[Bytes, Bytes]:
    """Records of label bytes and planar pixels -> images height x width x colour, and the last label."""
    height, width, colours = spec.shape
    records = np.frombuffer(content, np.uint8).reshape(-1, spec.label_bytes + spec.pixels)
    planes = records[:, spec.label_bytes :].reshape(-1, colours, height, width)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), records[:, spec.label_bytes - 1].copy()


# --- npz -----------------------------------------------------------------------------------------------


def read_npz(spec: RealSet, path: Path) -> Arrays:
    """uint8 images and integer labels x_train, y_train, x_test, y_test; pickled objects are refused."""
    with _readable(path, "npz file"):
        _check_npz_sizes(spec, path)
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: npz_array(stored, key) for key in NPZ_KEYS}
    for split in SPLITS:
        _check_npz_split(spec, path, split, arrays[f"x_{split}"], arrays[f"y_{split}"])
    return Arrays(
        arrays["x_train"],
        arrays["y_train"].astype(np.uint8),
        arrays["x_test"],
        arrays["y_test"].astype(np.uint8),
    )


def npz_array(stored: Mapping[str, Any], key: str) -> np.ndarray:
    """An array of an npz. (numpy hands out a member that is no array as plain bytes, without a word.)"""
    array = stored[key]
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{key} is not an array")
    return array


def _check_npz_sizes(spec: RealSet, path: Path) -> None:
    """Before anything is allocated: the four members are there and none is larger than it may be."""
    with zipfile.ZipFile(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    missing = [key for key in NPZ_KEYS if f"{key}.npy" not in sizes]
    if missing:
        raise DataError(
            f"{path}: lacks {', '.join(missing)}; expected {', '.join(NPZ_KEYS)}, "
            f"found {', '.join(sorted(sizes)) or 'nothing'}."
        )
    for key in NPZ_KEYS:
        # images are bytes, labels integers of up to eight; the npy header takes less than 4,096 bytes
        most = spec.count(key[2:]) * (spec.pixels if key[0] == "x" else 8) + 4096
        if sizes[f"{key}.npy"] > most:
            raise DataError(f"{path}: {key} has {sizes[f'{key}.npy']:,} bytes, expected at most {most:,}.")


def _check_npz_split(spec: RealSet, path: Path, split: str, x: np.ndarray, y: np.ndarray) -> None:
    count = spec.count(split)
    for key, array, shape in ((f"x_{split}", x, (count, *spec.shape)), (f"y_{split}", y, (count,))):
        if array.shape != shape:
            raise DataError(f"{path}: {key} has shape {array.shape}, expected {shape}.")
    if x.dtype != np.uint8:
        raise DataError(f"{path}: x_{split} has type {x.dtype}, expected uint8 pixels from 0 to 255.")
    if y.dtype.kind not in "iu":
        raise DataError(f"{path}: y_{split} has type {y.dtype}, expected integer labels.")
    _check_labels(spec, y, f"{path}, y_{split}")
