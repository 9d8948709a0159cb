"""Figs 3, 4a and 4b of Hennick & De Baerdemacker (2025): SGD's solutions beside the posterior."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdiffusion.figures.style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    VERMILION,
    new_figure,
    published,
    seed_band,
    style,
)

CHOICE = ["space", "method", "rule", "clusters", "ratio"]
PUBLISHED_XI = 0.5  # the minimum of the paper's Fig. 3
LAWS = {"sgd": (BLUE, "SGD"), "posterior": (BLACK, "posterior (SGLD)"), "tempered": (ORANGE, "tempered SGD")}


@style()
def fig3(scan: pd.DataFrame) -> Figure:
    """KL(posterior ‖ tempered SGD) over ξ: the choice of the figures with its interval, the others thin."""
    figure, ax = new_figure(height=2.7)
    choices = [part.sort_values("xi") for _, part in scan.groupby(CHOICE, sort=False)]
    for i, part in enumerate(choices[1:]):
        label = f"{len(choices) - 1} other choices" if i == 0 else None
        ax.plot(part["xi"], part["kl"], color=GREY, linewidth=0.4, alpha=0.5, label=label)
    first = choices[0]
    seed_band(ax, first["xi"], first["low"], first["high"], BLUE, "95 % over nets and chains")
    ax.plot(first["xi"], first["kl"], color=BLUE, label=_name(first))
    best, low, high = (float(first[c].iloc[0]) for c in ("best", "best_low", "best_high"))
    floor = float(first["kl"].min())
    at_end = best in (first["xi"].min(), first["xi"].max())
    label = "smallest (end of the scan), 95 %" if at_end else "minimum, 95 %"
    ax.errorbar([best], [floor], xerr=[[max(best - low, 0)], [max(high - best, 0)]], fmt="v", color=VERMILION,
                markersize=4, label=label)  # fmt: skip
    published(ax, x=PUBLISHED_XI, label=r"published minimum, $\xi = 0.5$")
    positive = first.loc[first["kl"] > 0, "kl"]
    ax.set(xlabel=r"scale $\xi$", ylabel="KL(posterior ‖ tempered SGD) / nats", yscale="log")
    ax.set_ylim(0.2 * float(positive.min()), 20 * float(positive.max()))
    ax.legend(loc="upper right", fontsize=6)
    return figure


def _name(part: pd.DataFrame) -> str:
    row = part.iloc[0]
    return f"{row['method']} in {row['space']} space, K = {row['clusters']}"


@style()
def fig4a(nets: pd.DataFrame) -> Figure:
    """Histogram of λ̂ over the nets of the ensemble, those with a diagnosis apart."""
    figure, ax = new_figure(height=2.4)
    known = nets[np.isfinite(nets["llc"])]
    edges = np.histogram_bin_edges(known["llc"], bins="fd")
    good, marked = (known.loc[(known["diagnoses"] != "") == m, "llc"] for m in (False, True))
    ax.hist([good, marked], edges, stacked=True, color=[BLUE, ORANGE],
            label=[f"no diagnosis ({len(good)})", f"with a diagnosis ({len(marked)})"])  # fmt: skip
    ax.axvline(float(known["llc"].median()), ymax=0.78, color=BLACK, linewidth=1, label="median")
    half = float((known["high"] - known["low"]).median() / 2) if "high" in known else 0.0
    if half > 0:
        _scale_bar(ax, float(edges[-1]), half)
    ax.set(xlabel=r"local learning coefficient $\hat{\lambda}$", ylabel="nets")
    ax.set_ylim(0, 1.4 * ax.dataLim.y1)
    lost = len(nets) - len(known)
    ax.legend(loc="upper left", title=f"{lost} without an estimate" if lost else None)
    return figure


def _scale_bar(ax: Axes, right: float, half: float) -> None:
    """The typical 95 % interval of one net, above the upper right end."""
    transform = ax.get_xaxis_transform()
    ax.errorbar([right - half], [0.84], xerr=[half], color=GREY, transform=transform, fmt="none")
    ax.text(right, 0.88, "95 % of one net", ha="right", fontsize=6, color=GREY, transform=transform)


@style()
def fig4b(laws: pd.DataFrame, distances: pd.DataFrame) -> Figure:
    """Probability of each cluster under SGD, posterior and tempered SGD, with 95 % intervals."""
    figure, ax = new_figure(columns=2, height=2.6)
    chosen = laws.iloc[0][CHOICE]
    shown = laws[(laws[CHOICE] == chosen).all(axis=1)]
    for i, (law, (color, label)) in enumerate(LAWS.items()):
        part = shown[shown["law"] == law].sort_values("cluster")
        p = part["probability"]
        bars = np.maximum([p - part["low"], part["high"] - p], 0)
        ax.bar(part["cluster"] + 1 + 0.27 * (i - 1), p, 0.25, color=color, label=label + _kl(distances, law))
        ax.errorbar(part["cluster"] + 1 + 0.27 * (i - 1), p, bars, fmt="none", color=GREY, linewidth=1)
    ax.set_xticks(sorted(set(shown["cluster"] + 1)))
    ax.set(xlabel="cluster of solutions, by its size among SGD's", ylabel="probability", title=_name(shown))
    ax.set_yticks(np.arange(0, 1.1, 0.2))  # a probability has no tick above 1, room for the legend or not
    ax.set_ylim(0, 1.35 * float(shown["high"].max()))
    ax.legend(loc="upper right")
    return figure


def _kl(distances: pd.DataFrame, law: str) -> str:
    """The distance from the posterior, and for the posterior that of as many draws as there are nets."""
    chosen = distances.iloc[0][[*CHOICE, "strength"]]
    first = distances[
        (distances[[*CHOICE, "strength"]] == chosen).all(axis=1) & (distances["distance"] == "kl")
    ]
    row = first[first["law"] == ("null" if law == "posterior" else law)].iloc[0]
    words = {"posterior": "null", "tempered": rf"$\xi$ = {row['xi']:g}, KL", "sgd": "KL"}[law]
    return f" ({words} {row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}])"
