"""Every figure of the built preset smoke, looked at: no legend on data, no word cut, covered or small, and
what is published marked in every panel.
"""

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
sys.path.insert(0, str(Path(__file__).parent))  # the modules of this folder

from _files import read_tables
from oracles.inspection import complaints
from published_marks import UNMARKED

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
        assert unmarked(figure) == set(UNMARKED[paper].get(name, {}))


def unmarked(figure: Figure) -> set[str]:
    """Letters of the panels without a mark of a published number; * for panels of one kind."""
    if any(text.get_gid() == style.PUBLISHED for text in figure.texts):
        return set()
    panels = [ax for ax in figure.axes if ax.axison and not hasattr(ax, "_colorbar")]
    bare = [ax for ax in panels if not any(a.get_gid() == style.PUBLISHED for a in ax.get_children())]
    alone = "" if len(panels) == 1 and not panels[0].get_title("center").startswith("sample") else "*"
    return {ax.get_title("left") or alone for ax in bare}


def test_a_panel_without_a_mark_is_seen():
    figure, (left, right) = style.new_figure(2, height=2.0, ncols=2)
    for letter, ax in zip("ab", (left, right), strict=True):
        ax.plot([0, 1], [0, 1])
        style.panel_label(ax, letter)
    style.published(left, y=0.5)
    assert unmarked(figure) == {"b"}
    style.published_range(right, 0.2, 0.4, upright=True)
    assert unmarked(figure) == set()
