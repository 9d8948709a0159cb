"""Tables of the configuration's models, and of the messages of tools/environment.py."""

import importlib.util
import types
from collections.abc import Iterator
from importlib import import_module
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from generate.published import ROOT
from generate.text import escaped, table
from sgdiffusion.config import left_out, models, readings, texts
from sgdiffusion.papers import PAPERS

FILES: dict[str, tuple[str, list[type[BaseModel]]]] = {
    "config/config.yaml": ("what a reader may override", [models.Settings]),
    "config/presets/PRESET.yaml": ("at which scale everything runs", [models.Preset, models.Override]),
    "config/PAPER/experiments.yaml": (
        "what each run is",
        [
            models.Training,
            models.Network,
            models.Data,
            models.SgdSettings,
            models.Phase,
            models.Variants,
            readings.Readings,
            models.Assumption,
        ],
    ),
    "config/PAPER/claims.yaml": ("what a paper says, and what is accepted", [models.Claim, models.Region]),
    "config/PAPER/readings.yaml": ("what a paper leaves open", [readings.Choice, readings.Value]),
    "config/PAPER/texts.yaml": (
        "what the gallery says in words",
        [texts.Texts, texts.Heading, texts.Headline, texts.Caption, texts.Finding, texts.Argument],
    ),
    "the file that `left_out` names": ("what is left out", [left_out.LeftOut, left_out.Omission]),
}


def type_name(annotation: Any) -> str:
    """A type in a reader's words."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_name(parts[0])
    if origin is Literal:
        return " or ".join(map(str, _values(annotation)))
    if origin in (Union, types.UnionType):
        return " or ".join("null" if p is type(None) else type_name(p) for p in parts)
    if origin is list:
        return f"list of {type_name(parts[0])}"
    if origin is dict:
        return f"{type_name(parts[0])} → {type_name(parts[1])}"
    words = {str: "text", int: "whole number", float: "number", bool: "true or false", Any: "any value"}
    return words.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _values(literal: Any) -> Iterator[Any]:
    """The values of a Literal, those of Literals within it too."""
    for part in get_args(literal):
        yield from _values(part) if get_origin(part) is Literal else (part,)


def default(field: FieldInfo) -> str:
    """The default as YAML has it; a key without one must be given."""
    if field.is_required():
        return "must be given"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "its own defaults"
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip() or "empty"


def model_table(model: type[BaseModel]) -> str:
    """A model's keys with type, default and description."""
    rows = [
        (
            f"`{name}`",
            escaped(type_name(field.annotation)),
            escaped(default(field)),
            escaped(field.description or ""),
        )
        for name, field in model.model_fields.items()
    ]
    words = escaped((model.__doc__ or "").split("\n\n")[0])
    return f"### {model.__name__}\n\n{words}\n\n" + table(("key", "type", "default", "meaning"), rows)


def configuration() -> str:
    """Every file of config/ and every key in it, then the kinds of runs of each paper."""
    parts = []
    for file, (words, classes) in FILES.items():
        heading = file if "`" in file else f"`{file}`"
        parts += [f"## {heading}: {words}", *map(model_table, classes)]
    for paper in PAPERS:
        union = import_module(f"sgdiffusion.papers.{paper}.settings").Run
        kinds = get_args(union) or (union,)
        parts += [f"## Kinds of runs of {paper}", *map(model_table, kinds)]
    return "\n\n".join(parts)


def messages() -> str:
    """What stops the set-up, and what it says then."""
    path = ROOT / "tools" / "environment.py"
    spec = importlib.util.spec_from_file_location("environment", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    names = {"root": "FOLDER", "python": "PYTHON", "machine": "this machine"}
    return "\n".join(f"- {escaped(line.format('PACKAGE', **names))}" for _, line in module.REASONS)
