"""Settings of the runs that only Chaudhari & Soatto 2018 needs; trainings have the common model."""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from sgdiffusion.config.models import Assumption, Phase, Strict, Text, Training


class DoubleWell(Strict):
    """Fig 4: Langevin chains in the double well, dx = −∇f dt + √2 dW."""

    kind: Literal["double-well"]
    chains: PositiveInt
    steps: PositiveInt
    dt: PositiveFloat
    assumptions: list[Assumption] = []


class TheoryChecks(Strict):
    """Lemmas 6 and 20, Theorem 22: simulated chains of systems whose truth is computable."""

    kind: Literal["theory-checks"]
    chains: PositiveInt
    linear_records: PositiveInt
    regression_records: PositiveInt
    assumptions: list[Assumption] = []


class MinibatchNoise(Strict):
    """App. A: the variance of mini-batch gradients on a trained network, by drawing batches."""

    kind: Literal["minibatch-noise"]
    draws: Annotated[int, Field(ge=2)]
    batch_sizes: list[PositiveInt] = Field(min_length=1, description="N is always added")
    assumptions: list[Assumption] = []


class Variants(Strict):
    """A training again and again, each time with one other setting: what its numbers depend on."""

    kind: Literal["variants"]
    of: Text = Field(description="the run that is varied")
    epochs: PositiveInt | None = Field(None, description="of every variant; null: as the run")
    seeds: PositiveInt
    schedule: list[Phase] | None = Field(None, min_length=2, description="of every variant; null: as the run")
    changes: dict[Annotated[str, Field(pattern=r"^[a-z0-9.-]+$")], dict[str, Any]] = Field(
        description="name of the variant: fields that differ"
    )
    assumptions: list[Assumption] = []

    def trainings(self, run: Training) -> dict[str, Training]:
        """The settings of every variant, the unchanged one first."""
        common = self.model_dump(include={"epochs", "seeds", "schedule"}, exclude_none=True)
        short = run.model_dump() | common
        changes = {"unchanged": {}, **self.changes}
        return {name: Training.model_validate(short | change) for name, change in changes.items()}


Run = DoubleWell | MinibatchNoise | TheoryChecks | Variants
