"""pyproject.toml, requirements.lock and environment.yml name the same packages at the same pins."""

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
CONDA = {"python_full_version": "3.12.0", "python_version": "3.12"}
PLATFORMS = (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))


def locked() -> list[Requirement]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return [Requirement(line.rstrip("\\ ")) for line in lines if line and not line.startswith((" ", "#"))]


def wanted(*extras: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][e] for e in extras)]
    return [Requirement(text) for part in lists for text in part]


def pins(python: str, platform: str, machine: str) -> dict[str, str]:
    where = {"python_full_version": f"{python}.0", "python_version": python,
             "sys_platform": platform, "platform_machine": machine}  # fmt: skip
    found = {}
    for requirement in locked():
        if requirement.marker is None or requirement.marker.evaluate(where):
            (specifier,) = requirement.specifier
            assert specifier.operator == "=="
            found[requirement.name.lower()] = specifier.version
    return found


def test_lock_satisfies_pyproject_on_every_platform_and_python():
    for platform, machine in PLATFORMS:
        for python in ("3.11", "3.12", "3.13", "3.14"):
            there = pins(python, platform, machine)
            for requirement in wanted("workflow", "language", "dev"):
                assert requirement.specifier.contains(there[requirement.name.lower()]), requirement


def test_conda_environment_has_the_locks_pins():
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (pip,) = (d["pip"] for d in dependencies if isinstance(d, dict))
    here = {Requirement(p).name.lower(): str(Requirement(p).specifier) for p in pip}
    there = pins("3.12", "linux", "x86_64")
    expected = {r.name.lower(): f"=={there[r.name.lower()]}" for r in wanted("workflow", "language")}
    assert here == expected


def test_every_pin_has_hashes_and_no_file_names_a_host():
    text = (ROOT / "requirements.lock").read_text()
    for block in re.split(r"\n(?=\S)", text.strip()):
        assert "--hash=sha256:" in block, block[:60]
    for name in ("requirements.lock", "environment.yml", "pyproject.toml"):
        assert not re.search(r"https?://", (ROOT / name).read_text()), name
