"""Tests run against this checkout's src/, one thread each: small tensors on two threads are far slower."""

import os
import sys
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

# Files whose tests share what takes minutes to build; with several processes one of them runs a group.
GROUPS = {
    "tests/workflow/test_figures.py": "smoke",
    "tests/workflow/test_gallery.py": "smoke",
    "tests/workflow/test_report.py": "smoke",
    "tests/workflow/test_smoke.py": "smoke",
    "tests/docs/test_site.py": "site",
    "tests/docs/test_site_in_browser.py": "site",
}


class Files(LoadScopeScheduling):
    """Gives each process whole files or groups of files, so that their fixtures are built once."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        return GROUPS.get(file, file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Files:
    return Files(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest group comes first."""
    items.sort(key=lambda item: GROUPS.get(item.nodeid.split("::")[0]) != "smoke")
