"""Slow twins that several tests of this folder share."""

import math

import pytest

MASK = 2**64 - 1
STEP = 0x9E3779B97F4A7C15
MIX1, MIX2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * MIX1) & MASK
    z = ((z ^ (z >> 27)) * MIX2) & MASK
    return z ^ (z >> 31)


class SlowStream:
    """A chain's stream in Python integers: the slow twin, also of the simulators' draws."""

    def __init__(self, seed: int, chain: int):
        self.z = mix((mix((seed + STEP) & MASK) + mix((chain * MIX1 + MIX2) & MASK)) & MASK)
        # The layers anew: areas of exp(−x²/2) from the tail downwards.
        r, area = 3.6541528853610088, 0.00492867323399
        edges = [area / math.exp(-r * r / 2), r]
        for _ in range(254):
            edges.append(math.sqrt(-2 * math.log(area / edges[-1] + math.exp(-(edges[-1] ** 2) / 2))))
        self.edges, self.r = [*edges, 0.0], r

    def word(self) -> int:
        self.z = (self.z + STEP) & MASK
        return mix(self.z)

    def uniform(self) -> float:
        return ((self.word() >> 12) + 0.5) * 2.0**-52

    def below(self, n: int) -> int:
        return ((self.word() >> 32) * n) >> 32

    def normal(self) -> float:
        while True:
            word = self.word()
            layer = word & 255
            x = (word >> 11) * 2.0**-53 * self.edges[layer]
            sign = -1 if word & 256 else 1
            if x < self.edges[layer + 1]:
                return sign * x
            if layer == 0:
                while True:
                    a = -math.log(self.uniform()) / self.r
                    if -2 * math.log(self.uniform()) > a * a:
                        return sign * (self.r + a)
            top, bottom = (math.exp(-(self.edges[layer + i] ** 2) / 2) for i in (1, 0))
            if bottom + (top - bottom) * self.uniform() < math.exp(-x * x / 2):
                return sign * x


@pytest.fixture(scope="session")
def slow_stream() -> type[SlowStream]:
    """The slow twin of `chain_random`: SlowStream(seed, chain)."""
    return SlowStream
