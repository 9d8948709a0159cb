"""Settings of the runs of Hennick & De Baerdemacker 2025: moons, designed MNIST runs, Table 1."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from sgdiffusion.config.models import Assumption, Data, Fraction, Strict

Count = Annotated[int, Field(ge=0)]
NamedTemperature = Literal["batch", "examples", "posterior"]
Temperature = NamedTemperature | PositiveFloat
Window = Annotated[list[Fraction], Field(min_length=2, max_length=2)]
Rates = Annotated[list[PositiveFloat], Field(min_length=2, max_length=2)]
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
    localisation: Annotated[float, Field(ge=0)] = Field(description="γ")
    share: Fraction = Field(description="share of a direction's variance that a calibrated step may add")
    step_size: PositiveFloat | None = Field(None, description="ε of every point; null: calibrated at each")
    step_factor: PositiveFloat = Field(1.0, description="multiplies ε")
    integrator: Literal["averaged", "euler"] = Field("averaged", description="see dynamics.chains.sgld")
    batch_norm: Literal["batch", "running"] = Field(
        "batch", description="its statistics: of each mini-batch, or those of w* over the training set"
    )
    baseline: Literal["paired", "full"] = Field(
        "paired", description="L(w*) on the draws' own mini-batches, or over all examples"
    )


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

    centre: Literal["zero", "start"] = Field(description="zero: a Gaussian prior; start: a local posterior")
    precision: PositiveFloat = Field(description="γ of the Gaussian about the centre")
    starts: PositiveInt
    chains: PositiveInt = Field(description="from each start")
    draws: Annotated[int, Field(ge=8)]
    burn_in: Count
    every: PositiveInt
    keep: PositiveInt = Field(description="weights are kept at every such draw")
    temperature: Temperature
    share: Fraction


class Scan(Strict):
    """Scales ξ at equal distances of their logarithms."""

    low: PositiveFloat
    high: PositiveFloat
    points: Annotated[int, Field(ge=3)]


class LawPlan(Strict):
    """How SGD's solutions are compared with the posterior: clusters, tempering, distances."""

    posterior: Literal["local", "global"] = Field(description="one of the posteriors")
    space: Literal["function", "weights"]
    method: Literal["k-means", "mixture", "ward"]
    clusters: PositiveInt | None = Field(description="their number; null: by the rule")
    ratio: Literal["common", "per cluster"] = Field(description="λ/d_s of all nets or of each cluster's")
    strength: PositiveFloat | None = Field(
        description="m/γ; null: as puts the minimum at ξ, fitted on half of the nets, used on the others"
    )
    direction: Literal["data", "model"] = Field(description="what comes first in KL")
    xi: PositiveFloat
    scan: Scan
    resamples: Annotated[int, Field(ge=20)]


class Descent(Strict):
    """Gradient descent over all examples, from the draws of the posterior with a Gaussian prior."""

    of_each_chain: PositiveInt = Field(description="draws, evenly from the kept ones")
    steps: PositiveInt
    rate: PositiveFloat


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
    readings_nets: PositiveInt = Field(description="nets measured with other chains: the first of them")
    radii: list[PositiveFloat] = Field(min_length=1, description="over the median step between snapshots")
    posteriors: dict[Literal["local", "global"], PosteriorPlan]
    descents: Descent
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


class Length(Strict):
    """When a run counts as trained: after so many steps, or so many passes over the examples."""

    steps: Annotated[int, Field(ge=20)] | None = None
    epochs: PositiveInt | None = None

    @model_validator(mode="after")
    def _one(self) -> "Length":
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("a length is either in steps or in epochs: give one of the two")
        return self

    def at(self, batch_size: int, examples: int) -> int:
        """Steps of a run; an epoch is ⌊n/b⌋ of them."""
        return self.steps or (self.epochs or 0) * (examples // batch_size)


class MlpTraining(Strict):
    """What all runs of a design share: each is trained to the longest of the lengths."""

    lengths: dict[Item, Length] = Field(min_length=1)
    checkpoints: list[Fraction] = Field(min_length=2, description="fractions of every length, for λ̄")

    @model_validator(mode="after")
    def _checked(self) -> "MlpTraining":
        _increasing("checkpoints", self.checkpoints)
        return self


class MlpRuns(Strict):
    """Fig. 2, Table 4 and the appendix: the designed runs of one optimiser, and how they are read."""

    kind: Literal["mlp-design"]
    optimiser: Literal["sgd", "adam"]
    data: Data
    design: MlpDesign
    training: MlpTraining
    length: Item = Field(description="one of the training's lengths")
    ranges: dict[Item, Rates | None] = Field(description="of learning rates; null: all of the design's")
    rates: Item = Field(description="one of the ranges: the runs that count")
    runs: Literal["all", "converged"] = Field(
        description="converged: the training accuracy gains less than half a point in the last half"
    )
    points: Literal["all", "unflagged"] = Field(
        description="unflagged: runs none of whose estimates of λ has a diagnosis"
    )
    window: Window = Field(description="of the late exponent, fractions of the length")
    windows: list[Window]
    lambda_of_ds: Literal["average", "end"] = Field(description="the λ of d_s = 2 λ × slope (eq. 17)")
    correlation: Literal["spearman", "pearson"]
    large_batch: Literal["median", "largest"] = Field(
        description="runs of large batch: of the median batch size at least, or of the largest only"
    )
    coefficients: Langevin
    readings_every: PositiveInt = Field(description="one run in so many is measured with other chains")
    assumptions: list[Assumption] = []

    @model_validator(mode="after")
    def _named(self) -> "MlpRuns":
        for key, known in (("length", self.training.lengths), ("rates", self.ranges)):
            if getattr(self, key) not in known:
                raise ValueError(f"{key} {getattr(self, key)!r} is none of {', '.join(known)}")
        return self


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
