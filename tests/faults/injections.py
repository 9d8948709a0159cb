"""The faults: each disturbs one call of snakemake, says what it did and what of the answer was wrong."""

import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from reduced import Call

ANSWER = 30.0  # seconds within which a signal is answered; of a few, on a machine that others use
OUTSIDE = "../call.log"  # where the disk is neither full nor read-only
ONE_LINE = ("error: the disk is full", "error: not enough memory", "error: cannot write", "make the folder")


@dataclass
class Disturbed:
    """What a fault did to a call; `hit` is false where the call had ended before. `wrong` is a loss."""

    what: str
    hit: bool = True
    wrong: str = ""


Fault = Callable[[Path, random.Random, float], Disturbed]


def kill(folder: Path, chance: random.Random, length: float) -> Disturbed:
    """kill -9 of one process of the call's tree, at a random time."""
    call = Call(folder)
    if not call.runs_for(chance.uniform(0, length)):
        return Disturbed("ended before", hit=False)
    chosen = chance.choice(call.tree())
    which = _killed(chosen, call)
    took = time.monotonic() - call.began
    well = call.ends() == 0 and which in ("the call", "a job")
    wrong = "a call with a killed process says that all is well" if well else ""
    return Disturbed(f"{which} after {took:.0f} s", hit=which != "none", wrong=wrong)


def _killed(process: psutil.Process, call: Call) -> str:
    """Kills a process; which it was: the call, a job, the name of a program that a job had called, none."""
    try:
        process.suspend()  # it cannot come to its end by itself between the look and the kill
        ended = process.status() == psutil.STATUS_ZOMBIE
        name = "a job" if process.exe() == psutil.Process().exe() else process.name()
        process.kill()
    except psutil.Error:
        return "none"
    return "none" if ended else "the call" if process.pid == call.pid else name


def _signalled(folder: Path, chance: random.Random, length: float, send: Callable[[int], None]) -> Disturbed:
    call = Call(folder, real=True)
    while not call.ended() and len(call.tree()) < 2:  # a real call imports for long before its first job
        time.sleep(0.05)
    if not call.runs_for(time.monotonic() - call.began + chance.uniform(0, 1) * length):
        return Disturbed("ended before", hit=False)
    states, jobs = set(folder.rglob("resume.pt")), call.tree()[1:]
    asked = time.monotonic()
    send(call.pid)
    call.ends()
    took = time.monotonic() - asked
    left = [job for job in jobs if job.is_running() and job.status() != psutil.STATUS_ZOMBIE]
    lost = [s for s in states if not (s.exists() or s.with_name("checkpoints.pt").exists())]
    wrong = [f"answered after {took:.0f} s"] * (took > ANSWER)
    wrong += [f"{len(left)} jobs run on"] * bool(left) + [f"state lost: {lost}"] * bool(lost)
    return Disturbed(f"answered after {took:.1f} s", wrong="; ".join(wrong))


def interrupt(folder: Path, chance: random.Random, length: float) -> Disturbed:
    """SIGINT as a terminal sends it, to the call and its jobs."""
    return _signalled(folder, chance, length, lambda pid: os.killpg(pid, signal.SIGINT))


def terminate(folder: Path, chance: random.Random, length: float) -> Disturbed:
    """SIGTERM to the call alone."""
    return _signalled(folder, chance, length, lambda pid: os.kill(pid, signal.SIGTERM))


def _refused(call: Call, what: str) -> Disturbed:
    """A call that cannot go on must end, and say why in one line of the many that Snakemake prints."""
    status, said = call.ends(), call.said()
    if status == 0:
        return Disturbed(f"{what}: enough for this call", hit=False)
    clear = any(line in said for line in ONE_LINE)
    return Disturbed(what, wrong="" if clear else f"no line says why: {said.strip()[-300:]}")


def full_disk(folder: Path, chance: random.Random, length: float) -> Disturbed:
    """Some hundred kilobytes are free while the call runs."""
    free = chance.randrange(0, 500) * 1024
    ballast = folder / "ballast"
    with ballast.open("wb") as file, suppress(OSError):
        os.posix_fallocate(file.fileno(), 0, max(shutil.disk_usage(folder).free - free, 1))
    try:
        return _refused(Call(folder, log=OUTSIDE), f"{free // 1024} kB free")
    finally:
        ballast.unlink()


def memory(folder: Path, chance: random.Random, length: float) -> Disturbed:
    """Less address space than the call and its jobs want."""
    limit = chance.randrange(1500, 4500) * 2**20
    prepare = lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))  # noqa: E731
    call = Call(folder, real=True, prepare=prepare)
    status = call.ends()
    # where in a library it strikes decides what is said: here only the results count
    return Disturbed(f"{limit >> 20} MiB: status {status}", hit=status != 0)


def read_only(folder: Path, chance: random.Random, length: float) -> Disturbed:
    """The file system takes no writes."""
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    try:
        return _refused(Call(folder, log=OUTSIDE), "read-only")
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)


def clock(folder: Path, chance: random.Random, length: float) -> Disturbed:
    """The clock has jumped: what is there bears times of tomorrow, or of yesterday; then a kill."""
    shift = chance.choice([-1, 1]) * 86400
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):
            was = file.stat()
            os.utime(file, (was.st_atime + shift, was.st_mtime + shift))
    done = kill(folder, chance, length)
    return Disturbed(f"files {shift:+} s, {done.what}", wrong=done.wrong)


def twice(folder: Path, chance: random.Random, length: float) -> Disturbed:
    """A second call in the same folder while the first runs."""
    first = Call(folder)
    first.runs_for(chance.uniform(0, length / 2))
    second = Call(folder, log="second.log")
    statuses = first.ends(), second.ends()
    said = first.said() + second.said()
    refused = "another call (process" in said
    if refused == (statuses == (0, 0)) or statuses.count(0) == 0:
        return Disturbed("two calls", wrong=f"statuses {statuses}, refused: {refused}")
    return Disturbed("one was refused" if refused else "one after the other", hit=refused)


ON_A_DISK_OF_ITS_OWN = ("full disk", "read-only")
FAULTS: dict[str, Fault] = {
    "kill": kill,
    "interrupt": interrupt,
    "terminate": terminate,
    "full disk": full_disk,
    "memory": memory,
    "read-only": read_only,
    "clock": clock,
    "twice": twice,
}


@contextmanager
def small_disk(folder: Path, megabytes: int = 200) -> Iterator[bool]:
    """A file system of its own in memory at the folder, if this process may mount one."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
