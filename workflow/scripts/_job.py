"""What every job does alike: threads, log, one clear message on failure, a provenance record at the end.

None of it changes a result, so that it is the one part of the code that no digest covers.
"""

import errno
import fcntl
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import threadpoolctl

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src"))

from sgdiffusion.config.load import config_digest  # noqa: E402
from sgdiffusion.errors import UserError  # noqa: E402
from sgdiffusion.papers.task import Task  # noqa: E402
from sgdiffusion.provenance import Job, Record, write_record  # noqa: E402
from sgdiffusion.provenance.guards import warnings  # noqa: E402
from sgdiffusion.provenance.record import DataUse, compose  # noqa: E402

FORMAT = "%(asctime)s %(message)s"
OWN = ("code", "function", "paper")  # parameters that are no settings


class Run:
    """A running job: its device and the facts its record will hold."""

    def __init__(self, snakemake: Any):
        self._snakemake = snakemake
        self._job = Job()
        self.device = "cuda" if snakemake.resources.get("gpu", 0) else "cpu"
        self.log = logging.getLogger("sgdiffusion")
        self.facts = Record(
            preset=snakemake.wildcards.get("preset", ""),
            rule=snakemake.rule,
            config_digest=config_digest({k: v for k, v in snakemake.params.items() if k not in OWN}),
            code_digest=snakemake.params.get("code", ""),
            root_seeds=[seed] if (seed := snakemake.params.get("root_seed")) is not None else [],
            device=self.device,
            threads=snakemake.threads,
            declared_mb=snakemake.resources.get("mem_mb", 0),
        )

    def named(self, entry: str) -> Any:
        """The function of "module:function": the rule names what differs between jobs of one script.

        Importing by name, not at the top of the script, keeps each job's code digest, and what it imports,
        to what that job calls.
        """
        module, name = entry.split(":")
        found = getattr(import_module(module), name)
        limit_threads(self._snakemake.threads)
        return found

    def task(self) -> Task:
        """What the job's function is told beside settings and inputs; the record holds what it notes."""
        given = self._snakemake
        return Task(
            paper=given.params.paper,
            wildcards=dict(given.wildcards.items()),
            root_seed=given.params.root_seed,
            threads=given.threads,
            device=self.device,
            outputs={name: Path(path) for name, path in given.output.items() if name != "records"},
            log=self.log,
            code=given.params.code,
            seeds=self.facts.seeds,
            notes=self.facts.notes,
            uses=lambda **data: self.facts.data.append(DataUse(**data)),
        )

    def record(self) -> dict[str, Any]:
        """This job's record joined with those of its inputs."""
        output = Path(self._snakemake.output[0])
        inputs = [Path(p) for p in self._snakemake.input]
        return compose(output, self.facts, self._job.cost(), inputs, ROOT)

    def write_records(self) -> None:
        """The record, beside every output that has one: what reads the output joins it to its own."""
        for warning in warnings(Path(path) for path in self._snakemake.output):
            self.log.warning("%s", warning)
            self.facts.warnings.append(warning)
        content = self.record()
        paths = self._snakemake.output.get("records", [])
        for path in [paths] if isinstance(paths, str) else paths:
            write_record(Path(path), {**content, "output": path.removesuffix(".json")})


def limit_threads(threads: int) -> None:
    """Holds BLAS, OpenMP, torch and numba, as far as they are loaded, to the rule's threads."""
    threadpoolctl.threadpool_limits(threads)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)
    if numba := sys.modules.get("numba"):
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))


@contextmanager
def job(snakemake: Any) -> Iterator[Run]:
    """Runs the body of a script; a UserError becomes its message and exit status 1."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(snakemake.threads)  # of libraries that are loaded later
    end_with(os.getppid())
    logger = logging.getLogger("sgdiffusion")
    logger.setLevel(logging.INFO)
    file = logging.FileHandler(snakemake.log[0], mode="w", encoding="utf-8")
    for handler in (file, logging.StreamHandler()):
        handler.setFormatter(logging.Formatter(FORMAT, datefmt="%H:%M:%S"))
        logger.addHandler(handler)
    with suppress(OSError):  # a file system without locks
        fcntl.flock(file.stream, fcntl.LOCK_EX)  # waits for the same job of a call that was killed
    limit_threads(snakemake.threads)
    run = Run(snakemake)
    try:
        yield run
        run.write_records()
    except (UserError, OSError, MemoryError, RuntimeError) as error:
        if (message := in_one_line(error)) is None:
            raise
        logger.error("error: %s", message)
        sys.exit(1)


def end_with(parent: int) -> None:
    """Ends this process when its parent has gone: a killed call leaves no job behind that writes files."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def in_one_line(error: Exception) -> str | None:
    """What a user can do about an error of his or of the machine; None for one that is the code's."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return f"not enough memory ({error or 'none left'}): run fewer jobs at once, then call again"
    number = getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full: make room, then call again"
    if number in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"{error}: make the folder writable, then call again"
    return None
