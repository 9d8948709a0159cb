"""Fetching a set: whatever the source, only verified files get their names, and a manifest lists them."""

import errno
import json

import numpy as np
import pytest
from scripted_site import html, ranged, status, whole
from tiny_sets import IDX, original_files, random_arrays, source_table, write_files

from sgdiffusion.data.content import Arrays, canonical, content_digests
from sgdiffusion.data.fetch import fetch
from sgdiffusion.data.mirror import Mirror
from sgdiffusion.data.raw import real_arrays
from sgdiffusion.data.sets import REAL_SETS
from sgdiffusion.data.web import PATIENT
from sgdiffusion.errors import DataError


class House:
    """A tiny set with its tables, a site that serves it, a mirror folder, and a place for raw files."""

    def __init__(self, tmp_path, spec, site, rests):
        self.path, self.spec, self.site, self.rests = tmp_path, spec, site, rests
        self.arrays = random_arrays(spec)
        self.files = original_files(spec, self.arrays)
        self.source = source_table(
            tmp_path, spec, self.arrays, self.files, [f"{site.address}/a", f"{site.address}/b"]
        )
        self.raw, self.mirror = tmp_path / "raw", tmp_path / "mirror"
        self.mirror.mkdir()

    def serve(self, place="a", answer=whole):
        for name, content in self.files.items():
            self.site.serve(f"/{place}/{name}", answer(content))

    def fetch(self, mirror=False):
        given = Mirror(str(self.mirror), self.mirror) if mirror else None
        return fetch(self.source, self.raw, given, self.rests.policy())

    def left(self):
        """Everything under the raw folder, partial files included."""
        return sorted(str(p.relative_to(self.raw)) for p in self.raw.rglob("*") if p.is_file())

    def expect(self, *names):
        assert self.left() == sorted(f"{self.spec.name}/{name}" for name in (*names, "manifest.json"))

    def read(self):
        manifest = self.raw / self.spec.name / "manifest.json"
        return real_arrays(self.spec.name, str(manifest), str(self.path / "digests.csv"))


@pytest.fixture
def house(tmp_path, spec, site, rests, monkeypatch):
    monkeypatch.setitem(REAL_SETS, spec.name, spec)
    return House(tmp_path, spec, site, rests)


@pytest.fixture
def idx_house(tmp_path, site, rests, monkeypatch):
    monkeypatch.setitem(REAL_SETS, IDX.name, IDX)
    return House(tmp_path, IDX, site, rests)


def assert_same_content(one, other):
    for a, b in zip(canonical(one), canonical(other), strict=True):
        np.testing.assert_array_equal(a, b)


def shuffled(arrays, seed=3):
    rng = np.random.default_rng(seed)
    train, test = rng.permutation(len(arrays.x_train)), rng.permutation(len(arrays.x_test))
    return Arrays(arrays.x_train[train], arrays.y_train[train], arrays.x_test[test], arrays.y_test[test])


# --- from addresses ------------------------------------------------------------------------------------


def test_fetch_leaves_the_published_files_and_a_manifest(house):
    house.serve()
    manifest = house.fetch()
    house.expect(*house.files)
    written = json.loads((house.raw / house.spec.name / "manifest.json").read_text())
    assert written == manifest.model_dump(mode="json")
    assert written["digests"] == content_digests(house.arrays)
    for file in manifest.files:
        assert (house.raw / house.spec.name / file.name).read_bytes() == house.files[file.name]
        assert file.origin == f"{house.site.address}/a/{file.name}"
        assert file.published
    assert_same_content(house.read(), house.arrays)


def test_each_file_falls_over_to_the_next_address(house):
    house.serve("b")
    assert all(file.origin.startswith(f"{house.site.address}/b/") for file in house.fetch().files)


@pytest.mark.parametrize("answer", [html(), status(404), status(503), whole(b"damaged")])
def test_a_failed_fetch_leaves_nothing_under_a_final_name(idx_house, answer):
    idx_house.serve()
    idx_house.site.serve("/a/test-images.gz", answer)
    with pytest.raises(DataError, match=r"Could not fetch test-images\.gz"):
        idx_house.fetch()
    # the two files before it are whole and verified; of the bad one and of the manifest there is nothing
    assert idx_house.left() == ["tiny/train-images.gz", "tiny/train-labels.gz"]


def test_the_next_run_loads_only_what_is_missing(idx_house):
    idx_house.serve()
    idx_house.site.serve("/a/test-images.gz", status(404))
    with pytest.raises(DataError):
        idx_house.fetch()
    idx_house.serve("b")
    idx_house.site.requests.clear()
    manifest = idx_house.fetch()
    assert [path for path, _ in idx_house.site.requests] == [
        "/a/test-images.gz",
        "/b/test-images.gz",
        "/a/test-labels.gz",
    ]
    assert manifest.files[0].origin == "kept from an earlier fetch"


def test_an_interrupted_file_is_resumed_by_the_next_run(house):
    house.serve(answer=ranged)
    name, content = next(iter(house.files.items()))
    stage = house.raw / house.spec.name / ".partial"
    stage.mkdir(parents=True)
    (stage / name).write_bytes(content[:20])
    house.fetch()
    assert house.site.requests[0] == (f"/a/{name}", "bytes=20-")
    house.expect(*house.files)


def test_a_fetched_set_is_kept_without_a_request(house):
    house.serve()
    first = house.fetch()
    house.site.requests.clear()
    again = house.fetch()
    assert house.site.requests == []
    assert [(f.name, f.sha256) for f in again.files] == [(f.name, f.sha256) for f in first.files]


def test_a_file_damaged_since_is_fetched_again(house, caplog):
    house.serve()
    house.fetch()
    name = next(iter(house.files))
    (house.raw / house.spec.name / name).write_bytes(b"rotten")
    house.fetch()
    assert "damaged since it was fetched" in caplog.text
    assert (house.raw / house.spec.name / name).read_bytes() == house.files[name]


def test_files_with_the_right_checksum_but_other_content_are_refused(house):
    """The two tables disagree: better no data than wrong data."""
    house.serve()
    house.source.digests["test"] = "0" * 64
    with pytest.raises(DataError, match=f"this is not {house.spec.name}: the test split has content digest"):
        house.fetch()
    assert not (house.raw / house.spec.name / "manifest.json").exists()


# --- from a mirror -------------------------------------------------------------------------------------


def test_a_mirrors_originals_are_copied(house):
    write_files(house.mirror, house.files)
    manifest = house.fetch(mirror=True)
    house.expect(*house.files)
    assert all(file.published and file.origin == str(house.mirror) for file in manifest.files)
    assert house.site.requests == []
    assert_same_content(house.read(), house.arrays)


def test_a_recompressed_container_is_accepted_and_noted(idx_house):
    write_files(idx_house.mirror, original_files(IDX, idx_house.arrays, level=1))
    files = {file.name: file for file in idx_house.fetch(mirror=True).files}
    assert not files["train-images.gz"].published
    assert_same_content(idx_house.read(), idx_house.arrays)


def test_arrays_in_any_order_are_accepted(house):
    name = f"{house.spec.name}.npz"
    np.savez(house.mirror / name, **shuffled(house.arrays)._asdict())
    manifest = house.fetch(mirror=True)
    house.expect(name)
    assert [(file.role, file.published) for file in manifest.files] == [("arrays", False)]
    assert_same_content(house.read(), house.arrays)
    assert house.fetch().files[0].origin == "kept from an earlier fetch"


def test_a_loopback_mirror_serves_arrays(house):
    np.savez(house.mirror / "arrays.npz", **shuffled(house.arrays)._asdict())
    content = (house.mirror / "arrays.npz").read_bytes()
    house.site.serve(f"/m/{house.spec.name}.npz", whole(content))
    mirror = Mirror(f"{house.site.address}/m", None)
    fetch(house.source, house.raw, mirror, house.rests.policy())
    house.expect(f"{house.spec.name}.npz")


def wrong_label(arrays):
    labels = arrays.y_test.copy()
    labels[0] = 1 - labels[0]
    return arrays._replace(y_test=labels)


def test_original_files_with_other_content_are_refused(house):
    write_files(house.mirror, original_files(house.spec, wrong_label(house.arrays)))
    with pytest.raises(DataError, match=r"From the mirror .*this is not .*the test split") as caught:
        house.fetch(mirror=True)
    assert house.source.digests["test"] in str(caught.value)
    assert house.left() == []


def test_arrays_with_other_content_are_refused(house):
    np.savez(house.mirror / f"{house.spec.name}.npz", **wrong_label(house.arrays)._asdict())
    with pytest.raises(DataError, match="this is not"):
        house.fetch(mirror=True)
    assert house.left() == []


def test_a_truncated_mirror_file_is_named_and_not_kept(house):
    name, content = next(iter(house.files.items()))
    write_files(house.mirror, {**house.files, name: content[: len(content) // 2]})
    with pytest.raises(DataError, match=f"{name}: not a readable"):
        house.fetch(mirror=True)
    assert house.left() == []


def test_a_damaged_loopback_file_is_not_kept(house):
    house.serve("m")
    name = list(house.files)[-1]
    house.site.serve(f"/m/{name}", html())
    with pytest.raises(DataError, match="an HTML page"):
        fetch(house.source, house.raw, Mirror(f"{house.site.address}/m", None), house.rests.policy())
    assert house.left() == []


# --- folders that cannot be written --------------------------------------------------------------------


def test_a_file_in_the_place_of_the_folder_is_one_message(house):
    house.raw.write_text("not a folder")
    with pytest.raises(DataError, match=f"{house.raw}/{house.spec.name}: cannot write there"):
        house.fetch()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.EROFS, "Read-only file system. Make the folder writable"),
        (errno.EACCES, "Permission denied. Make the folder writable"),
        (errno.ENOSPC, "the disk is full. Free some space"),
    ],
)
def test_a_read_only_or_full_folder_is_one_message(house, monkeypatch, code, message):
    import os

    def refuse(self, *_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(type(house.raw), "mkdir", refuse)
    with pytest.raises(DataError, match=f"raw/{house.spec.name}: cannot write there: {message}"):
        house.fetch()


def test_a_disk_that_fills_up_while_copying_leaves_nothing(house, monkeypatch):
    write_files(house.mirror, house.files)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sgdiffusion.data.mirror.shutil.copyfileobj", full)
    with pytest.raises(DataError, match="the disk is full"):
        house.fetch(mirror=True)
    assert house.left() == []


# --- reading what was fetched --------------------------------------------------------------------------


def test_reading_names_a_manifest_that_is_none(house):
    path = house.raw / house.spec.name / "manifest.json"
    with pytest.raises(DataError, match="not a readable manifest"):
        house.read()
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    with pytest.raises(DataError, match=r"not a readable manifest\. Delete it and fetch again"):
        house.read()


def test_a_manifest_that_says_more_is_read(house):
    """Those of earlier versions do; what they list is verified like the rest."""
    house.serve()
    house.fetch()
    path = house.raw / house.spec.name / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "real": True}))
    assert_same_content(house.read(), house.arrays)


def test_reading_names_a_file_that_is_gone_or_changed(house):
    house.serve()
    house.fetch()
    name = next(iter(house.files))
    path = house.raw / house.spec.name / name
    path.write_bytes(original_files(house.spec, random_arrays(house.spec, seed=9))[name])
    with pytest.raises(DataError, match="this is not"):
        house.read()
    path.unlink()
    with pytest.raises(DataError, match=f"{name}: listed in .*manifest.json but not there"):
        house.read()


def test_the_default_policy_is_patient():
    assert PATIENT.tries >= 3


def test_a_partial_file_of_another_kind_survives_a_fetch(house):
    """Only what this fetch staged is removed: the folder of partial files goes only when it is empty."""
    house.serve()
    stage = house.raw / house.spec.name / ".partial"
    stage.mkdir(parents=True)
    (stage / "something else").write_bytes(b"x")
    house.fetch()
    assert (stage / "something else").exists()
