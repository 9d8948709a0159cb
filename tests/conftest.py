"""Tests run against this checkout's src/, one thread each: small tensors on two threads are far slower."""

import os
import sys
from pathlib import Path

import pytest

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

DEAR = ("smoked", "site")  # fixtures that take half a minute and more: their tests share one process


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each file stays in one process, and so do tests that share a dear fixture, which come first."""
    for item in items:
        shared = [name for name in DEAR if name in getattr(item, "fixturenames", ())]
        item.add_marker(pytest.mark.xdist_group(shared[0] if shared else item.path.as_posix()))
    items.sort(key=lambda item: "smoked" not in getattr(item, "fixturenames", ()))
