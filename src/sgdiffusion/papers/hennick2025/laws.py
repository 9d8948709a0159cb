"""SGD's solutions against the posterior's (Hennick & De Baerdemacker 2025, Figs 3 and 4b, Table 2): clusters,
tempering, distances with null and intervals, for one reading of what the paper leaves open."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sgdiffusion import streams
from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.laws import tempering
from sgdiffusion.measures.laws.solutions import Clusters, cluster
from sgdiffusion.measures.statistics.intervals import Estimate
from sgdiffusion.papers.hennick2025.posterior import Coordinates
from sgdiffusion.papers.hennick2025.settings import LawPlan
from sgdiffusion.papers.tables import documented, estimated, finite_quantities, quantity

Array = NDArray[np.float64]

LAW_COLUMNS = {
    "cluster": "number of the cluster, from the largest among SGD's solutions",
    "law": "sgd, posterior, tempered",
    "probability": "of the cluster, with half a count added to each",
    "low": "2.5 % quantile over resampled nets or chains",
    "high": "97.5 % quantile",
    "exponent": "e of p^e, the tempering of this cluster",
    "switching": "share of neighbouring posterior draws in different clusters",
}
DISTANCE_COLUMNS = {
    "xi": "scale ξ of the tempering",
    "strength": "m/γ",
    **tempering.DISTANCE_COLUMNS,
}
SCAN_COLUMNS = {
    **tempering.SCAN_COLUMNS,
    "strength": "m/γ",
    "ratio": "λ/d_s (mean over clusters)",
    "best": "the ξ of smallest KL",
    "best_low": "2.5 % quantile of the best ξ over resamples",
    "best_high": "97.5 % quantile",
}


@dataclass(frozen=True)
class Laws:
    """Counts over one clustering: nets [M, K], posterior [chains, K], and λ/d_s per cluster."""

    plan: LawPlan
    clusters: Clusters
    nets: Array
    posterior: Array
    ratio: Array
    switching: float

    @property
    def scales(self) -> Array:
        """ξ of the scan."""
        scan = self.plan.scan
        return np.geomspace(scan.low, scan.high, scan.points)

    @property
    def power(self) -> float:
        """2 − 2λ/d_s, by which ξ is raised; the mean over clusters."""
        return float(np.mean(2 - 2 * self.ratio))

    def exponents(self) -> Array:
        """(m/γ) D_ξ = (m/γ) ξ^{2 − 2λ/d_s} of each cluster."""
        diffusion = tempering.effective_diffusion(self.plan.xi, self.ratio, 1.0)
        return (self.plan.strength or 1.0) * diffusion

    def stream(self, root_seed: int, *words: str) -> np.random.Generator:
        """Random numbers of this reading for one purpose."""
        return streams.generator(root_seed, "hennick2025", *words, self.plan.model_dump_json())


def clusters_of(points: Coordinates, plan: LawPlan) -> Clusters:
    """Clusters of SGD's solutions as one reading has them, the same whatever the posterior."""
    return cluster(points.nets, plan.method, count=plan.clusters, seed=0)


def laws_of(
    points: Coordinates, clusters: Clusters, nets: pd.DataFrame, plan: LawPlan, root_seed: int
) -> Laws:
    """The laws over the clusters of one reading.

    With a fitted m/γ it is found on every second net and chain, and the laws are those of the others.
    """
    own = nets["ratio"].to_numpy()
    if not (np.isfinite(own) & (own > 0)).any():
        raise MeasureError("no net has a positive λ/d_s, so that nothing can be tempered: look at its λ̂")
    if clusters.count < 2:
        raise MeasureError("the rule found one cluster: every law is the same, nothing is compared")
    chains, kept, size = points.draws.shape
    labels = clusters.assign(points.draws.reshape(-1, size)).reshape(chains, kept)
    counts = np.stack([np.bincount(row, minlength=clusters.count) for row in labels]).astype(float)
    common, members = _median(own, np.nan), tempering.one_hot(clusters.labels, clusters.count)
    several = [_median(own[clusters.labels == k], common) for k in range(clusters.count)]
    ratio = np.full(clusters.count, common) if plan.ratio == "common" else np.array(several)
    changes = float((labels[:, 1:] != labels[:, :-1]).mean())
    found = Laws(plan, clusters, members, counts, ratio, changes)
    return found if plan.strength is not None else _fitted(found, root_seed)


def _fitted(found: Laws, root_seed: int) -> Laws:
    """The second half of nets and chains, with the m/γ whose smallest KL on the first half is at ξ."""
    first = replace(found, nets=found.nets[::2], posterior=found.posterior[::2])
    best = float(scan_table(first, root_seed)["best"].iloc[0])
    strength = (best / found.plan.xi) ** found.power
    plan = found.plan.model_copy(update={"strength": strength})
    return replace(found, plan=plan, nets=found.nets[1::2], posterior=found.posterior[1::2])


def _median(values: Array, otherwise: float) -> float:
    good = values[np.isfinite(values) & (values > 0)]
    return float(np.median(good)) if len(good) else otherwise


def _resampled(found: Laws, root_seed: int) -> dict[str, tuple[Array, Array]]:
    """Probabilities and their resamples, of SGD (over nets) and of the posterior (over chains)."""
    generator = found.stream(root_seed, "laws")
    smooth = 0.5 * found.posterior.sum() / len(found.posterior)  # chains are the independent units
    out = {}
    for name, table, pseudocount in (("sgd", found.nets, 0.5), ("posterior", found.posterior, smooth)):
        again = tempering.resampled_counts(table, found.plan.resamples, generator)
        out[name] = tempering.law(table.sum(0), pseudocount), tempering.law(again, pseudocount)
    return out


def law_table(found: Laws, root_seed: int) -> pd.DataFrame:
    """Fig. 4b: the probability of each cluster under SGD, posterior and tempered SGD."""
    exponent = found.exponents()
    samples = _resampled(found, root_seed)
    value, spread = samples["sgd"]
    samples["tempered"] = tempering.temper(value, exponent), tempering.temper(spread, exponent)
    rows = []
    for name, (value, spread) in samples.items():
        low, high = np.quantile(spread, [0.025, 0.975], axis=0)
        for k in range(found.clusters.count):
            rows.append((k, name, value[k], low[k], high[k], exponent[k], found.switching))
    return documented(rows, LAW_COLUMNS)


def distance_table(found: Laws, root_seed: int) -> pd.DataFrame:
    """Table 2 and what it needs beside it: raw SGD, tempered SGD, the null, the uniform law."""
    table = tempering.compare_laws(
        found.posterior,
        found.nets,
        found.exponents(),
        tempering.distances(found.clusters.centres, reverse=found.plan.direction == "model"),
        resamples=found.plan.resamples,
        generator=found.stream(root_seed, "distances"),
    )
    return documented(table.assign(xi=found.plan.xi, strength=found.plan.strength), DISTANCE_COLUMNS)


def scan_table(found: Laws, root_seed: int) -> pd.DataFrame:
    """Fig. 3: KL of SGD's law and of the theory's against ξ."""
    strength = found.plan.strength or 1.0
    table, best = tempering.scan_scales(
        found.posterior,
        found.nets,
        found.scales,
        found.ratio,
        strength=strength,
        reverse=found.plan.direction == "model",
        resamples=found.plan.resamples,
        generator=found.stream(root_seed, "scan"),
    )
    low, high = np.quantile(best, [0.025, 0.975])
    here = float(table["xi"].iloc[int(table["kl"].argmin())])
    facts = {"strength": strength, "ratio": float(np.mean(found.ratio))}
    return documented(table.assign(**facts, best=here, best_low=low, best_high=high), SCAN_COLUMNS)


def law_quantities(found: Laws, tables: dict[str, pd.DataFrame], root_seed: int) -> pd.DataFrame:
    """Figs 3 and 4b and Table 2 as quantities `moons.…`."""
    distances, scan, nets = tables["distances"], tables["scan"], len(found.nets)
    rows = []
    for row in distances.to_dict("records"):
        # a distance near the null lies below the quantiles of its resamples, which carry that noise twice
        name = f"moons.{row['distance']}.{row['law']}"
        rows.append(_around(name, row["value"], row["low"], row["high"], nets))
    rows += _over_null(distances, nets)
    rows += _minimum(scan, found, nets)
    rows += _preference(found, root_seed)
    rows.append(quantity("moons.clusters", found.clusters.count))
    rows.append(quantity("moons.posterior.switching", found.switching))
    return finite_quantities(rows)


def _minimum(scan: pd.DataFrame, found: Laws, nets: int) -> list[dict[str, Any]]:
    """Fig. 3: where KL is smallest as ξ at this m/γ, as the exponent e that alone is identified, and as the
    m/γ that puts the minimum at the published ξ.
    """
    row, strength = scan.iloc[0], float(scan["strength"].iloc[0])
    xi = np.array([row["best"], row["best_low"], row["best_high"]], dtype=float)
    inside = 0 < int(scan["kl"].argmin()) < len(scan) - 1
    facts = {
        "best_xi": xi,
        "best_exponent": strength * xi**found.power,
        "strength_at_published_xi": strength * (xi / found.plan.xi) ** found.power,
    }
    rows = [_around(f"moons.{k}", v[0], v.min(), v.max(), nets) for k, v in facts.items()]
    rows.append(quantity("moons.smallest_kl", float(scan["kl"].min())))
    rows.append(quantity("moons.minimum_inside", float(inside)))
    return rows


def _around(name: str, value: float, low: float, high: float, nets: int) -> dict[str, Any]:
    """A row whose interval is widened to hold its value, where that lies outside."""
    return estimated(name, Estimate(value, min(low, value), max(high, value), nets), over="nets and chains")


def _over_null(distances: pd.DataFrame, nets: int) -> list[dict[str, Any]]:
    """KL over the 97.5 % quantile of what equal laws would have: 1 is the border of a test at that level; and
    KL of tempered over that of raw SGD.
    """
    kl = distances[distances["distance"] == "kl"].set_index("law")
    value = kl["value"].astype(float)
    limit, floor = float(kl["high"].astype(float)["null"]), 1e-12  # equal laws have KL 0
    # the estimates themselves are compared: their resamples carry the null's noise once more
    facts = {f"{law}_over_null": value[law] / limit for law in ("sgd", "tempered")}
    facts["tempered_over_sgd"] = max(value["tempered"], floor) / max(value["sgd"], floor)
    return [_around(f"moons.kl.{k}", float(v), float(v), float(v), nets) for k, v in facts.items()]


def _preference(found: Laws, root_seed: int) -> list[dict[str, Any]]:
    """SGD's largest cluster: its probability, how far that is above the posterior's, and whether it is the
    posterior's largest too, which no common exponent can change.
    """
    samples = _resampled(found, root_seed)
    (sgd, sgd_again), (bayes, bayes_again) = samples["sgd"], samples["posterior"]
    top, rows = int(sgd.argmax()), []
    for name, value, spread in (
        ("largest_sgd", sgd[top], sgd_again[:, top]),
        ("largest_sgd_over_posterior", sgd[top] - bayes[top], sgd_again[:, top] - bayes_again[:, top]),
    ):
        low, high = np.quantile(spread, [0.025, 0.975])
        estimate = Estimate(value, low, high, len(found.nets))
        rows.append(estimated(f"moons.{name}", estimate, over="nets and chains"))
    rows.append(quantity("moons.same_top", float(top == int(bayes.argmax()))))
    return rows
