"""The tables data/sources.csv (files, addresses, checksums) and data/digests.csv (content), checked.

One row of sources.csv is one address of one file; rows of the same file agree in everything else.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from sgdiffusion.errors import DataError

Md5 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Role = Literal["train_images", "train_labels", "test_images", "test_labels", "archive"]


class SourceRow(BaseModel):
    """One address of one original file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    set: FileName
    role: Role
    file: FileName
    address: str
    bytes: int = Field(gt=0)
    md5: Md5
    sha256: Sha256 | None = None
    licence: str = Field(min_length=1)

    @field_validator("sha256", mode="before")
    @classmethod
    def _empty_is_unknown(cls, value: str | None) -> str | None:
        return value or None

    @field_validator("address")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError("an address starts with https:// or http:// and names a host")
        return value


class DigestRow(BaseModel):
    """The content digest of one split (see `content`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    set: FileName
    split: Literal["train", "test"]
    images: int = Field(gt=0)
    digest: Sha256


@dataclass(frozen=True)
class SourceFile:
    """One original file with every address it can be had from, the preferred first."""

    role: str
    name: str
    bytes: int
    md5: str
    sha256: str | None
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class SetSource:
    """Where one data set comes from and what it must contain."""

    name: str
    licence: str
    files: tuple[SourceFile, ...]
    digests: Mapping[str, str]


Row = TypeVar("Row", bound=BaseModel)


def read_sources(sources: Path, digests: Path) -> dict[str, SetSource]:
    """Read both tables; every set of sources.csv must have its digests."""
    rows = _read(sources, SourceRow)
    known: dict[str, dict[str, str]] = {}
    for row in _read(digests, DigestRow):
        if row.split in known.setdefault(row.set, {}):
            raise DataError(f"{digests}: {row.set} {row.split} is there twice.")
        known[row.set][row.split] = row.digest
    table = {}
    for name in dict.fromkeys(row.set for row in rows):
        if set(known.get(name, ())) != {"train", "test"}:
            raise DataError(f"{digests}: set {name} of {sources} needs one row for train and one for test.")
        table[name] = _gather(sources, name, [row for row in rows if row.set == name], known[name])
    return table


def _read(path: Path, model: type[Row]) -> list[Row]:
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            reader = csv.DictReader(handle, strict=True)
            records = [(reader.line_num, record) for record in reader]
            header = reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a table ({error}).") from error
    if list(header) != list(model.model_fields):
        raise DataError(f"{path}: the columns are {list(header)}, expected {list(model.model_fields)}.")
    return [_row(path, line, record, model) for line, record in records]


def _row(path: Path, line: int, record: dict[str, str], model: type[Row]) -> Row:
    if None in record or None in record.values():
        raise DataError(f"{path}, line {line}: expected {len(model.model_fields)} values.")
    try:
        return model.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        column = ".".join(str(part) for part in first["loc"])
        raise DataError(
            f"{path}, line {line}, {column}: {first['msg']}, found {first['input']!r}."
        ) from error


def _gather(path: Path, name: str, rows: list[SourceRow], digests: dict[str, str]) -> SetSource:
    if len({row.licence for row in rows}) != 1:
        raise DataError(f"{path}: the rows of set {name} state different licences.")
    files: dict[str, SourceFile] = {}
    for row in rows:
        seen = files.get(row.role)
        addresses = (*seen.addresses, row.address) if seen else (row.address,)
        file = SourceFile(row.role, row.file, row.bytes, row.md5, row.sha256, addresses)
        if seen and replace(seen, addresses=addresses) != file:
            raise DataError(f"{path}: the rows of {name}/{row.role} disagree about the file.")
        if len(set(addresses)) != len(addresses):
            raise DataError(f"{path}: {name}/{row.file} has the address {row.address} twice.")
        files[row.role] = file
    return SetSource(name, rows[0].licence, tuple(files.values()), digests)
