"""How a call of Snakemake ends: what Snakemake leaves open when it is killed, stopped, or called twice.

A killed call leaves Snakemake's lock behind. The lock here goes with the process that holds it, so that who
holds it may take away what a dead call has left; a second call at once is refused. Asked to end, Snakemake
waits for its jobs, which may take hours; here they are ended at once, and a training goes on from its last
state.
"""

import errno
import fcntl
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import psutil
from snakemake.persistence import PersistenceBase
from snakemake.persistence.file import FilePersistence

ROOMS, TICK = ("data/raw", "data/prepared", "results", "figures"), 1e-5  # seconds
LITTLE = 2**20  # bytes that are free on a disk which Snakemake's own files may have filled
ENDING = (signal.SIGINT, signal.SIGTERM)
SCRIPTS = ".snakemake/scripts/"  # in the command line of every job
_held: list[IO[str]] = []  # open, and with it locked, as long as this process lives


def watch() -> None:
    """Has Snakemake hold the folder and answer signals whenever it locks: never when it only plans."""
    locked, made = PersistenceBase.lock, FilePersistence.__init__

    @contextmanager
    def lock(self: Any) -> Iterator[None]:
        try:
            hold(Path.cwd() / ".snakemake")
        except Refused as refused:
            sys.exit(f"error: {refused}")
        answer_signals()
        try:
            with locked(self):
                yield
        except BaseException as error:
            if getattr(error, "errno", None) == errno.ENOSPC or shutil.disk_usage(Path.cwd()).free < LITTLE:
                print("error: the disk is full: make room, then call again", file=sys.stderr, flush=True)
            raise

    def make(self: Any, *arguments: Any, **options: Any) -> None:
        if not os.access(Path.cwd(), os.W_OK):
            sys.exit(f"error: {Path.cwd()} takes no writes: make the folder writable, then call again")
        if not options.get("nolock") and not options.get("warn_only"):  # neither a job nor a plan
            set_back(Path.cwd())
        made(self, *arguments, **options)

    PersistenceBase.lock, FilePersistence.__init__ = lock, make


class Refused(Exception):
    """Why no call can begin in this folder, and what to do."""


def hold(folder: Path) -> None:
    """Holds the folder while this process lives; takes away the lock of a call that was killed here.

    After a call on another machine, or on a file system without locks, Snakemake's own lock stays.
    """
    here = os.uname().nodename
    try:
        folder.mkdir(exist_ok=True)
        file = (folder / "call.json").open("a+", encoding="utf-8")
        _lock(file)
        last = _read(file)
        if last.get("machine") == here:
            for left in (folder / "locks").glob("*.lock"):
                left.unlink()
        file.truncate(0)
        file.write(json.dumps({"machine": here, "process": os.getpid()}))
        file.flush()
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            return
        raise Refused(
            f"{folder}: cannot write there ({error.strerror}); mend that, then call again"
        ) from error
    _held[:] = [file]


def _lock(file: IO[str]) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        process = _read(file).get("process", "unknown")
        raise Refused(
            f"another call (process {process}) is at work in this folder: wait for it, or call in a copy"
        ) from None


def _read(file: IO[str]) -> dict:
    file.seek(0)
    try:
        return dict(json.loads(file.read()))
    except ValueError:
        return {}


def set_back(folder: Path, now: float | None = None) -> int:
    """Dates files of the future now, in their order; how many.

    A clock that was put back leaves them; what is made of them would be older than they are, and Snakemake
    refuses that.
    """
    now = time.time() if now is None else now
    files = (f for room in ROOMS for f in (folder / room).rglob("*") if f.is_file())
    late = sorted((time_of, file) for file in files if (time_of := file.stat().st_mtime) > now)
    for place, (_, file) in enumerate(late, 1):
        moment = now - (len(late) - place) * TICK
        os.utime(file, (moment, moment))
    return len(late)


def answer_signals() -> None:
    """Has every signal that Python handles written into a pipe, whoever handles it, and read by a thread."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    threading.Thread(target=_end_when_asked, args=(read,), daemon=True).start()


def _end_when_asked(read: int) -> None:
    while os.read(read, 1)[0] not in ENDING:
        pass
    time.sleep(0.3)  # until Snakemake knows: it begins no further job then
    while True:
        end_jobs()
        time.sleep(0.3)


def end_jobs() -> None:
    """Ends the jobs that this process runs."""
    for child in psutil.Process().children(recursive=True):
        try:
            if any(SCRIPTS in word for word in child.cmdline()):
                child.terminate()
        except psutil.Error:
            continue
