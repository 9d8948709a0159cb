"""The files generated from the models: the default configuration and the JSON schemas."""

import json
import textwrap

import yaml
from pydantic import BaseModel

from sgdiffusion.config.left_out import LeftOut
from sgdiffusion.config.load import Claims
from sgdiffusion.config.models import Preset, Settings
from sgdiffusion.config.runs import Experiments
from sgdiffusion.config.texts import Texts

HEADER = """\
# What a reader may override, here or with `snakemake --config key=value`.
# Generated from sgdiffusion.config.models.Settings by `make config`: the defaults are set there.
"""
SCHEMAS: dict[str, type[BaseModel]] = {
    "settings": Settings,
    "preset": Preset,
    "experiments": Experiments,
    "claims": Claims,
    "texts": Texts,
    "left-out": LeftOut,
}


def default_config() -> str:
    """config/config.yaml: every key with its description and default."""
    lines = [HEADER]
    for name, field in Settings.model_fields.items():
        lines.extend(textwrap.wrap(field.description or "", 96, initial_indent="# ", subsequent_indent="# "))
        lines.append(yaml.safe_dump({name: field.default}).strip() + "\n")
    return "\n".join(lines)


def schema(model: type[BaseModel]) -> str:
    return json.dumps(model.model_json_schema(), indent=1, ensure_ascii=False) + "\n"


def generated_files() -> dict[str, str]:
    """Path, relative to the repository's root -> content."""
    schemas = {f"workflow/schemas/{name}.schema.json": schema(model) for name, model in SCHEMAS.items()}
    return {"config/config.yaml": default_config(), **schemas}
