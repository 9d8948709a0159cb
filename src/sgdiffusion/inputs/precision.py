"""Single precision in full, on a card as on the processor."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def full_precision() -> Iterator[None]:
    """Convolutions and products of single-precision numbers without TF32, a card's ten-bit shortcut.

    torch takes it for convolutions by default. It is good enough to train by, but per-example gradients
    differed by 1.4·10⁻⁴ of the largest (H100), and a loss by so much between batches of other sizes that the
    examples seemed coupled.
    """
    before = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before[0]
        torch.set_float32_matmul_precision(before[1])
