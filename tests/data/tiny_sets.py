"""Tiny data sets in the layouts of the real ones."""

import csv
import gzip
import hashlib
import io
import struct
import tarfile
from pathlib import Path

import numpy as np

from sgdiffusion.data.content import Arrays, content_digests
from sgdiffusion.data.sets import RealSet
from sgdiffusion.data.sources import Source, read_sources

IDX = RealSet("tiny", (4, 5), 3, 12, 6, "idx")
CIFAR = RealSet(
    "tinycolour",
    (4, 5, 3),
    7,
    12,
    6,
    "cifar",
    members={"train": ("box/one.bin", "box/two.bin"), "test": ("box/test.bin",)},
    label_bytes=2,
)
IDX_FILES = {
    "train_images": "train-images.gz",
    "train_labels": "train-labels.gz",
    "test_images": "test-images.gz",
    "test_labels": "test-labels.gz",
}


def random_arrays(spec: RealSet, seed: int = 0) -> Arrays:
    rng = np.random.default_rng(seed)

    def split(count: int) -> tuple[np.ndarray, np.ndarray]:
        images = rng.integers(0, 256, (count, *spec.shape), dtype=np.uint8)
        return images, (np.arange(count) % spec.classes).astype(np.uint8)

    return Arrays(*split(spec.n_train), *split(spec.n_test))


def idx_bytes(array: np.ndarray) -> bytes:
    magic = 0x0800 + array.ndim
    return struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.tobytes()


def tar_bytes(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def cifar_records(images: np.ndarray, labels: np.ndarray) -> bytes:
    """One record after the other, byte by byte: a coarse label, the label, then plane after plane."""
    records = b""
    for image, label in zip(images, labels, strict=True):
        planes = b"".join(image[:, :, colour].tobytes() for colour in range(image.shape[2]))
        records += bytes([99, label]) + planes
    return records


def original_files(spec: RealSet, arrays: Arrays, level: int = 9) -> dict[str, bytes]:
    """The original files {name: bytes} of a tiny set."""
    if spec.layout == "idx":
        parts = (arrays.x_train, arrays.y_train, arrays.x_test, arrays.y_test)
        pairs = zip(IDX_FILES.values(), parts, strict=True)
        return {name: gzip.compress(idx_bytes(part), level, mtime=0) for name, part in pairs}
    half = spec.n_train // 2
    members = {
        "box/readme.txt": b"small text members are ignored",
        "box/two.bin": cifar_records(arrays.x_train[half:], arrays.y_train[half:]),
        "box/one.bin": cifar_records(arrays.x_train[:half], arrays.y_train[:half]),
        "box/test.bin": cifar_records(arrays.x_test, arrays.y_test),
    }
    return {"box.tar.gz": tar_bytes(members)}


def write_files(folder: Path, files: dict[str, bytes]) -> dict[str, Path]:
    """Write the files; {role: path} of the layout they belong to."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    roles = {"archive": "box.tar.gz"} if "box.tar.gz" in files else IDX_FILES
    return {role: folder / name for role, name in roles.items() if name in files}


def source_table(
    folder: Path, spec: RealSet, arrays: Arrays, files: dict[str, bytes], hosts: list[str]
) -> Source:
    """Write the two tables for a tiny set whose files lie at these hosts, and read them back."""
    roles = {"archive": "box.tar.gz"} if spec.layout == "cifar" else IDX_FILES
    with (folder / "sources.csv").open("w", newline="") as handle:
        table = csv.writer(handle)
        table.writerow(["set", "role", "name", "addresses", "bytes", "md5", "sha256", "licence"])
        for role, name in roles.items():
            content = files[name]
            sums = (hashlib.md5(content).hexdigest(), hashlib.sha256(content).hexdigest())
            addresses = " ".join(f"{host}/{name}" for host in hosts)
            table.writerow([spec.name, role, name, addresses, len(content), *sums, "none"])
    digests = content_digests(arrays)
    rows = [f"{spec.name},{split},{spec.count(split)},{digests[split]}" for split in ("train", "test")]
    (folder / "digests.csv").write_text("\n".join(["set,split,images,digest", *rows]) + "\n")
    return read_sources(folder / "sources.csv", folder / "digests.csv")[spec.name]
