"""The typed models that every configuration file is checked against; extra keys are errors."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

Fraction = Annotated[float, Field(gt=0, le=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Text = Annotated[str, Field(min_length=1)]
RealSet = Literal["mnist", "cifar10", "cifar100"]
EmbeddedSet = Literal["digits", "textures10", "textures100"]
OptionalSet = Literal["tiny-imagenet"]  # fetched only when asked for; see data/README.md
FetchedSet = Literal[RealSet, OptionalSet]
Substitutes = dict[FetchedSet, EmbeddedSet]


class Strict(BaseModel):
    """Base of all models: unknown keys and silent coercions are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Settings(Strict):
    """config/config.yaml: what a reader may override."""

    preset: Text = Field("full", description="preset that `all` and the figure targets build")
    root_seed: Annotated[int, Field(ge=0)] = Field(
        0, description="every random stream descends from this number and a name"
    )
    mirror: str | None = Field(
        None,
        description="folder or loopback address holding the data sets' original files or <set>.npz arrays; "
        "the environment variable SGDIFFUSION_MIRROR goes first",
    )
    substitute: Substitutes = Field(
        default={},
        description="embedded sets for real ones that cannot be had, beside the preset's own, e.g. "
        "{cifar100: textures100}; what rests on them is marked and its claims are not judged",
    )
    left_out: str | None = Field(
        None,
        description="file that names what is left out on purpose, with reasons (see config/left_out.py); "
        "null: nothing",
    )


class Assumption(Strict):
    """A choice the paper left open."""

    topic: Text = Field(description="what the paper does not say")
    choice: Text = Field(description="what is done here")
    reason: Text
    sensitivity: str | None = Field(None, description="where its effect is measured, if it is")
    varied: str | None = Field(None, description="choice of readings.yaml whose readings measure its effect")
    no_effect: str | None = Field(None, description="why another choice can change no verdict")


class Network(Strict):
    """A network by name, with its named initialisation."""

    name: Text
    init: Literal["torch", "kaiming", "xavier"] = Field(
        "torch", description="torch: the layers' own default; kaiming, xavier: normal, biases zero"
    )
    dropout: Share | None = Field(None, description="overrides the network's own dropout rate")
    sizes: dict[Literal["width", "depth", "batch_norm", "bias"], int | bool] = Field(
        default={}, description="sizes of the networks that have free ones (mlp, two-layer-…, deep-…)"
    )


class Data(Strict):
    """A data set and its preparation; presets may put an embedded set in its place."""

    set: RealSet
    preparation: Literal["full", "pool7", "pool7-five", "pool7-odd", "grey28", "gcn-zca", "gcn-zca-weak"]
    n_train: PositiveInt | None = Field(None, description="first n in canonical order; null: all")
    n_test: PositiveInt | None = None


class SgdSettings(Strict):
    """v ← μv + g, x ← x − η(g + μv) with Nesterov momentum, x ← x − ηv without."""

    momentum: Share = 0.9
    nesterov: bool = True
    weight_decay: Annotated[float, Field(ge=0)] = 0.0


class Phase(Strict):
    """One piece of a learning-rate schedule: from `rate` to `to` (linear in epochs) until a fraction."""

    until: Fraction
    rate: PositiveFloat
    to: PositiveFloat | None = None


class Training(Strict):
    """One run family: the same training for several seeds."""

    kind: Literal["training"]
    network: Network
    data: Data
    optimiser: SgdSettings = SgdSettings()
    schedule: list[Phase] = Field(min_length=1)
    batch_size: PositiveInt
    epochs: PositiveInt
    sampling: Literal["reshuffle", "replacement"] = "reshuffle"
    augmentation: Literal["none", "flip-crop"] = "none"
    seeds: PositiveInt = 1
    checkpoints: list[Fraction] = Field(default=[1.0], description="fractions of the training to keep")
    snapshot_every: PositiveInt | None = Field(None, description="epochs between stored weight vectors")
    trainer: Literal["torch", "fused"] = Field(
        "torch", description="fused: compiled steps for two-layer batch-norm nets, equal up to rounding"
    )
    assumptions: list[Assumption] = []

    @property
    def burn_in(self) -> int:
        """Epochs before the last piece of the schedule."""
        return round(self.schedule[-2].until * self.epochs) if len(self.schedule) > 1 else 0

    @model_validator(mode="after")
    def _increasing(self) -> "Training":
        for name, values in (
            ("checkpoints", self.checkpoints),
            ("schedule.until", [p.until for p in self.schedule]),
        ):
            if sorted(set(values)) != values or values[-1] != 1.0:
                raise ValueError(f"{name} must increase and end at 1.0, found {values}")
        return self


UNCHANGED = "unchanged"  # the variant that repeats the run at the variants' scale


class Variants(Strict):
    """A training again and again, each time with one other setting: what its numbers depend on."""

    kind: Literal["variants"]
    of: Text = Field(description="the run that is varied")
    epochs: PositiveInt | None = Field(None, description="of every variant; null: as the run")
    seeds: PositiveInt
    schedule: list[Phase] | None = Field(None, min_length=2, description="of every variant; null: as the run")
    n_train: PositiveInt | None = Field(None, description="images of every variant; null: as the run")
    only: list[str] | None = Field(
        None, description='names of those that are trained, "unchanged" among them; null: all'
    )
    changes: dict[Annotated[str, Field(pattern=r"^[a-z0-9.-]+$")], dict[str, Any]] = Field(
        description="name of the variant: fields that differ, sections field by field"
    )
    assumptions: list[Assumption] = []

    def trainings(self, run: Training) -> dict[str, Training]:
        """The settings of every variant that is trained, the unchanged one first."""
        common = self.model_dump(include={"epochs", "seeds", "schedule"}, exclude_none=True)
        short = run.model_dump() | common
        if self.n_train:
            short["data"]["n_train"] = self.n_train
        changes: dict[str, dict[str, Any]] = {UNCHANGED: {}, **self.changes}
        return {
            name: Training.model_validate(short | _merged(short, change))
            for name, change in changes.items()
            if self.only is None or name in self.only
        }

    @model_validator(mode="after")
    def _known(self) -> "Variants":
        if unknown := sorted(set(self.only or []) - {UNCHANGED, *self.changes}):
            raise ValueError(
                f"only: no variant {unknown[0]!r}; there are {UNCHANGED}, {', '.join(self.changes)}"
            )
        return self


def _merged(settings: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """The changed fields; of a section, such as `data`, the other fields stay."""
    return {k: {**settings[k], **v} if isinstance(v, dict) else v for k, v in change.items()}


class Override(Strict):
    """One change of scale a preset makes, with its reason."""

    run: Annotated[str, Field(pattern=r"^[a-z0-9]+/[a-z0-9-]+$")] = Field(description="<paper>/<run id>")
    set: dict[str, Any] = Field(min_length=1, description="fields of the run and their values here")
    reason: Text


class Preset(Strict):
    """config/presets/<name>.yaml: the scale at which everything runs."""

    description: Text
    substitute: Substitutes = Field(default={}, description="embedded sets put in the place of real ones")
    overrides: list[Override] = []


class Region(Strict):
    """One measured quantity and where it has to lie."""

    quantity: Text = Field(description="id in the paper's table of quantities")
    published: float | None = Field(None, description="the published number, null where a law has none")
    low: float | None = Field(None, description="smallest accepted value; null: no lower bound")
    high: float | None = Field(None, description="largest accepted value; null: no upper bound")

    @model_validator(mode="after")
    def _bounded(self) -> "Region":
        if self.low is None and self.high is None:
            raise ValueError("a region needs a low or a high bound, otherwise it accepts everything")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self


class Claim(Strict):
    """A published statement, stated before measuring, with the rule that accepts it."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    source: Text = Field(description="figure, table, equation or remark of the paper")
    statement: Text
    kind: Literal["number", "ordering", "curve", "law"]
    published: Text = Field(description="the published value as printed, or what is asserted")
    accept: list[Region] = Field(min_length=1)
    reason: Text = Field(description="why this region, fixed before measuring")
    needs_real: list[FetchedSet] = Field(default=[], description="data without which the claim is not tested")
    needs_preset: Literal["full"] | None = Field(
        None, description="full: the claim speaks of the paper's scale and is not tested below it"
    )
    optional: Text | None = Field(
        None, description="target that measures it when it is asked for; null: measured by default"
    )
    nature: Literal["claim", "construction", "implementation", "project"] = Field(
        "claim",
        description="claim: the paper's own; construction: true however it is measured; implementation: "
        "checks our code; project: stated by us. Only claims are counted",
    )
    choices: list[Text] = Field(
        default=[], description="open choices of readings.yaml that its numbers depend on"
    )
    no_choices: Text | None = Field(None, description="why no open choice can change its numbers")
    incomparable: Text | None = Field(
        None, description="why the published number has no meaning without what the paper leaves open"
    )
