"""The real data sets: what their original files contain and which preparations each set has."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class RealSet:
    """What is inside the original files of one fetched data set."""

    name: str
    shape: tuple[int, ...]
    """Shape of one image: (height, width) or (height, width, colour)."""
    classes: int
    n_train: int
    n_test: int
    layout: Literal["idx", "cifar"]
    """"idx": four gzipped IDX files; "cifar": one tar.gz of records (label bytes, then planar pixels)."""
    members: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """cifar: the archive members of each split; the records are divided evenly among them."""
    label_bytes: int = 1
    """cifar: label bytes in a record; the last one is the label (CIFAR-100: coarse, then fine)."""

    def count(self, split: str) -> int:
        """Number of images of a split."""
        return self.n_train if split == "train" else self.n_test

    @property
    def pixels(self) -> int:
        """Bytes of one image."""
        size = 1
        for side in self.shape:
            size *= side
        return size


MNIST = RealSet("mnist", (28, 28), 10, 60_000, 10_000, "idx")

CIFAR10 = RealSet(
    "cifar10",
    (32, 32, 3),
    10,
    50_000,
    10_000,
    "cifar",
    members={
        "train": tuple(f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, 6)),
        "test": ("cifar-10-batches-bin/test_batch.bin",),
    },
)

CIFAR100 = RealSet(
    "cifar100",
    (32, 32, 3),
    100,
    50_000,
    10_000,
    "cifar",
    members={"train": ("cifar-100-binary/train.bin",), "test": ("cifar-100-binary/test.bin",)},
    label_bytes=2,
)

REAL_SETS = {spec.name: spec for spec in (MNIST, CIFAR10, CIFAR100)}
