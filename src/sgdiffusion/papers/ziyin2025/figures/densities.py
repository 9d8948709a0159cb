"""Fig 3 of Ziyin, Li & Ueda (2025): stationary densities at two depths, theory and simulation."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdiffusion.figures.style import (
    BLUE,
    GREEN,
    GREY,
    PUBLISHED,
    VERMILION,
    legend_below,
    new_figure,
    panel_label,
    style,
)

COLORS = (BLUE, VERMILION)  # the lower and the higher temperature
NAMES = {"above": r"$T_c = 0.85$", "between": r"$T_c = 0.44$"}


@style()
def fig3a(histograms: pd.DataFrame) -> Figure:
    """Depth 0: eq. 12 as a line, the SDE and discrete SGD as points with 95 % intervals."""
    return _densities(histograms, 0, "eq. 12", (1e-3, None))


@style()
def fig3b(histograms: pd.DataFrame, distances: pd.DataFrame) -> Figure:
    """Depth 1: eq. 15; where T is above T_c only δ(v) is left. Titles say how much of SGD has overflowed."""
    figure = _densities(histograms, 1, "eq. 15", (1e-3, 40.0))
    sgd = distances[(distances["depth"] == 1) & (distances["simulator"] == "sgd")]
    hottest = sgd[sgd["temperature"] == sgd["temperature"].max()].set_index("law")["escaped"]
    for ax, law in zip(figure.axes, dict.fromkeys(histograms["law"]), strict=False):
        share = 100 * float(hottest[law])
        ax.set_title(f"D = 1, {NAMES.get(law, law)}; {share:.0f} % of hot SGD overflows")
    return figure


def _densities(
    histograms: pd.DataFrame, depth: int, equation: str, limits: tuple[float, float | None]
) -> Figure:
    laws = list(dict.fromkeys(histograms["law"]))
    figure, axes = new_figure(columns=2, height=2.9, ncols=len(laws), squeeze=False)
    for letter, ax, law in zip("abcd", axes[0], laws, strict=False):
        shown = histograms[(histograms["law"] == law) & (histograms["depth"] == depth)]
        minimiser = float(shown["minimiser"].iloc[0])
        for color, temperature in zip(COLORS, sorted(set(shown["temperature"])), strict=False):
            _temperature(ax, shown[shown["temperature"] == temperature], color, minimiser)
        ax.axvline(1.0, color=GREY, linewidth=0.7, linestyle=":")
        low = -0.25 if depth else -0.6
        ax.set(yscale="log", ylim=limits, xlim=(low, 2.4), xlabel=r"$v / v^*$", ylabel=r"density of $v/v^*$")
        ax.set_title(f"D = {depth}, {NAMES.get(law, law)}")
        panel_label(ax, letter)
    handles = [
        *(
            axes[0, 0].plot([], [], color=c, label=f"T = {t:g}")[0]
            for c, t in zip(
                COLORS, sorted(set(histograms["temperature"][histograms["depth"] == depth])), strict=False
            )
        ),
        axes[0, 0].plot([], [], color=GREY, label=f"published law, {equation}")[0],
        axes[0, 0].plot([], [], "o", color=GREY, markersize=3, label="SDE ± 95 %")[0],
        axes[0, 0].plot([], [], "s", color=GREY, markersize=3.5, mfc="none", label="SGD, S = 1")[0],
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5)
    return figure


def _temperature(ax: Axes, shown: pd.DataFrame, color: str, minimiser: float) -> None:
    looks: dict[str, tuple[int, dict[str, Any]]] = {
        "sde": (2, {"marker": "o", "markersize": 2}),
        "sgd": (4, {"marker": "s", "markersize": 3, "mfc": "none"}),
    }
    for simulator, (every, look) in looks.items():
        part = shown[shown["simulator"] == simulator].iloc[::every]
        part = part[part["density"] > 0]
        x = (part["low"] + part["high"]) / 2 / minimiser
        bars = 1.96 * part["error"] * minimiser
        ax.errorbar(
            x,
            part["density"] * minimiser,
            bars,
            color=color,
            linestyle="none",
            elinewidth=0.7,
            capsize=0,
            **look,
        )
    line = shown[shown["simulator"] == "sde"]
    middle = (line["low"] + line["high"]) / 2 / minimiser
    if line["theory"].isna().all():
        ax.axvline(0, color=color, linewidth=1.6, gid=PUBLISHED)
        ax.annotate(r"$\delta(v)$", (0.08, 0.86), xycoords=("data", "axes fraction"), color=color, fontsize=7)
        return
    ax.plot(middle, line["theory"] * minimiser, color=color, linewidth=1.0, gid=PUBLISHED)


@style()
def fig3c(signs: pd.DataFrame) -> Figure:
    """v of one tanh unit, D = 0 and D = 1, at two temperatures of SGD; the truth is the dotted line."""
    temperatures = sorted(set(signs["temperature"]))
    figure, axes = new_figure(columns=2, height=2.9, ncols=len(temperatures), sharey=True, squeeze=False)
    for letter, ax, t in zip("abcd", axes[0], temperatures, strict=False):
        for depth, color in ((0, VERMILION), (1, BLUE)):
            part = signs[(signs["temperature"] == t) & (signs["depth"] == depth)]
            middle, p = (part["low"] + part["high"]) / 2, part["density"]
            wrong = float(part["wrong_sign"].iloc[0])
            none = float(part["no_sign"].iloc[0])
            label = {0: r"D = 0, $\tanh(vx)$", 1: r"D = 1, $w\tanh(ux)$"}[depth]
            never = " (published: never)" if depth else ""
            label += f": {100 * wrong:.2g} % wrong{never}, {100 * none:.2g} % near 0"
            ax.stairs(p, np.append(part["low"], part["high"].iloc[-1]), color=color)
            ax.errorbar(middle[::4], p[::4], 1.96 * part["error"][::4], fmt="o", color=color, markersize=2,
                        label=label).lines[0].set_gid(PUBLISHED if depth else None)  # fmt: skip
        ax.axvline(0, color=GREY, linewidth=0.7)
        ax.axvline(float(signs["truth"].iloc[0]), color=GREEN, linestyle=":", label="truth")
        ax.set(xlabel="$v$", title=f"SGD, S = 1, T = {t:g}", yscale="log")
        ax.set_ylim(1e-3, 2 * float(signs["density"].max()))
        legend_below(ax)
        panel_label(ax, letter)
    axes[0, 0].set_ylabel("density of $v$")
    return figure
