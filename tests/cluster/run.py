"""Runs the preset smoke through a real Slurm on this machine, with faults, and compares it with a local run.

    python tests/cluster/run.py                                            # all of smoke
    python tests/cluster/run.py chaudhari2018_fig1b ziyin2025_table_tails  # less

Needs Slurm and munge (on Debian `apt-get install slurm-wlm munge`), root, and the environment that `make`
makes. Everything is made in copies of the checkout. In this order: a node dies under a job, the call is
interrupted, a job is killed, the call is asked to end, and a last call finishes. Then every table and array
has the bytes of the local run, trainings' wall times apart, or this ends with status 1.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from copies.checkout import COMPARED, computed, copy_checkout, differences
from loopback import Slurm, kill, refusal, said, wait_until

# of one stage; a job of seconds takes minutes where others use the machine
PATIENCE = 1800
CHECKS = ["--slurm-init-seconds-before-status-checks", "5"]


class Campaign:
    """Calls of snakemake in a copy, each with its fault."""

    def __init__(self, folder: Path, targets: list[str], slurm: Slurm):
        self.folder, self.targets, self.slurm, self.calls = folder, targets, slurm, 0
        self.process: subprocess.Popen | None = None
        self.started = time.monotonic()

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.started:6.0f} s  {text}", flush=True)

    def call(self) -> subprocess.Popen:
        self.calls += 1
        log = self.folder / f"call-{self.calls}.log"
        words = ["--workflow-profile", "profiles/slurm", *CHECKS, *self.targets]
        with log.open("w") as out:
            self.process = snakemake(self.folder, *words, out=out)
        return self.process

    def log(self) -> str:
        return (self.folder / f"call-{self.calls}.log").read_text()

    def done(self) -> int:
        """Jobs of snakemake that have finished in all calls."""
        return sum(log.read_text().count("Finished jobid") for log in self.folder.glob("call-*.log"))

    def a_job_runs(self, call: subprocess.Popen) -> str:
        """The identifier of a job whose script has begun."""
        wait_until(lambda: scripts() or call.poll() is not None, PATIENCE, "a job's script runs")
        assert call.poll() is None, f"the call ended before its fault: {self.folder}/call-{self.calls}.log"
        return next(iter(scripts()))

    def node_dies(self, call: subprocess.Popen) -> None:
        job = self.a_job_runs(call)
        node = node_of(job)
        self.slurm.kill_node(node)
        self.say(f"{node} killed under job {job}, {self.done()} jobs done")
        wait_until(
            lambda: node_of(job) not in ("", node) and job in scripts(), PATIENCE, f"job {job} runs elsewhere"
        )
        self.say(f"Slurm runs job {job} again, on {node_of(job)}")
        self.slurm.start_node(node)

    def interrupted(self, call: subprocess.Popen) -> None:
        self.a_job_runs(call)
        call.send_signal(signal.SIGINT)
        started = time.monotonic()
        call.wait(120)
        wait_until(lambda: not self.slurm.queued(), 60, "Slurm's queue is empty")
        assert call.returncode != 0
        took = time.monotonic() - started
        self.say(f"SIGINT: ended after {took:.0f} s, its jobs cancelled, {self.done()} jobs done")

    def job_killed(self, call: subprocess.Popen) -> None:
        job = self.a_job_runs(call)
        kill(scripts()[job])
        self.say(f"script of job {job} killed")
        call.wait(PATIENCE)
        assert call.returncode != 0, "a call with a failed job says that all is well"
        assert re.search(rf"(?s)\bError in .*/{job}\.log", self.log()), "it does not name the job"
        self.say(f"the call named job {job} and ended with status {call.returncode}, {self.done()} jobs done")

    def asked_to_end(self, call: subprocess.Popen) -> None:
        self.a_job_runs(call)
        call.send_signal(signal.SIGTERM)
        started = time.monotonic()
        call.wait(PATIENCE)
        took = time.monotonic() - started
        wait_until(lambda: not self.slurm.queued(), 60, "Slurm's queue is empty")
        self.say(f"SIGTERM: ended after {took:.0f} s, when its jobs had, {self.done()} jobs done")

    def finished(self, call: subprocess.Popen) -> None:
        call.wait(PATIENCE * 4)
        assert call.returncode == 0, f"see {self.folder}/call-{self.calls}.log"
        self.say(f"finished, {self.done()} jobs done in {self.calls} calls")

    def run(self) -> None:
        call = self.call()
        self.node_dies(call)
        self.interrupted(call)
        self.job_killed(self.call())
        self.asked_to_end(self.call())
        self.finished(self.call())
        assert self.call().wait(PATIENCE) == 0
        assert "Nothing to be done" in self.log()


def snakemake(folder: Path, *words: str, out) -> subprocess.Popen:
    variables = {k: v for k, v in os.environ.items() if not k.startswith("SLURM")}
    variables |= {"PYTHONPATH": str(folder / "src"), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "snakemake", *words, "--config", "preset=smoke"]
    return subprocess.Popen(command, cwd=folder, env=variables, stdout=out, stderr=out)


def scripts() -> dict[str, list[int]]:
    """The processes of the rules' scripts that run now, by Slurm's job."""
    found: dict[str, list[int]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b".snakemake/scripts/" not in (process / "cmdline").read_bytes():
                continue
            entries = (process / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if job := dict(e.split("=", 1) for e in entries if "=" in e).get("SLURM_JOB_ID"):
            found.setdefault(job, []).append(int(process.name))
    return found


def node_of(job: str) -> str:
    return said("squeue", "--noheader", "--states=RUNNING", f"--jobs={job}", "--format=%N").strip()


def compared(local: Path, cluster: Path) -> int:
    here, there = computed(local), computed(cluster)
    different = differences(here, there)
    for name in different:
        print(f"differs: {name}")
    kinds = ", ".join(
        f"{sum(n.endswith(e) for n in here)} {e}" for e in COMPARED if any(n.endswith(e) for n in here)
    )
    print(f"{len(here)} files of the local run ({kinds}): {len(different)} differ")
    return 1 if different or not here else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "targets", nargs="*", default=["smoke"], help="targets of the workflow; by default smoke"
    )
    parser.add_argument(
        "--folder", type=Path, help="where to work; kept. By default a temporary folder, kept on failure"
    )
    options = parser.parse_args()
    if (why := refusal()) is not None:
        print(f"error: {why}", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):  # in the background SIGINT is ignored, by children too
        signal.signal(number, signal.default_int_handler)
    folder = (options.folder or Path(tempfile.mkdtemp(prefix="slurm-"))).resolve()
    (daemons := folder / "daemons").mkdir(parents=True)
    local = copy_checkout(folder / "local")  # both now: an edit of the checkout must not come between them
    with Slurm(daemons) as slurm:
        campaign = Campaign(copy_checkout(folder / "cluster"), options.targets, slurm)
        try:
            campaign.run()
        finally:
            kill([campaign.process.pid] if campaign.process and campaign.process.poll() is None else [])
    with (local / "call.log").open("w") as out:
        status = snakemake(local, "--cores", "2", *options.targets, out=out).wait()
    assert status == 0, f"the local run failed: {local}/call.log"
    campaign.say("the same without Slurm")
    status = compared(local, campaign.folder)
    if status == 0 and options.folder is None:
        shutil.rmtree(folder)
    else:
        print(f"kept: {folder}")
    return status


if __name__ == "__main__":
    sys.exit(main())
