"""A tiny moons ensemble that several tests of the same study read."""

import pandas as pd
import pytest

from sgdiffusion.papers.hennick2025.moons import Moons, train_moons
from sgdiffusion.papers.hennick2025.settings import Langevin, MoonsTraining
from sgdiffusion.papers.hennick2025.walks import net_coefficients, net_table

TRAINING = MoonsTraining(
    nets=14, steps=400, rate=0.1, batch_size=16, width=6, depth=1, examples=60, noise=0.2,
    checkpoints=[0.1, 0.5, 0.75, 1.0], late_nets=4, late_snapshots=80,
)  # fmt: skip
CHAINS = Langevin(
    chains=2, draws=12, burn_in=20, every=2, temperature="examples", localisation=10.0, share=0.3
)


@pytest.fixture(scope="session")
def moons() -> Moons:
    return train_moons(TRAINING, root_seed=1)


@pytest.fixture(scope="session")
def coefficients(moons: Moons) -> tuple[pd.DataFrame, pd.DataFrame]:
    """At the end and along."""
    end, along = (net_coefficients(moons, CHAINS, along=a, root_seed=1) for a in (False, True))
    return end, along


@pytest.fixture(scope="session")
def nets(moons: Moons, coefficients: tuple[pd.DataFrame, pd.DataFrame]) -> pd.DataFrame:
    return net_table(moons, *coefficients, window=(0.1, 1.0))
