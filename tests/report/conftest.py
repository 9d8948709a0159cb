"""The report's files of the gallery's small preset."""

import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "gallery")]  # the modules of these folders

from tiny_report import write_whole  # noqa: E402


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_whole(tmp_path_factory.mktemp("report") / "figures" / "tiny")


@pytest.fixture
def preset(whole: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(whole, tmp_path / "figures" / "tiny"))
