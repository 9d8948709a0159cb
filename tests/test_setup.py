"""tools/environment.py with a stub for venv and pip: what it installs, how it fails, and that it goes on."""

import ast
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = Path("tools", "environment.py")
FILES = (SCRIPT, Path("requirements.lock"), Path("pyproject.toml"))

# `python -m venv` finds these first; pip notes its arguments, then does what the file pip.sh says
VENV = '''
import pathlib, sys
python = pathlib.Path(sys.argv[-1], "bin", "python")
python.parent.mkdir(parents=True)
python.write_text("""#!/bin/sh
[ "$2" = -m ] || exec "{real}" "$@"
echo "$@" >> pip.calls
cp "$TMPDIR"/setuptools.lock first.lock 2> /dev/null
[ ! -f pip.sh ] || . ./pip.sh
""")
python.chmod(0o755)
'''
DISK = """
import os, shutil
usage = shutil.disk_usage
shutil.disk_usage = lambda path: usage(path)._replace(free=float(os.environ.get("FREE_GB", "100")) * 1e9)
"""
HASHES = """ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated ...
    yte==1.9.4 from file:///yte-1.9.4-py3-none-any.whl (from -r requirements.lock (line 1)):
        Expected sha256 00
             Got        5d
"""
NETWORK = """WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError('<x>: Failed \
to establish a new connection: [Errno -3] Temporary failure in name resolution')': /simple/annotated-doc/
ERROR: Could not find a version that satisfies the requirement annotated-doc==0.0.7 (from versions: none)
ERROR: No matching distribution found for annotated-doc==0.0.7
"""
MISSING = "ERROR: No matching distribution found for connection-pool==0.0.3\n"
FULL = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n"
DENIED = "Error: [Errno 30] Read-only file system: '.venv/lib'\n"


def heed_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Checkout:
    """A folder with the files that the script reads, and the stubs beside it."""

    def __init__(self, folder: Path):
        self.root, self.stubs = folder / "checkout", folder / "stubs"
        for file in FILES:
            (self.root / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, self.root / file)
        self.stubs.mkdir()
        real = getattr(sys, "_base_executable", sys.executable)
        (self.stubs / "venv.py").write_text(VENV.replace("{real}", real))
        (self.stubs / "sitecustomize.py").write_text(DISK)
        self.venv = self.root / ".venv"

    def pip_does(self, script: str) -> None:
        (self.root / "pip.sh").write_text(script)

    def start(self, **environment: str) -> subprocess.Popen:
        environment = {**os.environ, "PYTHONPATH": str(self.stubs), **environment}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        # a job in the background, as these tests may be, ignores interruptions, and so would its children
        return subprocess.Popen(
            [sys.executable, SCRIPT], cwd=self.root, env=environment, preexec_fn=heed_signals, **pipes
        )

    def make(self, **environment: str) -> tuple[int, str, str]:
        process = self.start(**environment)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def calls(self) -> list[list[str]]:
        """Arguments of each call of pip since the last time this was asked."""
        log = self.root / "pip.calls"
        calls = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
        log.unlink(missing_ok=True)
        return calls

    def wait_for_pip(self, sign: str = "pip.calls") -> None:
        deadline = time.monotonic() + 30
        while not (self.root / sign).exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def fails(checkout: Checkout, **environment: str) -> str:
    """The message of a call that fails, which must be one line, and must leave no mark."""
    status, _, err = checkout.make(**environment)
    assert status != 0
    assert not (checkout.venv / ".ready").exists()
    (message,) = err.splitlines()
    return message


def test_pip_installs_the_lock_alone(checkout):
    status, out, err = checkout.make()
    assert (status, err) == (0, "")
    builder, lock, project = checkout.calls()
    for call in (builder, lock, project):
        assert {"--no-deps", "--no-build-isolation"} <= set(call)
    for call in (builder, lock):
        assert "--require-hashes" in call
    assert lock[-2:] == ["-r", "requirements.lock"]
    assert project[-3:] == ["--no-index", "--editable", "."]
    first = (checkout.root / "first.lock").read_text()
    assert first.startswith("setuptools==")
    assert first in (ROOT / "requirements.lock").read_text()
    assert "GB to download" in out


def test_a_ready_environment_is_left_alone(checkout):
    checkout.make()
    checkout.calls()
    assert checkout.make() == (0, "", "")
    assert checkout.calls() == []


def test_a_new_lock_makes_it_anew_and_new_metadata_install_the_project(checkout):
    checkout.make()
    checkout.calls()
    left = checkout.venv / "left"
    left.touch()
    (checkout.root / "pyproject.toml").open("a").write("\n")
    assert checkout.make()[0] == 0
    assert len(checkout.calls()) == 1
    assert left.exists()
    (checkout.root / "requirements.lock").open("a").write("\n")
    status, out, _ = checkout.make()
    assert (status, len(checkout.calls())) == (0, 3)
    assert "changed: requirements.lock" in out
    assert not left.exists()


def test_it_is_made_anew_when_its_python_has_gone_or_the_folder_moved(checkout):
    checkout.make()
    python = checkout.venv / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert "changed: python" in checkout.make()[1]
    assert checkout.make() == (0, "", "")
    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    assert "changed: folder" in checkout.make()[1]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (FULL, "the disk is full: make room"),
        (NETWORK, "the package index cannot be reached: check network"),
        (HASHES, "yte==1.9.4 came with other bytes than the lock names: call again"),
        (MISSING, "the package index has no connection-pool==0.0.3 for Python"),
        ("  ERROR: Failed building wheel for immutables\n", "immutables comes as source for Python"),
        (DENIED, "does not let you write or run files: clone into a folder of your own"),
    ],
    ids=["disk", "network", "hashes", "missing", "source", "denied"],
)
def test_each_failure_of_pip_is_one_line_and_the_next_call_goes_on(checkout, said, message):
    (checkout.root / "said").write_text(said)
    checkout.pip_does("cat said >&2; exit 1")
    assert message in fails(checkout)
    checkout.pip_does("")
    status, out, _ = checkout.make()
    assert status == 0
    assert "not finished last time" in out
    assert checkout.make() == (0, "", "")


def test_an_unknown_failure_shows_what_pip_said(checkout):
    checkout.pip_does("echo 'ERROR: something else' >&2; exit 2")
    status, _, err = checkout.make()
    assert status == 1
    assert err.splitlines() == ["ERROR: something else", "error: pip failed; its last words stand above"]


def test_a_missing_venv_module_names_the_package_of_debian(checkout):
    (checkout.stubs / "venv.py").write_text("raise SystemExit('ensurepip is not available')")
    assert "apt install python3-venv" in fails(checkout)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_ends_pip_and_the_next_call_goes_on(checkout, number):
    checkout.pip_does("exec sleep 60")
    process = checkout.start()
    checkout.wait_for_pip()
    process.send_signal(number)
    _, err = process.communicate(timeout=30)  # which waits for pip too, as it holds the pipes
    assert (process.returncode, err) == (130, "error: interrupted; call again to go on\n")
    assert not (checkout.venv / ".ready").exists()
    checkout.pip_does("")
    assert checkout.make()[0] == 0


def test_after_a_kill_the_next_call_waits_for_the_pip_left_behind(checkout):
    checkout.pip_does("touch pip.begun; sleep 2; touch pip.ended")
    process = checkout.start()
    checkout.wait_for_pip("pip.begun")  # it has read its script, which is another one below
    process.kill()
    process.wait(timeout=30)
    checkout.pip_does("")
    status, out, _ = checkout.make()
    assert status == 0
    assert (checkout.root / "pip.ended").exists()
    assert "waiting for it" in out
    process.communicate()


def test_two_calls_at_once_make_one_environment(checkout):
    checkout.pip_does("sleep 0.5")
    first, second = checkout.start(), checkout.start()
    outputs = sorted(process.communicate(timeout=60)[0] for process in (first, second))
    assert (first.returncode, second.returncode) == (0, 0)
    assert len(checkout.calls()) == 3
    assert sum("waiting for it" in out for out in outputs) == 1


def test_a_killed_pip_is_named(checkout):
    checkout.pip_does("kill -9 $$")
    assert "pip was killed by signal 9" in fails(checkout)


def test_too_little_disk_is_said_before_anything_is_made(checkout):
    assert "GB must be free in" in fails(checkout, FREE_GB="2.5")
    assert not checkout.venv.exists()
    assert checkout.calls() == []


def test_a_program_that_snakemake_would_miss_is_named_before_anything_is_made(checkout, tmp_path):
    assert "the program `which` is missing" in fails(checkout, PATH=str(tmp_path))
    assert not checkout.venv.exists()


def test_pip_keeps_nothing_where_the_disk_would_not_hold_it_twice(checkout):
    home = {"HOME": str(checkout.root)}
    checkout.make(FREE_GB="100", **home)
    assert "--no-cache-dir" not in checkout.calls()[1]
    (checkout.venv / ".ready").unlink()
    checkout.make(FREE_GB="10", **home)
    assert "--no-cache-dir" in checkout.calls()[1]


def test_the_environment_of_another_checkout_is_not_emptied(checkout):
    other = checkout.root / "other"
    other.mkdir()
    (other / ".ready").write_text(json.dumps({"folder": "/elsewhere/.venv"}))
    checkout.venv.symlink_to(other)
    status, _, err = checkout.make()
    assert status == 1
    assert "is a link to the environment /elsewhere/.venv: remove the link" in err
    assert (other / ".ready").exists()


def test_an_old_python_can_read_the_script_and_says_what_is_needed(monkeypatch):
    ast.parse((ROOT / SCRIPT).read_text(), feature_version=(3, 8))
    spec = importlib.util.spec_from_file_location("environment", ROOT / SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "minor", {"python3.12": 12}.get)
    assert module.interpreter() == "python3.12"
    monkeypatch.setattr(module, "minor", lambda python: 9)
    with pytest.raises(module.Failure, match=r"Python 3\.11 to 3\.14 is needed"):
        module.interpreter()
