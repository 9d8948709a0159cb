"""Optional downloads: the table, archives from addresses, mirrors and folders, the hub by a scripted twin."""

import hashlib
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from scripted_site import Site, whole

from sgdiffusion.data import hub
from sgdiffusion.data.mirror import resolve_mirror
from sgdiffusion.data.optional import OptionalItem, obtain, read_manifest, read_optional
from sgdiffusion.errors import DataError

TABLE = Path(__file__).resolve().parents[2] / "data" / "optional.csv"
BODY = bytes(range(256)) * 40
COMMIT = "ab" * 20


def item(**changes) -> OptionalItem:
    row = {
        "item": "box", "kind": "archive", "source": "http://nowhere.invalid/box.zip", "revision": None,
        "files": "box.zip", "bytes": len(BODY), "md5": hashlib.md5(BODY).hexdigest(), "sha256": None,
        "licence": "MIT",
    }  # fmt: skip
    return OptionalItem.model_validate({**row, **changes})


def model(**changes) -> OptionalItem:
    row = {"kind": "model", "source": "owner/tiny", "files": "*.json *.safetensors *.bin"}
    return item(**{**row, "bytes": None, "md5": None, "licence": "see the model card", **changes})


def test_the_table_names_every_download_with_size_or_commit_and_licence():
    items = read_optional(TABLE)
    assert set(items) == {
        "tiny-imagenet",
        "tinystories",
        "tinystories-1m",
        "tinyllama-15m",
        "tinystories-33m",
    }
    archive = items["tiny-imagenet"]
    assert len(archive.source.split()) == 2
    assert archive.bytes
    assert archive.md5
    assert items["tinystories"].sha256


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [("archive", "sound", "kind"), (",248100043,", ",many,", "bytes"), ("f54c09f", "f54", "revision")],
)
def test_a_wrong_row_is_named(tmp_path: Path, old: str, new: str, message: str):
    (tmp_path / "optional.csv").write_text(TABLE.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match=rf"optional\.csv, {message}"):
        read_optional(tmp_path / "optional.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_optional(tmp_path / "none.csv")


def test_an_archive_is_announced_fetched_checked_and_kept(tmp_path: Path, site: Site, rests, caplog):
    caplog.set_level(logging.INFO)
    announced: list[str] = []

    def answer(handler):
        announced.extend(caplog.messages)  # what had been said when the first byte was asked for
        whole(BODY)(handler)

    site.serve("/box.zip", answer)
    wanted = item(source=f"{site.address}/box.zip")
    manifest = obtain(wanted, tmp_path, policy=rests.policy())
    assert any("10,240 bytes" in m and "licence: MIT" in m for m in announced)
    assert (tmp_path / "box" / "box.zip").read_bytes() == BODY
    assert manifest == read_manifest(tmp_path / "box" / "manifest.json")
    assert manifest.published
    asked = len(site.requests)
    assert obtain(wanted, tmp_path, policy=rests.policy()).origin == "kept from an earlier fetch"
    assert len(site.requests) == asked


def test_a_wrong_archive_leaves_nothing_under_its_name(tmp_path: Path, site: Site, rests):
    site.serve("/box.zip", whole(BODY[::-1]))
    with pytest.raises(DataError, match="wrong checksum"):
        obtain(item(source=f"{site.address}/box.zip"), tmp_path, policy=rests.policy())
    assert not (tmp_path / "box" / "box.zip").exists()
    assert not (tmp_path / "box" / "manifest.json").exists()


@pytest.mark.parametrize("below", ["", "box"])
def test_an_archive_from_a_mirror(tmp_path: Path, below: str, site: Site, rests):
    place = tmp_path / "mirror" / below
    place.mkdir(parents=True)
    (place / "box.zip").write_bytes(BODY)
    mirror = resolve_mirror(str(tmp_path / "mirror"))
    assert obtain(item(), tmp_path / "raw", mirror).origin == str(tmp_path / "mirror")
    site.serve("/box.zip", whole(BODY))
    served = obtain(item(), tmp_path / "again", resolve_mirror(site.address), rests.policy())
    assert served.origin == f"{site.address}/box.zip"
    (place / "box.zip").write_bytes(b"other")
    with pytest.raises(DataError, match=r"does not have box: expected box\.zip \(10,240 bytes"):
        obtain(item(), tmp_path / "other", mirror)


def saved(folder: Path) -> Path:
    folder.mkdir()
    for name, body in (("config.json", b"{}"), ("model.safetensors", b"weights"), ("notes.md", b"words")):
        (folder / name).write_bytes(body)
    return folder


def test_a_folder_is_a_source_of_its_own(tmp_path: Path, caplog):
    caplog.set_level(logging.INFO)
    manifest = obtain(model(source=str(saved(tmp_path / "mine"))), tmp_path / "raw")
    assert [f.name for f in manifest.files] == ["config.json", "model.safetensors"]
    assert not manifest.published
    assert "nothing is downloaded" in caplog.text
    (tmp_path / "raw" / "box" / "config.json").unlink()
    with pytest.raises(DataError, match=r"config\.json is not there any more"):
        read_manifest(tmp_path / "raw" / "box" / "manifest.json")


def test_a_folder_without_the_wanted_files_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"has no file \*\.onnx"):
        obtain(model(source=str(saved(tmp_path / "mine")), files="*.onnx"), tmp_path / "raw")
    assert not (tmp_path / "raw" / "box" / "manifest.json").exists()


def test_a_damaged_manifest_is_named(tmp_path: Path):
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(DataError, match="not a readable manifest"):
        read_manifest(tmp_path / "manifest.json")


# --- the hub ------------------------------------------------------------------------------------------


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The hub's client with a cache of its own, asked not to fall back to the real hub."""
    found = pytest.importorskip("huggingface_hub", reason="the extra `language` is not installed")
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return found


def test_offline_only_the_cache_is_used(tmp_path: Path, library, monkeypatch):
    monkeypatch.setattr(library.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match=r"owner/tiny is not in the hub's cache.*HF_HUB_OFFLINE"):
        obtain(model(), tmp_path / "raw")
    assert not (tmp_path / "raw" / "box" / "manifest.json").exists()
    snapshot = tmp_path / "cache" / "models--owner--tiny" / "snapshots" / COMMIT
    snapshot.parent.mkdir(parents=True)
    saved(snapshot)
    manifest = obtain(model(revision=COMMIT), tmp_path / "raw")
    assert manifest.revision == COMMIT
    assert [f.name for f in manifest.files] == ["config.json", "model.safetensors"]


def test_without_a_connection_one_message_says_what_to_do(tmp_path: Path, library, dead_address):
    with pytest.raises(DataError, match=r"Could not get owner/tiny .*With a connection, try again"):
        obtain(model(), tmp_path / "raw", endpoint=dead_address)
    assert not (tmp_path / "raw" / "box" / "manifest.json").exists()


def test_size_and_licence_are_said_before_the_download(
    tmp_path: Path, library, monkeypatch, site: Site, caplog
):
    caplog.set_level(logging.INFO)
    sizes = {"config.json": 2, "model.safetensors": 7, "pytorch_model.bin": 9, "notes.md": 5}
    card = {"license": "apache-2.0"}
    answer = {
        "id": "owner/tiny", "sha": COMMIT, "cardData": card, "tags": [], "private": False, "downloads": 0,
        "siblings": [{"rfilename": n, "size": b} for n, b in sizes.items()],
    }  # fmt: skip
    body = json.dumps(answer).encode()
    for path in ("/api/models/owner/tiny", f"/api/models/owner/tiny/revision/{COMMIT}"):
        site.serve(f"{path}?blobs=True", whole(body))
        site.serve(f"{path}?blobs=true", whole(body))
    said: list[str] = []

    def snapshot_download(repo: str, allow_patterns: list[str], **asked) -> str:
        said.extend(caplog.messages)
        assert asked["revision"] == COMMIT, "what was described is what is downloaded"
        assert allow_patterns == ["config.json", "model.safetensors"]
        return str(saved(tmp_path / COMMIT))

    # the download itself is the client's own; its name, arguments and moment are what is tested here
    monkeypatch.setattr(library, "snapshot_download", snapshot_download)
    manifest = obtain(model(), tmp_path / "raw", endpoint=site.address)
    assert any("2 files, 9 bytes; licence: apache-2.0" in m for m in said)
    assert manifest.licence == "apache-2.0"
    assert manifest.revision == COMMIT


def test_a_download_that_breaks_off_is_one_message(tmp_path: Path, library, monkeypatch):
    monkeypatch.setattr(hub, "_described", lambda *_: __import__("types").SimpleNamespace(
        sha=COMMIT, siblings=[], card_data=None
    ))  # fmt: skip

    def broken(*_, **__):
        raise OSError("the line went dead\nmuch detail")

    monkeypatch.setattr(library, "snapshot_download", broken)
    with pytest.raises(DataError, match=r"OSError: the line went dead\)"):
        obtain(model(), tmp_path / "raw")


def test_what_is_not_the_published_file_is_refused(tmp_path: Path, library, monkeypatch):
    monkeypatch.setattr(hub, "fetch", lambda *a: (saved(a[5] / "x"), COMMIT, "MIT"))
    with pytest.raises(DataError, match=r"expected 0000.*not the published file"):
        obtain(model(sha256="0" * 64), tmp_path / "raw")
    assert not (tmp_path / "raw" / "box" / "manifest.json").exists()


def test_a_missing_client_is_one_message(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DataError, match=r"extra `language`.*pip install '\.\[language\]'"):
        obtain(model(), tmp_path / "raw")


def test_the_client_is_whole_in_a_fresh_interpreter():
    """Its submodules come only by importing them; in this process another test may have done so."""
    pytest.importorskip("huggingface_hub", reason="the extra `language` is not installed")
    words = (
        "from sgdiffusion.data.hub import client; c = client(); c.constants.HF_HUB_OFFLINE; c.errors; c.HfApi"
    )
    source = str(Path(__file__).resolve().parents[2] / "src")
    environment = {**os.environ, "PYTHONPATH": source}
    subprocess.run([sys.executable, "-c", words], env=environment, check=True, timeout=120)
