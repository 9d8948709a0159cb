"""λ̂ by chains that find their step size while they burn in.

A search of its own would cost as much as the chains: its pilots have to go where the chains go. Here the
pilots are the chains. Their burn-in is cut into `rounds` + 1 parts; before each, the largest stiffness is
measured where they are, and ε can only become smaller; after the last one it stays, and they draw. What the
search adds is the measuring, which is held below a share of the steps by taking few examples for it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor

from sgdiffusion.dynamics.chains.sgld import Sgld
from sgdiffusion.dynamics.ensembles.batched import Batched
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.measures.coefficients.langevin_calibration import (
    LEAST,
    POWER_ITERATIONS,
    Calibration,
    calibrate,
)
from sgdiffusion.measures.coefficients.learning_coefficient import (
    Coefficients,
    learning_coefficients,
)

ROUNDS = 3  # of the search
REFINE = 3  # power iterations of a round, from the direction that the one before found
BATCHES = 6  # mini-batches for the noise along it: its variance to about two thirds
SHARE = 0.03  # of the steps' gradients, for the power iterations
EXAMPLES = 1024  # for the curvature, at most

Planned = Callable[[float, int], None]
"""The step ε, and how many steps each chain has still to make."""


@dataclass(frozen=True)
class SelfCalibrated:
    """Estimates, and the chains that gave them."""

    coefficients: Coefficients
    chain: Sgld
    """As it was run: its burn-in has all steps before the draws, those of the search included."""
    missing: int
    """Steps that the burn-in lacks of what the localisation needs: Σ ε = 2/γ."""


def self_calibrated(
    net: Batched,
    data: Examples,
    points: Tensor,
    chain: Sgld,
    *,
    chains: int = 4,
    rounds: int = ROUNDS,
    most: float = math.inf,
    seed: int = 0,
    planned: Planned | None = None,
) -> SelfCalibrated:
    """λ̂ at each row of `points` [S, d]; chain.step_size is an upper bound only.

    The burn-in is chain.burn_in, or as many steps as the localisation needs, if these are more, up to `most`.
    Chains that blow up are flagged. `planned` is called with the step and the length of what follows.
    """
    part = chain.burn_in // (rounds + 1)
    found = calibrate(
        net,
        data,
        points,
        replace(chain, burn_in=rounds * part),
        rounds=rounds,
        pilots=chains,
        examples=_examples(chain, len(data), chains, rounds),
        batches=BATCHES,
        refine=REFINE,
        seed=seed,
    )
    rest = replace(chain, burn_in=chain.burn_in - rounds * part)
    return _run(net, data, points, rest, chains, most, seed, planned, found, rounds * max(LEAST, part))


def at_step(
    net: Batched,
    data: Examples,
    points: Tensor,
    chain: Sgld,
    *,
    chains: int = 4,
    most: float = math.inf,
    seed: int = 0,
    planned: Planned | None = None,
) -> SelfCalibrated:
    """The same with chain.step_size."""
    return _run(net, data, points, chain, chains, most, seed, planned)


def _run(
    net: Batched,
    data: Examples,
    points: Tensor,
    chain: Sgld,
    chains: int,
    most: float,
    seed: int,
    planned: Planned | None,
    found: Calibration | None = None,
    searched: int = 0,
) -> SelfCalibrated:
    """What remains of the burn-in after the steps `searched`, and the draws."""
    step, elapsed = chain.step_size, 0.0
    if found is not None:
        step, elapsed = float(found.step_sizes.min()), float(found.elapsed.min())
    missing = _missing(chain, step, elapsed)
    more = int(min(missing, max(0, most - searched - chain.burn_in)))
    chain = replace(chain, burn_in=chain.burn_in + more)
    if planned is not None:
        planned(step, chain.steps)
    coefficients = learning_coefficients(
        net,
        data,
        points,
        chain,
        chains=chains,
        seed=seed,
        baseline="full" if chain.batch_size is None else "paired",  # with all examples both are the same
        step_sizes=None if found is None else found.step_sizes,
        starts=None if found is None else found.ends,
        on_divergence="flag",
    )
    run = replace(chain, burn_in=searched + chain.burn_in)
    return SelfCalibrated(coefficients, run, missing - more)


def _missing(chain: Sgld, step: float, elapsed: float) -> int:
    """Steps beyond the burn-in that a direction needs which the localisation alone holds: Σ ε = 2/γ."""
    if not chain.localisation:
        return 0
    return max(0, math.ceil((2 / chain.localisation - elapsed) / step - chain.burn_in))


def _examples(chain: Sgld, examples: int, chains: int, rounds: int) -> int:
    """For the curvature: at least a batch, more where the steps of the chains are many."""
    batch = min(chain.batch_size or examples, examples)
    products = POWER_ITERATIONS + chains * rounds * REFINE
    affordable = int(SHARE * chains * chain.steps * batch / (2 * products))
    return min(examples, max(batch, min(EXAMPLES, affordable)))
