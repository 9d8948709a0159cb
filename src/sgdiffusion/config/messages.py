"""Turns pydantic's findings into one message: file, key path, what was found, what is allowed."""

import typing
from typing import Any

from pydantic import BaseModel, ValidationError

from sgdiffusion.errors import ConfigError

Location = tuple[int | str, ...]


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Every model class mentioned in an annotation, through Annotated, unions, lists and dicts."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for a in typing.get_args(annotation) for m in _models(a)]


def _kind(model: type[BaseModel]) -> str | None:
    """The value of `kind` that selects this model in a union."""
    field = model.model_fields.get("kind")
    return str(typing.get_args(field.annotation)[0]) if field else None


def _enter(models: list[type[BaseModel]], part: int | str) -> list[type[BaseModel]]:
    """The models one part of a location leads to: a field's, the selected of a union, else the same."""
    if chosen := [m for m in models if _kind(m) == part]:
        return chosen
    entered = [
        n for m in models if part in m.model_fields for n in _models(m.model_fields[str(part)].annotation)
    ]
    return entered or models  # an index of a list or a key of a dict stays with the same models


def allowed_keys(model: type[BaseModel], location: Location) -> list[str]:
    """The keys allowed beside the unknown key at `location`."""
    models = [model]
    for part in location[:-1]:
        models = _enter(models, part)
    return sorted({k for m in models for k in m.model_fields})


def _line(model: type[BaseModel], error: Any) -> str:
    location: Location = error["loc"]
    path = ".".join(str(p) for p in location) or "(top level)"
    found = repr(error["input"])
    found = found if len(found) <= 80 else found[:77] + "..."
    if error["type"] == "extra_forbidden":
        allowed = ", ".join(allowed_keys(model, location))
        return f"{path}: unknown key (its value is {found}); allowed here: {allowed}"
    if error["type"] == "missing":
        return f"{path}: required, but not there"
    return f"{path}: found {found}; {error['msg'][0].lower()}{error['msg'][1:]}"


def config_error(source: str, model: type[BaseModel], error: ValidationError) -> ConfigError:
    """One ConfigError for all findings in one file."""
    lines = [_line(model, e) for e in error.errors(include_url=False)]
    return ConfigError("\n".join(f"{source}: {line}" for line in lines))
