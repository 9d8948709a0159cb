"""Settings of the optional runs of Hennick & De Baerdemacker 2025: Table 1's six larger models."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from sgdiffusion.config.hennick2025 import Langevin, Window
from sgdiffusion.config.models import Assumption, Fraction, Strict

VisionNet = Literal["resnet18", "resnet34", "vgg16"]
VisionSet = Literal["tiny-imagenet", "cifar10", "cifar100"]
Item = Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]


class Leg(Strict):
    """One optimiser at one rate, from the end of the leg before until a fraction of the training."""

    until: Fraction
    optimiser: Literal["adam", "sgd"]
    rate: PositiveFloat


class LargerTraining(Strict):
    """One training of one model."""

    steps: Annotated[int, Field(ge=20)]
    batch_size: PositiveInt
    legs: list[Leg] = Field(min_length=1)
    per_decade: Annotated[int, Field(ge=10)] = Field(description="recorded displacements per decade of steps")
    checkpoints: list[Fraction] = Field(min_length=2, description="fractions of the training, for λ̄")

    @model_validator(mode="after")
    def _checked(self) -> "LargerTraining":
        for name, values in (("checkpoints", self.checkpoints), ("legs.until", [g.until for g in self.legs])):
            if sorted(set(values)) != values or values[-1] != 1.0:
                raise ValueError(f"{name} must increase and end at 1.0, found {values}")
        return self


class Larger(Strict):
    """What vision and language models share."""

    training: LargerTraining
    window: Window = Field(description="of the exponent, fractions of the training")
    coefficients: Langevin
    n_train: PositiveInt | None = Field(None, description="images or blocks of tokens; null: all images")
    n_test: PositiveInt | None = None
    assumptions: list[Assumption] = []


class LargerVision(Larger):
    """Networks of torchvision, each on each set."""

    kind: Literal["larger-vision"]
    networks: list[VisionNet] = Field(min_length=1)
    sets: list[VisionSet] = Field(min_length=1)


class LargerLanguage(Larger):
    """Published language models, continued on the text they were trained on."""

    kind: Literal["larger-language"]
    models: list[Item] = Field(min_length=1, description="items of data/optional.csv")
    text: Item = Field(description="item of data/optional.csv")
    context: Annotated[int, Field(ge=8)] = Field(description="tokens of a block, the examples here")

    @model_validator(mode="after")
    def _sized(self) -> "LargerLanguage":
        if self.n_train is None or self.n_test is None:
            raise ValueError(
                "n_train and n_test are needed: a text is cut into as many blocks as are asked for"
            )
        return self
