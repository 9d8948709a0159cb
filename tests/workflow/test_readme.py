"""Every command the README shows exists and runs: snakemake's as dry runs, make's as dry runs of make."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", README, flags=re.S)
COMMANDS = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines() if line.strip()]


def commands(first: str) -> list[str]:
    found = [c for c in COMMANDS if c.split()[0] == first]
    assert found, f"the README shows no {first} command"
    return found


def test_a_newcomer_has_a_minute():
    assert len(README.split()) <= 1200


def test_readme_shows_only_commands_that_are_tested_here():
    assert {c.split()[0] for c in COMMANDS} == {"make", "snakemake", "source"}


@pytest.mark.parametrize("command", commands("make"))
def test_make_commands_exist(command: str):
    target = command.split()[1]
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("command", commands("snakemake"))
def test_snakemake_commands_plan(dag, checkout: Path, command: str):
    done = dag.run(checkout, "-n", *command.split()[1:])
    assert done.returncode == 0, done.text
    assert done.jobs()


def test_example_override_is_valid(dag, tmp_path: Path):
    folder = dag.copy(tmp_path)
    shutil.copy(folder / "config/presets/full.yaml", folder / "config/presets/mine.yaml")
    (example,) = re.findall(r"```yaml\n(.*?)```", README, flags=re.S)
    with (folder / "config/presets/mine.yaml").open("a") as preset:
        preset.write(example)
    done = dag.run(folder, "-n", "figures/mine/chaudhari2018/fig1b.pdf")
    assert done.returncode == 0, done.text
    assert done.jobs()["train_chaudhari2018_network"] == 3


def test_files_it_links_to_exist():
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        if not link.startswith("https://"):
            assert (ROOT / link).exists(), link


def test_files_it_lists_exist():
    (tree,) = (block for block in README.split("```")[1::2] if "\nSnakefile, workflow/" in block)
    folder = ROOT
    for line in tree.strip("\n").splitlines():
        within = folder if line.startswith("  ") else ROOT
        for name in re.split(r",? +", re.split(r" {2,}", line.strip())[0]):
            assert "<" in name or (within / name).exists() or name in ("results/",), name
            folder = within / name if within is ROOT else folder
