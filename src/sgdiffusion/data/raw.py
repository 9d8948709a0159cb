"""What lies in data/raw/<set>/: fetched files, their manifest, and the checks that they are the right ones.

Two checks, with different jobs. Images that are parsed here must have the content digests of
data/digests.csv: it is the very data, whatever the container. Other files must have the checksum of
data/sources.csv: it is the very file. An archive of JPEGs may be right by either.
"""

import logging
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from sgdiffusion.data.content import SPLITS, Arrays, content_digests, member_digests
from sgdiffusion.data.files import checksums, difference
from sgdiffusion.data.formats import read_npz, read_originals
from sgdiffusion.data.sets import REAL_SETS
from sgdiffusion.data.sources import Source, read_digests
from sgdiffusion.errors import DataError

logger = logging.getLogger(__name__)

JPEG_FOLDERS = {"tiny-imagenet": {"train": "tiny-imagenet-200/train/", "test": "tiny-imagenet-200/val/"}}
ARRAYS = "arrays"
"""The role of `<set>.npz`, beside the roles of the original files."""


class FetchedFile(BaseModel):
    """One file of data/raw/<set>/."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str
    name: str
    bytes: int
    md5: str
    sha256: str
    origin: str
    """The address, mirror or folder it came from; of the hub with the commit."""
    published: bool
    """Whether it came from the hub or is, byte for byte, the file that its authors publish."""


class Manifest(BaseModel):
    """data/raw/<set>/manifest.json: what was fetched, from where, under which licence, with which content."""

    model_config = ConfigDict(
        extra="ignore", frozen=True
    )  # what was fetched by an earlier version stays good

    set: str
    licence: str
    digests: dict[str, str]
    files: list[FetchedFile]

    @property
    def published(self) -> bool:
        """Whether all of it is its authors' own."""
        return all(file.published for file in self.files)

    @property
    def summary(self) -> dict[str, str]:
        """Set, licence and origin in a few words, for the record of what is made from it."""
        origins = ", ".join(dict.fromkeys(file.origin for file in self.files))
        return {"set": self.set, "licence": self.licence, "origin": origins}


def described(path: Path, folder: Path, role: str, origin: str, source: Source) -> FetchedFile:
    """The entry of a file below `folder` in the manifest."""
    md5, sha256 = checksums(path)
    known = [file for file in source.files if file.role == role and file.wanted.pinned]
    same = any((file.md5 or md5, file.sha256 or sha256) == (md5, sha256) for file in known)
    published = same or origin.startswith("hf://")
    return FetchedFile(
        role=role, name=path.relative_to(folder).as_posix(), bytes=path.stat().st_size,
        md5=md5, sha256=sha256, origin=origin, published=published,
    )  # fmt: skip


def read_manifest(path: Path) -> Manifest:
    """The manifest of a fetched set, whose files must be there."""
    try:
        manifest = Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise DataError(f"{path}: not a readable manifest. Delete it and fetch again.") from error
    gone = [str(path.parent / f.name) for f in manifest.files if not (path.parent / f.name).is_file()]
    if gone:
        raise DataError(f"{', '.join(gone)}: listed in {path} but not there. Delete it and fetch again.")
    return manifest


def verify(source: Source, files: Mapping[str, Path]) -> None:
    """The files, by role, have the content (or where none is pinned, the checksums) of the set."""
    if source.as_arrays:
        verified_arrays(source.name, source.digests, files)
        return
    for file in source.files:
        path, wanted = files[file.role], file.wanted
        if not wanted.pinned or not (wrong := difference(path, wanted)):
            continue
        if not (source.digests and _same_members(source, path)):
            raise DataError(f"{path}: {wrong}. It is not the published file; fetch that one.")
        logger.info("%s: not the published archive, but its images are: their digests are right", path)


def _same_members(source: Source, path: Path) -> bool:
    """Whether an archive holds the very JPEGs of the set, however it was packed."""
    try:
        return member_digests(path, JPEG_FOLDERS[source.name]) == source.digests
    except (zipfile.BadZipFile, NotImplementedError, OSError, zlib.error) as error:
        raise DataError(f"{path}: not a readable archive ({error}). Replace it.") from error
    except DataError as error:
        raise DataError(f"{path}: {error}.") from error


def verified_arrays(name: str, digests: Mapping[str, str], files: Mapping[str, Path]) -> Arrays:
    """The arrays in the files, if their content digests are right."""
    spec = REAL_SETS[name]
    arrays = read_npz(spec, files[ARRAYS]) if ARRAYS in files else read_originals(spec, files)
    found = content_digests(arrays)
    for split in SPLITS:
        if found[split] != digests[split]:
            names = ", ".join(str(path) for path in files.values())
            raise DataError(
                f"{names}: this is not {name}: the {split} split has content digest {found[split]}, "
                f"expected {digests[split]}. Replace the file by the original, or run `make demo`."
            )
    return arrays


def real_arrays(name: str, manifest: str, digests: str) -> Arrays:
    """The arrays of a fetched set, verified once more: files can rot, or be replaced, after the fetch."""
    listed = read_manifest(Path(manifest))
    files = {file.role: Path(manifest).parent / file.name for file in listed.files}
    return verified_arrays(name, read_digests(Path(digests))[name], files)
