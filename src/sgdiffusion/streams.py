"""Named random streams: every random number descends from one root seed and a name.

A stream's key is sha256(root seed, names), so adding, removing or reordering runs changes no other run.
"""

import hashlib

import numpy as np

Name = str | int


def _key(root_seed: int, names: tuple[Name, ...]) -> bytes:
    if not names:
        raise ValueError("a random stream needs at least one name")
    text = "\x1f".join([str(int(root_seed)), *(f"{type(n).__name__}:{n}" for n in names)])
    return hashlib.sha256(text.encode()).digest()


def seed(root_seed: int, *names: Name) -> int:
    """A 63-bit seed for libraries that take a single integer (torch, numba)."""
    return int.from_bytes(_key(root_seed, names)[:8], "little") >> 1


def generator(root_seed: int, *names: Name) -> np.random.Generator:
    """A NumPy generator (Philox, counter based) for the named stream."""
    words = np.frombuffer(_key(root_seed, names), dtype=np.uint32)
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(words.tolist())))
