"""What is downloaded only when it is asked for by name: data/optional.csv, and how its items are obtained.

An item is an archive at plain addresses, or a data set or model of the Hugging Face hub. Its size and licence
are said before its download starts. Files are gathered in raw/<item>/.partial/ and moved to raw/<item>/ when
they are complete and right; the manifest comes last. `source` may also be a folder of this machine.
"""

import csv
import logging
import shutil
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from sgdiffusion.data import hub
from sgdiffusion.data.download import Policy, Wanted, checksums, difference, download, writing
from sgdiffusion.data.mirror import Mirror
from sgdiffusion.errors import DataError

logger = logging.getLogger(__name__)

Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]+$")]


class OptionalItem(BaseModel):
    """One row of data/optional.csv."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    item: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")]
    kind: Literal["archive", "dataset", "model"]
    source: str = Field(min_length=1)
    """Addresses separated by blanks (archive), owner/name on the hub, or a folder of this machine."""
    revision: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")] | None
    """Commit of the hub; None: the newest, which the manifest then names."""
    files: str = Field(min_length=1)
    """Names or patterns of the wanted files, separated by blanks."""
    bytes: int | None = Field(gt=0)
    md5: Annotated[Hex, StringConstraints(min_length=32, max_length=32)] | None
    sha256: Annotated[Hex, StringConstraints(min_length=64, max_length=64)] | None
    licence: str = Field(min_length=1)

    @field_validator("revision", "bytes", "md5", "sha256", mode="before")
    @classmethod
    def _empty_is_unknown(cls, value: str | None) -> str | None:
        return value or None


class ObtainedFile(BaseModel):
    """One file of raw/<item>/."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    bytes: int
    sha256: str


class OptionalManifest(BaseModel):
    """raw/<item>/manifest.json: what was obtained, from where, under which licence."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    item: str
    kind: str
    origin: str
    revision: str | None
    """The hub's commit that was obtained; None for files that did not come from the hub."""
    published: bool
    """Whether it came from the item's publisher (or has the published checksum), not from a reader's folder.
    """
    licence: str
    files: list[ObtainedFile]


def read_optional(path: Path) -> dict[str, OptionalItem]:
    """The items by name."""
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle, strict=True))
        items = [OptionalItem.model_validate(row) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a table ({error}).") from error
    except ValidationError as error:
        first = error.errors()[0]
        column = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{path}, {column}: {first['msg']}, found {first['input']!r}.") from error
    return {item.item: item for item in items}


def obtain(
    item: OptionalItem,
    raw: Path,
    mirror: Mirror | None = None,
    policy: Policy | None = None,
    endpoint: str | None = None,
) -> OptionalManifest:
    """Leaves the item's files in `raw`/<item>/ and writes their manifest last."""
    folder = raw / item.item
    stage = folder / ".partial"
    with writing(folder):
        if item.kind != "archive" and stage.is_dir():
            shutil.rmtree(
                stage
            )  # only an archive's partial file can be resumed here; the hub has its own cache
        stage.mkdir(parents=True, exist_ok=True)
    if Path(item.source).is_dir():
        origin, revision, licence = _from_folder(item, stage)
    elif item.kind == "archive":
        origin, revision, licence = _archive(item, folder, stage, mirror, policy or Policy())
    else:
        origin, revision, licence = hub.fetch(
            item.source, item.kind, item.revision, item.files.split(), item.licence, stage, endpoint
        )
    files = [_described(stage, path) for path in _files(stage)]
    _check(item, files, stage)
    published = not Path(item.source).is_dir()
    manifest = OptionalManifest(
        item=item.item, kind=item.kind, origin=origin, revision=revision, published=published,
        licence=licence, files=files,
    )  # fmt: skip
    _move(stage, folder, manifest)
    return manifest


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.rglob("*") if path.is_file())


def _described(folder: Path, path: Path) -> ObtainedFile:
    name = path.relative_to(folder).as_posix()
    return ObtainedFile(name=name, bytes=path.stat().st_size, sha256=checksums(path)[1])


def _check(item: OptionalItem, files: list[ObtainedFile], stage: Path) -> None:
    """Something came, and it has the table's checksum if there is one (a reader's folder is not judged)."""
    if not files:
        raise DataError(f"{item.item}: {item.source} has no file {item.files}; see data/optional.csv.")
    if item.sha256 is None or Path(item.source).is_dir():
        return
    if [file.sha256 for file in files] != [item.sha256]:
        shutil.rmtree(stage)
        raise DataError(
            f"{item.item}: what came from {item.source} has sha256 {', '.join(f.sha256 for f in files)}, "
            f"expected {item.sha256}. It is not the published file; try again, or correct data/optional.csv."
        )


def _move(stage: Path, folder: Path, manifest: OptionalManifest) -> None:
    with writing(folder):
        for file in manifest.files:
            target = folder / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            (stage / file.name).replace(target)
        shutil.rmtree(stage)
        partial = folder / ".partial-manifest.json"
        partial.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
        partial.replace(folder / "manifest.json")


def _from_folder(item: OptionalItem, stage: Path) -> tuple[str, None, str]:
    source = Path(item.source)
    logger.info("%s: taken from the folder %s, nothing is downloaded", item.item, source)
    with writing(stage):
        for path in _files(source):
            name = path.relative_to(source).as_posix()
            if any(fnmatch(name, pattern) for pattern in item.files.split()):
                (stage / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, stage / name)
    return item.source, None, "that of the folder's owner"


def _archive(
    item: OptionalItem, folder: Path, stage: Path, mirror: Mirror | None, policy: Policy
) -> tuple[str, None, str]:
    """The published file, from the mirror's copy or an address; its checksum is required of both."""
    wanted = Wanted(item.files, item.bytes or 2**40, item.bytes, item.md5, item.sha256)
    target = stage / item.files
    if (folder / item.files).is_file() and difference(folder / item.files, wanted) is None:
        (folder / item.files).replace(target)
        return "kept from an earlier fetch", None, item.licence
    if mirror is None:
        logger.info("%s: downloading %s; licence: %s", item.item, wanted, item.licence)
        return download(wanted, tuple(item.source.split()), target, policy), None, item.licence
    places = (f"{item.item}/{item.files}", item.files)
    if mirror.folder is None:
        addresses = tuple(f"{mirror.location}/{place}" for place in places)
        return download(wanted, addresses, target, policy, loopback=True), None, item.licence
    for path in (mirror.folder / place for place in places):
        if path.is_file() and difference(path, wanted) is None:
            with writing(stage):
                shutil.copyfile(path, target)
            return mirror.location, None, item.licence
    raise DataError(
        f"The mirror {mirror.location} does not have {item.item}: expected {wanted}, there or in "
        f"{item.item}/ below. Add the file, or leave the mirror unset to download it."
    )


def read_manifest(path: Path) -> OptionalManifest:
    """The manifest of an item that was obtained, whose files must be there."""
    try:
        manifest = OptionalManifest.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise DataError(f"{path}: not a readable manifest. Delete it and fetch again.") from error
    if gone := [file.name for file in manifest.files if not (path.parent / file.name).is_file()]:
        raise DataError(f"{path}: {', '.join(gone)} is not there any more. Delete it and fetch again.")
    return manifest
