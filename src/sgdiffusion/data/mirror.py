"""A local mirror: a folder, or an address of this very machine, that holds the original files or npz arrays.

For readers whose machine cannot reach the data hosts. A mirror may hold, directly or in a folder named
after the set, either the original files or `<set>.npz` (uint8 x_train, y_train, x_test, y_test). It is
trusted for nothing: whatever it gives is verified by the caller (see `raw`).
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

from sgdiffusion.data.files import Wanted, writing
from sgdiffusion.data.raw import ARRAYS
from sgdiffusion.data.sets import REAL_SETS, RealSet
from sgdiffusion.data.sources import Source
from sgdiffusion.data.web import PATIENT, NotThere, Policy, fetch
from sgdiffusion.errors import DataError

logger = logging.getLogger(__name__)

VARIABLE = "SGDIFFUSION_MIRROR"


@dataclass(frozen=True)
class Mirror:
    """Where the files are: a folder, or an http address of this machine when `folder` is None."""

    location: str
    folder: Path | None

    def fetch(self, source: Source, stage: Path, policy: Policy = PATIENT) -> dict[str, Path]:
        """Copy what the mirror has of this set into `stage`; returns {role: file}, to be verified.

        The original files are preferred; their containers may differ from the published ones (re-compressed,
        say), so their checksums are not required here. With arrays the only role is "arrays".
        """
        found: dict[str, Path] = {}
        for file in source.files:
            # another compression of the same content may be larger; four times is beyond any of them
            if path := self._first(source.name, Wanted(file.name, 4 * file.wanted.limit), stage, policy):
                found[file.role] = path
        if len(found) == len(source.files):
            return found
        if source.as_arrays:
            arrays = Wanted(f"{source.name}.npz", _npz_limit(REAL_SETS[source.name]))
            if path := self._first(source.name, arrays, stage, policy):
                return {ARRAYS: path}
        raise DataError(self._lacks(source, [f.name for f in source.files if f.role not in found]))

    def _first(self, name: str, wanted: Wanted, stage: Path, policy: Policy) -> Path | None:
        """The staged copy of the first place in the mirror that has the file, or None."""
        target = stage / wanted.name
        for place in (f"{name}/{wanted.name}", wanted.name):
            if self.folder is not None:
                if _copied(self.folder / place, wanted, target):
                    return target
                continue
            try:
                fetch(wanted, (f"{self.location}/{place}",), target, policy, loopback=True)
                return target
            except NotThere:
                logger.info("%s: not at %s/%s", wanted.name, self.location, place)
        return None

    def _lacks(self, source: Source, missing: list[str]) -> str:
        originals = ", ".join(file.name for file in source.files)
        expected = f"the original files ({originals}) or {source.name}.npz" if source.as_arrays else originals
        part = f"It has only part of them, without {', '.join(missing)}. "
        return (
            f"The mirror {self.location} does not have the set {source.name}: expected {expected}, there or "
            f"in {source.name}/ below. {part * (len(missing) < len(source.files))}Pickle archives are never "
            "used. Add the files, or leave the mirror unset to fetch them from the web."
        )


def _npz_limit(spec: RealSet) -> int:
    """The largest npz of this set: uncompressed bytes, labels of eight bytes each, and headers."""
    return (spec.n_train + spec.n_test) * (spec.pixels + 8) + 2**16


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
