"""The runs an experiments file may hold: trainings, their variants, and its paper's own kinds."""

from functools import cache
from importlib import import_module
from typing import Annotated, Any

from pydantic import Field, create_model

from sgdiffusion.config.models import Strict, Training, Variants
from sgdiffusion.config.readings import Readings

RunId = Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]


@cache
def experiments_of(paper: str) -> type[Strict]:
    """The model of config/<paper>/experiments.yaml: one entry per run family, `kind` selects its model."""
    kinds: Any = import_module(f"sgdiffusion.papers.{paper}.settings").Run
    run = Annotated[Training | Variants | Readings | kinds, Field(discriminator="kind")]
    return create_model("Experiments", __base__=Strict, runs=(dict[RunId, run], ...))
