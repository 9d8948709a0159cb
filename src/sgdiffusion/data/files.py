"""Files below data/: what a wanted file must be, and failures to write as one message.

Without a network library, so that whoever only reads or stores arrays does not wait for its import.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EDQUOT, ENOSPC
from pathlib import Path

from pydantic import BaseModel

from sgdiffusion.errors import DataError


@dataclass(frozen=True)
class Wanted:
    """One file as it has to arrive. Without size and checksums only the limit holds (a mirror's own copy)."""

    name: str
    limit: int
    bytes: int | None = None
    md5: str | None = None
    sha256: str | None = None

    @property
    def pinned(self) -> bool:
        """Whether a checksum says which file it is."""
        return self.md5 is not None or self.sha256 is not None

    def __str__(self) -> str:
        if self.bytes is None:
            return f"{self.name} (at most {self.limit:,} bytes)"
        return f"{self.name} ({self.bytes:,} bytes, md5 {self.md5})"


def checksums(path: Path) -> tuple[str, str]:
    """md5 and sha256 of a file. (md5 is what the publishers give; it is no defence against malice.)"""
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(2**20):
            md5.update(chunk)
            sha256.update(chunk)
    return md5.hexdigest(), sha256.hexdigest()


def difference(path: Path, wanted: Wanted) -> str | None:
    """What is wrong with a complete file, or None."""
    size = path.stat().st_size
    if size > wanted.limit or (wanted.bytes is not None and size != wanted.bytes):
        return f"{size:,} bytes, expected {wanted.bytes or wanted.limit:,}"
    for name, found, expected in zip(
        ("md5", "sha256"), checksums(path), (wanted.md5, wanted.sha256), strict=True
    ):
        if expected not in (None, found):
            return f"wrong checksum: {name} {found}, expected {expected}"
    return None


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn a failure to write below `folder` into one message. No network call belongs inside."""
    try:
        yield
    except OSError as error:
        full = error.errno in (ENOSPC, EDQUOT)
        reason = "the disk is full" if full else (error.strerror or str(error))
        cure = "Free some space" if full else "Make the folder writable"
        raise DataError(f"{folder}: cannot write there: {reason}. {cure}, then run again.") from error


def discard(partial: Path) -> None:
    """Remove a partial file that is of no use."""
    with writing(partial.parent):
        partial.unlink(missing_ok=True)


def write_whole(path: Path, model: BaseModel) -> None:
    """Write a model as JSON, whole or not at all."""
    partial = path.with_name(f".partial-{path.name}")
    partial.write_text(model.model_dump_json(indent=2) + "\n", encoding="utf-8")
    partial.replace(path)
