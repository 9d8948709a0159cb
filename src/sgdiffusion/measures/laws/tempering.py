"""Laws over clusters of solutions: SGD's, the posterior's, SGD's tempered into a posterior, and their
distances.

Hennick & De Baerdemacker (2025): with the effective diffusion coefficient at the scale ξ,

    D_ξ = ξ^{2 − 2λ/d_s},   p_s ∝ exp(−γ L_m/D_ξ),   p(w|X_m) ∝ ρ(w) p_s(w)^{m D_ξ}.

On clusters k: p_k ∝ ρ_k p_s(k)^{e_k} with the exponent e_k = m D_ξ. The rate γ that relates the step of SGD
to the loss is not known, so that m/γ enters as one number, `strength` (1 by default).
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.optimize import linprog

from sgdiffusion.errors import MeasureError

Array = NDArray[np.float64]
LawDistance = Callable[[Array, Array], Array]
"""Of laws along the last axis; leading axes are computed together."""


def law(counts: Array, pseudocount: float = 0.5) -> Array:
    """Probabilities from counts, along the last axis; 0.5 is Jeffreys' prior, 0 the plain frequencies."""
    raised = counts + pseudocount
    return raised / raised.sum(-1, keepdims=True)


def effective_diffusion(xi: ArrayLike, coefficient: ArrayLike, spectral: ArrayLike) -> Array:
    """D_ξ = ξ^{2 − 2λ/d_s}."""
    lam, d_s = np.asarray(coefficient, dtype=np.float64), np.asarray(spectral, dtype=np.float64)
    if np.any(d_s <= 0) or np.any(np.asarray(xi) <= 0):
        raise MeasureError(
            f"D_ξ needs positive ξ and d_s, found ξ {np.asarray(xi).tolist()} and d_s {d_s.tolist()}"
        )
    return np.asarray(xi, dtype=np.float64) ** (2 - 2 * lam / d_s)


def temper(probabilities: ArrayLike, exponents: ArrayLike, prior: ArrayLike | None = None) -> Array:
    """ρ p^e, normalised; a flat prior unless given.

    Computed in logarithms, so that large e is no problem; probabilities below e^−700 stay there, because a
    zero that only rounding made would make every KL infinite.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if np.any(p <= 0):
        raise MeasureError(
            "tempering needs positive probabilities: a cluster has no member; use a pseudocount"
        )
    logs = np.asarray(exponents, dtype=np.float64) * np.log(p)
    logs = logs if prior is None else logs + np.log(np.asarray(prior, dtype=np.float64))
    raised = np.exp(np.maximum(logs - logs.max(-1, keepdims=True), -700.0))
    return raised / raised.sum(-1, keepdims=True)


def kullback_leibler(p: Array, q: Array) -> Array:
    """KL(p‖q) = Σ p ln(p/q), nats."""
    inside = p > 0
    if np.any(inside & (q <= 0)):
        raise MeasureError(
            "KL is infinite: the second law excludes a cluster of the first; use a pseudocount"
        )
    ratio = np.where(inside, p, 1.0) / np.where(inside, q, 1.0)
    return np.asarray((p * np.log(ratio)).sum(-1))


def jensen_shannon(p: Array, q: Array) -> Array:
    """½KL(p‖m) + ½KL(q‖m) with m = ½(p + q), nats; at most ln 2."""
    middle = 0.5 * (p + q)
    return 0.5 * kullback_leibler(p, middle) + 0.5 * kullback_leibler(q, middle)


def total_variation(p: Array, q: Array) -> Array:
    """½Σ|p − q|: Wasserstein-1 where all clusters are at distance 1 from each other."""
    return np.asarray(0.5 * np.abs(p - q).sum(-1))


def wasserstein(ground: ArrayLike) -> LawDistance:
    """Wasserstein-1 for distances `ground` [K, K] between clusters, scaled to a mean of 1 off the diagonal.

    All pairs of laws are one linear program with as many independent blocks: most of a small one is overhead.
    """
    metric = np.asarray(ground, dtype=np.float64)
    k = len(metric)
    scale = metric[~np.eye(k, dtype=bool)].mean() if k > 1 else 1.0
    cost = (metric / (scale if scale > 0 else 1.0)).ravel()
    from_rows = np.kron(np.eye(k), np.ones(k))
    to_columns = np.kron(np.ones(k), np.eye(k))
    balance = sparse.csr_matrix(np.concatenate([from_rows, to_columns[:-1]]))  # the last follows

    def distance(p: Array, q: Array) -> Array:
        first, second = np.broadcast_arrays(p, q)
        rows = np.concatenate([first, second[..., :-1]], -1).reshape(-1, 2 * k - 1)
        blocks = sparse.kron(sparse.eye(len(rows)), balance, format="csr")
        solved = linprog(np.tile(cost, len(rows)), A_eq=blocks, b_eq=rows.ravel(), method="highs")
        if not solved.success:
            raise MeasureError(f"the optimal transport between two laws was not found: {solved.message}")
        paid = (solved.x.reshape(-1, k * k) * cost).sum(1)
        return np.maximum(paid, 0.0).reshape(first.shape[:-1])

    return distance


def between_centres(centres: Array) -> Array:
    """Euclidean distances of cluster centres [K, K]."""
    return np.linalg.norm(centres[:, None] - centres[None], axis=-1)


def distances(centres: Array, *, reverse: bool = False) -> dict[str, LawDistance]:
    """The named distances of Table 2; the first argument is the posterior (in KL the second, `reverse`)."""
    return {
        "kl": lambda p, q: _divergence(p, q, reverse),
        "wasserstein": wasserstein(between_centres(centres)),
        "total_variation": total_variation,
        "jensen_shannon": jensen_shannon,
    }


def resampled_counts(counts: ArrayLike, resamples: int, generator: np.random.Generator) -> Array:
    """Counts of clusters, `resamples` times: units drawn with replacement.

    `counts` [units, K]: one row per independent unit, a net (one 1) or a chain (its draws in each cluster).
    """
    table = np.asarray(counts, dtype=np.float64)
    chosen = generator.multinomial(len(table), np.full(len(table), 1 / len(table)), size=resamples)
    return chosen @ table


def one_hot(labels: ArrayLike, clusters: int) -> Array:
    """[units, K] of nets, each in one cluster."""
    return np.eye(clusters)[np.asarray(labels, dtype=np.int64)]


DISTANCE_COLUMNS = {
    "law": "compared with the posterior: sgd, tempered, null (as many draws from it as nets), uniform",
    "distance": "kl, wasserstein (centre distances scaled to mean 1), total_variation, jensen_shannon",
    "value": "distance of the estimated laws; for the null its mean",
    "low": "2.5 % quantile over resamples",
    "high": "97.5 % quantile over resamples",
}


def compare_laws(
    posterior: ArrayLike,
    nets: ArrayLike,
    exponents: ArrayLike,
    measures: dict[str, LawDistance],
    *,
    resamples: int = 500,
    pseudocount: float = 0.5,
    generator: np.random.Generator,
) -> pd.DataFrame:
    """Distances from the posterior, with bootstrap intervals over chains and nets and the null beside.

    `posterior` [chains, K] and `nets` [nets, K] are counts. A distance between laws estimated from N nets is
    positive even if they are equal: the null redraws N nets from the posterior itself. Resampling adds that
    noise once more, so that the quantiles of a distance near the null lie above its value.
    """
    chains, members = (np.asarray(c, dtype=np.float64) for c in (posterior, nets))
    k = chains.shape[1]
    smooth = pseudocount * chains.sum() / len(chains)  # chains, not draws, are the independent units
    reference, observed = law(chains.sum(0), smooth), law(members.sum(0), pseudocount)
    redrawn = law(resampled_counts(chains, resamples, generator), smooth)
    again = law(resampled_counts(members, resamples, generator), pseudocount)
    ideal = law(generator.multinomial(len(members), reference, size=resamples).astype(float), pseudocount)
    flat = np.full(k, 1 / k)
    pairs: dict[str, tuple[Array | None, Array]] = {
        "sgd": (observed, again),
        "tempered": (temper(observed, exponents), temper(again, exponents)),
        "uniform": (flat, np.tile(flat, (resamples, 1))),
        "null": (None, ideal),
    }
    rows = []
    for name, (centre, samples) in pairs.items():
        for label, measure in measures.items():
            spread = measure(reference if name == "null" else redrawn, samples)
            value = float(spread.mean() if centre is None else measure(reference, centre))
            rows.append((name, label, value, *np.quantile(spread, [0.025, 0.975])))
    table = pd.DataFrame(rows, columns=list(DISTANCE_COLUMNS))
    table.attrs["columns"] = dict(DISTANCE_COLUMNS)
    return table


SCAN_COLUMNS = {
    "xi": "ξ",
    "exponent": "e = strength · D_ξ (mean over clusters)",
    "kl": "KL of SGD's law and the theoretical law of SGD, ∝ posterior^{1/e}, nats",
    "low": "2.5 % quantile over resamples of nets and chains",
    "high": "97.5 % quantile",
    "tempered": "KL of the posterior and tempered SGD, ∝ SGD^e, nats",
}


def scan_scales(
    posterior: ArrayLike,
    nets: ArrayLike,
    scales: ArrayLike,
    ratio: ArrayLike,
    *,
    strength: float = 1.0,
    reverse: bool = False,
    resamples: int = 300,
    pseudocount: float = 0.5,
    generator: np.random.Generator,
) -> tuple[pd.DataFrame, Array]:
    """KL(SGD ‖ theory) over ξ (Fig. 3), theory ‖ SGD in `reverse`, and the minimising ξ of every resample.

    As posterior ∝ p_s^e, the theory's law of SGD is p_s ∝ posterior^{1/e}. `ratio` is λ/d_s, one number or
    one per cluster. ξ and `strength` enter through e alone: what is found is an e, and a ξ only for a given
    strength.
    """
    chains, members = (np.asarray(c, dtype=np.float64) for c in (posterior, nets))
    smooth = pseudocount * chains.sum() / len(chains)
    reference, observed = law(chains.sum(0), smooth), law(members.sum(0), pseudocount)
    redrawn = law(resampled_counts(chains, resamples, generator), smooth)
    again = law(resampled_counts(members, resamples, generator), pseudocount)
    grid = np.asarray(scales, dtype=np.float64)
    rows, table = [], np.empty((len(grid), resamples))
    for i, xi in enumerate(grid):
        exponent = strength * effective_diffusion(xi, ratio, 1.0)
        value = float(_divergence(observed, temper(reference, 1 / exponent), reverse))
        table[i] = _divergence(again, temper(redrawn, 1 / exponent), reverse)
        low, high = np.quantile(table[i], [0.025, 0.975])
        other = float(_divergence(reference, temper(observed, exponent), reverse))
        rows.append((xi, float(np.mean(exponent)), value, low, high, other))
    frame = pd.DataFrame(rows, columns=list(SCAN_COLUMNS))
    frame.attrs["columns"] = dict(SCAN_COLUMNS)
    return frame, grid[table.argmin(0)]


def _divergence(data: Array, model: Array, reverse: bool) -> Array:
    return kullback_leibler(model, data) if reverse else kullback_leibler(data, model)
