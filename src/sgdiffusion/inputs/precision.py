"""Single precision in full, on a card as on the processor."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_lock = threading.Lock()
_before: list[tuple[bool, str]] = []  # the user's settings, once for each block under way


@contextmanager
def full_precision() -> Iterator[None]:
    """Convolutions and products of single-precision numbers without TF32, a card's ten-bit shortcut.

    torch takes it for convolutions by default. It is good enough to train by, but per-example gradients
    differed by 1.4·10⁻⁴ of the largest (H100), and a loss by so much between batches of other sizes that the
    examples seemed coupled. The settings are those of the process, and blocks of several threads overlap: the
    first to begin keeps the user's, the last to end puts them back.
    """
    with _lock:
        now = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
        _before.append(_before[0] if _before else now)
        _set(False, "highest")
    try:
        yield
    finally:
        with _lock:
            settings = _before.pop()
            if not _before:
                _set(*settings)


def _set(tf32: bool, products: str) -> None:
    torch.backends.cudnn.allow_tf32 = tf32
    torch.set_float32_matmul_precision(products)
