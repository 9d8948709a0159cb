"""Snakemake and its jobs as forks of a process that has imported the libraries, most of a short call's time.

The processes are those of a real call, a main one and one for each job, with the same files and locks;
only `exec` and the imports of libraries are left out. Nothing of this project is imported before a fork,
unless the folder has been made warm: then all calls are in that folder, and its code stays as it is.
"""

import importlib
import os
import pkgutil
import runpy
import signal
import subprocess
import sys
import traceback
from pathlib import Path

import matplotlib  # noqa: F401
import pandas  # noqa: F401
import pyarrow.parquet  # noqa: F401
import pydantic  # noqa: F401
import scipy.optimize  # noqa: F401
import sklearn.datasets  # noqa: F401
import smart_open  # noqa: F401
import snakemake.cli
import torch
import torch._dynamo  # noqa: F401  (every optimiser imports it)
from snakemake.executors import local  # noqa: F401
from snakemake.script import PythonScript


def warm(folder: Path) -> None:
    """Imports the project from a copy of the checkout, and reads its code for digests, once for all calls."""
    sys.path.insert(0, str(folder / "src"))
    package = importlib.import_module("sgdiffusion")
    for module in pkgutil.walk_packages(package.__path__, "sgdiffusion."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    provenance, items = (importlib.import_module(f"sgdiffusion.{m}") for m in ("provenance", "papers.items"))
    scripts = folder / "workflow/scripts"
    code = provenance.Code(folder / "src", scripts)
    for script in scripts.glob("[a-z]*.py"):
        code.digest(script)
    for registry in items.registries().values():
        for study in registry.studies.values():
            ours = study.function.startswith("sgdiffusion.")
            entry = study.function if ours else f"{registry.package}.{study.function}"
            code.digest(scripts / "compute.py", entry)
    provenance.Code = lambda *_: code


def start(words: list[str], folder: Path, log: Path) -> int:
    """The process of `snakemake words` in a folder, in a process group of its own."""
    if process := os.fork():
        return process
    os.setpgid(0, 0)
    os.chdir(folder)
    with log.open("w") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    PythonScript._execute_cmd = _job
    _end_with(lambda: snakemake.cli.main(words))


def _job(self, command: str, *, fname: str, **_) -> None:
    """In place of a shell that calls Python: a fork that runs the job's script."""
    if process := os.fork():
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        if self.bench_record is not None:  # times are measured of a shell's child alone
            self.bench_record.running_time, self.bench_record.process_gone = 0.0, True
        if status:
            raise subprocess.CalledProcessError(status, f"python {fname}")
        return
    for file in sys.modules["calls"]._held:
        os.close(file.fileno())  # `exec` would: the lock is the call's alone
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _end_with(lambda: run_script(fname))


def run_script(name: str) -> None:
    """A job's script; a campaign may put a traced run in its place."""
    runpy.run_path(name, run_name="__main__")


def _end_with(work) -> None:
    """Runs what is left of this process; never returns."""
    status = 1
    try:
        work()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        print("" if isinstance(end.code, int) else end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
