"""Settings of the runs of Ziyin, Li & Ueda 2025: the keyword arguments of the studies they belong to."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from sgdiffusion.config.models import Assumption, Data, Strict

LawName = Literal["above", "between", "strong", "weak"]
Depth = Annotated[int, Field(ge=0)]
Decay = Annotated[float, Field(ge=0)]
Accuracy = Annotated[float, Field(gt=0, le=1)]
Chains = Annotated[int, Field(ge=2)]


class Simulation(Strict):
    """A run whose fields are the arguments of one study, but for those that stand apart."""

    apart: ClassVar[set[str]] = {"kind", "assumptions", "data", "readings_chains"}
    assumptions: list[Assumption] = []

    def arguments(self) -> dict[str, Any]:
        """The study's keyword arguments."""
        return self.model_dump(exclude=self.apart)


class Plane(Simulation):
    """Fig 1 and u² − w² over time: GD, SGD, GD with noise."""

    kind: Literal["plane"]
    law: LawName
    chains: Chains
    steps: PositiveInt


class BalanceRate(Simulation):
    """Corollary 3.3: how fast |u² − w²| falls."""

    kind: Literal["balance-rate"]
    law: LawName
    temperature: PositiveFloat
    decays: list[Decay] = Field(min_length=1)
    chains: Chains
    duration: PositiveFloat


class TwoLayer(Simulation):
    """Fig 2, Theorem 3.1 and eq. 4: a two-layer ReLU net, for pairs of learning rate and batch size."""

    kind: Literal["two-layer"]
    n_examples: PositiveInt
    span: PositiveFloat  # T·t of every training
    rates: list[PositiveFloat] = Field(min_length=2)  # the second pair is varied further
    batches: list[PositiveInt] = Field(min_length=2)
    seeds: PositiveInt

    @model_validator(mode="after")
    def _paired(self) -> "TwoLayer":
        if len(self.rates) != len(self.batches):
            raise ValueError(f"rates and batches are pairs, found {len(self.rates)} and {len(self.batches)}")
        return self


class Densities(Simulation):
    """Fig 3 left and mid, and the distances to eqs 12, 14 and 15."""

    kind: Literal["densities"]
    laws: list[LawName] = Field(min_length=1)
    noise_factor: PositiveFloat  # of the laws' own noise
    input_scale: PositiveFloat  # s.d. of x
    batch: PositiveInt  # of discrete SGD, η = T S
    sgd_time: PositiveFloat
    medians_of: Literal["sde", "sgd"]
    chains: Chains
    readings_chains: Chains  # under other readings
    accuracy: Accuracy


class Convergence(Simulation):
    """The integrators' error against their step."""

    kind: Literal["convergence"]
    law: LawName
    temperature: PositiveFloat
    depth: Depth
    accuracies: list[Accuracy] = Field(min_length=2)
    chains: Chains
    duration: PositiveFloat


class TanhSigns(Simulation):
    """Fig 3 right: the sign a tanh unit learns."""

    kind: Literal["tanh-signs"]
    temperatures: list[PositiveFloat] = Field(min_length=1)
    signal: PositiveFloat
    noise: PositiveFloat
    teacher: Literal["linear", "tanh"]
    start: PositiveFloat  # s.d. of the starting weights
    batch: PositiveInt
    wrong: Annotated[float, Field(ge=0)]  # v below −wrong · signal has learned the wrong sign
    chains: Chains
    duration: PositiveFloat


class Transition(Simulation):
    """The transition temperature, located by simulation; batch 0 is the SDE."""

    kind: Literal["transition"]
    law: LawName
    batches: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)
    signals: list[PositiveFloat]
    decay: PositiveFloat
    chains: Chains
    duration: PositiveFloat


class Regimes(Simulation):
    """Fig 4: a check inside every regime."""

    kind: Literal["regimes"]
    chains: Chains


class Tails(Simulation):
    """Fig 5 left: tail exponents."""

    kind: Literal["tails"]
    depths: list[PositiveInt] = Field(min_length=1)
    temperature: PositiveFloat
    shallow_temperatures: list[PositiveFloat]
    sgd_rates: list[PositiveFloat]
    chains: Chains
    accuracy: Accuracy


class Moments(Simulation):
    """E[v²] at depth 0 and where it diverges."""

    kind: Literal["moments"]
    law: LawName
    temperatures: list[PositiveFloat] = Field(min_length=1)
    chains: Chains
    duration: PositiveFloat


class Inversion(Simulation):
    """Fig 5 mid: norm, variance and loss of a tanh unit against the learning rate."""

    kind: Literal["inversion"]
    law: LawName
    rates: list[PositiveFloat] = Field(min_length=2)
    hot_rates: list[PositiveFloat]  # where chains may overflow
    chains: Chains
    duration: PositiveFloat


class DepthScaling(Simulation):
    """Fig 5 right: tanh nets on images over depths and learning rates lowest_rate · 2^j."""

    kind: Literal["depth-scaling"]
    data: Data
    depths: list[PositiveInt] = Field(min_length=2)
    width: PositiveInt
    width_per_depth: PositiveInt
    lowest_rate: PositiveFloat
    octaves: PositiveInt
    init: Literal["torch", "xavier"]
    batch: PositiveInt
    epochs: PositiveInt
    failed: Annotated[float, Field(gt=0, le=1)]  # test error beyond which a net counts as not trained
    seeds: PositiveInt


class TableOne(Simulation):
    """Table 1: every law against the SDE."""

    kind: Literal["table-one"]
    chains: Chains
    accuracy: Accuracy


class WeightsLaw(Simulation):
    """Eqs 14 and 15 from the SDE of all weights, over depths, widths, decay and data."""

    kind: Literal["weights-law"]
    chains: Chains


class DiscreteDepth(Simulation):
    """Discrete SGD at D ≥ 1: the way to the laws as η → 0, and escapes."""

    kind: Literal["discrete-depth"]
    law: LawName
    signals: list[PositiveFloat] = Field(min_length=2)
    rates: list[PositiveFloat] = Field(min_length=1)
    depths: list[PositiveInt] = Field(min_length=1)
    chains: Chains


class RealNetworks(Simulation):
    """Theorem 3.1 along the training of real networks on images."""

    kind: Literal["real-networks"]
    data: Data
    names: list[Literal["mlp", "conv-norm", "row-transformer"]] = Field(min_length=1)
    batches: list[PositiveInt] = Field(min_length=1)
    rate: PositiveFloat
    steps: Annotated[int, Field(ge=2)]
    records: Annotated[int, Field(ge=4)]
    draws: Annotated[int, Field(ge=2)]
    n_examples: PositiveInt
    seeds: PositiveInt


class Memory(Simulation):
    """What the start decides at D = 1."""

    kind: Literal["memory"]
    law: LawName
    temperature: PositiveFloat
    chains: Chains


class ClosedForms(Simulation):
    """The closed forms evaluated; nothing to set."""

    kind: Literal["closed-forms"]


class Subnetworks(Simulation):
    """Theorem 4.1."""

    kind: Literal["subnetworks"]
    law: LawName
    temperature: PositiveFloat
    sgd_rate: PositiveFloat
    depths: list[PositiveInt] = Field(min_length=1)
    chains: Chains
    duration: PositiveFloat


Run = (
    Plane | BalanceRate | TwoLayer | Densities | Convergence | TanhSigns | Transition | Regimes | Tails
    | Moments | Inversion | DepthScaling | TableOne | WeightsLaw | DiscreteDepth | RealNetworks
    | Memory | ClosedForms | Subnetworks
)  # fmt: skip
