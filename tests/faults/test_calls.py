"""workflow/calls.py and the guards of workflow/scripts/_job.py: locks, orphans, messages."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sgdiffusion.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "workflow"), str(ROOT / "workflow/scripts")]

import _job  # noqa: E402
import calls  # noqa: E402


@pytest.fixture
def folder(tmp_path: Path):
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "0.input.lock").write_text("a.csv\n")
    yield tmp_path
    while calls._held:
        calls._held.pop().close()


def killed_call(folder: Path, machine: str | None = None) -> None:
    """A process that holds the folder and is killed."""
    reader, writer = os.pipe()
    if not (process := os.fork()):
        calls.hold(folder)
        os.write(writer, b"x")
        time.sleep(60)
    os.read(reader, 1)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    if machine:
        record = json.loads((folder / "call.json").read_text())
        (folder / "call.json").write_text(json.dumps({**record, "machine": machine}))
    (folder / "locks" / "0.input.lock").write_text("a.csv\n")


def test_the_lock_of_a_killed_call_goes(folder: Path):
    killed_call(folder)
    calls.hold(folder)
    assert list((folder / "locks").iterdir()) == []


@pytest.mark.parametrize("machine", ["another", None])
def test_the_lock_of_another_machine_or_of_nobody_known_stays(folder: Path, machine: str | None):
    if machine:
        killed_call(folder, machine)
    calls.hold(folder)
    assert (folder / "locks" / "0.input.lock").exists()


def test_a_second_call_is_refused_in_one_line_that_names_the_first(folder: Path):
    calls.hold(folder)
    with pytest.raises(calls.Refused, match=rf"another call \(process {os.getpid()}\) is at work"):
        calls.hold(folder)
    assert (folder / "locks" / "0.input.lock").exists()


def test_a_folder_that_takes_no_writes_is_named(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(calls.Refused, match="cannot write there"):
        calls.hold(tmp_path / "file")


def test_files_of_the_future_are_dated_now_in_their_order(tmp_path: Path):
    (tmp_path / "results/a").mkdir(parents=True)
    times = {"past": 1000.0, "input": 9000.0, "output": 9001.0, "later": 99000.0}
    for name, when in times.items():
        (tmp_path / "results/a" / name).touch()
        os.utime(tmp_path / "results/a" / name, (when, when))
    assert calls.set_back(tmp_path, now=5000.0) == 3
    dated = {name: (tmp_path / "results/a" / name).stat().st_mtime for name in times}
    assert sorted(dated, key=dated.__getitem__) == list(times)
    assert dated["past"] == 1000.0
    assert 4999.0 < dated["input"] < dated["output"] < dated["later"] <= 5000.0
    assert calls.set_back(tmp_path, now=5000.0) == 0


def test_jobs_are_ended_and_nothing_else(tmp_path: Path):
    scripts = tmp_path / calls.SCRIPTS
    scripts.mkdir(parents=True)
    (scripts / "job.py").write_text("import time; time.sleep(60)")
    job = subprocess.Popen([sys.executable, scripts / "job.py"])
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    calls.end_jobs()
    assert job.wait(30) == -signal.SIGTERM
    assert other.poll() is None
    other.kill()
    other.wait()


def test_a_job_ends_with_the_call_that_began_it():
    reader, writer = os.pipe()
    if not (parent := os.fork()):
        if not os.fork():
            _job.end_with(os.getppid())
            os.write(writer, b"x")
            time.sleep(60)
        time.sleep(60)
    os.read(reader, 1)
    os.close(writer)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    began = time.monotonic()
    assert os.read(reader, 1) == b""  # the job held the pipe's other end
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (DataError("no file"), "no file"),
        (OSError(errno.ENOSPC, "No space"), "the disk is full: make room"),
        (OSError(errno.EROFS, "Read-only file system", "a.csv"), "'a.csv': make the folder writable"),
        (MemoryError(), "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 8 bytes"), "not enough memory"),
    ],
)
def test_what_a_user_can_mend_is_one_line(error: Exception, words: str):
    message = _job.in_one_line(error)
    assert words in message
    assert "\n" not in message


@pytest.mark.parametrize("error", [RuntimeError("shapes"), FileNotFoundError(errno.ENOENT, "none")])
def test_a_defect_keeps_its_traceback(error: Exception):
    assert _job.in_one_line(error) is None
