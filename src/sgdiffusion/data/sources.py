"""The tables data/sources.csv (files, addresses, checksums) and data/digests.csv (content), checked.

One row of sources.csv is one file with its addresses, the preferred first, separated by blanks. An address is

    https://host/path/name                  the file on the web; its size and md5 are given
    hf://[datasets/]owner/name[@commit]     a repository of the Hugging Face hub
    /absolute/folder                        a folder of this machine

Of a repository or a folder, `name` says which files are wanted: names and patterns separated by blanks.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from sgdiffusion.data.files import Wanted
from sgdiffusion.data.sets import REAL_SETS
from sgdiffusion.errors import DataError

Md5 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
SetName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
# no part may begin with a dot, so that no file ends up outside its folder or hidden
Names = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9*][A-Za-z0-9*._-]*([/ ][A-Za-z0-9*][A-Za-z0-9*._-]*)*$")
]
Role = Literal["train_images", "train_labels", "test_images", "test_labels", "archive", "text", "model"]

WEB = re.compile(r"https?://[^/]+/.+")
HUB = re.compile(r"hf://(?P<folder>datasets/)?(?P<repo>[\w.-]+/[\w.-]+)(@(?P<commit>[0-9a-f]{40}))?")


class SourceFile(BaseModel):
    """One row of data/sources.csv."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    set: SetName
    role: Role
    name: Names
    addresses: tuple[str, ...]
    bytes: Annotated[int, Field(gt=0)] | None
    md5: Md5 | None
    sha256: Sha256 | None
    licence: str = Field(min_length=1)

    @field_validator("addresses", mode="before")
    @classmethod
    def _are_addresses(cls, value: str, info: ValidationInfo) -> tuple[str, ...]:
        found = (value,) if value.startswith("/") else tuple(value.split())
        if found and all(WEB.fullmatch(address) for address in found):
            if set(" /*") & set(info.data.get("name", "")):
                raise ValueError("an address of the web has one file, named without a folder")
        elif len(found) != 1 or not (HUB.fullmatch(value) or value.startswith("/")):
            raise ValueError("addresses https://host/path, or one of hf://owner/name@commit or a folder")
        if len(set(found)) != len(found):
            raise ValueError("an address is there twice")
        return found

    @field_validator("bytes", "md5", "sha256", mode="before")
    @classmethod
    def _empty_is_unknown(cls, value: str, info: ValidationInfo) -> str | None:
        first = info.data.get("addresses", ("",))[0]
        if not value and WEB.fullmatch(first) and info.field_name != "sha256":
            raise ValueError("a file of the web needs its size and md5")
        return value or None

    @property
    def wanted(self) -> Wanted:
        """What a file must be to be this one."""
        return Wanted(self.name, self.bytes or 2**40, self.bytes, self.md5, self.sha256)


class DigestRow(BaseModel):
    """The content digest of one split (see `content`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    set: SetName
    split: Literal["train", "test"]
    images: int = Field(gt=0)
    digest: Sha256


@dataclass(frozen=True)
class Source:
    """Where one set comes from and what it must contain."""

    name: str
    licence: str
    files: tuple[SourceFile, ...]
    digests: Mapping[str, str] = field(default_factory=dict)
    """Content digest of each split; empty where none can be pinned: then the files' checksums decide."""

    @property
    def as_arrays(self) -> bool:
        """Whether its images are parsed here, so that arrays of them serve as well as the files."""
        return self.name in REAL_SETS

    @property
    def on_the_web(self) -> bool:
        """Whether it has addresses of the web, for which a mirror can stand in."""
        return all(WEB.fullmatch(file.addresses[0]) for file in self.files)


Row = TypeVar("Row", bound=BaseModel)


def read_sources(sources: Path, digests: Path) -> dict[str, Source]:
    """Read both tables; every set of images that is parsed here must have its digests."""
    rows: dict[str, dict[str, SourceFile]] = {}
    for row in _read(sources, SourceFile):
        if row.role in rows.setdefault(row.set, {}):
            raise DataError(f"{sources}: {row.set} {row.role} is there twice.")
        rows[row.set][row.role] = row
    known, table = read_digests(digests), {}
    for name, files in rows.items():
        if name in REAL_SETS and name not in known:
            raise DataError(f"{digests}: set {name} of {sources} needs one row for train and one for test.")
        if len({row.licence for row in files.values()}) != 1:
            raise DataError(f"{sources}: the rows of set {name} state different licences.")
        licence = next(iter(files.values())).licence
        table[name] = Source(name, licence, tuple(files.values()), known.get(name, {}))
        if len(files) > 1 and not table[name].on_the_web:
            raise DataError(f"{sources}: set {name} has a hub or a folder, which are one row; expected one.")
    return table


def read_digests(path: Path) -> dict[str, dict[str, str]]:
    """The content digests of each set, for train and test."""
    known: dict[str, dict[str, str]] = {}
    for row in _read(path, DigestRow):
        if row.split in known.setdefault(row.set, {}):
            raise DataError(f"{path}: {row.set} {row.split} is there twice.")
        known[row.set][row.split] = row.digest
    for name, splits in known.items():
        if len(splits) != 2:
            raise DataError(f"{path}: set {name} needs one row for train and one for test.")
    return known


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
