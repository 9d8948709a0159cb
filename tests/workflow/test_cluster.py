"""profiles/slurm with programs in Slurm's place: what it plans and asks for, and that a job's end is noticed.

The programs run a job when it is submitted and keep no accounts. tests/cluster/run.py takes a real Slurm.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("snakemake_executor_plugin_slurm", reason="needs the extra slurm")

ROOT = Path(__file__).resolve().parents[2]
PROFILES = {p.parent.name: yaml.safe_load(p.read_text()) for p in (ROOT / "profiles").glob("*/config.yaml")}
PROFILE = ("--workflow-profile", "profiles/slurm")
PROGRAMS = {
    "sinfo": "",
    # a call that asks it for the state of jobs would wait forever: better that it dies
    "sacct": 'case "$*" in *--name*) kill -9 $PPID ;; esac; echo accounting is disabled >&2; exit 1',
    "sacctmgr": "exit 1",
    "scontrol": "echo 'MinJobAge = 300 sec'",
    "squeue": 'cat "$STATES" 2> /dev/null; exit 0',
    "srun": 'while [ "${1#-}" != "$1" ]; do shift; done; exec "$@"',
}
SBATCH = """#!{python}
import json, os, subprocess, sys
wrapped = sys.argv[-1].removeprefix("--wrap=")
variables = dict(os.environ, SLURM_JOB_ID="7")
failed = "FAIL" in os.environ or subprocess.run(["sh", "-c", wrapped], env=variables, stdout=2).returncode
with open(os.environ["STATES"], "a") as states:
    print("7|FAILED" if failed else "7|COMPLETED", file=states)
with open(os.environ["STATES"] + ".calls", "a") as calls:
    print(json.dumps(sys.argv), file=calls)
print(7)
"""


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, str]:
    """The variables under which snakemake finds the programs."""
    (programs := tmp_path / "bin").mkdir()
    for name, body in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
    (programs / "sbatch").write_text(SBATCH.format(python=sys.executable))
    for program in programs.iterdir():
        program.chmod(0o755)
    return {"PATH": f"{programs}:{os.environ['PATH']}", "STATES": str(tmp_path / "states")}


def submitted(dag, folder: Path, slurm: dict[str, str], **more: str):
    """One job through the profile; the programs in Slurm's place answer at once."""
    words = (*PROFILE, "--slurm-init-seconds-before-status-checks", "1", "figures/smoke/items.json")
    return dag.run(folder, *words, **slurm, **more)


def test_a_finished_job_is_noticed_without_accounts(dag, tmp_path: Path, slurm):
    folder = dag.copy(tmp_path / "checkout")
    done = submitted(dag, folder, slurm)
    assert done.returncode == 0, done.text
    assert "1 of 1 steps (100%) done" in done.text
    assert json.loads((folder / "figures/smoke/items.json").read_text())["preset"] == "smoke"
    (call,) = map(json.loads, Path(slurm["STATES"] + ".calls").read_text().splitlines())
    (asked,) = re.findall(r"(?s)rule list_items:.*?mem_mb=(\d+),.*?runtime=(\d+)", done.text)
    assert (call[call.index("--mem") + 1], call[call.index("-t") + 1]) == asked
    assert {"--requeue", "--cpus-per-task=1"} <= set(call)


def test_a_failed_job_is_named(dag, checkout: Path, slurm):
    done = submitted(dag, checkout, slurm, FAIL="1")
    assert done.returncode != 0
    assert re.search(r"(?s)Error in group report.*/7\.log.*rule list_items", done.text)


def test_every_job_asks_for_memory_time_and_the_threads_of_a_local_run(dag, checkout: Path):
    """The profile's `cores` caps what rules ask for, and must not."""
    done = dag.run(checkout, "-n", *PROFILE, "smoke")
    assert done.returncode == 0, done.text
    local = dag.run(checkout, "-n", "--cores", "64", "smoke")
    asked = re.findall(r"^ +resources: (.*)$", done.text, flags=re.M)
    assert len(asked) == sum(local.jobs().values()) > 100
    assert all(re.search(r"\bmem_mb=\d+,.*\bruntime=\d+", line) for line in asked)
    threads = [sorted(re.findall(r"^ +threads: (\d+)$", d.text, flags=re.M)) for d in (done, local)]
    assert threads[0] == threads[1] != []


def test_groups_name_rules_and_sizes_name_groups(dag, checkout: Path):
    groups, sizes = PROFILES["slurm"]["groups"], PROFILES["slurm"]["group-components"]
    assert set(groups) <= set(dag.run(checkout, "--list").text.split())
    assert set(sizes) <= set(groups.values())


def test_profiles_agree_on_what_makes_a_job_stale():
    kept = ("rerun-triggers", "rerun-incomplete", "keep-going", "show-failed-logs")
    for name, profile in PROFILES.items():
        assert {k: profile[k] for k in kept} == {k: PROFILES["default"][k] for k in kept}, name


def test_without_slurm_the_real_test_says_so_in_one_line():
    script = "import sys, loopback, run; loopback.PROGRAMS = ('no-such-daemon',); sys.exit(run.main())"
    where = {"cwd": ROOT / "tests" / "cluster", "capture_output": True, "text": True}
    done = subprocess.run([sys.executable, "-c", script], **where)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: no no-such-daemon here: install Slurm")


def test_memory_is_what_the_published_run_took_and_more_at_a_second_attempt(dag, tmp_path: Path):
    folder = dag.copy(tmp_path / "checkout")
    table = folder / "figures/reference/costs.csv"
    table.parent.mkdir(parents=True)
    table.write_text("rule,jobs,peak_mb\nlist_items,1,200.0\nplot,3,0\n")
    for name, first in ("figures/smoke/items.json", 230), ("figures/smoke/ziyin2025/fig1.pdf", 1000):
        planned = dag.run(folder, "-n", "--cores", "1", name)
        assert planned.returncode == 0, planned.text
        assert f"mem_mb={first}," in planned.text
    failing = "--retries", "1", "--config", "preset=smoke"
    (folder / "workflow/scripts/list_items.py").write_text("raise SystemExit(1)\n")
    done = dag.run(folder, "--cores", "1", *failing, "--", "figures/smoke/items.json")
    assert re.findall(r"mem_mb=(\d+)", done.text) == ["230", "460"]
