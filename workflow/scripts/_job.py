"""What every job does alike: threads, log, one clear message on failure, a provenance record at the end."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import threadpoolctl

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src"))

from sgdiffusion.config.load import config_digest  # noqa: E402
from sgdiffusion.errors import UserError  # noqa: E402
from sgdiffusion.provenance import Job, Record, substitute_note, write_record  # noqa: E402
from sgdiffusion.provenance.record import DataUse, compose  # noqa: E402
from sgdiffusion.verdicts import markdown  # noqa: E402

FORMAT = "%(asctime)s %(message)s"


class Run:
    """A running job: its device and the facts its record will hold."""

    def __init__(self, snakemake: Any):
        self._snakemake = snakemake
        self._job = Job()
        self.device = "cuda" if snakemake.resources.get("gpu", 0) else "cpu"
        self.log = logging.getLogger("sgdiffusion")
        params = {k: v for k, v in snakemake.params.items() if k != "code"}
        self.facts = Record(
            preset=snakemake.wildcards.get("preset", ""),
            rule=snakemake.rule,
            config_digest=config_digest(params),
            code_digest=snakemake.params.get("code", ""),
            device=self.device,
            threads=snakemake.threads,
        )

    @property
    def inputs(self) -> list[Path]:
        return [Path(p) for p in self._snakemake.input]

    def tables(self, *names: str) -> dict[str, pd.DataFrame]:
        """The named input tables (all of them without names), by the names the rule gives them."""
        given = dict(self._snakemake.input.items())
        return {name: read_table(given[name]) for name in names or given}

    def write(self, name: str, table: pd.DataFrame) -> None:
        """Writes a table to the output of that name; parquet keeps the column docs in its attributes."""
        path = Path(self._snakemake.output[name])
        if path.suffix == ".parquet":
            table.to_parquet(path)
        else:
            table.to_csv(path, index=False)

    def publish(self, table: pd.DataFrame) -> None:
        """Writes a final table as csv, Markdown and LaTeX, each with the note on data and scale."""
        output, note = self._snakemake.output, self.note()
        (table.assign(note=note) if note else table).to_csv(output.csv, index=False)
        Path(output.md).write_text(markdown(table, note), encoding="utf-8")
        caption = f"% {note}\n" if note else ""
        latex = table.to_latex(index=False, escape=True, float_format="%.4g")
        Path(output.tex).write_text(caption + latex, encoding="utf-8")

    def uses(self, data: Any, runs: list[str], seeds: list[int]) -> None:
        """Notes in the record the data set, runs and seeds of this job."""
        meta = data.meta
        self.facts.data.append(DataUse(meta["set"], meta["preparation"], meta["real"], meta["digest"]))
        self.facts.runs.extend(runs)
        self.facts.seeds.extend(seeds)

    def note(self) -> str:
        """What readers must be told about data and scale; empty on real data at full scale."""
        return substitute_note(self.record())

    def record(self) -> dict[str, Any]:
        """This job's record joined with those of its inputs."""
        output = Path(self._snakemake.output[0])
        return compose(output, self.facts, self._job.cost(), self.inputs, ROOT)

    def write_records(self) -> None:
        """One record beside every output that the rule gives one: those named record, record_...

        What reads that output later finds the record by its name and joins it to its own.
        """
        content = self.record()
        for name, path in self._snakemake.output.items():
            if name.split("_")[0] == "record":
                write_record(Path(path), {**content, "output": path.removesuffix(".json")})


def named(entry: str) -> Any:
    """The function of "module:function": rules name what differs between jobs of one script.

    Importing by name, not at the top of the script, keeps each job's code digest to what that job calls.
    """
    module, name = entry.split(":")
    return getattr(import_module(module), name)


def read_table(paths: Any) -> pd.DataFrame:
    """A table of the workflow; a list of paths is one table in several files."""
    if isinstance(paths, str):
        return pd.read_parquet(paths) if paths.endswith(".parquet") else pd.read_csv(paths)
    return pd.concat([read_table(path) for path in paths], ignore_index=True)


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
