"""The step size of a Langevin chain from the curvature it meets.

In a direction of curvature a (of the loss) the chain has the stiffness h = nβ a + γ. Two errors grow with
ε: the discretisation multiplies the variance by 1/(1 − εh/4) with the Euler integrator, whose chains are
unstable above εh/4 = 1 (the averaged-noise integrator has the same limit and a smaller error), and the noise
of mini-batch gradients adds a share ε (nβ)² c/4 to it, c being the variance of L_B's slope in that
direction. Both are held below a stated share in the direction of largest stiffness, at the starting point
and where a pilot chain goes from there.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from sgdiffusion.dynamics.chains.sgld import Sgld, chain_seeds, sample
from sgdiffusion.dynamics.ensembles.batched import Batched, nets_at_once
from sgdiffusion.dynamics.examples import Examples, gather
from sgdiffusion.errors import ConfigError, MeasureError

COLUMNS = {
    "point": "index of the weight vector w*",
    "pilot": "number of the pilot chain of the point",
    "round": "0: at w*; later: further on along the pilot chain",
    "curvature": "largest |eigenvalue| of ∇²L",
    "gradient_noise": "variance of ∇L_B along that eigenvector, over mini-batches",
    "discretisation_step": "ε at which the discretisation has its allowed share",
    "noise_step": "ε at which the mini-batch noise has its allowed share; infinite with all examples",
    "step_size": "ε chosen so far: the smallest of both over rounds and pilots",
    "diverged": "whether the pilot chain blew up (then ε is divided by ten)",
}
POWER_ITERATIONS = 12
_RESTARTS = 12
LEAST = 20  # steps of a pilot chain from measurement to measurement
_BATCHES = 16  # mini-batches for the noise along one direction: its variance to about a third


@dataclass(frozen=True)
class Calibration:
    """ε per point [S], and how it came about (COLUMNS)."""

    step_sizes: Tensor
    table: pd.DataFrame
    ends: Tensor
    """Where the pilot chains are now [S · pilots, d]: further chains may go on from there."""
    elapsed: Tensor
    """Σ ε over the steps of each of them since it left w* [S · pilots]: at 2/γ it is in equilibrium."""


def calibrate(
    net: Batched,
    data: Examples,
    points: Tensor,
    sgld: Sgld,
    *,
    share: float = 0.1,
    rounds: int = 5,
    pilots: int = 2,
    examples: int = 1024,
    batches: int = _BATCHES,
    refine: int | None = None,
    seed: int = 0,
) -> Calibration:
    """The largest step size whose two errors stay below `share` of the variance, for each point.

    sgld.step_size is only an upper bound. Curvature and noise are measured on `examples` examples at w*, then
    `rounds` times along `pilots` chains per point, which take as many steps as the burn-in: away from w* a
    singular loss can be much stiffer than at it. A point whose pilots blow up starts again with a tenth of ε.
    The noise is that of `batches` mini-batches. Power iterations begin anew at each measurement, or after the
    first, `refine` of them go on from the direction found before (with a random one added to it).
    """
    if not 0 < share < 1:
        raise ConfigError(f"calibrate: the allowed share of the error must be between 0 and 1, found {share}")
    if min(pilots, examples) < 1 or rounds < 0:
        raise ConfigError(
            f"calibrate needs pilots and examples ≥ 1 and rounds ≥ 0, found {pilots}, {examples}, {rounds}"
        )
    size = nets_at_once(net, min(examples, len(data)), data.x[0].numel(), shared=True)
    parts = []
    for first in range(0, len(points), size):
        bounds = _Bounds(net, data, sgld, share, examples, seed + first, pilots, batches, refine)
        parts.append(_narrow(bounds, points[first : first + size], rounds, first))
    table = pd.concat([p.table for p in parts], ignore_index=True)
    table.attrs["columns"] = dict(COLUMNS)
    step_sizes = torch.cat([p.step_sizes for p in parts])
    return Calibration(
        step_sizes,
        table,
        ends=torch.cat([p.ends for p in parts]),
        elapsed=torch.cat([p.elapsed for p in parts]),
    )


def _narrow(bounds: "_Bounds", points: Tensor, rounds: int, first: int) -> Calibration:
    """Rounds of measuring and moving on, for the points that begin with number `first`."""
    starts = points.repeat_interleave(bounds.pilots, 0)
    where, lost, rows = starts, torch.zeros(len(starts), dtype=torch.bool, device=starts.device), []
    steps = starts.new_full((len(starts),), bounds.sgld.step_size)
    elapsed = torch.zeros_like(steps)
    length = max(LEAST, bounds.sgld.burn_in // max(rounds, 1))
    number = calm = 0
    while calm <= rounds and number <= rounds + _RESTARTS:
        found = bounds.at(where) if number else bounds.first(points)
        allowed = torch.minimum(found["discretisation_step"], found["noise_step"])
        steps = bounds.smallest(torch.where(lost, steps / 10, torch.minimum(steps, allowed)))
        rows.append(_rows(number, found, steps, lost, bounds.pilots, first))
        number, calm = number + 1, calm + (not bool(lost.any()))
        if calm <= rounds:
            where, lost = bounds.pilot(starts, where, steps, length, number)
            elapsed = torch.where(lost, 0, elapsed + length * steps)
    if bool(lost.any()):
        raise MeasureError(
            f"no step size down to {float(steps.min()):.3g} keeps the pilot chains of point "
            f"{first + int(lost.nonzero()[0]) // bounds.pilots} finite; localise more strongly or lower nβ"
        )
    return Calibration(steps[:: bounds.pilots], pd.concat(rows, ignore_index=True), where, elapsed)


def _rows(
    number: int, found: dict[str, Tensor], steps: Tensor, lost: Tensor, pilots: int, first: int
) -> pd.DataFrame:
    columns = {k: v.double().cpu().numpy() for k, v in found.items()}
    columns |= {"step_size": steps.double().cpu().numpy(), "diverged": lost.cpu().numpy()}
    table = pd.DataFrame(columns).assign(round=number)
    table["point"], table["pilot"] = np.divmod(first * pilots + np.arange(len(steps)), pilots)
    return table[list(COLUMNS)]


def curvature_product(net: Batched, theta: Tensor, directions: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """∇²L v at each row of θ by a central difference of gradients."""
    length = directions.norm(dim=1, keepdim=True).clamp_min(torch.finfo(theta.dtype).tiny)
    reach = (1e-2 if theta.dtype == torch.float32 else 1e-4) / length
    # in place: of a large net fresh memory costs as much as the arithmetic
    ends = [net.gradients((s * reach * directions).add_(theta), x, y)[1] for s in (1, -1)]
    return (ends[0] - ends[1]).div_(2 * reach)


class _Bounds:
    """Measures the largest stiffness at weight vectors and turns it into step sizes."""

    def __init__(
        self,
        net: Batched,
        data: Examples,
        sgld: Sgld,
        share: float,
        examples: int,
        seed: int,
        pilots: int,
        batches: int,
        refine: int | None,
    ):
        self.sgld, self.pilots = sgld, pilots
        self._refine, self._before = refine, torch.empty(0)
        self._net, self._data, self._share, self._seed = net, data, share, seed
        rng = np.random.default_rng(seed)
        chosen = rng.permutation(len(data))[: min(examples, len(data))]
        self._x, self._y = data.x[chosen][None], data.y[chosen][None]
        batch = min(sgld.batch_size or len(data), len(data))
        self._batches = torch.from_numpy(rng.integers(len(data), size=(batches, batch)))

    def smallest(self, steps: Tensor) -> Tensor:
        """One ε per point: the smallest of its pilots', given to each of them."""
        return steps.view(-1, self.pilots).amin(1).repeat_interleave(self.pilots)

    def first(self, points: Tensor) -> dict[str, Tensor]:
        """What `at` finds at w*, once for all pilots of a point."""
        found = {name: v.repeat_interleave(self.pilots) for name, v in self.at(points).items()}
        self._before = self._before.repeat_interleave(self.pilots, 0)
        return found

    def at(self, theta: Tensor) -> dict[str, Tensor]:
        direction, curvature = self._top(theta)
        noise = self._noise(theta, direction)
        sgld = self.sgld
        stiffness = sgld.n_beta * curvature + sgld.localisation
        tiny = torch.finfo(theta.dtype).tiny
        return {
            "curvature": curvature,
            "gradient_noise": noise,
            "discretisation_step": 4 * self._share / stiffness.clamp_min(tiny),
            "noise_step": 4 * self._share / (sgld.n_beta**2 * noise).clamp_min(tiny),
        }

    def _top(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Leading eigenvector and |eigenvalue| by power iteration from a random vector."""
        generator = torch.Generator(theta.device).manual_seed(chain_seeds(self._seed, 1)[0])
        v = torch.randn(theta.shape[1:], generator=generator, dtype=theta.dtype, device=theta.device)
        direction, iterations = (v / v.norm()).expand_as(theta), POWER_ITERATIONS
        if self._refine is not None and len(self._before):
            against = (direction * self._before).sum(1, keepdim=True) < 0
            mixed = self._before + torch.where(against, -direction, direction)  # never cancels
            direction, iterations = mixed / mixed.norm(dim=1, keepdim=True), self._refine
        length = theta.new_zeros(len(theta))
        for _ in range(iterations):
            image = curvature_product(self._net, theta, direction, self._x, self._y)
            length = image.norm(dim=1)
            direction = torch.where(length[:, None] > 0, image / length[:, None], direction)
        if self._refine is not None:
            self._before = direction
        return direction, length

    def _noise(self, theta: Tensor, direction: Tensor) -> Tensor:
        """Variance over mini-batches of the slope along `direction`; 0 when every step sees all examples."""
        if self.sgld.batch_size is None:
            return theta.new_zeros(len(theta))
        slopes = []
        for chosen in self._batches.to(theta.device):
            x, y = gather(self._data.x, chosen[None]), gather(self._data.y, chosen[None])
            slopes.append((self._net.gradients(theta, x, y)[1] * direction).sum(1))
        return torch.stack(slopes).var(0)

    def pilot(
        self, points: Tensor, where: Tensor, steps: Tensor, length: int, number: int
    ) -> tuple[Tensor, Tensor]:
        """Where the pilot chains are `length` steps further on, and which blew up (they are back at w*)."""
        plan = replace(self.sgld, draws=1, burn_in=length, every=1)
        seeds = chain_seeds(self._seed + number, len(points))
        chains = sample(
            self._net,
            self._data,
            where,
            plan,
            seeds,
            centres=points,
            step_sizes=steps,
            examples_seed=seeds[0] if self.pilots == 1 else None,  # pilots of one point have their own
        )
        lost = (chains.diverged >= 0).to(points.device) | self._escaped(points, chains.final)
        return torch.where(lost[:, None], points, chains.final), lost

    def _escaped(self, points: Tensor, ends: Tensor) -> Tensor:
        """Finite, but with an energy nβ(L − L*) that no chain in equilibrium has: its mean is at most d/2."""
        before, after = (self._net.losses(theta, self._x, self._y) for theta in (points, ends))
        rise = (after - before) * self.sgld.n_beta
        return ~(rise <= 2 * points.shape[1] + 50)
