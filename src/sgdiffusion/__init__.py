"""Stochastic gradient descent as a diffusion: three papers replicated, their measurements as a library.

    import sgdiffusion as sd
    sd.spectrum(network, (inputs, labels), k=20)

The names of the library are loaded when they are first used, so that importing the package costs nothing.
"""

import importlib
from typing import Any

from sgdiffusion.library.names import PUBLIC

__version__ = "1.0.0"
__all__ = ["__version__", *PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'sgdiffusion' has no attribute {name!r}; it has {', '.join(PUBLIC)}")
    module, _, attribute = PUBLIC[name].partition(":")
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
