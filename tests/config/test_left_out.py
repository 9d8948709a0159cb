"""What is left out on purpose: patterns that fit, reasons, and patterns that fit nothing."""

from pathlib import Path

import pytest

from sgdiffusion.config.left_out import LeftOut, load_left_out
from sgdiffusion.errors import ConfigError

KNOWN = ["p/fig1", "p/fig2", "p/quantities/net-a", "p/quantities/net-b", "p/claims/fig2-rank"]


def written(tmp_path: Path, pattern: str) -> str:
    path = tmp_path / "left.yaml"
    path.write_text(f"left_out:\n  - items: [{pattern}]\n    reason: no time\n")
    return str(path)


def test_nothing_is_left_out_without_a_file():
    assert load_left_out(None, KNOWN) == LeftOut()
    assert LeftOut().keep("p", ["fig1"]) == ["fig1"]


def test_a_pattern_leaves_out_what_it_fits(tmp_path: Path):
    left = load_left_out(written(tmp_path, "p/quantities/*-b"), KNOWN)
    assert left.keep("p/quantities", ["net-a", "net-b"]) == ["net-a"]
    assert left.reason("p/quantities/net-b") == "no time"
    assert left.reason("p/fig1") is None


def test_a_pattern_that_fits_nothing_is_an_error(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"'p/fig9' fits nothing"):
        load_left_out(written(tmp_path, "p/fig9"), KNOWN)


def test_a_missing_file_is_an_error(tmp_path: Path):
    with pytest.raises(ConfigError, match="no such configuration file"):
        load_left_out(str(tmp_path / "none.yaml"), KNOWN)
