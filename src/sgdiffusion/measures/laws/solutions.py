"""Solutions of an ensemble as points: weights modulo the symmetries of the net, function values, clusters.

Hidden units of a perceptron can be exchanged, tanh units change sign with their weights, ReLU units be
rescaled: all without a change of the function. Distances between solutions mean something only modulo these.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from sgdiffusion.dynamics.ensembles.batched import Batched
from sgdiffusion.dynamics.ensembles.batched_mlp import BatchedMlp, Stage
from sgdiffusion.errors import MeasureError

Array = NDArray[np.float64]
Layer = tuple[Array, Array | None]
Method = Literal["k-means", "mixture", "ward"]
METHODS: tuple[Method, ...] = ("k-means", "mixture", "ward")
_SWEEPS = 20


def _layers(stages: list[Stage], row: Array) -> list[Layer]:
    """Views of one weight vector: matrix [out, in] and bias [out] of each layer."""
    parts = []
    for s in stages:
        matrix = row[s.weight : s.weight + s.fan_in * s.fan_out].reshape(s.fan_out, s.fan_in)
        parts.append((matrix, None if s.bias is None else row[s.bias : s.bias + s.fan_out]))
    return parts


def _incoming(matrix: Array, bias: Array | None) -> Array:
    return matrix if bias is None else np.concatenate([matrix, bias[:, None]], 1)


def _check(net: Batched) -> list[Stage]:
    if not isinstance(net, BatchedMlp) or any(s.norm is not None for s in net.stages):
        raise MeasureError(
            "symmetries are known for plain perceptrons only (linear layers, ReLU or tanh, no batch-norm): "
            "compare other nets by their function values"
        )
    return net.stages


def _balance(stages: list[Stage], layers: list[Layer]) -> None:
    """Rescales each ReLU unit so that its incoming weights (with bias) and outgoing weights have one norm."""
    for _ in range(_SWEEPS):
        change = 0.0
        for k, stage in enumerate(stages[:-1]):
            if stage.activation != "relu":
                continue
            (matrix, bias), after = layers[k], layers[k + 1][0]
            norms = np.linalg.norm(_incoming(matrix, bias), axis=1), np.linalg.norm(after, axis=0)
            alive = (norms[0] > 0) & (norms[1] > 0)  # a dead unit has no scale to choose
            factor = np.where(alive, np.sqrt(np.where(alive, norms[1] / np.where(alive, norms[0], 1), 1)), 1)
            matrix *= factor[:, None]
            after /= factor
            if bias is not None:
                bias *= factor
            change = max(change, float(np.abs(np.log(factor)).max()))
        if change < 1e-10:
            return


def _match(stages: list[Stage], layers: list[Layer], target: list[Layer]) -> None:
    """Exchanges (and for tanh reflects) hidden units, layer by layer, until none comes closer to the target.

    The first sweep goes by incoming weights alone: while the next layer is in disorder, outgoing ones
    mislead.
    """
    for sweep in range(_SWEEPS):
        moved = False
        for k, stage in enumerate(stages[:-1]):
            likeness = _incoming(*target[k]) @ _incoming(*layers[k]).T
            if sweep > 0:
                likeness += target[k + 1][0].T @ layers[k + 1][0]
            moved |= _exchange(layers[k], layers[k + 1][0], likeness, stage.activation == "tanh")
        if sweep > 0 and not moved:
            return


def _exchange(layer: Layer, after: Array, likeness: Array, odd: bool) -> bool:
    """Puts the units of a layer into the order (and sign) of largest total likeness; whether any changed."""
    rows, order = linear_sum_assignment(np.abs(likeness) if odd else likeness, maximize=True)
    sign = np.where(likeness[rows, order] < 0, -1.0, 1.0) if odd else np.ones(len(order))
    if (order == rows).all() and (sign == 1).all():
        return False
    matrix, bias = layer
    matrix[:] = matrix[order] * sign[:, None]
    after[:] = after[:, order] * sign
    if bias is not None:
        bias[:] = bias[order] * sign
    return True


def canonical(net: Batched, theta: Tensor, reference: Tensor) -> Array:
    """Each row of θ [M, d] replaced by an equivalent one close to `reference` [d].

    ReLU units are first balanced (equal norms of incoming and outgoing weights), in the reference too; then
    units are matched to the reference by repeated linear assignment, which finds a local optimum.
    """
    stages = _check(net)
    target_row = reference.double().cpu().numpy().copy()
    target = _layers(stages, target_row)
    _balance(stages, target)
    rows = theta.double().cpu().numpy().copy()
    for row in rows:
        layers = _layers(stages, row)
        _balance(stages, layers)
        _match(stages, layers, target)
    return rows


def function_values(net: Batched, theta: Tensor, x: Tensor) -> Array:
    """Class probabilities at the inputs x [n, …], as rows [M, n (classes − 1)]: the last class is implied."""
    with torch.no_grad():
        values = net.outputs(theta, x[None]).softmax(-1)[..., :-1]
    return values.flatten(1).double().cpu().numpy()


def principal(
    points: ArrayLike, share: float = 0.95, most: int = 10, fitted_on: ArrayLike | None = None
) -> Array:
    """Coordinates along the fewest principal axes that hold `share` of the variance, at most `most`.

    The axes are those of `fitted_on` where given.
    """
    from sklearn.decomposition import PCA  # slow to import

    data = np.asarray(points, dtype=np.float64)
    basis = data if fitted_on is None else np.asarray(fitted_on, dtype=np.float64)
    pca = PCA(min(most, *basis.shape), svd_solver="full").fit(basis)
    count = int(np.searchsorted(np.cumsum(pca.explained_variance_ratio_), share) + 1)
    return pca.transform(data)[:, : min(count, pca.n_components_)]


@dataclass(frozen=True)
class Clusters:
    """A partition of space found on an ensemble of points."""

    labels: NDArray[np.int64]
    """Of the points it was found on; clusters are numbered from the largest to the smallest."""
    centres: Array
    scores: pd.DataFrame
    """Columns clusters, score, chosen: the rule that set the number of clusters."""
    assign: Callable[[Array], NDArray[np.int64]]
    """Cluster of other points."""

    @property
    def count(self) -> int:
        return len(self.centres)


def cluster(
    points: ArrayLike, method: Method = "k-means", *, count: int | None = None, most: int = 8, seed: int = 0
) -> Clusters:
    """Clusters of points [M, q], their number given or by rule.

    The rule: the number from 2 to `most` with the largest mean silhouette ("k-means", "ward": nearest
    centre), or from 1 to `most` with the smallest BIC of a mixture of Gaussians with diagonal covariances
    ("mixture").
    """
    data = np.asarray(points, dtype=np.float64)
    least = 1 if method == "mixture" else 2
    numbers = list(range(least, most + 1)) if count is None else [count]
    if len(data) <= max(numbers):
        raise MeasureError(
            f"{len(data)} solutions cannot be sorted into {max(numbers)} clusters: train more nets or ask "
            f"for fewer than {len(data)} clusters"
        )
    fits = [_fit(data, method, k, seed) for k in numbers]
    scores = [score for _, _, score in fits]
    best = int(np.argmin(scores) if method == "mixture" else np.argmax(scores))
    table = pd.DataFrame({"clusters": numbers, "score": scores, "chosen": np.arange(len(numbers)) == best})
    labels, predict, _ = fits[best]
    return _ordered(data, labels, predict, numbers[best], table)


def _fit(data: Array, method: Method, count: int, seed: int) -> tuple[Any, Callable[[Array], Any], float]:
    from sklearn.cluster import AgglomerativeClustering, KMeans  # slow to import
    from sklearn.metrics import silhouette_score
    from sklearn.mixture import GaussianMixture

    if method == "mixture":
        mixture = GaussianMixture(
            count, covariance_type="diag", n_init=3, reg_covar=1e-6 * data.var(), random_state=seed
        )
        labels = mixture.fit_predict(data)
        return labels, mixture.predict, float(mixture.bic(data))
    if method == "k-means":
        means = KMeans(count, n_init=10, random_state=seed).fit(data)
        labels, predict = means.labels_, means.predict
    elif method == "ward":
        labels = AgglomerativeClustering(count, linkage="ward").fit_predict(data)
        predict = _nearest(np.stack([data[labels == k].mean(0) for k in range(count)]))
    else:
        raise MeasureError(f"unknown clustering {method!r}; known are {', '.join(METHODS)}")
    found = len(np.unique(labels))
    return labels, predict, float(silhouette_score(data, labels)) if 1 < found < len(data) else -1.0


def _nearest(centres: Array) -> Callable[[Array], Any]:
    return lambda points: ((points[:, None] - centres[None]) ** 2).sum(-1).argmin(1)


def _ordered(
    data: Array, labels: Any, predict: Callable[[Array], Any], count: int, table: pd.DataFrame
) -> Clusters:
    sizes = np.bincount(labels, minlength=count)
    if (sizes == 0).any():
        raise MeasureError(
            f"a cluster of {count} has no member: the solutions have fewer distinct groups than that; ask "
            f"for {int((sizes > 0).sum())}"
        )
    order = np.argsort(-sizes, kind="stable")
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(count)
    named = rank[labels]
    centres = np.stack([data[named == k].mean(0) for k in range(count)])
    return Clusters(named, centres, table, lambda points: rank[predict(np.asarray(points, dtype=np.float64))])
