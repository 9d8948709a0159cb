"""Fig. 4 of Chaudhari & Soatto (2018): the double well at λ = 0, 0.5 and 1.5: flow, law and rotation.

One simulation per λ gives the histogram and everything that is estimated; the rest is exact up to rounding.
Chains are the unit of replication.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sgdiffusion.dynamics.chains.blocks import spaced_records
from sgdiffusion.dynamics.chains.langevin import double_well_paths
from sgdiffusion.errors import ConfigError
from sgdiffusion.measures.laws.density import (
    WithError,
    cell_masses,
    most_likely_point,
    over_chains,
    total_variation,
)
from sgdiffusion.papers.chaudhari2018.settings import DoubleWell
from sgdiffusion.papers.chaudhari2018.theory import double_well as well
from sgdiffusion.papers.chaudhari2018.theory import fokker_planck_grid as fokker_planck
from sgdiffusion.papers.chaudhari2018.theory import orbits
from sgdiffusion.papers.tables import documented, quantity
from sgdiffusion.papers.task import Task
from sgdiffusion.streams import generator
from sgdiffusion.streams import seed as stream_seed

Array = NDArray[np.float64]

LAMBDAS = {"fig4a": 0.0, "fig4b": 0.5, "fig4c": 1.5}
RECORD_TIME = 1.0  # between records: the slowest mode of the law decays as e^{−0.79t} (λ = 0) or faster
VIEW = 1.75  # the maps show (−VIEW, VIEW)²
REACH = 3.2  # histograms cover (−REACH, REACH)²; 1.4e-3 of the law's mass lies outside
RADII = np.geomspace(0.05, 3.0, 25)  # of the return map; nearer the origin see double_well.focus_decay
GRID = fokker_planck.grid_of_width((3.5, 6.0), 0.1)

_X = {"lam": "λ, strength of the force j", "x1": "first coordinate", "x2": "second coordinate"}
FIELD_COLUMNS = {**_X, "df1": "first component of ∇f", "df2": "second component of ∇f"}
POTENTIAL_COLUMNS = {**_X, "phi": "Φ"}
HISTOGRAM_COLUMNS = {
    **_X,
    "density": "share of the simulated records in the cell about (x1, x2) per unit of area",
    "error": "its standard error over chains",
    "law": "mean of e^{−Φ}/Z over the cell",
}
MARGINAL_COLUMNS = {
    "lam": _X["lam"],
    "axis": "1 or 2: which coordinate",
    "x": "centre of the bin",
    "density": "share of the simulated records in the bin per unit of length",
    "error": "its standard error over chains",
    "law": "mean of the marginal of e^{−Φ}/Z over the bin",
}
POINT_COLUMNS = {
    **_X,
    "kind": "most likely: mode of e^{−Φ}; simulated: mode of the simulated density; sink, saddle, centre, "
    "source: zero of ∇f and its nature under ẋ = −∇f (centre: of the linearised flow)",
    "error1": "standard error of x1 over chains, 0 if exact",
    "error2": "standard error of x2 over chains, 0 if exact",
}
ORBIT_COLUMNS = {
    **_X,
    "kind": "flow: noise-free ẋ = −∇f; loop: one turn of ẋ = j",
    "orbit": "number of the orbit",
    "time": "t",
}
RETURN_COLUMNS = {
    "lam": _X["lam"],
    "radius": "r: the orbit of ẋ = −∇f starts at (r, 0)",
    "returned": "where it crosses the positive x₁-axis after one turn about the origin; NaN if it never does",
    "time": "when",
}


def simulate(
    lam: float,
    *,
    chains: int = 20000,
    steps: int = 10000,
    dt: float = 0.02,
    seed: int = 0,
    burn_in: float = 0.2,
    threads: int = 1,
) -> Array:
    """Langevin paths (chains, records, 2) by stochastic Heun steps of ``dt``, recorded once a unit of time.

    ``burn_in`` is the share of the steps that is thrown away; at the default that is 40 units of time, which
    leaves e^{−31} of the start. Chains start from a normal cloud wider than the law, s.d. 1.5.
    """
    every, burned = max(1, round(RECORD_TIME / dt)), round(burn_in * steps)
    records = (steps - burned) // every
    if records < 1:
        raise ConfigError(
            f"{steps} steps of {dt} leave no record after a burn-in of {burned} steps at one record every "
            f"{every}; use more steps"
        )
    names = ("chaudhari2018", "double-well", f"lambda={lam:g}")
    start = generator(seed, *names, "start").normal(0.0, 1.5, (chains, 2))
    steps_recorded = spaced_records(records, every=every, burn_in=burned)
    key = stream_seed(seed, *names, "noise")
    return double_well_paths(start, lam, dt, steps_recorded, seed=key, threads=threads)


def field_table(lam: float, points: int = 41) -> pd.DataFrame:
    """∇f on a regular grid over the view."""
    axis = np.linspace(-VIEW, VIEW, points)
    x = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    gradient = well.loss_gradient(x, lam)
    rows = {"lam": lam, "x1": x[:, 0], "x2": x[:, 1], "df1": gradient[:, 0], "df2": gradient[:, 1]}
    return documented(rows, FIELD_COLUMNS)


def potential_table(lam: float, points: int = 81) -> pd.DataFrame:
    """Φ on a regular grid over the view; the same for every λ."""
    axis = np.linspace(-VIEW, VIEW, points)
    x = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    return documented({"lam": lam, "x1": x[:, 0], "x2": x[:, 1], "phi": well.potential(x)}, POTENTIAL_COLUMNS)


def law_masses(edges: Array) -> Array:
    """Cell masses of e^{−Φ}/Z on the product grid of ``edges``; the coordinates are independent."""
    return np.outer(well.marginal_masses(edges, 0), well.marginal_masses(edges, 1))


def edges_for(paths: Array, per_cell: float = 100.0) -> Array:
    """Edges of 8 to 64 equal bins, such that a cell at the law's peak (density 1/Z) holds ``per_cell``."""
    width = math.sqrt(per_cell * well.partition() / math.prod(paths.shape[:2]))
    return np.linspace(-REACH, REACH, 2 * int(np.clip(REACH / width, 4, 32)) + 1)


def histogram_table(lam: float, paths: Array) -> pd.DataFrame:
    """The simulated density in cells, with its standard error and the law's mean over the cell."""
    edges = edges_for(paths)
    found, centres, area = (
        cell_masses(paths, [edges, edges]),
        (edges[1:] + edges[:-1]) / 2,
        np.diff(edges)[0] ** 2,
    )
    x1, x2 = np.meshgrid(centres, centres, indexing="ij")
    values = (found.value, found.error, law_masses(edges))
    density, error, law = (v.ravel() / area for v in values)
    rows = {"lam": lam, "x1": x1.ravel(), "x2": x2.ravel(), "density": density, "error": error, "law": law}
    return documented(rows, HISTOGRAM_COLUMNS)


def marginal_table(lam: float, paths: Array) -> pd.DataFrame:
    """The marginal densities of both coordinates, in at most 32 bins."""
    edges = np.linspace(-REACH, REACH, min(32, len(edges_for(paths)) - 1) + 1)
    tables, centres, width = [], (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    for axis in (0, 1):
        found = cell_masses(paths[..., axis : axis + 1], [edges])
        law = well.marginal_masses(edges, axis) / width
        rows = {"lam": lam, "axis": axis + 1, "x": centres, "density": found.value / width}
        tables.append(pd.DataFrame({**rows, "error": found.error / width, "law": law}))
    return documented(pd.concat(tables, ignore_index=True), MARGINAL_COLUMNS)


def simulated_mode(paths: Array) -> WithError:
    """The mode of the simulated density near (1, 0).

    Drift and law are the same under x → −x, so paths are folded onto x₁ > 0. The window's polynomial of
    degree 4 contains Φ itself, so the fit has no bias.
    """
    folded = np.where(paths[..., :1] < 0, -paths, paths)
    return most_likely_point(folded, [1.0, 0.0], [0.9, 1.2], bins=24)


def point_table(lam: float, mode: WithError | None) -> pd.DataFrame:
    """Most likely points, exact and simulated (mirrored, by symmetry), and the zeros of ∇f."""
    rows: list[tuple[Any, ...]] = [(*x, "most likely", 0.0, 0.0) for x in well.most_likely_points()]
    if mode is not None:
        rows += [(*(sign * mode.value), "simulated", *mode.error) for sign in (-1, 1)]
    rows += [(*point.x, point.kind, 0.0, 0.0) for point in well.critical_points(lam)]
    return documented([(lam, *row) for row in rows], POINT_COLUMNS)


def orbit_table(
    lam: float, starts: Sequence[tuple[float, float]] = ((1.9, -1.2), (-1.9, 1.2))
) -> pd.DataFrame:
    """Noise-free orbits of ẋ = −∇f over 500 units of time; for λ ≠ 0 also the unit circle, a loop of ẋ = j.

    About a weak focus an orbit shrinks as t^−½: after 20 units it looks like the cycle that is not there.
    """
    times, tables = np.concatenate([np.linspace(0, 20, 1001), np.linspace(20, 500, 9601)[1:]]), []
    for number, start in enumerate(starts):
        x = orbits.path(lambda p: -well.loss_gradient(p, lam), start, times)
        tables.append((number, "flow", times, x))
    if lam != 0:
        turn = np.linspace(0, well.loop_period(1.0, lam), 201)
        tables.append(
            (len(starts), "loop", turn, orbits.path(lambda p: well.force(p, lam), (1.0, 0.0), turn))
        )
    rows = [
        pd.DataFrame({"lam": lam, "x1": x[:, 0], "x2": x[:, 1], "kind": kind, "orbit": number, "time": t})
        for number, kind, t, x in tables
    ]
    return documented(pd.concat(rows, ignore_index=True), ORBIT_COLUMNS)


def return_table(lam: float, radii: Array = RADII) -> pd.DataFrame:
    """The return map of ẋ = −∇f on the positive x₁-axis; a limit cycle is a zero of returned − radius.

    Closed orbits lie in the unit disc: rṙ = x₁² − x₁⁴ − x₂² whatever λ, and where an orbit is farthest from
    the origin this is zero, so that r² = 2x₁² − x₁⁴ ≤ 1 there. The map is complete but for its inner end.
    """
    found = orbits.return_map(lambda x: -well.loss_gradient(x, lam), radii)
    return documented([(lam, f.radius, f.returned, f.time) for f in found], RETURN_COLUMNS)


def tables(lam: float, paths: Array) -> dict[str, pd.DataFrame]:
    """Everything that one panel of Fig. 4 shows."""
    return {
        "field": field_table(lam),
        "potential": potential_table(lam),
        "histogram": histogram_table(lam, paths),
        "marginals": marginal_table(lam, paths),
        "points": point_table(lam, simulated_mode(paths)),
        "orbits": orbit_table(lam),
        "returns": return_table(lam),
    }


def law_quantities(name: str, paths: Array) -> list[dict[str, Any]]:
    """How far the simulated law is from e^{−Φ}, beside what noise alone gives, and where its mode is."""
    chains, records, edges = *paths.shape[:2], edges_for(paths)
    found = total_variation(cell_masses(paths, [edges, edges]), law_masses(edges), chains * records)
    mode, half = simulated_mode(paths), 1.96
    over: dict[str, Any] = {"n": chains, "over": "chains"}
    return [
        quantity(f"{name}.total_variation", found.total_variation, half * found.spread, **over),
        quantity(f"{name}.total_variation_of_noise", found.expected, half * found.spread, **over),
        quantity(f"{name}.total_variation_ratio", found.ratio, half * found.spread / found.expected, **over),
        quantity(f"{name}.most_likely_x1", mode.value[0], half * mode.error[0], **over),
        quantity(f"{name}.most_likely_x2", mode.value[1], half * mode.error[1], **over),
    ]


def flow_quantities(name: str, lam: float, returns: pd.DataFrame) -> list[dict[str, Any]]:
    """Zeros of ∇f, their distance from the most likely points, and the noise-free flow's limit cycles."""
    zeros = well.critical_points(lam)
    sinks = [z for z in zeros if z.kind == "sink"]
    found = [orbits.Return(*row) for row in returns[["radius", "returned", "time"]].itertuples(index=False)]
    cycles = orbits.limit_cycles(lambda x: -well.loss_gradient(x, lam), found)
    rows = [
        quantity(f"{name}.critical_points", len(zeros)),
        quantity(f"{name}.sinks", len(sinks)),
        quantity(f"{name}.limit_cycles", len(cycles)),
    ]
    if sinks:
        gaps = [np.linalg.norm(well.most_likely_points() - z.x, axis=1).min() for z in sinks]
        rows.append(quantity(f"{name}.displacement", max(gaps)))
    ratio = (returns["returned"] / returns["radius"]).dropna()
    if len(ratio):
        rows.append(quantity(f"{name}.return_ratio", ratio.max()))
    return rows


def scan_quantities(strengths: Sequence[float] = (0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0)) -> list[dict[str, Any]]:
    """Whether the flow has a limit cycle at any λ above the one at which its sinks meet in the origin."""
    cycles = 0
    for lam in strengths:
        returns = orbits.return_map(lambda x, lam=lam: -well.loss_gradient(x, lam), RADII[RADII < 1.1])  # type: ignore[misc]
        cycles += len(orbits.limit_cycles(lambda x, lam=lam: -well.loss_gradient(x, lam), returns))  # type: ignore[misc]
    return [
        quantity("fig4.onset", well.ONSET),
        quantity("fig4.limit_cycles_any_strength", cycles),
        quantity("fig4.focus_decay", well.focus_decay(LAMBDAS["fig4c"])),
    ]


def _mean(values: Array) -> float:
    """Expectation under e^{−Φ}/Z by the midpoint rule on the grid."""
    return float((values * fokker_planck.steady_state(GRID, well.potential)).sum() * GRID.area)


def force_quantities(name: str, lam: float) -> list[dict[str, Any]]:
    """Assumption 4 and Lemma 7 on the example: ∇·j, alignment of j with ∇Φ, curl of ∇f, loops of j.

    Root mean squares under e^{−Φ}, relative to those of the norm of the derivative concerned; the alignment
    is E|j·∇Φ| / E‖j‖‖∇Φ‖, 0 if they are orthogonal and 2/π for directions at random.
    """
    x = GRID.points()
    j, gradient, jacobian = well.force(x, lam), well.potential_gradient(x), well.loss_jacobian(x, lam)
    hessian = np.zeros_like(jacobian)
    hessian[..., 0, 0], hessian[..., 1, 1] = 3 * x[..., 0] ** 2 - 1, 1.0
    norms = np.linalg.norm(j, axis=-1) * np.linalg.norm(gradient, axis=-1)
    alignment = _mean(np.abs((j * gradient).sum(-1))) / _mean(norms)
    divergence = _mean(well.force_divergence(x, lam) ** 2) / _mean(((hessian - jacobian) ** 2).sum((-2, -1)))
    curl = _mean(well.loss_curl(x, lam) ** 2) / _mean((jacobian**2).sum((-2, -1)))
    loops = [orbits.first_return(lambda p: well.force(p, lam), r) for r in (0.25, 0.5, 1.0, 1.5)]
    closure = max(abs(found.returned / found.radius - 1) for found in loops)
    return [
        quantity(f"{name}.force_divergence", math.sqrt(divergence)),
        quantity(f"{name}.force_alignment", alignment),
        quantity(f"{name}.gradient_curl", math.sqrt(curl)),
        quantity(f"{name}.loop_closure", closure),
        quantity(f"{name}.loop_period", well.loop_period(1.0, lam), unit="time"),
    ]


def _lagged(paths: Array) -> Array:
    """x₁(t)x₂(t+τ) − x₂(t)x₁(t+τ) for consecutive records, mean over each chain."""
    before, after = paths[:, :-1], paths[:, 1:]
    return (before[..., 0] * after[..., 1] - before[..., 1] * after[..., 0]).mean(1)


def rotation_quantities(
    name: str, lam: float, paths: Array, lag: float = RECORD_TIME
) -> list[dict[str, Any]]:
    """Rotation in the steady state: of the paths, of the grid's generator, and how long it stays coherent.

    The circulation is E[x₁(t)x₂(t+τ) − x₂(t)x₁(t+τ)] at a lag τ of one record; ``turns`` is ω/(2πa) of the
    slowest mode −a ± iω: the turns made while its amplitude falls by e. A noisy limit cycle makes many.
    """
    matrix = fokker_planck.generator(GRID, well.potential, well.stream, lam)
    steady = fokker_planck.steady_state(GRID, well.potential)
    first, second = (lambda x: x[..., 0]), (lambda x: x[..., 1])
    law = fokker_planck.correlation(GRID, matrix, steady, first, second, lag)
    law -= fokker_planck.correlation(GRID, matrix, steady, second, first, lag)
    slowest = fokker_planck.slowest_modes(matrix, 2)[0]
    rows = [
        quantity(f"{name}.decay_rate", -slowest.real, unit="1/time"),
        quantity(f"{name}.turns", slowest.imag / (2 * math.pi * -slowest.real), unit="turns"),
        quantity(f"{name}.circulation_of_law", law),
    ]
    if paths.shape[1] > 1:
        found, chains = over_chains(_lagged(paths)), len(paths)
        value, half = float(found.value), 1.96 * float(found.error)
        rows.append(quantity(f"{name}.circulation", value, half, n=chains, over="chains"))
        if lam != 0:
            ratio = (value / law, half / abs(law))
            rows.append(quantity(f"{name}.circulation_ratio", *ratio, n=chains, over="chains"))
    return rows


def quantities(name: str, lam: float, paths: Array, returns: pd.DataFrame) -> pd.DataFrame:
    """All numbers of one panel, ``name`` being fig4a, fig4b or fig4c."""
    rows = [*law_quantities(name, paths), *flow_quantities(name, lam, returns)]
    rows += rotation_quantities(name, lam, paths)
    if lam != 0:
        rows += force_quantities(name, lam)
    return pd.DataFrame(rows)


def measure(task: Task, run: DoubleWell) -> dict[str, pd.DataFrame]:
    """Langevin chains in the double well at one λ and everything Fig 4 shows of them."""
    figure = task.wildcards["figure"]
    lam, size = LAMBDAS[figure], {"chains": run.chains, "steps": run.steps}
    paths = simulate(lam, **size, dt=run.dt, seed=task.root_seed, threads=task.threads)
    made = tables(lam, paths)
    return {**made, "quantities": quantities(figure, lam, paths, made["returns"])}
