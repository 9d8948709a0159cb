"""The examples of docs/measure-your-network.md run as they stand, each after the page's first block alone."""

import re
import shlex
from pathlib import Path

import pytest

from sgdiffusion import cli

DOCS = Path(__file__).resolve().parents[1] / "docs"
BLOCKS = [
    pytest.param(page, number, id=f"{page.stem}-{number}")
    for page in [DOCS / "measure-your-network.md"]
    for number in range(len(re.findall(r"```python\n", page.read_text())))
]


def block(page: Path, number: int) -> str:
    return re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.S)[number]


@pytest.mark.parametrize(("page", "number"), BLOCKS)
def test_examples_run(page: Path, number: int, tmp_path: Path, monkeypatch, capsys):
    if "transformers" in block(page, number):
        pytest.importorskip("transformers")
    monkeypatch.chdir(tmp_path)
    scope: dict = {}
    exec(compile(block(page, 0), str(page), "exec"), scope)
    code = block(page, number).replace("N = 500", "N = 12")  # the networks of the page's first lines
    exec(compile(code, str(page), "exec"), scope)
    assert capsys.readouterr().out or "print" not in code


def test_scripts_of_real_networks_have_at_most_eight_lines():
    long = [block(p.values[0], p.values[1]) for p in BLOCKS]
    scripts = [code for code in long if "N = 500" in code]
    assert len(scripts) == 2
    assert all(len([line for line in code.splitlines() if line]) <= 8 for code in scripts)


def test_commands_are_understood():
    for page in DOCS.glob("*.md"):
        for line in re.findall(r"^sgdiffusion .*", page.read_text(), flags=re.M):
            cli.parser().parse_args(shlex.split(line, comments=True)[1:])
