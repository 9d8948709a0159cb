"""A local mirror: a folder, or an address of this very machine, that holds the original files or npz arrays.

For readers whose machine cannot reach the data hosts. A mirror may hold, directly or in a folder named
after the set, either the original files or `<set>.npz` (uint8 x_train, y_train, x_test, y_test). It is
trusted for nothing: whatever it gives is accepted only if the content digest is right (see `fetch`).
"""

import ipaddress
import logging
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sgdiffusion.data.download import NotThere, Policy, Wanted, download, writing
from sgdiffusion.data.sets import RealSet
from sgdiffusion.data.sources import SetSource
from sgdiffusion.errors import DataError

logger = logging.getLogger(__name__)

VARIABLE = "SGDIFFUSION_MIRROR"


@dataclass(frozen=True)
class Mirror:
    """Where the files are: a folder, or an http address of this machine when `folder` is None."""

    location: str
    folder: Path | None


def resolve_mirror(configured: str | None, environ: Mapping[str, str] = os.environ) -> Mirror | None:
    """The mirror to use, if any: the environment variable wins over the configuration; empty means none."""
    value, where = environ.get(VARIABLE, "").strip(), f"environment variable {VARIABLE}"
    if not value:
        value, where = (configured or "").strip(), "configuration key mirror"
    if not value:
        return None
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", value):
        _check_loopback(value, where)
        return Mirror(value.rstrip("/"), None)
    folder = Path(value).expanduser().absolute()
    if not folder.is_dir():
        raise DataError(f"{where}: {folder} is not a folder. Name a folder that holds the data files.")
    return Mirror(str(folder), folder)


def _check_loopback(address: str, where: str) -> None:
    parts = urlsplit(address)
    host = parts.hostname or ""
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if parts.scheme not in ("http", "https") or not local:
        raise DataError(
            f"{where}: {address} is not a mirror: expected a folder, or an http address of this machine "
            "(http://127.0.0.1:PORT or http://localhost:PORT). To use files on another machine, copy them "
            "into a folder and name that folder."
        )


def take(spec: RealSet, source: SetSource, mirror: Mirror, stage: Path, policy: Policy) -> dict[str, Path]:
    """Copy what the mirror has of this set into `stage`; returns {role: file}.

    The original files are preferred; their containers may differ from the published ones (re-compressed,
    say), so their checksums are not required here: their content is judged by the caller. With arrays the
    only role is "arrays".
    """
    originals, missing = _originals(spec, source, mirror, stage, policy)
    if originals and not missing:
        return originals
    arrays = _first(mirror, spec.name, Wanted(f"{spec.name}.npz", _npz_limit(spec)), stage, policy)
    if arrays:
        return {"arrays": arrays}
    looked_for = ", ".join(file.name for file in source.files)
    lacking = f"It has only part of them, without {', '.join(missing)}. " if originals else ""
    raise DataError(
        f"The mirror {mirror.location} does not have the set {spec.name}: expected the original files "
        f"({looked_for}) or {spec.name}.npz, there or in {spec.name}/ below. {lacking}Pickle archives are "
        f"never used. Add the files, or leave the mirror unset to download them."
    )


def _npz_limit(spec: RealSet) -> int:
    """The largest npz of this set: uncompressed bytes, labels of eight bytes each, and headers."""
    return (spec.n_train + spec.n_test) * (spec.pixels + 8) + 2**16


def _originals(
    spec: RealSet, source: SetSource, mirror: Mirror, stage: Path, policy: Policy
) -> tuple[dict[str, Path], list[str]]:
    found, missing = {}, []
    for file in source.files:
        # another compression of the same content may be larger; four times is beyond any of them
        path = _first(mirror, spec.name, Wanted(file.name, 4 * file.bytes), stage, policy)
        if path:
            found[file.role] = path
        else:
            missing.append(file.name)
    return found, missing


def _first(mirror: Mirror, name: str, wanted: Wanted, stage: Path, policy: Policy) -> Path | None:
    """The staged copy of the first place in the mirror that has the file, or None."""
    target = stage / wanted.name
    for place in (f"{name}/{wanted.name}", wanted.name):
        if mirror.folder is not None:
            if _copied(mirror.folder / place, wanted, target):
                return target
            continue
        try:
            download(wanted, (f"{mirror.location}/{place}",), target, policy, loopback=True)
            return target
        except NotThere:
            logger.info("%s: not at %s/%s", wanted.name, mirror.location, place)
    return None


def _copied(path: Path, wanted: Wanted, target: Path) -> bool:
    try:
        if not path.is_file():
            return False
        size = path.stat().st_size
        stream = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: the mirror's file cannot be read ({error.strerror or error}).") from error
    with stream:
        if size > wanted.limit:
            raise DataError(f"{path}: {size:,} bytes, at most {wanted.limit:,} allowed for this file.")
        with writing(target.parent), target.open("wb") as copy:
            shutil.copyfileobj(stream, copy, 2**20)
    return True
