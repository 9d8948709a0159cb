"""Figure 4 of Chaudhari & Soatto (2018): the double well, one figure for each λ.

The map has what the paper shows (the field of ∇f, Φ as contours, the most likely points) over the density
of a Langevin simulation; beside it the simulation is held against e^{−Φ}, and the flow's return map is drawn
where orbits turn about the origin.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sgdiffusion.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PUBLISHED,
    VERMILION,
    new_figure,
    panel_label,
    style,
)

Array = NDArray[np.float64]
Look = dict[str, Any]

WIDTH_PER_GRADIENT = 0.7  # points of line width per unit of ‖∇f‖
CONTOURS = (0.03, 0.12, 0.25, 0.5, 1.0, 1.6, 2.4)
OPEN: Look = {"markerfacecolor": "white", "markeredgecolor": BLACK}
POINT_LOOKS: dict[str, Look] = {  # the paper's dots are the modes
    "most likely": {
        "marker": "o",
        "color": VERMILION,
        "markersize": 9,
        "gid": PUBLISHED,
        "label": r"modes of $e^{-\Phi}$, as published",
    },
    "sink": {"marker": "s", **OPEN, "markersize": 4.5, "label": r"sinks of $-\nabla f$"},
    "saddle": {"marker": "X", **OPEN, "markersize": 6, "label": r"saddle of $-\nabla f$"},
    "centre": {"marker": "P", **OPEN, "markersize": 6, "label": r"zero of $\nabla f$"},
    "source": {"marker": "v", **OPEN, "markersize": 5, "label": r"source of $-\nabla f$"},
}
SPANS = (20.0, 100.0, 500.0)  # units of time at whose ends the colour of a noise-free orbit changes
SPAN_COLORS = ("#F6C866", ORANGE, "#7A4F00")
ORBIT_LOOKS: dict[str, Look] = {
    "flow": {"linewidth": 1.1},
    "loop": {"color": GREEN, "linewidth": 1.4, "linestyle": "--", "label": r"closed loop of $\dot x = j$"},
}


@style()
def fig4(
    field: pd.DataFrame,
    potential: pd.DataFrame,
    histogram: pd.DataFrame,
    marginals: pd.DataFrame,
    points: pd.DataFrame,
    orbits: pd.DataFrame,
    returns: pd.DataFrame,
) -> Figure:
    """The tables of ``studies.chaudhari2018_double_well.tables`` for one λ, as one figure of full width."""
    turning = bool(returns["returned"].notna().any())
    figure, axes = _canvas(["x1", "x2", "turn"] if turning else ["x1", "x2"])
    _map(axes["map"], field, potential, histogram)
    _orbits(axes["map"], orbits)
    _points(axes["map"], points)
    for axis, name in ((1, "x1"), (2, "x2")):
        _marginal(axes[name], marginals[marginals["axis"] == axis], axis)
    if turning:
        _return_map(axes["turn"], returns)
    entries = [ax.get_legend_handles_labels() for ax in (axes["map"], axes["x1"])]
    handles, labels = ([*entries[0][k], *entries[1][k]] for k in (0, 1))
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    for number, ax in zip(("i", "ii", "iii", "iv"), axes.values(), strict=False):
        panel_label(ax, number)
    return figure


def _canvas(rows: list[str]) -> tuple[Figure, dict[str, Axes]]:
    """A square map at the left, one small panel for each of ``rows`` at the right."""
    figure, grid = new_figure(2, 4.9, nrows=len(rows), ncols=2, width_ratios=[1.65, 1])
    for ax in grid[:, 0]:
        ax.remove()
    whole = figure.add_subplot(grid[0, 1].get_gridspec()[:, 0])
    return figure, {"map": whole, **dict(zip(rows, grid[:, 1], strict=True))}


def _pivot(table: pd.DataFrame, column: str) -> tuple[Array, Array, Array]:
    """A tidy table over (x1, x2) as two axes and an array with x2 along its rows, as the plotters want it."""
    wide = table.pivot(index="x2", columns="x1", values=column)
    return wide.columns.to_numpy(), wide.index.to_numpy(), wide.to_numpy()


def _map(ax: Axes, field: pd.DataFrame, potential: pd.DataFrame, histogram: pd.DataFrame) -> None:
    x1, x2, density = _pivot(histogram, "density")
    mesh = ax.pcolormesh(x1, x2, density, cmap="Greys", vmin=0, vmax=0.3, rasterized=True, zorder=0)
    bar = ax.get_figure().colorbar(mesh, ax=ax, location="bottom", shrink=0.6, aspect=40, pad=0.01)  # type: ignore[union-attr]
    bar.ax.set_xlim(0, float(density.max()))
    bar.set_label("simulated density", labelpad=1)
    ax.contour(*_pivot(potential, "phi"), levels=CONTOURS, colors=GREY, linewidths=0.5, zorder=1)
    ax.plot([], [], color=GREY, linewidth=0.5, label=r"contours of $\Phi$")
    _streams(ax, field)
    ax.set_aspect("equal")
    reach = float(field["x1"].max())
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel=r"$x_1$", ylabel=r"$x_2$")
    ax.set_title(rf"$\lambda = {field['lam'].iloc[0]:g}$")


def _streams(ax: Axes, field: pd.DataFrame) -> None:
    """Streamlines of −∇f, the direction in which the dynamics moves; line width ∝ ‖∇f‖."""
    x1, x2, df1 = _pivot(field, "df1")
    df2 = _pivot(field, "df2")[2]
    look: Look = {"linewidth": WIDTH_PER_GRADIENT * np.hypot(df1, df2), "color": BLUE, "arrowsize": 0.6}
    ax.streamplot(x1, x2, -df1, -df2, density=1.2, minlength=0.25, zorder=2, **look)
    ax.plot([], [], color=BLUE, linewidth=1.2, label=r"$-\nabla f$, width $\propto \|\nabla f\|$")


def _orbits(ax: Axes, orbits: pd.DataFrame) -> None:
    """Noise-free orbits darken with time, so that a slow spiral is not taken for a closed orbit."""
    for kind, paths in orbits.groupby("kind"):
        look = ORBIT_LOOKS[str(kind)]
        for k, (_, path) in enumerate(paths.groupby("orbit")):
            if kind == "flow":
                _spiral(ax, path, named=k == 0)
            else:
                ax.plot(path["x1"], path["x2"], zorder=3, **look)


def _spiral(ax: Axes, path: pd.DataFrame, *, named: bool) -> None:
    start = 0.0
    for end, color in zip(SPANS, SPAN_COLORS, strict=True):
        part = path[(path["time"] >= start) & (path["time"] <= end)]
        label = rf"$\dot x = -\nabla f$, $t$ = {start:g} to {end:g}" if named else "_"
        ax.plot(part["x1"], part["x2"], zorder=3, color=color, label=label, **ORBIT_LOOKS["flow"])
        start = end


def _points(ax: Axes, points: pd.DataFrame) -> None:
    for kind, group in points.groupby("kind", sort=False):
        if kind == "simulated":
            # a cross wider than the dot of the mode that it should agree with
            look: Look = {"fmt": "+", "color": BLACK, "markersize": 13, "elinewidth": 1.6, "zorder": 6}
            high, wide = 1.96 * group["error2"], 1.96 * group["error1"]
            ax.errorbar(group["x1"], group["x2"], high, wide, label="simulated mode ± 95 %", **look)
        else:
            ax.plot(group["x1"], group["x2"], linestyle="none", zorder=5, **POINT_LOOKS[str(kind)])


def _marginal(ax: Axes, table: pd.DataFrame, axis: int) -> None:
    ax.plot(table["x"], table["law"], color=VERMILION, label=r"marginal of $e^{-\Phi}/Z$")
    look: Look = {"fmt": ".", "color": BLACK, "markersize": 3, "elinewidth": 0.8, "capsize": 0}
    ax.errorbar(table["x"], table["density"], 1.96 * table["error"], label="simulated ± 95 %", **look)
    ax.set(xlabel=rf"$x_{axis}$", ylabel="density", ylim=(0, 1.15 * table["law"].max()))


def _return_map(ax: Axes, returns: pd.DataFrame) -> None:
    """1 − returned/radius, by how much a turn shrinks an orbit; a limit cycle would be a zero of it."""
    table = returns.dropna()
    shrinks = 1 - table["returned"] / table["radius"]
    ax.plot(table["radius"], shrinks, color=ORANGE, marker=".")
    ax.set(xscale="log", yscale="log", xlabel=r"$r$, start on the $x_1$-axis")
    ax.set(ylabel="1 − $r'/r$,\n$r'$ after a turn", ylim=(0.3 * float(shrinks.min()), 3))
    ax.set_title("a closed orbit would be at 0, below all", fontsize=7, loc="right")
