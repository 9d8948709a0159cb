"""What the trainers ask of a data set: four arrays, checked, digested and put on a device."""

import hashlib
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sgdiffusion.errors import DataError


class Splits(Protocol):
    """What a data set has to offer: images (n, …) and labels (n,), as NumPy arrays."""

    @property
    def x_train(self) -> NDArray[Any]: ...
    @property
    def y_train(self) -> NDArray[Any]: ...
    @property
    def x_test(self) -> NDArray[Any]: ...
    @property
    def y_test(self) -> NDArray[Any]: ...


def check(data: Splits) -> None:
    """Refuse what cannot be trained on, with the array's name."""
    for part in ("train", "test"):
        x, y = getattr(data, f"x_{part}"), getattr(data, f"y_{part}")
        if len(x) != len(y) or len(x) < 2:
            raise DataError(
                f"x_{part} has {len(x)} examples, y_{part} {len(y)} labels: need as many, at least 2"
            )
        if not np.isfinite(x).all():
            raise DataError(f"x_{part} holds values that are not finite; prepare the data set again")


def to_device(
    x: NDArray[Any], y: NDArray[Any], device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Inputs and labels as tensors on the device."""
    labels = torch.as_tensor(np.array(y, dtype=np.int64), device=device)
    inputs = np.require(x, requirements=["C", "W"])  # torch shares the memory and warns of read-only arrays
    return torch.as_tensor(inputs).to(device, dtype), labels


def digest(data: Splits) -> str:
    """sha256 of the four arrays, their types and shapes."""
    sha = hashlib.sha256()
    for name in ("x_train", "y_train", "x_test", "y_test"):
        array = np.ascontiguousarray(getattr(data, name))
        sha.update(f"{name}{array.dtype}{array.shape}".encode())
        sha.update(array.data)
    return sha.hexdigest()
