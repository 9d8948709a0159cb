"""Numbers that a user gives, checked before anything is computed."""

import math
from numbers import Integral, Real
from typing import Any

from sgdiffusion.errors import InputError


def is_whole(value: Any) -> bool:
    """Whether it is a whole number, of Python or NumPy; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def require_whole(name: str, value: Any, least: int) -> None:
    """Refuse what is no whole number of at least ``least``."""
    if not is_whole(value) or int(value) < least:
        raise InputError(name, f"found {value!r}", f"give a whole number of at least {least}")


def require_number(name: str, value: Any, remedy: str, *, positive: bool) -> None:
    """Refuse what is no finite number above zero, or not below it."""
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not real or not math.isfinite(float(value)) or value < 0 or (positive and value == 0):
        raise InputError(name, f"found {value!r}", remedy)
