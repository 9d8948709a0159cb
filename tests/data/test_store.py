"""Prepared sets on disk: what is written is read, and whatever does not fit is named."""

import errno
import json
from dataclasses import replace

import numpy as np
import pytest

from sgdiffusion.data import store
from sgdiffusion.data.store import Prepared, join_digests, load, save, subset
from sgdiffusion.errors import DataError

DIGESTS = {"train": "a" * 64, "test": "b" * 64}


@pytest.fixture
def prepared():
    rng = np.random.default_rng(0)
    meta = {
        "set": "some",
        "preparation": "full",
        "real": False,
        "digest": join_digests(DIGESTS),
        "digests": DIGESTS,
        "classes": 3,
        "n_train": 20,
        "n_test": 8,
        "shape": [1, 2, 2],
        "constants": {"mean": [0.5]},
    }

    def split(count):
        return rng.normal(size=(count, 1, 2, 2)).astype(np.float32), rng.integers(0, 3, count)

    return Prepared(*split(20), *split(8), meta)


def assert_same(one, other):
    for key in store.ARRAYS:
        np.testing.assert_array_equal(getattr(one, key), getattr(other, key))
        assert getattr(one, key).dtype == getattr(other, key).dtype
    assert one.meta == other.meta


def test_what_is_saved_is_loaded(tmp_path, prepared):
    save(tmp_path / "new" / "a.npz", prepared)
    assert_same(load(tmp_path / "new" / "a.npz"), prepared)
    assert_same(load(str(tmp_path / "new" / "a.npz")), prepared)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.npz"]


def test_the_file_depends_on_nothing_but_content(tmp_path, prepared, monkeypatch):
    save(tmp_path / "a.npz", prepared)
    monkeypatch.setattr("time.time", lambda: 2e9)
    meta = dict(reversed(prepared.meta.items()))
    save(tmp_path / "b.npz", replace(prepared, meta=meta))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_full_disk_leaves_neither_file_nor_part(tmp_path, prepared, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store.np, "savez", full)
    with pytest.raises(DataError, match="the disk is full"):
        save(tmp_path / "a.npz", prepared)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_save_keeps_the_earlier_file(tmp_path, prepared, monkeypatch):
    save(tmp_path / "a.npz", prepared)

    def full(*_, **__):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(store.np, "savez", full)
    with pytest.raises(DataError, match="the disk is full"):
        save(tmp_path / "a.npz", prepared)
    assert_same(load(tmp_path / "a.npz"), prepared)


def test_saving_what_does_not_fit_together_is_refused(tmp_path, prepared):
    with pytest.raises(DataError, match="expected float32"):
        save(tmp_path / "a.npz", replace(prepared, x_train=prepared.x_train[:5]))
    assert list(tmp_path.iterdir()) == []


def stored(path, prepared, **changed):
    arrays = {key: getattr(prepared, key) for key in store.ARRAYS} | {
        "meta": np.array(json.dumps(prepared.meta))
    }
    arrays |= changed
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


def beyond_unicode(prepared):
    """Meta data with a letter that numpy stores and Python cannot have; libraries panic at it."""
    letters = np.array([json.dumps({**prepared.meta, "more#": 1})]).view(np.uint32)
    letters[letters == ord("#")] = 0xFF7F0074
    return letters.view(f"U{len(letters)}").reshape(())


def nan(prepared):
    x = prepared.x_test.copy()
    x[3, 0, 1, 1] = np.nan
    return x


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: {"y_test": None}, "lacks y_test"),
        (lambda p: {"meta": None}, "lacks meta"),
        (lambda p: {"meta": np.array("{")}, "not a readable prepared set"),
        (lambda p: {"meta": np.array("[]")}, "meta data"),
        (lambda p: {"meta": beyond_unicode(p)}, "not a readable prepared set"),
        (lambda p: {"meta": np.array(json.dumps({**p.meta, "real": "no"}))}, "meta data, real"),
        (lambda p: {"meta": np.array(json.dumps({**p.meta, "more": 1}))}, "meta data, more"),
        (lambda p: {"x_train": p.x_train.astype(np.float64)}, "the train split is float64"),
        (lambda p: {"x_test": p.x_test[:, :, :1]}, r"the test split is float32 \(8, 1, 1, 2\)"),
        (lambda p: {"y_test": p.y_test.astype(np.int32)}, "labels int32"),
        (lambda p: {"y_train": p.y_train + 1}, "train labels are not all from 0 to 2"),
        (lambda p: {"y_train": p.y_train - 1}, "train labels are not all from 0 to 2"),
        (lambda p: {"x_test": nan(p)}, "test images hold values that are not finite"),
        (lambda p: {"y_test": np.array([None] * 8)}, "allow_pickle=False"),
    ],
)
def test_what_does_not_fit_is_named_with_the_cure(tmp_path, prepared, change, message):
    path = stored(tmp_path / "a.npz", prepared, **change(prepared))
    with pytest.raises(DataError, match=message) as caught:
        load(path)
    assert "a.npz" in str(caught.value)
    assert "Delete the file and run" in str(caught.value)


def test_a_missing_truncated_or_damaged_file_is_named(tmp_path, prepared):
    path = tmp_path / "a.npz"
    with pytest.raises(DataError, match="No such file"):
        load(path)
    save(path, prepared)
    content = path.read_bytes()
    path.write_bytes(content[:-30])
    with pytest.raises(DataError, match="not a readable prepared set"):
        load(path)
    path.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    with pytest.raises(DataError, match="not a readable prepared set"):
        load(path)


def test_subset_is_the_first_n(prepared):
    part = subset(prepared, 7, 3)
    np.testing.assert_array_equal(part.x_train, prepared.x_train[:7])
    np.testing.assert_array_equal(part.y_test, prepared.y_test[:3])
    assert (part.meta["n_train"], part.meta["n_test"]) == (7, 3)
    assert prepared.meta["n_train"] == 20
    assert_same(subset(prepared), prepared)
    assert_same(subset(prepared, 20, None), prepared)


@pytest.mark.parametrize(
    ("sizes", "message"), [((21, 8), "21 training"), ((20, 9), "9 test"), ((0, 8), "0 training")]
)
def test_a_subset_larger_than_the_set_is_refused(prepared, sizes, message):
    with pytest.raises(DataError, match=rf"some \(full\): {message} images asked for, it has"):
        subset(prepared, *sizes)
