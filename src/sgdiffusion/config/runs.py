"""Every kind of run an experiments file may hold; `kind` selects the model."""

from typing import Annotated

from pydantic import Field, TypeAdapter

from sgdiffusion.config.chaudhari2018 import DoubleWell, MinibatchNoise, TheoryChecks, Variants
from sgdiffusion.config.hennick2025 import MlpRuns, MoonsEnsemble
from sgdiffusion.config.hennick2025_table1 import LargerLanguage, LargerVision
from sgdiffusion.config.models import Strict, Training
from sgdiffusion.config.ziyin2025 import ZiyinRun

OfChaudhari = DoubleWell | MinibatchNoise | TheoryChecks | Variants
OfHennick = MoonsEnsemble | MlpRuns | LargerVision | LargerLanguage
AnyRun = Training | OfChaudhari | ZiyinRun | OfHennick
Run = Annotated[AnyRun, Field(discriminator="kind")]
RUN: TypeAdapter[AnyRun] = TypeAdapter(Run)


class Experiments(Strict):
    """config/experiments/<paper>.yaml: one entry per run family."""

    runs: dict[Annotated[str, Field(pattern=r"^[a-z0-9-]+$")], Run]
