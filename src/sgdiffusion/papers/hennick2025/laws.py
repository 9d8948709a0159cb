"""SGD's solutions against the posterior's (Hennick & De Baerdemacker 2025, Figs 3 and 4b, Table 2): clusters,
tempering, distances with null and intervals, under every choice the paper leaves open."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sgdiffusion import streams
from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.laws import tempering
from sgdiffusion.measures.laws.solutions import METHODS, Clusters, Method, cluster
from sgdiffusion.measures.statistics.intervals import Estimate
from sgdiffusion.papers.hennick2025.moons import Moons
from sgdiffusion.papers.hennick2025.posterior import SPACES, Coordinates, Posterior, Space, coordinates
from sgdiffusion.papers.hennick2025.settings import LawPlan
from sgdiffusion.papers.hennick2025.tables import CHOICE_COLUMNS, first_choice
from sgdiffusion.papers.tables import documented, estimated, finite_quantities, quantity

Array = NDArray[np.float64]
Ratio = Literal["common", "per cluster"]
RATIOS: tuple[Ratio, ...] = ("common", "per cluster")

LAW_COLUMNS = CHOICE_COLUMNS | {
    "cluster": "number of the cluster, from the largest among SGD's solutions",
    "law": "sgd, posterior, tempered",
    "probability": "of the cluster, with half a count added to each",
    "low": "2.5 % quantile over resampled nets or chains",
    "high": "97.5 % quantile",
    "exponent": "e of p^e, the tempering of this cluster",
    "switching": "share of neighbouring posterior draws in different clusters",
}
DISTANCE_COLUMNS = CHOICE_COLUMNS | {
    "xi": "scale ξ of the tempering",
    "strength": "m of the exponent m D_ξ",
    **tempering.DISTANCE_COLUMNS,
}
SCAN_COLUMNS = CHOICE_COLUMNS | {
    **tempering.SCAN_COLUMNS,
    "best": "the ξ of smallest KL",
    "best_low": "2.5 % quantile of the best ξ over resamples",
    "best_high": "97.5 % quantile",
}


@dataclass(frozen=True)
class Laws:
    """Counts over one clustering: nets [M, K], posterior [chains, K], and λ/d_s per cluster."""

    choice: dict[str, Any]
    clusters: Clusters
    nets: Array
    posterior: Array
    ratio: Array
    switching: float

    def exponents(self, plan: LawPlan, strength: float) -> Array:
        """m D_ξ = m ξ^{2 − 2λ/d_s} of each cluster."""
        return strength * tempering.effective_diffusion(plan.xi, self.ratio, 1.0)

    def stream(self, root_seed: int, *words: str) -> np.random.Generator:
        """Random numbers of this choice for one purpose."""
        return streams.generator(root_seed, "hennick2025", *words, str(sorted(self.choice.items())))


def all_laws(ensemble: Moons, posterior: Posterior, nets: pd.DataFrame, plan: LawPlan) -> list[Laws]:
    """Every space × method × number of clusters × reading of λ/d_s that has at least two clusters.

    The first is the one of the figures: function space, k-means, the first of `counts`, common ratio. A
    choice with one cluster compares nothing: every law is the same.
    """
    own = nets["ratio"].to_numpy()
    if not (np.isfinite(own) & (own > 0)).any():
        raise MeasureError("no net has a positive λ/d_s, so that nothing can be tempered: look at its λ̂")
    found = []
    for space in SPACES:
        points = coordinates(ensemble, posterior, space)
        for method, count in itertools.product(METHODS, plan.counts):
            found += list(_of_clustering(points, own, space, method, count))
    if not found:
        raise MeasureError("no clustering found more than one cluster: there are no laws to compare")
    return found


def _of_clustering(
    points: Coordinates, own: Array, space: Space, method: Method, count: int | None
) -> Iterator[Laws]:
    clusters = cluster(points.nets, method, count=count, seed=0)
    if clusters.count < 2:
        return
    chains, kept, size = points.draws.shape
    labels = clusters.assign(points.draws.reshape(-1, size)).reshape(chains, kept)
    counts = np.stack([np.bincount(row, minlength=clusters.count) for row in labels]).astype(float)
    common, members = _median(own, np.nan), tempering.one_hot(clusters.labels, clusters.count)
    changes = float((labels[:, 1:] != labels[:, :-1]).mean())
    for rule in RATIOS:
        several = [_median(own[clusters.labels == k], common) for k in range(clusters.count)]
        ratio = np.full(clusters.count, common) if rule == "common" else np.array(several)
        facts = (space, method, count is None, clusters.count, rule)
        choice = dict(zip(CHOICE_COLUMNS, facts, strict=True))
        yield Laws(choice, clusters, members, counts, ratio, changes)


def _median(values: Array, otherwise: float) -> float:
    good = values[np.isfinite(values) & (values > 0)]
    return float(np.median(good)) if len(good) else otherwise


def _resampled(found: Laws, plan: LawPlan, root_seed: int) -> dict[str, tuple[Array, Array]]:
    """Probabilities and their resamples, of SGD (over nets) and of the posterior (over chains)."""
    generator = found.stream(root_seed, "laws")
    smooth = 0.5 * found.posterior.sum() / len(found.posterior)  # chains are the independent units
    out = {}
    for name, table, pseudocount in (("sgd", found.nets, 0.5), ("posterior", found.posterior, smooth)):
        again = tempering.resampled_counts(table, plan.resamples, generator)
        out[name] = tempering.law(table.sum(0), pseudocount), tempering.law(again, pseudocount)
    return out


def law_table(found: Laws, plan: LawPlan, root_seed: int) -> pd.DataFrame:
    """Fig. 4b: the probability of each cluster under SGD, posterior and tempered SGD."""
    exponent = found.exponents(plan, plan.strengths[0])
    samples = _resampled(found, plan, root_seed)
    value, spread = samples["sgd"]
    samples["tempered"] = tempering.temper(value, exponent), tempering.temper(spread, exponent)
    rows = []
    for name, (value, spread) in samples.items():
        low, high = np.quantile(spread, [0.025, 0.975], axis=0)
        for k in range(found.clusters.count):
            facts = (k, name, value[k], low[k], high[k], exponent[k], found.switching)
            rows.append((*found.choice.values(), *facts))
    return documented(rows, LAW_COLUMNS)


def distance_table(found: Laws, plan: LawPlan, root_seed: int) -> pd.DataFrame:
    """Table 2 and what it needs beside it: raw SGD, tempered SGD, the null, the uniform law."""
    parts = []
    for strength in plan.strengths:
        table = tempering.compare_laws(
            found.posterior,
            found.nets,
            found.exponents(plan, strength),
            tempering.distances(found.clusters.centres),
            resamples=plan.resamples,
            generator=found.stream(root_seed, "distances", str(strength)),
        )
        parts.append(table.assign(**found.choice, xi=plan.xi, strength=strength))
    return documented(pd.concat(parts, ignore_index=True), DISTANCE_COLUMNS)


def scan_table(found: Laws, plan: LawPlan, root_seed: int) -> pd.DataFrame:
    """Fig. 3: KL(posterior ‖ tempered SGD) against ξ."""
    table, best = tempering.scan_scales(
        found.posterior,
        found.nets,
        plan.scales,
        found.ratio,
        strength=plan.strengths[0],
        resamples=plan.resamples,
        generator=found.stream(root_seed, "scan"),
    )
    low, high = np.quantile(best, [0.025, 0.975])
    here = float(table["xi"].iloc[int(table["kl"].argmin())])
    return documented(table.assign(**found.choice, best=here, best_low=low, best_high=high), SCAN_COLUMNS)


def law_quantities(
    found: list[Laws], tables: dict[str, pd.DataFrame], plan: LawPlan, root_seed: int
) -> pd.DataFrame:
    """Figs 3 and 4b and Table 2 as quantities `moons.…`, of the first choice and over all."""
    distances, scan, nets = tables["distances"], tables["scan"], len(found[0].nets)
    rows = []
    for row in first_choice(distances).to_dict("records"):
        # a distance near the null lies below the quantiles of its resamples, which carry that noise twice
        name = f"moons.{row['distance']}.{row['law']}"
        rows.append(_around(name, row["value"], row["low"], row["high"], nets))
    rows += _over_null(first_choice(distances), nets)
    best = first_choice(scan).iloc[0]
    rows.append(_around("moons.best_xi", best["best"], best["best_low"], best["best_high"], nets))
    rows += _preference(found[0], plan, root_seed)
    rows += _over_choices(distances, scan)
    rows.append(quantity("moons.clusters", found[0].clusters.count))
    rows.append(quantity("moons.posterior.r_hat", float(tables["convergence"]["r_hat"].max())))
    rows.append(quantity("moons.posterior.switching", found[0].switching))
    return finite_quantities(rows)


def _around(name: str, value: float, low: float, high: float, nets: int) -> dict[str, Any]:
    """A row whose interval is widened to hold its value, where that lies outside."""
    return estimated(name, Estimate(value, min(low, value), max(high, value), nets), over="nets and chains")


def _over_null(shown: pd.DataFrame, nets: int) -> list[dict[str, Any]]:
    """KL over the 97.5 % quantile of what equal laws would have: 1 is the border of a test at that level."""
    kl = shown[shown["distance"] == "kl"].set_index("law")
    limit, rows = float(kl.loc["null", "high"]), []  # type: ignore[arg-type]
    for law in ("sgd", "tempered"):
        # the estimate itself is compared: its resamples carry the null's noise once more
        value = float(kl.loc[law, "value"]) / limit  # type: ignore[arg-type]
        rows.append(_around(f"moons.kl.{law}_over_null", value, value, value, nets))
    return rows


def _preference(found: Laws, plan: LawPlan, root_seed: int) -> list[dict[str, Any]]:
    """SGD's largest cluster: its probability, and how far that is above the posterior's."""
    samples = _resampled(found, plan, root_seed)
    (sgd, sgd_again), (bayes, bayes_again) = samples["sgd"], samples["posterior"]
    top, rows = int(sgd.argmax()), []
    for name, value, spread in (
        ("largest_sgd", sgd[top], sgd_again[:, top]),
        ("largest_sgd_over_posterior", sgd[top] - bayes[top], sgd_again[:, top] - bayes_again[:, top]),
    ):
        low, high = np.quantile(spread, [0.025, 0.975])
        estimate = Estimate(value, low, high, len(found.nets))
        rows.append(estimated(f"moons.{name}", estimate, over="nets and chains"))
    return rows


def _over_choices(distances: pd.DataFrame, scan: pd.DataFrame) -> list[dict[str, Any]]:
    """What the open choices do: they are no sample, so these numbers have no interval.

    Where the rule finds a number of clusters that is asked for as well, the two count once.
    """
    choice = [k for k in CHOICE_COLUMNS if k != "rule"]
    kl = distances[distances["distance"] == "kl"]
    keys = [*choice, "strength"]
    wide = kl.pivot_table(index=keys, columns="law", values="value")
    limit = kl[kl["law"] == "null"].groupby(keys)["high"].mean().reindex(wide.index)
    best = scan.drop_duplicates(choice)["best"]
    facts = {
        "tempered_better": (wide["tempered"] < wide["sgd"]).mean(),
        "tempered_within_null": (wide["tempered"] <= limit).mean(),
        "sgd_within_null": (wide["sgd"] <= limit).mean(),
        "kl_sgd_smallest": wide["sgd"].min(),
        "kl_sgd_largest": wide["sgd"].max(),
        "kl_tempered_smallest": wide["tempered"].min(),
        "kl_tempered_largest": wide["tempered"].max(),
        "best_xi_smallest": best.min(),
        "best_xi_largest": best.max(),
        "best_xi_near_half": best.between(0.4, 0.6).mean(),
    }
    return [quantity(f"moons.choices.{k}", float(v)) for k, v in facts.items()]
