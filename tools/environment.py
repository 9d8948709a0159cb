"""Makes .venv from requirements.lock alone; where it cannot, says in one line why and what to do.

`make` calls this first, with any Python: it keeps to the standard library and to what Python 3.8 knows, so
that an old Python can say that it is too old. Whatever ends it (full disk, no network, kill -9), the next
call goes on: the mark .venv/.ready is written last, a .venv without it is made anew, and pip's cache keeps
what has come down.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV, LOCK, PROJECT = ROOT / ".venv", ROOT / "requirements.lock", ROOT / "pyproject.toml"
MARK, PYTHON, TEMPORARY = VENV / ".ready", VENV / "bin" / "python", VENV / "tmp"

# GB to download and GB on disk, as measured; on Linux PyTorch brings its GPU libraries
DOWNLOAD, INSTALLED = (3.0, 6.0) if sys.platform == "linux" else (0.3, 1.5)

# Nothing is resolved, and no package is built with tools from the index: only what is in the lock comes in.
PIP = ["-I", "-m", "pip", "--disable-pip-version-check", "install", "--no-deps", "--no-build-isolation"]

# what pip or the system says, and what this says in its place; the first that matches counts
REASONS = (
    (r"No space left on device|Disk quota exceeded", "the disk is full: make room, then call again"),
    (
        r"Read-only file system|Permission denied",
        "{root} does not let you write or run files: clone into a folder of your own",
    ),
    (
        r"ensurepip is not available|No module named '?venv",
        "{python} cannot make environments: on Debian or Ubuntu, `apt install python3-venv`, then call again",
    ),
    (
        r"DO NOT MATCH THE HASHES(?s:.*?)\n +(\S+==\S+)",
        "{0} came with other bytes than the lock names: call again; should it stay so, "
        "`.venv/bin/python -m pip cache purge` drops what came down",
    ),
    (
        r"(?i)ConnectionError|Failed to establish|Connection (refused|reset|aborted|broken)|timed out|Timeout"
        r"|NameResolution|Network is unreachable|ProxyError|SSLError|IncompleteRead|incomplete-download",
        "the package index cannot be reached: check network, proxy and `pip config list`, then call again",
    ),
    (r"No matching distribution found for (\S+)", "the package index has no {0} for {machine}"),
    (
        r"Failed building wheel for (\S+)",
        "{0} comes as source for {machine}: install a C compiler and Python's headers (on Debian or Ubuntu, "
        "`apt install gcc python3-dev`), or call `make PYTHON=python3.13 ...`",
    ),
)


class Failure(Exception):
    """Why there is no environment and what to do, in one line."""


def say(text):
    print(f"environment: {text}", flush=True)


def reason(output, python=sys.executable):
    """The line for what a program or the system printed; None if it is none of the known troubles."""
    for pattern, line in REASONS:
        found = re.search(pattern, output)
        if found:
            machine = f"Python 3.{minor(python)} on {platform.system()} {platform.machine()}"
            return line.format(*found.groups(), root=ROOT, python=python, machine=machine)
    return None


@contextlib.contextmanager
def undisturbed():
    """A signal waits until the block has ended: it would leave a program behind that has just begun."""
    came = []
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if callable(signal.getsignal(n))]
    handlers = {n: signal.signal(n, lambda number, frame: came.append(number)) for n in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt


def run(name, command, **options):
    """Runs a program whose standard output the user sees; its errors become one line."""
    with contextlib.ExitStack() as stack:
        with undisturbed():
            started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, close_fds=False, **options)
            process = stack.enter_context(started)
            stack.callback(process.terminate)  # does nothing to one that has ended
        errors = []
        for line in process.stderr:
            if "Retrying" in line and not any("Retrying" in e for e in errors):
                say("no answer from the package index; pip tries again ...")
            errors.append(line)
        process.wait()
    if process.returncode < 0:
        raise Failure(f"{name} was killed by signal {-process.returncode} (9: out of memory?); call again")
    if process.returncode:
        known = reason("".join(errors), command[0])
        sys.stderr.write("" if known else "".join(errors[-20:]))
        raise Failure(known or f"{name} failed; its last words stand above")


def pip(*arguments):
    run("pip", [str(PYTHON), *PIP, *arguments], cwd=str(ROOT), env=dict(os.environ, TMPDIR=str(TEMPORARY)))


def minor(python):
    """Its minor version, if this is a Python 3 that runs."""
    command = [python, "-I", "-c", "import sys; print(sys.version_info[0], sys.version_info[1])"]
    with contextlib.suppress(OSError, ValueError):
        major, second = subprocess.run(command, capture_output=True, text=True).stdout.split()
        return int(second) if major == "3" else None


def interpreter():
    """A Python that pyproject.toml allows: the one that runs this, else the first of its kind on the PATH."""
    low, high = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', PROJECT.read_text()).groups()
    allowed = range(int(low), int(high))
    own = getattr(sys, "_base_executable", sys.executable)  # not .venv's own, if that is activated
    for python in (own, *(f"python3.{second}" for second in allowed)):
        if minor(python) in allowed:
            return python
    raise Failure(
        f"Python 3.{allowed[0]} to 3.{allowed[-1]} is needed and this is {platform.python_version()}: "
        "install one of them, or name it, as in `make PYTHON=/path/to/python demo`"
    )


def wanted():
    """The mark of an environment that fits this checkout; its Python is the one it was made with."""
    digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (PROJECT, LOCK)}
    return dict(digests, folder=str(VENV), python=minor(str(PYTHON)))


def marked():
    """The mark that the environment bears; empty if it was never finished."""
    try:
        return json.loads(MARK.read_text())
    except (OSError, ValueError):
        return {}


def outdated():
    """What of the environment does not fit, as keys of its mark."""
    mark = marked()
    return {key for key, value in wanted().items() if value is None or mark.get(key) != value}


def wait_for_others():
    """Returns when no other call is at work; holds the folder until this process and its pip have ended."""
    folder = os.open(str(ROOT), os.O_RDONLY)
    os.set_inheritable(folder, True)  # after kill -9 of this process, its pip still writes into .venv
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("another call is making .venv; waiting for it ...")
        fcntl.flock(folder, fcntl.LOCK_EX)


def clear():
    """Empties .venv, the mark first, unless it is a link to what another checkout uses."""
    owner = marked().get("folder", str(VENV))
    if VENV.is_symlink() and owner != str(VENV):
        raise Failure(f".venv is a link to the environment {owner}: remove the link, then call again")
    for entry in [MARK, *(VENV.iterdir() if VENV.is_dir() else ())]:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(str(entry))
        elif entry.is_symlink() or entry.exists():
            entry.unlink()


def room():
    """Options for pip that make do with the free disk; pip holds every download until all are unpacked."""
    place, need = VENV if VENV.is_dir() else ROOT, DOWNLOAD + INSTALLED
    free = shutil.disk_usage(str(place)).free / 1e9
    if free < need:
        raise Failure(f"{need:.0f} GB must be free in {place}, {free:.1f} GB are: make room, then call again")
    shared = place.stat().st_dev == Path.home().stat().st_dev
    return ["--no-cache-dir"] if shared and free < need + DOWNLOAD else []


def make(python, why):
    """A new environment with the packages of the lock."""
    if shutil.which("which") is None:  # Snakemake's plugin for Slurm calls it whenever snakemake starts
        raise Failure("the program `which` is missing: install the package of that name, then call again")
    clear()
    options = room() if sys.stdout.isatty() else [*room(), "--progress-bar=off"]
    packages = {line.split("==")[0] for line in LOCK.read_text().splitlines() if "==" in line}
    say(f"making .venv ({why}) with {python}")
    say(f"about {len(packages)} packages: {DOWNLOAD} GB to download, {INSTALLED} GB on disk, some minutes;")
    say(
        "pip downloads nothing that is in its cache; while it unpacks, it may say nothing for a minute or two"
    )
    run("venv", [python, "-m", "venv", str(VENV)], stdout=subprocess.DEVNULL)
    TEMPORARY.mkdir()
    builder = TEMPORARY / "setuptools.lock"  # first, because one package comes as source
    builder.write_text(re.search(r"(?m)^setuptools==.*\n( .*\n)*", LOCK.read_text()).group())
    pip("--quiet", "--require-hashes", "-r", str(builder))
    pip(*options, "--require-hashes", "-r", LOCK.name)


def update():
    """Makes the environment, or only installs the project in it if nothing but pyproject.toml has changed."""
    if not outdated():  # needs no right to write
        return
    started = time.monotonic()
    wait_for_others()
    changes = outdated()  # another call may have made it in the meantime
    if not changes:
        return
    if changes - {PROJECT.name}:
        again = f"changed: {', '.join(sorted(changes))}" if marked() else "not finished last time"
        make(interpreter(), again if VENV.is_dir() else "first use")
    TEMPORARY.mkdir(exist_ok=True)
    pip("--quiet", "--no-index", "--editable", ".")
    shutil.rmtree(str(TEMPORARY))
    MARK.write_text(json.dumps(wanted()))
    say(f"ready after {time.monotonic() - started:.0f} s")


def main():
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup has it ignored, and means it
            signal.signal(number, signal.default_int_handler)
    try:
        update()
    except KeyboardInterrupt:
        print("error: interrupted; call again to go on", file=sys.stderr)
        return 130
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    except OSError as trouble:
        print(f"error: {reason(str(trouble)) or trouble}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
