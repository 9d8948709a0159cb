"""Fetch one set: verified files under data/raw/<set>/ and a manifest that says what they are.

Wherever a set comes from (a mirror, addresses of the web, the Hugging Face hub, a folder), its files are
gathered in data/raw/<set>/.partial/, get their final names only when they are right, and the manifest comes
last. What is right is said in `raw`; a mirror is trusted for nothing, so a re-compressed copy or npz arrays
serve as well as the published files.
"""

import logging
import shutil
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

from sgdiffusion.data import hub, web
from sgdiffusion.data.files import difference, discard, write_whole, writing
from sgdiffusion.data.mirror import Mirror
from sgdiffusion.data.raw import ARRAYS, FetchedFile, Manifest, described, verify
from sgdiffusion.data.sources import Source
from sgdiffusion.errors import DataError

logger = logging.getLogger(__name__)

KEPT = "kept from an earlier fetch"


def fetch(
    source: Source,
    raw: Path,
    mirror: Mirror | None = None,
    policy: web.Policy = web.PATIENT,
    endpoint: str | None = None,
) -> Manifest:
    """Leave the verified files of a set in `raw`/<set>/ and write the manifest last.

    The files of a set on the web are kept if they are there already and right; otherwise the mirror is
    asked if there is one, else the addresses. `endpoint`: another address of the hub than its own.
    """
    folder, licence = raw / source.name, source.licence
    stage = folder / ".partial"
    with writing(folder):
        stage.mkdir(parents=True, exist_ok=True)
    if not source.on_the_web:
        files, licence = _from_repository(source, folder, stage, endpoint)
    elif (kept := _kept(source, folder)) is not None:
        files = kept
    elif mirror is not None:
        files = _from_mirror(source, mirror, folder, stage, policy)
    else:
        files = _from_web(source, folder, stage, policy)
    manifest = Manifest(set=source.name, licence=licence, digests=dict(source.digests), files=files)
    with writing(folder):
        if stage.is_dir() and not any(stage.iterdir()):
            stage.rmdir()
        write_whole(folder / "manifest.json", manifest)
    return manifest


def _kept(source: Source, folder: Path) -> list[FetchedFile] | None:
    """The files of an earlier fetch if they are all there and right."""
    candidates: list[dict[str, Path]] = [{file.role: folder / file.name for file in source.files}]
    if source.as_arrays:
        candidates.append({ARRAYS: folder / f"{source.name}.npz"})
    for files in candidates:
        if not all(path.is_file() for path in files.values()):
            continue
        try:
            verify(source, files)
        except DataError as error:
            logger.warning("%s\n%s: damaged since it was fetched, fetching again", error, folder)
            continue
        return [described(path, folder, role, KEPT, source) for role, path in files.items()]
    return None


def _from_mirror(
    source: Source, mirror: Mirror, folder: Path, stage: Path, policy: web.Policy
) -> list[FetchedFile]:
    """Copies of the mirror's files, none of which gets its final name unless all of them are right."""
    try:
        staged = mirror.fetch(source, stage, policy)
        try:
            verify(source, staged)
        except DataError as error:
            raise DataError(f"From the mirror {mirror.location}: {error}") from error
        files = [described(path, stage, role, mirror.location, source) for role, path in staged.items()]
        _place(staged.values(), stage, folder)
    finally:
        # a mirror's copy without a checksum cannot be resumed, so nothing of it may stay behind
        for name in (*(file.name for file in source.files), f"{source.name}.npz"):
            discard(stage / name)
    return files


def _from_web(source: Source, folder: Path, stage: Path, policy: web.Policy) -> list[FetchedFile]:
    """The published files, each in place as soon as its checksum is right."""
    paths: dict[str, Path] = {file.role: folder / file.name for file in source.files}
    origins: dict[str, str] = {}
    for file in source.files:
        origins[file.role] = KEPT
        if not paths[file.role].is_file() or difference(paths[file.role], file.wanted):
            logger.info("%s: fetching; licence: %s", file.wanted, source.licence)
            origins[file.role] = web.fetch(file.wanted, file.addresses, stage / file.name, policy)
            _place([stage / file.name], stage, folder)
    verify(source, paths)
    return [described(path, folder, role, origins[role], source) for role, path in paths.items()]


def _from_repository(
    source: Source, folder: Path, stage: Path, endpoint: str | None
) -> tuple[list[FetchedFile], str]:
    """The wanted files of a repository of the hub, or of a folder of this machine, and their licence."""
    (wanted,) = source.files
    (address,) = wanted.addresses
    patterns, on_the_hub = wanted.name.split(), address.startswith("hf://")
    with writing(folder):
        shutil.rmtree(stage)  # nothing here can be resumed; the hub's client has a cache of its own
        stage.mkdir()
    try:
        if on_the_hub:
            origin, licence = hub.fetch(address, patterns, source.licence, stage, endpoint)
        else:
            origin, licence = _copy(Path(address), patterns, stage)
        paths = sorted(path for path in stage.rglob("*") if path.is_file())
        if not paths:
            raise DataError(f"{source.name}: {address} has no file {wanted.name}; see data/sources.csv.")
        for path in paths if on_the_hub or source.digests else []:  # else a reader's own: not `published`
            verify(source, {wanted.role: path})
        files = [described(path, stage, wanted.role, origin, source) for path in paths]
        _place(paths, stage, folder)
    finally:
        with writing(folder):
            shutil.rmtree(stage)
    return files, licence


def _copy(place: Path, patterns: list[str], stage: Path) -> tuple[str, str]:
    """Copies of a folder's files; returns the folder and the licence."""
    logger.info("%s: its files are copied, nothing comes from the net", place)
    if not place.is_dir():
        raise DataError(f"{place}: not a folder of this machine; see data/sources.csv.")
    with writing(stage):
        for path in place.rglob("*"):
            name = path.relative_to(place)
            if path.is_file() and any(fnmatch(name.as_posix(), pattern) for pattern in patterns):
                (stage / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, stage / name)
    return str(place), "that of the folder's owner"


def _place(staged: Iterable[Path], stage: Path, folder: Path) -> None:
    """Give staged files their final names."""
    with writing(folder):
        for path in staged:
            target = folder / path.relative_to(stage)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
