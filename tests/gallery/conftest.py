"""A small preset of two papers on disk, and the page built from it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the modules of this folder

from tiny_preset import html, write_preset


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_preset(tmp_path_factory.mktemp("gallery") / "figures" / "tiny")


@pytest.fixture(scope="session")
def page(folder: Path) -> Path:
    """The page as a file."""
    path = folder / "index.html"
    path.write_text(html(folder), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def without_note(folder: Path) -> str:
    return html(folder, note="")
