"""pyproject.toml, requirements.lock and environment.yml name the same packages at the same pins."""

import functools
import importlib.metadata
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PLATFORMS = (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
EXTRAS = ("workflow", "language", "lightning", "trainer", "archive", "docs", "slurm", "dev")


def locked() -> list[Requirement]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return [Requirement(line.rstrip("\\ ")) for line in lines if line and not line.startswith((" ", "#"))]


def wanted(*extras: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][e] for e in extras)]
    return [Requirement(text) for part in lists for text in part]


def environment(python: str, platform: str, machine: str) -> dict[str, str]:
    return {"python_full_version": f"{python}.0", "python_version": python, "sys_platform": platform,
            "platform_system": platform.capitalize(), "platform_machine": machine}  # fmt: skip


def applies(requirement: Requirement, where: dict[str, str], extras: Iterable[str] = ()) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({**where, "extra": extra}) for extra in ("", *extras))


def pins(where: dict[str, str]) -> dict[str, str]:
    found = {}
    for requirement in locked():
        if applies(requirement, where):
            (specifier,) = requirement.specifier
            assert specifier.operator == "=="
            assert requirement.name not in found, f"pinned twice: {requirement.name}"
            found[canonicalize_name(requirement.name)] = specifier.version
    return found


@functools.cache
def installed(name: str) -> tuple[str | None, list[Requirement]]:
    """Version of a package in this environment and what it asks for."""
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None, []
    return distribution.version, [Requirement(text) for text in distribution.requires or ()]


def requires(name: str, pin: str) -> list[Requirement]:
    """What a package asks for at this pin; nothing is known of a pin that is not installed here."""
    version, requirements = installed(name)
    return requirements if version == pin else []


def closure(there: dict[str, str], where: dict[str, str]) -> set[str]:
    """Every package that the project with all its extras asks for, each checked to be among the pins."""
    todo, seen = [("pyproject.toml", r) for r in wanted(*EXTRAS)], set()
    while todo:
        source, requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        assert name in there, f"{source} asks for {requirement}, which is not in the lock at {where}"
        assert requirement.specifier.contains(there[name], prereleases=True), f"{source}: {requirement}"
        for extra in {"", *requirement.extras} - {e for n, e in seen if n == name}:
            seen.add((name, extra))
            todo += [(name, r) for r in requires(name, there[name]) if applies(r, where, [extra])]
    return {name for name, _ in seen}


def test_lock_holds_all_that_its_packages_ask_for_on_every_platform_and_python():
    for platform, machine in PLATFORMS:
        for python in PYTHONS:
            where = environment(python, platform, machine)
            closure(pins(where), where)


def test_lock_is_the_closure_of_what_is_installed_here_and_nothing_more():
    where = dict(default_environment())
    there = pins(where)
    others = {n: v for n in there if (v := installed(n)[0]) != there[n]}
    assert not others, f"this environment was not made from the lock: {others}"
    assert closure(there, where) == set(there)


def test_conda_environment_has_the_locks_pins():
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (pip,) = (d["pip"] for d in dependencies if isinstance(d, dict))
    here = {Requirement(p).name.lower(): str(Requirement(p).specifier) for p in pip}
    there = pins(environment("3.12", "linux", "x86_64"))
    extras = ("workflow", "language", "slurm", "archive")
    expected = {r.name.lower(): f"=={there[r.name.lower()]}" for r in wanted(*extras)}
    assert here == expected


def test_every_pin_has_hashes_and_no_file_names_a_host():
    text = (ROOT / "requirements.lock").read_text()
    for block in re.split(r"\n(?=\S)", text.strip()):
        assert "--hash=sha256:" in block, block[:60]
    for name in ("requirements.lock", "environment.yml", "pyproject.toml"):
        assert not re.search(r"https?://", (ROOT / name).read_text()), name
