"""Theorem 5, Lemma 6 and Theorem 22 of Chaudhari & Soatto (2018) on systems whose truth is computable.

The paper has no such figure: it shows what the claims about its theorems rest on.
"""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdiffusion.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    VERMILION,
    instants_palette,
    legend_below,
    new_figure,
    panel_label,
    published,
    style,
)

FLOOR = 1e-9  # nats; below it rounding shows
CLOSED: dict[str, Any] = {  # a number known at the marked points alone: no line between them
    "marker": "o", "markersize": 8, "markerfacecolor": "none", "color": BLACK, "linestyle": "none",
    "markeredgewidth": 0.8,
}  # fmt: skip
NOISE_LOOKS = {
    "gaussian": (BLUE, "o", "SDE, simulated"),
    "batch": (VERMILION, "s", "mini-batch SGD, simulated"),
}


@style()
def theory_figure(descent: pd.DataFrame, anisotropy: pd.DataFrame, displacement: pd.DataFrame) -> Figure:
    """(a) F(ρ) along the Fokker–Planck flow, (b) Φ against f, (c) the most likely point against η/(2b).

    Takes the three tables of the study ``theory``; bars are 95 % intervals over chains.
    """
    figure, (left, middle, right) = new_figure(columns=2, height=2.9, ncols=3)
    _descent(left, descent)
    _anisotropy(middle, anisotropy)
    _displacement(right, displacement)
    for letter, ax in zip("abc", (left, middle, right), strict=True):
        panel_label(ax, letter)
    return figure


def _descent(ax: Axes, table: pd.DataFrame) -> None:
    strengths = sorted(set(table["lam"]))
    for lam, color in zip(strengths, instants_palette(len(strengths)), strict=True):
        path = table[(table["lam"] == lam) & (table["free_energy"] > FLOOR)]
        ax.plot(path["time"], path["free_energy"], color=color, label=rf"$\lambda = {lam:g}$")
    ax.axhline(FLOOR, color=GREY, linestyle=":", linewidth=0.8, label="rounding below")
    ax.set(yscale="log", xlabel="time", ylabel=r"$F(\rho)$ / nats", title="Theorem 5")
    legend_below(ax)


def _anisotropy(ax: Axes, table: pd.DataFrame) -> None:
    ordered = table.sort_values("ratio")
    ax.plot(ordered["ratio"], ordered["misfit"], label="closed form", **CLOSED)
    bars = 1.96 * ordered["error"]
    ax.errorbar(ordered["ratio"], ordered["simulated"], bars, fmt="o", color=BLUE, label="simulated ± 95 %")
    ax.set(xscale="log", xlabel="ratio of $D$'s eigenvalues", title="Lemma 6")
    ax.set_ylabel(r"$\min_c \| U - cF \| \, / \, \| U \|$")
    ax.set_xticks(ordered["ratio"], [f"{ratio:g}" for ratio in ordered["ratio"]])
    ax.minorticks_off()
    legend_below(ax)


def _displacement(ax: Axes, table: pd.DataFrame) -> None:
    """Displacement per η/2b, so that a law linear in η/b is a horizontal line."""
    for noise, (color, marker, label) in NOISE_LOOKS.items():
        part = table[table["noise"] == noise].sort_values("temperature")
        x, y, bars = (part[name] for name in ("temperature", "displacement", "error"))
        ax.errorbar(x, y / x, 1.96 * bars / x, fmt=marker, color=color, markersize=3.5, label=label)
    line = table.drop_duplicates("temperature").sort_values("temperature")
    x = line["temperature"]
    ax.plot(x, line["sde"] / x, color=BLUE, linewidth=0.8, label="SDE, closed form")
    published(ax, y=float((line["theorem"] / x).iloc[0]), label=r"Theorem 22: $-D'/f''$")
    third = float((line["corrected"] / x).iloc[0])
    ax.axhline(third, color=GREEN, linestyle=":", label=r"with third cumulant: $+2\kappa_3/3D$")
    ax.set(xlabel=r"$\eta / 2b$", ylabel=r"shift of the mode / $(\eta/2b)$", title="Theorem 22")
    ax.set(xlim=(0, 1.05 * float(x.max())), ylim=(0, None))
    legend_below(ax)


@style()
def potential_figure(potential: pd.DataFrame, modes: pd.DataFrame) -> Figure:
    """(a) Φ at three β⁻¹, (b) its minimum against β⁻¹; bars are 95 % intervals over chains."""
    figure, (left, right) = new_figure(columns=2, height=3.2, ncols=2)
    temperatures = sorted(set(potential["temperature"]))
    for temperature, color in zip(temperatures, instants_palette(len(temperatures)), strict=True):
        part = potential[potential["temperature"] == temperature]
        left.plot(part["x"], part["phi"], color=color, label=rf"$\beta^{{-1}} = {temperature:g}$")
        lowest = part.loc[part["phi"].idxmin()]
        left.plot(lowest["x"], lowest["phi"], marker="o", color=color, label="_")
    left.set(xlabel="weight $x$", ylabel=r"$\Phi(x)$, zero at its minimum")
    left.plot([], [], "o", color=GREY, label="minimum")
    legend_below(left, ncols=2)
    looks = {"sde": ("gaussian", BLUE), "batch": ("batch", VERMILION)}
    for name, (noise, color) in looks.items():
        part = modes[modes["system"] == name].sort_values("temperature")
        _, marker, label = NOISE_LOOKS[noise]
        bars = 1.96 * part["error"]
        right.errorbar(part["temperature"], part["mode"], bars, fmt=marker, color=color, label=label)
    exact = modes[modes["system"] == "sde"].sort_values("temperature")
    right.plot(exact["temperature"], exact["closed"], label="SDE, closed form", **CLOSED)
    published(right, y=0.0, label=r"$\Phi$ independent of $\beta$")
    right.set(xlabel=r"$\beta^{-1} = \eta / 2b$, only $b$ changed", ylabel=r"$\mathrm{argmin}\ \Phi$")
    right.set_xlim(0, 1.05 * float(exact["temperature"].max()))
    legend_below(right, ncols=2)
    for letter, ax in zip("ab", (left, right), strict=True):
        panel_label(ax, letter)
    return figure


@style()
def equilibrium_figure(equilibrium: pd.DataFrame) -> Figure:
    """(a) Share of the drift that no potential makes, (b) the mode's distance from the well, against β⁻¹.

    Bars are what halving the cells of the grid changes.
    """
    figure, (left, right) = new_figure(columns=2, height=3.2, ncols=2)
    turned = equilibrium[equilibrium["noise"] == "turned"].sort_values("temperature")
    looks = {"turned": (BLUE, "o-", 4), "aligned": (VERMILION, "s", 8), "isotropic": (GREEN, "^", 3)}
    for noise, (color, marker, size) in looks.items():
        part = equilibrium[equilibrium["noise"] == noise].sort_values("temperature")
        look: dict[str, Any] = {"fmt": marker, "color": color, "markersize": size, "label": f"$D$ {noise}"}
        look["markerfacecolor"] = "none" if noise == "aligned" else color  # the other lies on it
        for ax, column in ((left, "share"), (right, "displacement")):
            ax.errorbar(part["temperature"], part[column], part[f"{column}_error"], **look)
    level = float(turned["quadratic_closed"].iloc[0])
    left.axhline(level, color=BLACK, linestyle=":", label="quadratic loss, $D$ turned")
    left.plot(
        turned["temperature"],
        turned["quadratic_share"],
        "D",
        color=BLACK,
        markersize=3,
        label="the same, on the grid",
    )
    left.set(ylabel=r"$E|j|^2 / E|\nabla f|^2$ in the metric $D^{-1}$", ylim=(-0.02, None))
    right.set(ylabel="distance of the mode from the well", ylim=(-0.02, None))
    ends = 0.9 * float(turned["temperature"].min()), 1.1 * float(turned["temperature"].max())
    ticks = [f"{t:g}" for t in turned["temperature"]]
    for letter, ax in zip("ab", (left, right), strict=True):
        ax.set(xscale="log", xlabel=r"$\beta^{-1}$", xlim=ends)
        ax.set_xticks(turned["temperature"], ticks)
        ax.minorticks_off()
        legend_below(ax, ncols=2)
        panel_label(ax, letter)
    return figure
