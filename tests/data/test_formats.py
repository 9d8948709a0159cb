"""Parsers: right files give the arrays that were written; damaged and hostile ones one message each."""

import gzip
import io
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
from tiny_sets import (
    CIFAR,
    IDX,
    cifar_records,
    idx_bytes,
    original_files,
    random_arrays,
    tar_bytes,
    write_files,
)

from sgdiffusion.data import formats
from sgdiffusion.data.formats import read_npz, read_originals
from sgdiffusion.errors import DataError


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == np.uint8


def test_original_files_give_the_arrays_that_were_written(tmp_path, spec):
    arrays = random_arrays(spec)
    assert_same(read_originals(spec, write_files(tmp_path, original_files(spec, arrays))), arrays)


# --- IDX -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>log in</html>", "not a readable gzip file"),
        (gzip.compress(idx_bytes(np.zeros((12, 4, 5), np.uint8)))[:-20], "not a readable gzip file"),
        (gzip.compress(idx_bytes(np.zeros((12, 4, 5), np.uint8))[:-1]), "255 bytes unpacked, expected 256"),
        (gzip.compress(idx_bytes(np.zeros((12, 4, 5), np.uint8)) + b"x"), "more bytes unpacked"),
        (gzip.compress(idx_bytes(np.zeros((12, 5, 4), np.uint8))), "IDX header"),
        (gzip.compress(idx_bytes(np.zeros((11, 4, 5), np.uint8))), "IDX header"),
        (gzip.compress(b""), "IDX header"),
    ],
    ids=["html", "truncated", "one less", "one more", "turned", "too few", "empty"],
)
def test_a_damaged_idx_file_is_named(tmp_path, content, message):
    files = original_files(IDX, random_arrays(IDX)) | {"train-images.gz": content}
    with pytest.raises(DataError, match=message) as caught:
        read_originals(IDX, write_files(tmp_path, files))
    assert "train-images.gz" in str(caught.value)


def test_a_gzip_bomb_is_never_unpacked(tmp_path, monkeypatch):
    bomb = idx_bytes(np.zeros((12, 4, 5), np.uint8)) + bytes(50_000_000)
    files = original_files(IDX, random_arrays(IDX)) | {"train-images.gz": gzip.compress(bomb, 1)}
    read = []
    original = gzip.GzipFile.read
    monkeypatch.setattr(
        gzip.GzipFile, "read", lambda self, size=-1: read.append(size) or original(self, size)
    )
    with pytest.raises(DataError, match="more bytes"):
        read_originals(IDX, write_files(tmp_path, files))
    assert read == [257]  # one byte more than the file may have


def test_a_label_out_of_range_is_named(tmp_path):
    arrays = random_arrays(IDX)
    arrays.y_test[2] = 3
    with pytest.raises(DataError, match="tiny test: labels run from 0 to 3, expected 0 to 2"):
        read_originals(IDX, write_files(tmp_path, original_files(IDX, arrays)))


# --- CIFAR archive -------------------------------------------------------------------------------------


def members(**changed):
    arrays = random_arrays(CIFAR)
    records = cifar_records(arrays.x_train, arrays.y_train)
    half = len(records) // 2
    made = {
        "box/one.bin": records[:half],
        "box/two.bin": records[half:],
        "box/test.bin": cifar_records(arrays.x_test, arrays.y_test),
    }
    return made | changed


def archive(tmp_path, content):
    path = tmp_path / "box.tar.gz"
    path.write_bytes(content)
    return {"archive": path}


def test_the_last_label_byte_is_the_label(tmp_path):
    """Coarse labels are 99 in the test files, which no class is: reading them would be noticed."""
    arrays = random_arrays(CIFAR)
    read = read_originals(CIFAR, archive(tmp_path, tar_bytes(members())))
    np.testing.assert_array_equal(read.y_train, arrays.y_train)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x1f\x8bnot really", "not a readable tar.gz archive"),
        (b"", "not a readable tar.gz archive"),
        (gzip.compress(b"no tar at all" * 100), "not a readable tar.gz archive"),
        (tar_bytes(members())[:-40], "not a readable tar.gz archive"),
        (tar_bytes({"box/one.bin": members()["box/one.bin"]}), "lacks box/test.bin, box/two.bin"),
        (tar_bytes({**members(), "box/two.bin": b"short"}), "box/two.bin has 5 bytes, expected 372"),
        (tar_bytes({"../evil": b"x", **members()}), r"refused, its member '../evil'"),
        (tar_bytes({"/etc/evil": b"x", **members()}), r"refused, its member '/etc/evil'"),
        (tar_bytes({"big.txt": bytes(9 * 2**20), **members()}), "more than the set can have"),
    ],
    ids=["no gzip", "empty", "no tar", "truncated", "lacking", "short", "above", "absolute", "bomb"],
)
def test_a_damaged_or_hostile_archive_is_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message) as caught:
        read_originals(CIFAR, archive(tmp_path, content))
    assert "box.tar.gz" in str(caught.value)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_only_regular_members_are_read(tmp_path, kind):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as made:
        info = tarfile.TarInfo("box/one.bin")
        info.type, info.linkname = kind, "/etc/passwd"
        made.addfile(info)
    with pytest.raises(DataError, match=r"box/one\.bin is not a regular file"):
        read_originals(CIFAR, archive(tmp_path, buffer.getvalue()))


def test_reading_an_archive_writes_nothing(tmp_path):
    read_originals(CIFAR, archive(tmp_path, tar_bytes(members())))
    assert [path.name for path in tmp_path.iterdir()] == ["box.tar.gz"]


def test_the_bounded_stream_reads_all_at_once_too():
    stream = formats._Bounded(gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(b"abcdef"))), 6)
    assert stream.read() == b"abcdef"
    with pytest.raises(tarfile.ReadError):
        formats._Bounded(gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(b"abcdef"))), 5).read(None)


# --- npz -----------------------------------------------------------------------------------------------


def npz(path, arrays, **changed):
    np.savez(path, **{**arrays._asdict(), **changed})
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.int32])
def test_npz_gives_its_arrays_whatever_the_type_of_labels(tmp_path, spec, dtype):
    arrays = random_arrays(spec)
    labels = {"y_train": arrays.y_train.astype(dtype), "y_test": arrays.y_test.astype(dtype)}
    assert_same(read_npz(spec, npz(tmp_path / "a.npz", arrays, **labels)), arrays)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"x_train": np.zeros((12, 5, 4), np.uint8)},
            r"x_train has shape \(12, 5, 4\), expected \(12, 4, 5\)",
        ),
        ({"x_test": np.zeros((5, 4, 5), np.uint8)}, r"x_test has shape"),
        ({"x_test": np.zeros((6, 4, 5), np.int8)}, "x_test has type int8, expected uint8"),
        ({"x_train": np.zeros((12, 4, 5))}, "x_train has 2,048 bytes|x_train has type float64"),
        ({"y_test": np.zeros((6, 1), np.int64)}, r"y_test has shape \(6, 1\)"),
        ({"y_test": np.zeros(6)}, "y_test has type float64, expected integer labels"),
        ({"y_test": np.array([0, 1, 2, 0, 1, 3])}, "labels run from 0 to 3"),
        ({"y_test": np.array([0, 1, 2, 0, 1, -1])}, "labels run from -1 to 2"),
        ({"x_train": np.zeros((1200, 40, 50), np.uint8)}, "x_train has 2,400,128 bytes, expected at most"),
        ({"y_test": np.array([None] * 6, dtype=object)}, "allow_pickle=False"),
    ],
)
def test_a_wrong_npz_array_is_named(tmp_path, changed, message):
    with pytest.raises(DataError, match=message) as caught:
        read_npz(IDX, npz(tmp_path / "a.npz", random_arrays(IDX), **changed))
    assert "a.npz" in str(caught.value)


def test_a_missing_npz_key_is_named(tmp_path):
    arrays = random_arrays(IDX)
    np.savez(tmp_path / "a.npz", x_train=arrays.x_train, other=arrays.y_test)
    with pytest.raises(DataError, match=r"lacks y_train, x_test, y_test; expected .*, found other\.npy"):
        read_npz(IDX, tmp_path / "a.npz")


def test_a_file_that_is_no_npz_is_named(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"<html></html>")
    with pytest.raises(DataError, match="not a readable npz file"):
        read_npz(IDX, tmp_path / "a.npz")


def test_a_damaged_npz_is_named(tmp_path):
    path = npz(tmp_path / "a.npz", random_arrays(IDX))
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF  # inside the first array: the archive's own checksum does not fit any more
    path.write_bytes(content)
    with pytest.raises(DataError, match="not a readable npz file"):
        read_npz(IDX, path)


def test_a_pickle_in_an_npz_is_never_executed(tmp_path):
    executed = tmp_path / "executed"

    class Evil:
        def __reduce__(self):
            return (open, (str(executed), "w"))

    with zipfile.ZipFile(tmp_path / "a.npz", "w") as made:
        for key in formats.NPZ_KEYS:
            made.writestr(f"{key}.npy", pickle.dumps(Evil()))
    with pytest.raises(DataError, match="not a readable npz file"):
        read_npz(IDX, tmp_path / "a.npz")
    assert not executed.exists()
