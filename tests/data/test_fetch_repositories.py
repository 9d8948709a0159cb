"""Sets without content digests: archives from the web and mirrors, folders, the hub by a scripted twin."""

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
from sgdiffusion.data.fetch import KEPT, fetch
from sgdiffusion.data.mirror import resolve_mirror
from sgdiffusion.data.raw import read_manifest
from sgdiffusion.data.sources import Source, SourceFile
from sgdiffusion.errors import DataError

BODY = bytes(range(256)) * 40
COMMIT = "ab" * 20


def source_of(**changes: str) -> Source:
    row = {
        "set": "box", "role": "archive", "name": "box.zip", "addresses": "http://nowhere.invalid/box.zip",
        "bytes": str(len(BODY)), "md5": hashlib.md5(BODY).hexdigest(), "sha256": "", "licence": "MIT",
    }  # fmt: skip
    file = SourceFile.model_validate({**row, **changes})
    return Source(file.set, file.licence, (file,))


def model(**changes: str) -> Source:
    row = {"role": "model", "addresses": "hf://owner/tiny", "name": "*.json *.safetensors *.bin"}
    return source_of(**{**row, "bytes": "", "md5": "", "licence": "see the model card", **changes})


def test_an_archive_is_announced_fetched_checked_and_kept(tmp_path: Path, site: Site, rests, caplog):
    caplog.set_level(logging.INFO)
    announced: list[str] = []

    def answer(handler):
        announced.extend(caplog.messages)  # what had been said when the first byte was asked for
        whole(BODY)(handler)

    site.serve("/box.zip", answer)
    wanted = source_of(addresses=f"{site.address}/box.zip")
    manifest = fetch(wanted, tmp_path, policy=rests.policy())
    assert any("10,240 bytes" in m and "licence: MIT" in m for m in announced)
    assert (tmp_path / "box" / "box.zip").read_bytes() == BODY
    assert manifest == read_manifest(tmp_path / "box" / "manifest.json")
    assert manifest.published
    asked = len(site.requests)
    assert fetch(wanted, tmp_path, policy=rests.policy()).files[0].origin == KEPT
    assert len(site.requests) == asked


def test_a_wrong_archive_leaves_nothing_under_its_name(tmp_path: Path, site: Site, rests):
    site.serve("/box.zip", whole(BODY[::-1]))
    with pytest.raises(DataError, match="wrong checksum"):
        fetch(source_of(addresses=f"{site.address}/box.zip"), tmp_path, policy=rests.policy())
    assert not (tmp_path / "box" / "box.zip").exists()
    assert not (tmp_path / "box" / "manifest.json").exists()


@pytest.mark.parametrize("below", ["", "box"])
def test_an_archive_from_a_mirror(tmp_path: Path, below: str, site: Site, rests):
    place = tmp_path / "mirror" / below
    place.mkdir(parents=True)
    (place / "box.zip").write_bytes(BODY)
    mirror = resolve_mirror(str(tmp_path / "mirror"))
    assert fetch(source_of(), tmp_path / "raw", mirror).files[0].origin == str(tmp_path / "mirror")
    site.serve("/box.zip", whole(BODY))
    served = fetch(source_of(), tmp_path / "again", resolve_mirror(site.address), rests.policy())
    assert served.files[0].origin == site.address
    assert served.published
    (place / "box.zip").write_bytes(b"other")
    with pytest.raises(DataError, match=r"From the mirror .*box\.zip: 5 bytes, expected 10,240"):
        fetch(source_of(), tmp_path / "other", mirror)


def saved(folder: Path) -> Path:
    folder.mkdir()
    for name, body in (("config.json", b"{}"), ("model.safetensors", b"weights"), ("notes.md", b"words")):
        (folder / name).write_bytes(body)
    return folder


def test_a_folder_is_a_source_of_its_own(tmp_path: Path, caplog):
    caplog.set_level(logging.INFO)
    manifest = fetch(model(addresses=str(saved(tmp_path / "mine"))), tmp_path / "raw")
    assert [f.name for f in manifest.files] == ["config.json", "model.safetensors"]
    assert not manifest.published
    mine = str(tmp_path / "mine")
    assert manifest.summary == {"set": "box", "licence": "that of the folder's owner", "origin": mine}
    assert "nothing comes from the net" in caplog.text
    (tmp_path / "raw" / "box" / "config.json").unlink()
    with pytest.raises(DataError, match=r"config\.json: listed in .* but not there"):
        read_manifest(tmp_path / "raw" / "box" / "manifest.json")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=rf"{tmp_path}/none: not a folder of this machine"):
        fetch(model(addresses=f"{tmp_path}/none"), tmp_path / "raw")
    assert list((tmp_path / "raw" / "box").iterdir()) == []


def test_what_an_interrupted_copy_left_is_not_taken_for_a_file(tmp_path: Path):
    stale = tmp_path / "raw" / "box" / ".partial" / "old.bin"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"half of a file")
    manifest = fetch(model(addresses=str(saved(tmp_path / "mine"))), tmp_path / "raw")
    assert [f.name for f in manifest.files] == ["config.json", "model.safetensors"]
    assert not stale.parent.exists()


def test_a_folder_without_the_wanted_files_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"has no file \*\.onnx"):
        fetch(model(addresses=str(saved(tmp_path / "mine")), name="*.onnx"), tmp_path / "raw")
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
        fetch(model(), tmp_path / "raw")
    assert not (tmp_path / "raw" / "box" / "manifest.json").exists()
    snapshot = tmp_path / "cache" / "models--owner--tiny" / "snapshots" / COMMIT
    snapshot.parent.mkdir(parents=True)
    saved(snapshot)
    manifest = fetch(model(addresses=f"hf://owner/tiny@{COMMIT}"), tmp_path / "raw")
    assert manifest.files[0].origin == f"hf://owner/tiny@{COMMIT}"
    assert [f.name for f in manifest.files] == ["config.json", "model.safetensors"]


def test_without_a_connection_one_message_says_what_to_do(tmp_path: Path, library, dead_address):
    with pytest.raises(DataError, match=r"Could not fetch owner/tiny .*With a connection, try again"):
        fetch(model(), tmp_path / "raw", endpoint=dead_address)
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
    manifest = fetch(model(), tmp_path / "raw", endpoint=site.address)
    assert any("2 files, 9 bytes; licence: apache-2.0" in m for m in said)
    assert manifest.licence == "apache-2.0"
    assert manifest.files[0].origin == f"hf://owner/tiny@{COMMIT}"


def test_a_download_that_breaks_off_is_one_message(tmp_path: Path, library, monkeypatch):
    monkeypatch.setattr(hub, "_described", lambda *_: __import__("types").SimpleNamespace(
        sha=COMMIT, siblings=[], card_data=None
    ))  # fmt: skip

    def broken(*_, **__):
        raise OSError("the line went dead\nmuch detail")

    monkeypatch.setattr(library, "snapshot_download", broken)
    with pytest.raises(DataError, match=r"OSError: the line went dead\)"):
        fetch(model(), tmp_path / "raw")


def test_what_is_not_the_published_file_is_refused(tmp_path: Path, library, monkeypatch):
    monkeypatch.setattr(hub, "fetch", lambda *a: (f"hf://x/y@{COMMIT}", saved(a[3] / "x").name))
    with pytest.raises(DataError, match=r"expected 0000.*not the published file"):
        fetch(model(sha256="0" * 64), tmp_path / "raw")
    assert not (tmp_path / "raw" / "box" / "manifest.json").exists()


def test_a_missing_client_is_one_message(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DataError, match=r"extra `language`.*pip install '\.\[language\]'"):
        fetch(model(), tmp_path / "raw")


def test_the_client_is_whole_in_a_fresh_interpreter():
    """Its submodules come only by importing them; in this process another test may have done so."""
    pytest.importorskip("huggingface_hub", reason="the extra `language` is not installed")
    words = (
        "from sgdiffusion.data.hub import client; c = client(); c.constants.HF_HUB_OFFLINE; c.errors; c.HfApi"
    )
    source = str(Path(__file__).resolve().parents[2] / "src")
    environment = {**os.environ, "PYTHONPATH": source}
    subprocess.run([sys.executable, "-c", words], env=environment, check=True, timeout=120)
