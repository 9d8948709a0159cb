"""Settings of the runs that only Chaudhari & Soatto 2018 needs; trainings have the common model."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from sgdiffusion.config.models import Assumption, Strict


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
    potential_records: PositiveInt
    assumptions: list[Assumption] = []


class MinibatchNoise(Strict):
    """App. A: the variance of mini-batch gradients on a trained network, by drawing batches."""

    kind: Literal["minibatch-noise"]
    draws: Annotated[int, Field(ge=2)]
    batch_sizes: list[PositiveInt] = Field(min_length=1, description="N is always added")
    assumptions: list[Assumption] = []


class CycleTests(Strict):
    """Fig 3a: size and power of the tests for cycles, on simulated paths."""

    kind: Literal["cycle-tests"]
    repeats: PositiveInt = Field(description="paths of each kind")
    snapshots: PositiveInt = Field(description="length of a path")
    autocorrelations: Annotated[int, Field(ge=2)] = Field(description="paths whose autocorrelation is judged")
    assumptions: list[Assumption] = []


Run = DoubleWell | MinibatchNoise | TheoryChecks | CycleTests
