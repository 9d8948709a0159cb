"""The file generated from a model: the default configuration."""

import textwrap

import yaml

from sgdiffusion.config.models import Settings

HEADER = """\
# What a reader may override, here or with `snakemake --config key=value`.
# Generated from sgdiffusion.config.models.Settings by `make config`: the defaults are set there.
"""


def default_config() -> str:
    """config/config.yaml: every key with its description and default."""
    lines = [HEADER]
    for name, field in Settings.model_fields.items():
        lines.extend(textwrap.wrap(field.description or "", 96, initial_indent="# ", subsequent_indent="# "))
        lines.append(yaml.safe_dump({name: field.default}).strip() + "\n")
    return "\n".join(lines)
