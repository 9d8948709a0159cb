"""Fetch one real data set: verified files under data/raw/<set>/ and a manifest that says what they are.

Files are gathered in data/raw/<set>/.partial/ and get their final names only when they are right. Two
checks, with different jobs: a downloaded file must have the published checksum (it is the very file); and
whatever the source, the arrays inside must have the content digest of data/digests.csv (it is the very
data). A mirror's copy needs only the second, so re-compressed files and npz arrays serve as well.
"""

import logging
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from sgdiffusion.data.content import SPLITS, Arrays, content_digests
from sgdiffusion.data.download import Policy, Wanted, checksums, difference, discard, download, writing
from sgdiffusion.data.formats import read_npz, read_originals
from sgdiffusion.data.mirror import Mirror, take
from sgdiffusion.data.sets import REAL_SETS, RealSet
from sgdiffusion.data.sources import SetSource, SourceFile, read_sources
from sgdiffusion.errors import DataError

logger = logging.getLogger(__name__)

ARRAYS = "arrays"
"""The role of `<set>.npz`, beside the roles of the original files."""


class FetchedFile(BaseModel):
    """One verified file of data/raw/<set>/."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str
    name: str
    bytes: int
    md5: str
    sha256: str
    origin: str
    """The address or mirror it came from."""
    published: bool
    """Whether it is, byte for byte, the file that the authors publish."""


class Manifest(BaseModel):
    """data/raw/<set>/manifest.json: what was fetched, from where, and what it contains."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    set: str
    real: bool = True
    licence: str
    digests: dict[str, str]
    files: list[FetchedFile]


def fetch(
    spec: RealSet,
    source: SetSource,
    raw: Path,
    mirror: Mirror | None = None,
    policy: Policy | None = None,
) -> Manifest:
    """Leave the verified files of a set in `raw`/<set>/ and write the manifest last.

    Files that are there already and right are kept; then the mirror is asked if there is one, otherwise
    the addresses of the source table.
    """
    policy = policy or Policy()
    folder = raw / spec.name
    stage = folder / ".partial"
    with writing(folder):
        stage.mkdir(parents=True, exist_ok=True)
    files = _kept(spec, source, folder)
    if files is None:
        files = (
            _from_mirror(spec, source, mirror, folder, stage, policy)
            if mirror
            else _from_addresses(spec, source, folder, stage, policy)
        )
    manifest = Manifest(set=spec.name, licence=source.licence, digests=dict(source.digests), files=files)
    with writing(folder):
        if not any(stage.iterdir()):
            stage.rmdir()
        _write(folder / "manifest.json", manifest)
    return manifest


def read_raw(spec: RealSet, source: SetSource, manifest: Path) -> Arrays:
    """The arrays of a fetched set, verified once more: files can rot, or be replaced, after the fetch."""
    try:
        listed = Manifest.model_validate_json(manifest.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise DataError(f"{manifest}: not a readable manifest. Delete it and fetch again.") from error
    files = {file.role: manifest.parent / file.name for file in listed.files}
    gone = [str(path) for path in files.values() if not path.is_file()]
    if gone:
        raise DataError(f"{', '.join(gone)}: listed in {manifest} but not there. Delete it and fetch again.")
    return _verified(spec, source, files)


def _verified(spec: RealSet, source: SetSource, files: dict[str, Path]) -> Arrays:
    """The arrays in the files, if their content digests are right."""
    arrays = read_npz(spec, files[ARRAYS]) if ARRAYS in files else read_originals(spec, files)
    found = content_digests(arrays)
    for split in SPLITS:
        if found[split] != source.digests[split]:
            names = ", ".join(str(path) for path in files.values())
            raise DataError(
                f"{names}: this is not {spec.name}: the {split} split has content digest {found[split]}, "
                f"expected {source.digests[split]}. Replace the file by the original, or run `make demo`."
            )
    return arrays


def _write(path: Path, manifest: Manifest) -> None:
    partial = path.with_name(f".partial-{path.name}")
    partial.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def _described(path: Path, role: str, origin: str, source: SetSource) -> FetchedFile:
    md5, sha256 = checksums(path)
    published = any(file.role == role and file.md5 == md5 for file in source.files)
    size = path.stat().st_size
    return FetchedFile(
        role=role, name=path.name, bytes=size, md5=md5, sha256=sha256, origin=origin, published=published
    )


def _kept(spec: RealSet, source: SetSource, folder: Path) -> list[FetchedFile] | None:
    """The files of an earlier fetch if they are all there and right."""
    originals = {file.role: folder / file.name for file in source.files}
    for files in (originals, {ARRAYS: folder / f"{spec.name}.npz"}):
        if not all(path.is_file() for path in files.values()):
            continue
        try:
            _verified(spec, source, files)
        except DataError as error:
            logger.warning("%s\n%s: damaged since it was fetched, fetching again", error, folder)
            continue
        return [_described(path, role, "kept from an earlier fetch", source) for role, path in files.items()]
    return None


def _from_mirror(
    spec: RealSet, source: SetSource, mirror: Mirror, folder: Path, stage: Path, policy: Policy
) -> list[FetchedFile]:
    """Copies of the mirror's files, none of which gets its final name unless all content is right."""
    try:
        staged = take(spec, source, mirror, stage, policy)
        try:
            _verified(spec, source, staged)
        except DataError as error:
            raise DataError(f"From the mirror {mirror.location}: {error}") from error
        files = [_described(path, role, mirror.location, source) for role, path in staged.items()]
        with writing(folder):
            for path in staged.values():
                path.replace(folder / path.name)
    finally:
        # a mirror's copy without a checksum cannot be resumed, so nothing of it may stay behind
        for name in (*(file.name for file in source.files), f"{spec.name}.npz"):
            discard(stage / name)
    return files


def _from_addresses(
    spec: RealSet, source: SetSource, folder: Path, stage: Path, policy: Policy
) -> list[FetchedFile]:
    """The published files, each in place as soon as its checksum is right."""
    origins = {file.role: _one_file(file, folder, stage, policy) for file in source.files}
    paths = {file.role: folder / file.name for file in source.files}
    _verified(spec, source, paths)
    return [_described(path, role, origins[role], source) for role, path in paths.items()]


def _one_file(file: SourceFile, folder: Path, stage: Path, policy: Policy) -> str:
    wanted = Wanted(file.name, limit=file.bytes, bytes=file.bytes, md5=file.md5, sha256=file.sha256)
    final = folder / file.name
    if final.is_file() and difference(final, wanted) is None:
        return "kept from an earlier fetch"
    partial = stage / file.name
    logger.info("%s: downloading", wanted)
    origin = download(wanted, file.addresses, partial, policy)
    with writing(folder):
        partial.replace(final)
    return origin


def real_arrays(name: str, manifest: str, sources: str, digests: str) -> Arrays:
    """The verified arrays of a fetched set, given the paths of its manifest and of the two tables."""
    table = read_sources(Path(sources), Path(digests))
    return read_raw(REAL_SETS[name], table[name], Path(manifest))
