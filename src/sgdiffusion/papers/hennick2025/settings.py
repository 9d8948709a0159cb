"""Settings of the runs of Hennick & De Baerdemacker 2025: moons, designed MNIST runs, Table 1."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from sgdiffusion.config.models import Assumption, Data, Fraction, Strict

Count = Annotated[int, Field(ge=0)]
NamedTemperature = Literal["batch", "examples", "posterior"]
Temperature = NamedTemperature | PositiveFloat
Window = Annotated[list[Fraction], Field(min_length=2, max_length=2)]
VisionNet = Literal["resnet18", "resnet34", "vgg16"]
VisionSet = Literal["tiny-imagenet", "cifar10", "cifar100"]
Item = Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]


def _increasing(name: str, values: list[float]) -> None:
    if sorted(set(values)) != values:
        raise ValueError(f"{name} must increase, found {values}")


class Langevin(Strict):
    """Chains at each weight vector whose local learning coefficient is wanted."""

    chains: Annotated[int, Field(ge=2)] = Field(description="per weight vector; its interval is over them")
    draws: Annotated[int, Field(ge=8)]
    burn_in: Count = Field(description="steps before the first draw")
    every: PositiveInt = Field(1, description="steps from draw to draw")
    batch_size: PositiveInt | None = Field(None, description="examples per step; null: all")
    temperature: Temperature = Field(
        description="nβ: batch b/ln b, examples n/ln n, posterior n, or the number itself"
    )
    localisation: PositiveFloat = Field(description="γ")
    share: Fraction = Field(description="share of a direction's variance that the step may add")


class Sensitivity(Strict):
    """One choice of the estimator changed, the others as they are."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")] = Field(description="as quantities call it")
    set: dict[Literal["draws", "burn_in", "localisation", "temperature"], int | float | str] = {}
    step_factor: PositiveFloat = Field(1.0, description="multiplies the calibrated step size")


class MoonsTraining(Strict):
    """Identical nets on one sample of two moons; they differ in initial weights and order of examples."""

    nets: Annotated[int, Field(ge=10)]
    steps: Annotated[int, Field(ge=100)]
    rate: PositiveFloat
    batch_size: PositiveInt
    width: PositiveInt
    depth: PositiveInt
    examples: PositiveInt
    noise: PositiveFloat
    checkpoints: list[Fraction] = Field(min_length=3, description="fractions of the training, for λ̄")
    late_nets: PositiveInt = Field(description="nets with snapshots, for a d_s that does not use λ")
    late_snapshots: Annotated[int, Field(ge=40)]

    @model_validator(mode="after")
    def _checked(self) -> "MoonsTraining":
        _increasing("checkpoints", self.checkpoints)
        if self.late_nets > self.nets:
            raise ValueError(f"late_nets {self.late_nets} is more than the {self.nets} nets")
        return self


class PosteriorPlan(Strict):
    """Chains of the Langevin reference, started at the best nets."""

    starts: PositiveInt
    chains: PositiveInt = Field(description="from each start")
    draws: Annotated[int, Field(ge=8)]
    burn_in: Count
    every: PositiveInt
    keep: PositiveInt = Field(description="weights are kept at every such draw")
    temperature: Temperature
    prior_precision: PositiveFloat = Field(description="of the Gaussian prior about zero")
    share: Fraction


class LawPlan(Strict):
    """Clusters, tempering and distances; the first of each list is what the figures show."""

    xi: PositiveFloat
    scales: list[PositiveFloat] = Field(min_length=3, description="ξ of the scan")
    counts: list[PositiveInt | None] = Field(min_length=1, description="clusters; null: by the rule")
    strengths: list[PositiveFloat] = Field(min_length=1, description="m of the exponent m D_ξ")
    resamples: Annotated[int, Field(ge=20)]


class MoonsEnsemble(Strict):
    """Figs 1, 3, 4 and Table 2."""

    kind: Literal["moons-ensemble"]
    data_sets: PositiveInt = Field(description="random samples, each with an ensemble of its own")
    training: MoonsTraining
    early_steps: Annotated[list[PositiveInt], Field(min_length=2, max_length=2)] = Field(
        description="first and last step of the early exponent's window"
    )
    window: Window = Field(description="of the late exponent, fractions of the training")
    windows: list[Window]
    coefficients: Langevin
    along: Langevin
    sensitivity: list[Sensitivity]
    sensitivity_nets: PositiveInt
    radii: list[PositiveFloat] = Field(min_length=1, description="over the median step between snapshots")
    posterior: PosteriorPlan
    laws: LawPlan
    assumptions: list[Assumption] = []


class MlpDesign(Strict):
    """Every width × depth × batch size with learning rates spread over a range."""

    widths: list[PositiveInt] = Field(min_length=1)
    depths: list[PositiveInt] = Field(min_length=1)
    batch_sizes: list[PositiveInt] = Field(min_length=1)
    rates_per_cell: PositiveInt
    lowest_rate: PositiveFloat
    highest_rate: PositiveFloat

    @property
    def parts(self) -> int:
        """Architectures: each is trained and measured by jobs of its own."""
        return len(self.widths) * len(self.depths)


class MlpTraining(Strict):
    """What all runs of a design share."""

    steps: Annotated[int, Field(ge=20)]
    checkpoints: list[Fraction] = Field(min_length=2)

    @model_validator(mode="after")
    def _checked(self) -> "MlpTraining":
        _increasing("checkpoints", self.checkpoints)
        return self


class MlpRuns(Strict):
    """Fig. 2, Table 4 and the appendix: the designed runs of one optimiser."""

    kind: Literal["mlp-design"]
    optimiser: Literal["sgd", "adam"]
    data: Data
    design: MlpDesign
    training: MlpTraining
    window: Window
    windows: list[Window]
    coefficients: Langevin
    sensitivity: list[Sensitivity]
    sensitivity_every: PositiveInt = Field(description="one run in so many has its sensitivity measured")
    assumptions: list[Assumption] = []


# Table 1's six larger models, optional
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
    models: list[Item] = Field(min_length=1, description="sets of data/sources.csv")
    text: Item = Field(description="set of data/sources.csv")
    context: Annotated[int, Field(ge=8)] = Field(description="tokens of a block, the examples here")

    @model_validator(mode="after")
    def _sized(self) -> "LargerLanguage":
        if self.n_train is None or self.n_test is None:
            raise ValueError(
                "n_train and n_test are needed: a text is cut into as many blocks as are asked for"
            )
        return self


Run = MoonsEnsemble | MlpRuns | LargerVision | LargerLanguage
