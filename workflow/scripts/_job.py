"""What every job does alike: threads, log, one clear message on failure, a provenance record at the end.

None of it changes a result, so that it is the one part of the code that no digest covers.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
    logger = logging.getLogger("sgdiffusion")
    logger.setLevel(logging.INFO)
    for handler in (
        logging.FileHandler(snakemake.log[0], mode="w", encoding="utf-8"),
        logging.StreamHandler(),
    ):
        handler.setFormatter(logging.Formatter(FORMAT, datefmt="%H:%M:%S"))
        logger.addHandler(handler)
    limit_threads(snakemake.threads)
    run = Run(snakemake)
    try:
        yield run
        run.write_records()
    except UserError as error:
        logging.getLogger("sgdiffusion").error("error: %s", error)
        sys.exit(1)
