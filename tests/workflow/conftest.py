"""The DAG is tested in a copy of the checkout, so that a reader's own run is never touched."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from copies.checkout import copy_checkout


@dataclass(frozen=True)
class Done:
    """A finished snakemake call."""

    returncode: int
    text: str

    def jobs(self) -> dict[str, int]:
        """Rule -> number of jobs, from the table that a dry run prints."""
        return {
            rule: int(n)
            for rule, n in re.findall(r"^(\w+) +(\d+)$", self.text, flags=re.M)
            if rule != "total"
        }

    def figures(self) -> set[str]:
        """<paper>/<figure> of every figure that a dry run would draw."""
        drawn = re.findall(r"^rule plot:\n(?:    .*\n)*?    wildcards: (.*)$", self.text, flags=re.M)
        found = [dict(part.split("=") for part in line.split(", ")) for line in drawn]
        return {f"{wildcards['paper']}/{wildcards['figure']}" for wildcards in found}


class Dag:
    """Copies the checkout and runs snakemake in a copy."""

    def copy(self, target: Path) -> Path:
        return copy_checkout(target)

    def run(self, folder: Path, *words: str, **environment: str) -> Done:
        """Without a mirror unless asked."""
        variables = {k: v for k, v in os.environ.items() if k not in ("SGDIFFUSION_MIRROR", "PYTHONPATH")}
        command = [sys.executable, "-m", "snakemake", *words]
        done = subprocess.run(
            command,
            cwd=folder,
            env={**variables, **environment},
            capture_output=True,
            text=True,
            timeout=1800,
        )
        return Done(done.returncode, done.stdout + done.stderr)


@pytest.fixture(scope="session")
def dag() -> Dag:
    return Dag()


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that tests only read or plan in."""
    return copy_checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="session")
def smoked(dag: Dag, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """A copy in which the preset smoke was built, and what snakemake printed."""
    folder = copy_checkout(tmp_path_factory.mktemp("smoked"))
    return folder, dag.run(folder, "--cores", "2", "smoke")
