"""A small part of the real DAG, every job seconds: preparing, trainings that resume, studies, a table.

Nothing is replaced; scales are smaller, and a training keeps its state every 0.2 s in place of every 60.
"""

import base64
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import forked
import psutil
from copies.checkout import computed, copy_checkout, differences

PRESET = "reduced"
RUN = f"results/{PRESET}/chaudhari2018"
TARGETS = (
    f"{RUN}/quantities/errors-small-fc.csv",
    f"figures/{PRESET}/ziyin2025/table_findings.csv",
)
SCALE = "set: {epochs: 5, seeds: 2, data.n_train: 400, data.n_test: 200}"  # of the preset smoke
REDUCED = "set: {epochs: 100, seeds: 2, data.n_train: 128, data.n_test: 100}"
# words in the names of what a job makes, and of what is made of that
STAGES = (
    ("data/prepared", "chaudhari2018"),
    ("seed-0", "errors"),
    ("seed-1", "errors"),
    ("errors",),
    ("closed-forms", "table_findings"),
    ("table_findings",),
)
STATE = "resume_seconds: float = 60.0"
PATIENCE = 900


class Call:
    """A call of snakemake for the targets, in a process group of its own.

    Without `real` it is a fork of this process (forked.py). It stays in the session, and so at its priority.
    """

    def __init__(
        self,
        folder: Path,
        *words: str,
        targets=TARGETS,
        log: str = "call.log",
        real: bool = False,
        prepare=None,
    ):
        self.log, self.began = folder / log, time.monotonic()
        self.status: int | None = None
        words = (*targets, *(words or ("--cores", "2")))
        if not real:
            self.pid = forked.start(list(words), folder, self.log)
            return
        with self.log.open("w") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "snakemake", *words],
                cwd=folder,
                env={k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "SGDIFFUSION_MIRROR")},
                stdout=out,
                stderr=out,
                process_group=0,
                preexec_fn=prepare,
            )
        self.pid = process.pid
        process.returncode = 0  # it is waited for here

    def tree(self) -> list[psutil.Process]:
        """The call and the jobs that it runs."""
        try:
            main = psutil.Process(self.pid)
            return [main, *main.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def ended(self) -> bool:
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if pid else None
        return self.status is not None

    def runs_for(self, seconds: float) -> bool:
        """Whether it still runs so many seconds after its begin; waits until then or its end."""
        while not self.ended() and time.monotonic() - self.began < seconds:
            time.sleep(0.02)
        return not self.ended()

    def ends(self) -> int:
        """Its status, once it has ended by itself."""
        if self.runs_for(PATIENCE):
            raise TimeoutError(f"{self.log}: has not ended within {PATIENCE} s")
        return self.status

    def said(self) -> str:
        return self.log.read_text(errors="replace")


def build(target: Path) -> Path:
    """A copy of the checkout with the preset and trainings that keep their state often."""
    folder = copy_checkout(target)
    preset = (folder / "config/presets/smoke.yaml").read_text()
    assert SCALE in preset, f"smoke.yaml no longer has {SCALE!r}"
    (folder / f"config/presets/{PRESET}.yaml").write_text(preset.replace(SCALE, REDUCED))
    module = folder / "src/sgdiffusion/dynamics/training/trainer.py"
    text = module.read_text()
    assert STATE in text, f"trainer.py no longer has {STATE!r}"
    module.write_text(text.replace(STATE, "resume_seconds: float = 0.2"))
    return folder


def forget(folder: Path, chance: random.Random) -> int:
    """Takes away what some jobs have made, so that a call has something to do; the number of files."""
    stages = chance.sample(STAGES, chance.randint(1, len(STAGES)))
    words = {word for stage in stages for word in stage}
    gone = [name for name in computed(folder) if any(word in name for word in words)]
    for name in gone:
        (folder / name).unlink()
    return len(gone)


def incomplete(folder: Path) -> set[str]:
    """The outputs that Snakemake knows to be unfinished."""
    marks = (folder / ".snakemake/incomplete").glob("*")
    return {base64.b64decode(m.name, altchars=b"+_").decode(errors="replace") for m in marks if m.is_file()}


def broken(folder: Path, reference: dict[str, bytes]) -> list[str]:
    """What a reader could take for whole and is not: `unreadable`, and whatever has other bytes than in the
    reference, of finished jobs, and of checkpoints at any time.
    """
    unfinished = incomplete(folder)
    found = []
    for name, now in computed(folder).items():
        whole = name.endswith(".pt") or name not in unfinished
        found += [name] if whole and now != reference.get(name) else []
    return [*found, *unreadable(folder)]


def unreadable(folder: Path) -> list[str]:
    """Records that are no JSON, states of trainings that torch cannot read."""
    import torch

    found = []
    for room in ("results", "figures", "data/prepared"):
        for file in (folder / room).rglob("*.json"):
            try:
                json.loads(file.read_text())
            except ValueError:
                found.append(f"{file}: no JSON")
            except FileNotFoundError:
                continue
        for file in (folder / room).rglob("resume.pt"):
            try:
                torch.load(file, weights_only=True)
            except FileNotFoundError:
                continue
            except Exception as error:
                found.append(f"{file}: {type(error).__name__}")
    return found


def compared(folder: Path, reference: dict[str, bytes]) -> list[str]:
    return differences(computed(folder), reference)
