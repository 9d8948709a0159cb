"""Prepared sets on disk: one npz of four arrays and the facts about them, written whole or not at all."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from sgdiffusion.data.files import writing
from sgdiffusion.data.formats import npz_array
from sgdiffusion.errors import UNREADABLE, DataError, brief

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True)
class Prepared:
    """A prepared data set, in canonical order.

    x float32 [n, colour, height, width]; y int64 [n], from 0 to classes − 1. meta: set, preparation, real
    (False for embedded sets), digest (one digest of the whole set's content), digests (train, test),
    classes, n_train, n_test, shape (of one input) and the constants that the preparation fitted.
    """

    x_train: NDArray[np.float32]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.int64]
    meta: dict[str, Any]


class _Meta(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    set: str
    preparation: str
    real: bool
    digest: str
    digests: dict[str, str]
    classes: int
    n_train: int
    n_test: int
    shape: list[int]
    constants: dict[str, Any]


def join_digests(digests: Mapping[str, str]) -> str:
    """One digest of a whole set: sha256 over the digests of its train and its test split, as text."""
    return hashlib.sha256(f"{digests['train']}{digests['test']}".encode()).hexdigest()


def subset(prepared: Prepared, n_train: int | None = None, n_test: int | None = None) -> Prepared:
    """The first n images of each split in canonical order (None: all of them).

    The canonical order is by hash, unrelated to the class, so this is a random sample that is the same
    everywhere, and smaller samples are contained in larger ones. The preparation's constants stay those of
    the whole training set.
    """
    for name, wanted, have in (
        ("training", n_train, len(prepared.x_train)),
        ("test", n_test, len(prepared.x_test)),
    ):
        if wanted is not None and not 0 < wanted <= have:
            raise DataError(
                f"{prepared.meta['set']} ({prepared.meta['preparation']}): {wanted:,} {name} images asked "
                f"for, it has {have:,}. Ask for 1 to {have:,}, or for none in particular to get all."
            )
    x_train, y_train = prepared.x_train[:n_train], prepared.y_train[:n_train]
    x_test, y_test = prepared.x_test[:n_test], prepared.y_test[:n_test]
    meta = {**prepared.meta, "n_train": len(x_train), "n_test": len(x_test)}
    return Prepared(x_train, y_train, x_test, y_test, meta)


def save(path: Path, prepared: Prepared) -> None:
    """Write a prepared set; the bytes depend on nothing but its content."""
    _check(path, prepared)
    partial = path.with_name(f".partial-{path.name}")
    arrays = {name: getattr(prepared, name) for name in ARRAYS}
    meta = np.array(json.dumps(prepared.meta, sort_keys=True))
    try:
        with writing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as handle:
                np.savez(handle, **arrays, meta=meta)
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load(path: str | Path) -> Prepared:
    """Read a prepared set, checked: keys, types, shapes, labels, and the file's own checksums."""
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as stored:
            missing = [key for key in (*ARRAYS, "meta") if key not in stored]
            if missing:
                raise DataError(f"{path}: lacks {', '.join(missing)}. {_CURE}")
            arrays = {key: npz_array(stored, key) for key in ARRAYS}
            prepared = Prepared(**arrays, meta=json.loads(str(stored["meta"])))
            # neither half a surrogate pair nor a letter beyond U+10FFFF is text
            json.dumps(prepared.meta, ensure_ascii=False).encode().decode()
    except UNREADABLE as error:
        raise DataError(f"{path}: not a readable prepared set ({brief(error)}). {_CURE}") from error
    _check(path, prepared)
    return prepared


_CURE = "Delete the file and run its `prepare_` rule again."


def _check(path: Path, prepared: Prepared) -> None:
    """Types, shapes and labels agree with each other and with the meta data."""
    try:
        meta = _Meta.model_validate(prepared.meta)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{path}: meta data, {key}: {first['msg']}. {_CURE}") from error
    for split, count in (("train", meta.n_train), ("test", meta.n_test)):
        x, y = getattr(prepared, f"x_{split}"), getattr(prepared, f"y_{split}")
        expected = (np.float32, (count, *meta.shape), np.int64, (count,))
        if (x.dtype, x.shape, y.dtype, y.shape) != expected:
            raise DataError(
                f"{path}: the {split} split is {x.dtype} {x.shape} with labels {y.dtype} {y.shape}, "
                f"expected float32 {(count, *meta.shape)} with int64 {(count,)}. {_CURE}"
            )
        if count and not (y.min() >= 0 and y.max() < meta.classes):
            raise DataError(f"{path}: the {split} labels are not all from 0 to {meta.classes - 1}. {_CURE}")
        if not np.isfinite(x).all():
            raise DataError(f"{path}: the {split} images hold values that are not finite. {_CURE}")
