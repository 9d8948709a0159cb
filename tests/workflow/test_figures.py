"""Every figure of the built preset smoke, looked at: no legend on data, no word cut, covered or small."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from sgdiffusion.config import Configuration, load_claims
from sgdiffusion.figures import style
from sgdiffusion.papers.items import Plan, registries

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow/scripts"))

from _files import read_tables
from oracles.inspection import complaints

EVERY = [(paper, name) for paper, registry in registries().items() for name in registry.figures]


@pytest.fixture(scope="module")
def built(smoked) -> Iterator[Path]:
    folder, done = smoked
    assert done.returncode == 0, done.text[-10000:]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def plans(built: Path):
    config = Configuration(Path("config"))
    claims = {paper: load_claims(Path("config"), paper) for paper in config.papers()}
    return lambda paper: Plan(paper, "smoke", {"preset": "smoke"}, config, claims, lambda item: True)


def drawn(plan: Plan, name: str) -> Figure:
    registry = registries()[plan.paper]
    item = registry.figures[name]
    module, function = item.function.split(":")
    draw = getattr(import_module(f"{registry.package}.figures.{module}"), function)
    return draw(**read_tables(plan.files(item.tables)), **item.arguments(plan))


@pytest.mark.parametrize(("paper", "name"), EVERY, ids="-".join)
def test_a_referee_finds_nothing(plans, paper: str, name: str):
    with style.style():
        figure = drawn(plans(paper), name)
        style.stamp(figure, "substitute data: digits · preset smoke: reduced scale")
        assert complaints(figure) == []
