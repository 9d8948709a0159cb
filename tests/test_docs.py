"""The examples of docs/ run as they stand and print what the pages say."""

import math
import re
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
sys.path.insert(0, str(DOCS))

from generate.examples import EXAMPLE, PICTURE, printed  # noqa: E402

OWN = "measure-your-network"  # test_measure_page.py
PAGES = sorted(
    p for p in DOCS.rglob("*.md") if p.stem != OWN and EXAMPLE.search(p.read_text(encoding="utf-8"))
)
SLOW = ("tutorials",)  # they train, or measure a large network
NUMBER = re.compile(r"(?<![A-Za-z_\d])-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
MACHINE = re.compile(r"\d+\.\d+ s\b|method \w+")  # how long it took; which way was the fastest
TOLERANCE = 0.05  # other machines round otherwise, and a training amplifies it


def parts(text: str) -> tuple[list[str], list[float]]:
    """The words of an output, and its numbers."""
    anywhere = MACHINE.sub("", text)
    numbers = [float(n.replace(",", "")) for n in NUMBER.findall(anywhere)]
    return NUMBER.sub("#", anywhere).split(), numbers


def alike(one: str, other: str) -> bool:
    """Whether two outputs say the same, their numbers to 5 %."""
    (words, numbers), (same, others) = parts(one), parts(other)
    if words != same or len(numbers) != len(others):
        return False
    return all(
        math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE / 10)
        for a, b in zip(numbers, others, strict=True)
    )


def test_another_number_or_word_is_seen():
    assert alike("trace 74.4, 2.7 s", "trace 74.5, 5.5 s")
    assert not alike("trace 74.4", "trace 79.4")
    assert not alike("trace 74.4", "norm 74.4")
    assert not alike("N = 1,000", "N = 1,200")


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, marks=pytest.mark.slow if p.parent.name in SLOW else (), id=p.stem) for p in PAGES],
)
def test_examples_run_and_print_what_the_page_says(page: Path, tmp_path: Path):
    text = page.read_text(encoding="utf-8")
    outputs = printed(text, str(page), tmp_path)
    examples = list(EXAMPLE.finditer(text))
    assert len(outputs) == len(examples)
    for output, example in zip(outputs, examples, strict=True):
        if example["printed"] is not None:
            assert alike(output, example["printed"]), f"{output}\n--- the page says\n{example['printed']}"
    for picture in PICTURE.finditer(text):
        shown = (page.parent / picture["path"]).read_bytes()
        assert shown.startswith(b"\x89PNG")
        assert (tmp_path / picture["name"]).read_bytes().startswith(b"\x89PNG"), "no example draws it"
