"""The making of .venv, by the real venv and pip from a lock of few packages, ended at a random time."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
from copies.checkout import ROOT
from injections import Disturbed

PARTS = ("src", "tools", "pyproject.toml", "README.md", "LICENSE")
PACKAGES = ("setuptools", "idna", "tqdm")
LONGEST = 20.0  # seconds after which nothing is ended; the whole takes about as long
ENDINGS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def checkout(folder: Path) -> Path:
    """A copy of what the installation reads, with the lock cut down to PACKAGES."""
    if not folder.exists():
        folder.mkdir()
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, folder / part)
        blocks = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text())
        kept = [b for b in blocks if b.split("==")[0] in PACKAGES]
        (folder / "requirements.lock").write_text("\n".join(kept).rstrip() + "\n")
    return folder


def started(folder: Path) -> subprocess.Popen:
    command = [sys.executable, "tools/environment.py"]
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=variables, stdout=pipe, stderr=pipe, process_group=0)


def usable(folder: Path) -> bool:
    """Whether the environment's Python finds all that was to be installed, whole."""
    words = [str(folder / ".venv/bin/python"), "-I", "-c", "import idna, tqdm, setuptools, sgdiffusion"]
    return subprocess.run(words, capture_output=True).returncode == 0


def interrupted(folder: Path, chance: random.Random) -> Disturbed:
    """A process of the installation is ended; the next call must make it whole, and one more do nothing."""
    checkout(folder)
    shutil.rmtree(folder / ".venv", ignore_errors=True)
    process, after = started(folder), chance.uniform(0, LONGEST)
    with suppress(subprocess.TimeoutExpired):
        process.wait(after)
    hit = process.poll() is None
    if hit:
        with suppress(psutil.NoSuchProcess):
            main = psutil.Process(process.pid)
            chance.choice([main, *main.children(recursive=True)]).send_signal(chance.choice(ENDINGS))
    process.communicate()
    again = started(folder)
    said = again.communicate()[1].decode()
    began = time.monotonic()
    idle = started(folder)
    idle.communicate()
    good = again.returncode == idle.returncode == 0 and usable(folder)
    what = f"after {after:.0f} s, made in the next call, then left alone in {time.monotonic() - began:.1f} s"
    return Disturbed(what, hit=hit, wrong="" if good else f"not made: {said[-300:]}")
