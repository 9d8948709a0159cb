"""What may be a mirror, and where in it the files are looked for."""

import pytest
from scripted_site import status, whole
from tiny_sets import IDX, original_files, random_arrays, source_table, write_files

from sgdiffusion.data.mirror import VARIABLE, Mirror, resolve_mirror
from sgdiffusion.data.sets import REAL_SETS
from sgdiffusion.errors import DataError


def test_without_a_mirror_there_is_none():
    assert resolve_mirror(None, {}) is None
    assert resolve_mirror(" ", {VARIABLE: ""}) is None


def test_the_environment_goes_first(tmp_path):
    assert resolve_mirror("/nowhere", {VARIABLE: str(tmp_path)}) == Mirror(str(tmp_path), tmp_path)
    assert resolve_mirror(str(tmp_path), {VARIABLE: ""}) == Mirror(str(tmp_path), tmp_path)


def test_the_real_environment_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert resolve_mirror(None) == Mirror(str(tmp_path), tmp_path)


def test_a_folder_may_be_relative_or_below_home(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve_mirror("data", {}) == resolve_mirror("~/data", {})


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8000",
        "http://localhost/data",
        "http://127.8.9.1",
        "http://[::1]:80",
        "https://localhost",
    ],
)
def test_addresses_of_this_machine_are_mirrors(address):
    assert resolve_mirror(address + "/", {}) == Mirror(address, None)


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org/data",
        "http://127.0.0.1.example.org",
        "http://10.0.0.1",
        "ftp://localhost",
        "file:///d",
    ],
)
def test_other_addresses_are_refused(address):
    with pytest.raises(DataError, match=f"environment variable {VARIABLE}: {address} is not a mirror"):
        resolve_mirror(None, {VARIABLE: address})


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=f"configuration key mirror: {tmp_path}/no is not a folder"):
        resolve_mirror(f"{tmp_path}/no", {})


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A tiny set: its source, files, and an empty stage to fetch them to."""
    monkeypatch.setitem(REAL_SETS, IDX.name, IDX)
    arrays = random_arrays(IDX)
    files = original_files(IDX, arrays)
    (tmp_path / "stage").mkdir()
    return source_table(tmp_path, IDX, arrays, files, ["http://nowhere.invalid"]), files


@pytest.mark.parametrize("place", [".", "tiny"])
def test_originals_are_found_directly_or_in_a_folder_of_the_sets_name(tmp_path, house, rests, place):
    source, files = house
    write_files(tmp_path / "mirror" / place, files)
    mirror = Mirror("m", tmp_path / "mirror")
    staged = mirror.fetch(source, tmp_path / "stage", rests.policy())
    assert {path.name: path.read_bytes() for path in staged.values()} == files
    assert set(staged) == {"train_images", "train_labels", "test_images", "test_labels"}


@pytest.mark.parametrize("place", ["", "/tiny"])
def test_so_they_are_at_an_address(tmp_path, house, rests, place, site):
    source, files = house
    for name, content in files.items():
        site.serve(f"/data{place}/{name}", whole(content))
    mirror = Mirror(f"{site.address}/data", None)
    staged = mirror.fetch(source, tmp_path / "stage", rests.policy())
    assert {path.name: path.read_bytes() for path in staged.values()} == files


def test_originals_that_are_incomplete_leave_room_for_arrays(tmp_path, house, rests):
    source, files = house
    files.pop("test-labels.gz")
    write_files(tmp_path / "mirror", {**files, "tiny.npz": b"arrays"})
    staged = Mirror("m", tmp_path / "mirror").fetch(source, tmp_path / "stage", rests.policy())
    assert staged == {"arrays": tmp_path / "stage" / "tiny.npz"}


def test_what_is_missing_is_named(tmp_path, house, rests):
    source, files = house
    (tmp_path / "mirror").mkdir()
    mirror = Mirror("m", tmp_path / "mirror")
    with pytest.raises(DataError, match=r"not have the set tiny: expected .*test-labels\.gz\) or tiny\.npz"):
        mirror.fetch(source, tmp_path / "stage", rests.policy())
    files.pop("test-labels.gz")
    write_files(tmp_path / "mirror", files)
    with pytest.raises(DataError, match=r"only part of them, without test-labels\.gz"):
        mirror.fetch(source, tmp_path / "stage", rests.policy())


def test_a_broken_address_is_not_an_empty_one(tmp_path, house, rests, site):
    site.serve("/tiny/train-images.gz", status(500))
    with pytest.raises(DataError, match="HTTP 500"):
        Mirror(site.address, None).fetch(house[0], tmp_path / "stage", rests.policy())


def test_a_file_far_too_large_is_not_copied(tmp_path, house, rests):
    source, files = house
    write_files(tmp_path / "mirror", {**files, "train-images.gz": bytes(5 * len(files["train-images.gz"]))})
    with pytest.raises(DataError, match=r"train-images\.gz: .* bytes, at most"):
        Mirror("m", tmp_path / "mirror").fetch(source, tmp_path / "stage", rests.policy())
    assert not (tmp_path / "stage" / "train-images.gz").exists()


def test_a_file_that_cannot_be_read_is_named(tmp_path, house, rests, monkeypatch):
    source, files = house
    write_files(tmp_path / "mirror", files)

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "open", refused)
    with pytest.raises(DataError, match=r"images\.gz: the mirror's file cannot be read \(Permission denied"):
        Mirror("m", tmp_path / "mirror").fetch(source, tmp_path / "stage", rests.policy())
