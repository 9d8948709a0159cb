"""A counter-based random stream for every chain, with normals by the ziggurat.

Word i of chain c is mix(start(seed, c) + i·φ), φ = 2⁶⁴/golden ratio, with the finaliser of SplitMix64: a
chain's numbers depend on the root seed, its own index and its own count of draws alone, so results do not
depend on how chains are batched or on threads. The state is one integer that stays in a register. Chains are
windows of one sequence of period 2⁶⁴ at random starts: 10⁵ chains of 10⁵ words overlap anywhere with
probability 10⁻⁴.

SplitMix64: Steele, Lea & Flood 2014, finaliser by Stafford; ziggurat with 256 layers: Marsaglia & Tsang 2000.
"""

import math

import numpy as np
from numba import njit, uint64

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX1, _MIX2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_UNIT = 2.0**-53
_R = 3.6541528853610088  # where the ziggurat's tail begins
_AREA = 0.00492867323399  # of each of its 256 layers


def _ziggurat() -> tuple[np.ndarray, np.ndarray]:
    """Right edges x_0 > x_1 = R > … > x_256 = 0 of the layers, and exp(−x²/2) there."""
    x = np.empty(257)
    x[0], x[1], x[256] = _AREA / math.exp(-_R * _R / 2), _R, 0.0
    for i in range(2, 256):
        x[i] = math.sqrt(-2 * math.log(_AREA / x[i - 1] + math.exp(-(x[i - 1] ** 2) / 2)))
    return x, np.exp(-(x**2) / 2)


_X, _F = _ziggurat()


@njit
def _mix(z):  # type: ignore[no-untyped-def]
    z = (z ^ (z >> uint64(30))) * _MIX1
    z = (z ^ (z >> uint64(27))) * _MIX2
    return z ^ (z >> uint64(31))


@njit
def start(seed, chain):  # type: ignore[no-untyped-def]
    """The counter at which a chain's stream begins."""
    return _mix(_mix(uint64(seed) + _STEP) + _mix(uint64(chain) * _MIX1 + _MIX2))


@njit
def next_uniform(z):  # type: ignore[no-untyped-def]
    """(a double in (0, 1), new counter)."""
    z += _STEP
    return (np.float64(_mix(z) >> uint64(12)) + 0.5) * 2.0 * _UNIT, z


@njit
def next_below(z, n):  # type: ignore[no-untyped-def]
    """(an integer in 0 … n−1, new counter); the bias of the multiplication is below n/2³²."""
    z += _STEP
    return np.int64(((_mix(z) >> uint64(32)) * uint64(n)) >> uint64(32)), z


@njit
def _outside_layer(z, layer, x):  # type: ignore[no-untyped-def]
    """The rare rest of the ziggurat: (accepted, |normal|, new counter)."""
    if layer == 0:
        while True:
            u, z = next_uniform(z)
            v, z = next_uniform(z)
            a = -math.log(u) / _R
            if -2.0 * math.log(v) > a * a:
                return True, _R + a, z
    u, z = next_uniform(z)
    return _F[layer] + (_F[layer + 1] - _F[layer]) * u < math.exp(-0.5 * x * x), x, z


@njit
def next_normal(z):  # type: ignore[no-untyped-def]
    """(a standard normal number, new counter)."""
    while True:
        z += _STEP
        word = _mix(z)
        layer = np.int64(word & uint64(255))
        x = np.float64(word >> uint64(11)) * _UNIT * _X[layer]
        accepted = x < _X[layer + 1]
        if not accepted:
            accepted, x, z = _outside_layer(z, layer, x)
        if accepted:
            return (-x if word & uint64(256) else x), z
