"""The campaigns of this folder in small: minutes each, and at full length by their commands."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
CAMPAIGNS = {
    "run.py": ["--runs", "5", "--others", "1"],
    "hostile.py": ["--inputs", "100000"],
    "staleness.py": ["--edits", "200"],
    "entries.py": [],
    "determinism.py": ["--whitened"],
}


@pytest.mark.parametrize("script", CAMPAIGNS)
def test_campaign(script: str, tmp_path: Path):
    command = [sys.executable, Path(__file__).with_name(script), *CAMPAIGNS[script]]
    folder = [] if script == "hostile.py" else ["--folder", str(tmp_path / "work")]
    done = subprocess.run([*command, *folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
