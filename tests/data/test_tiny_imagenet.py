"""Tiny ImageNet: a zip in the published layout, made from known images; damaged ones give one message."""

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sgdiffusion.data.content import MOST_JPEG_BYTES
from sgdiffusion.data.fetch import fetch
from sgdiffusion.data.mirror import Mirror
from sgdiffusion.data.preparation import full, prepare
from sgdiffusion.data.sources import Source, SourceFile
from sgdiffusion.data.tiny_imagenet import ROOT, tiny_imagenet
from sgdiffusion.errors import DataError

IDS = ["n02", "n01", "n03"]  # not in order, as in the published list
SIZES = {"side": 8, "classes": 3, "train": 4, "test": 2}


def jpeg(level: int, side: int = 8, mode: str = "RGB") -> bytes:
    """A flat image: JPEG keeps its grey level exactly."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((side, side, 3), level, np.uint8)).convert(mode).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def members() -> dict[str, bytes]:
    found = {f"{ROOT}/wnids.txt": "\n".join(IDS).encode()}
    for i, wnid in enumerate(IDS):
        for k in range(4):
            mode = "L" if k == 3 else "RGB"
            found[f"{ROOT}/train/{wnid}/images/{wnid}_{k}.JPEG"] = jpeg(20 * i + k + 10, mode=mode)
    lines = [f"val_{k}.JPEG\t{IDS[k % 3]}\t0\t0\t7\t7" for k in range(6)]
    found[f"{ROOT}/val/val_annotations.txt"] = "\n".join(lines).encode()
    return found | {f"{ROOT}/val/images/val_{k}.JPEG": jpeg(100 + k) for k in range(6)}


def packed(path: Path, content: dict[str, bytes]) -> Path:
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for name, body in content.items():
            archive.writestr(name, body)
    return path


def fetched(tmp_path: Path, content: dict[str, bytes]) -> Path:
    source = packed(tmp_path / "source" / "tiny-imagenet-200.zip", content).parent
    file = SourceFile(
        set="tiny-imagenet", role="archive", name="tiny-imagenet-200.zip", addresses=str(source),
        bytes="", md5="", sha256="", licence="none",
    )  # fmt: skip
    fetch(Source(file.set, file.licence, (file,)), tmp_path / "raw")
    return tmp_path / "raw" / "tiny-imagenet" / "manifest.json"


def test_images_and_labels_are_those_of_the_archive(tmp_path: Path):
    arrays = tiny_imagenet("tiny-imagenet", str(fetched(tmp_path, members())), **SIZES)
    assert arrays.x_train.shape == (12, 8, 8, 3)
    # classes in the order of their sorted ids n01, n02, n03
    assert arrays.y_train.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    levels = [20 * IDS.index(wnid) + k + 10 for wnid in sorted(IDS) for k in range(4)]
    assert (arrays.x_train == np.array(levels, np.uint8)[:, None, None, None]).all()
    assert arrays.y_test.tolist() == [sorted(IDS).index(IDS[k % 3]) for k in range(6)]
    assert (arrays.x_test[:, 0, 0, 0] == 100 + np.arange(6)).all()
    prepared = prepare(arrays, "tiny-imagenet", "full", full, real=True)
    assert prepared.x_train.shape == (12, 3, 8, 8)
    assert prepared.meta["classes"] == 3


def without(name: str) -> dict[str, bytes]:
    return {k: v for k, v in members().items() if name not in k}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (without("wnids"), "not a readable archive of tiny-imagenet"),
        (without("n01_2.JPEG"), r"not a readable archive.*n01_2\.JPEG"),
        ({**members(), f"{ROOT}/wnids.txt": b"n01\nn02"}, "2 classes in wnids.txt, expected 3"),
        ({**members(), f"{ROOT}/val/val_annotations.txt": b"v.JPEG\tn09"}, r"1 images.*\['n09'\]"),
        (
            {**members(), f"{ROOT}/val/images/val_3.JPEG": jpeg(9, side=16)},
            r"3\.JPEG has \(16, 16\) pixels",
        ),
        ({**members(), f"{ROOT}/val/images/val_3.JPEG": b"no image"}, r"val_3\.JPEG is not a readable JPEG"),
        ({**members(), f"{ROOT}/val/images/val_3.JPEG": bytes(MOST_JPEG_BYTES + 1)}, "unpacks to more than"),
    ],
)
def test_a_wrong_archive_is_named(tmp_path: Path, content: dict[str, bytes], message: str):
    with pytest.raises(DataError, match=message):
        tiny_imagenet("tiny-imagenet", str(fetched(tmp_path, content)), **SIZES)


def test_a_file_that_is_no_zip_is_named(tmp_path: Path):
    manifest = fetched(tmp_path, members())
    (manifest.parent / "tiny-imagenet-200.zip").write_bytes(b"half a download")
    with pytest.raises(DataError, match="not a readable archive"):
        tiny_imagenet("tiny-imagenet", str(manifest), **SIZES)


def digest(content: dict[str, bytes], folder: str) -> str:
    """Written apart from the project's: files of a folder, in any order."""
    jpegs = [(k, v) for k, v in content.items() if k.startswith(f"{ROOT}/{folder}/") and k.endswith("JPEG")]
    hashes = sorted(hashlib.sha256(k.encode() + b"\n" + v).digest() for k, v in jpegs)
    return hashlib.sha256(b"".join(hashes)).hexdigest()


def source_of(content: dict[str, bytes]) -> Source:
    """The set as the web has it, with a checksum that no archive made here has."""
    file = SourceFile(
        set="tiny-imagenet", role="archive", name="tiny-imagenet-200.zip", licence="none",
        addresses="https://example.org/tiny-imagenet-200.zip", bytes="100000", md5="0" * 32, sha256="",
    )  # fmt: skip
    digests = {"train": digest(content, "train"), "test": digest(content, "val")}
    return Source(file.set, file.licence, (file,), digests)


def test_another_archive_of_the_same_images_serves(tmp_path: Path):
    other = dict(reversed(members().items()))
    mirror = packed(tmp_path / "mirror" / "tiny-imagenet-200.zip", other).parent
    manifest = fetch(source_of(members()), tmp_path / "raw", Mirror(str(mirror), mirror))
    assert not manifest.published  # the file is another; the manifest says so, and its content is right
    assert fetch(source_of(members()), tmp_path / "raw").files[0].origin == "kept from an earlier fetch"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({f"{ROOT}/val/images/val_3.JPEG": jpeg(9)}, "It is not the published file"),
        ({f"{ROOT}/val/images/val_9.JPEG": jpeg(9)}, "It is not the published file"),
        ({f"{ROOT}/val/images/val_3.JPEG": bytes(MOST_JPEG_BYTES + 1)}, "unpacks to 262,145 bytes"),
    ],
)
def test_an_archive_of_other_images_does_not(tmp_path: Path, change: dict[str, bytes], message: str):
    mirror = packed(tmp_path / "mirror" / "tiny-imagenet-200.zip", members() | change).parent
    with pytest.raises(DataError, match=message):
        fetch(source_of(members()), tmp_path / "raw", Mirror(str(mirror), mirror))
    assert not (tmp_path / "raw/tiny-imagenet/tiny-imagenet-200.zip").exists()


def test_a_mirror_without_the_archive_is_told_what_it_lacks(tmp_path: Path):
    with pytest.raises(DataError, match=r"expected tiny-imagenet-200\.zip, there or in tiny-imagenet/ below"):
        fetch(source_of(members()), tmp_path / "raw", Mirror(str(tmp_path), tmp_path))


def test_what_a_damaged_archive_holds_is_not_quoted_at_length(tmp_path: Path):
    """zipfile's error has the name that it found; a damaged length makes that thousands of bytes."""
    manifest = fetched(tmp_path, members())
    archive = manifest.parent / "tiny-imagenet-200.zip"
    content = bytearray(archive.read_bytes())
    content[26:28] = (5000).to_bytes(2, "little")  # length of the first member's name
    archive.write_bytes(content)
    with pytest.raises(DataError, match="not a readable archive") as caught:
        tiny_imagenet("tiny-imagenet", str(manifest), **SIZES)
    assert len(str(caught.value)) < 1000
