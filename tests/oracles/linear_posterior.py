"""Deep linear networks at a finite temperature, by Gibbs sampling: no step size, nothing shared with SGLD.

The loss ½‖W_L … W_1 − C‖² is quadratic in each layer given the others, so that a layer is drawn exactly: with
A the product of the layers above and B of those below, W has in the eigenbases of AᵀA and BBᵀ independent
entries of precision nβ λ_i μ_j + γ.
"""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def most_singular(widths: Sequence[int], rank: int) -> list[Array]:
    """Layers [out, in], each the diagonal of `rank` ones: there the local coefficient is the theorem's."""
    layers = [np.zeros((b, a)) for a, b in itertools.pairwise(widths)]
    for layer in layers:
        layer[range(rank), range(rank)] = 1
    return layers


def product(layers: Sequence[Array], size: int) -> Array:
    """The last layer times … times the first; the identity of `size` for none."""
    result = np.eye(size)
    for layer in layers:
        result = layer @ result
    return result


def linear_at(
    centre: Sequence[Array],
    n_beta: float,
    localisation: float,
    *,
    chains: int,
    sweeps: int,
    generator: np.random.Generator,
) -> tuple[float, float]:
    """E[nβ K] for K = ½‖W_L … W_1 − C‖² about `centre`, C its product; and the standard error over chains.

    The first third of the sweeps is left out.
    """
    inputs, wanted = centre[0].shape[1], product(centre, centre[0].shape[1])
    layers = [np.broadcast_to(w, (chains, *w.shape)).copy() for w in centre]
    energies = []
    for _ in range(sweeps):
        for i, start in enumerate(centre):
            above = product(layers[i + 1 :], len(start))
            below = product(layers[:i], inputs)
            lam, u = np.linalg.eigh(above.swapaxes(-1, -2) @ above)
            mu, v = np.linalg.eigh(below @ below.swapaxes(-1, -2))
            precision = n_beta * lam[..., :, None] * mu[..., None, :] + localisation
            pull = n_beta * above.swapaxes(-1, -2) @ wanted @ below.swapaxes(-1, -2) + localisation * start
            mean = u.swapaxes(-1, -2) @ pull @ v / precision
            noise = generator.standard_normal((chains, *start.shape)) / np.sqrt(precision)
            layers[i] = u @ (mean + noise) @ v.swapaxes(-1, -2)
        error = product(layers, inputs) - wanted
        energies.append(0.5 * n_beta * (error**2).sum((-1, -2)))
    means = np.stack(energies[sweeps // 3 :]).mean(0)
    return float(means.mean()), float(means.std(ddof=1) / np.sqrt(chains))
