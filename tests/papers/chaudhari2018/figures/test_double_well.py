"""Fig. 4 draws what is in its tables."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from numpy.testing import assert_allclose

from sgdiffusion.figures import style
from sgdiffusion.papers.chaudhari2018 import double_well as study
from sgdiffusion.papers.chaudhari2018.figures import double_well as fig4_module
from sgdiffusion.papers.chaudhari2018.figures.double_well import fig4


@pytest.fixture(scope="module", params=[0.0, 1.5])
def drawn(request):
    lam = request.param
    tables = study.tables(lam, study.simulate(lam, chains=400, steps=1500, seed=2))
    return lam, tables, fig4(**tables)


def lines_of(ax, colour):
    return [line for line in ax.get_lines() if line.get_color() == colour and len(line.get_xdata())]


def test_panels(drawn):
    lam, _, figure = drawn
    titles = [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")]
    assert len(titles) == (4 if lam == 1.5 else 3)
    (main,) = [ax for ax in figure.axes if ax.get_title() == rf"$\lambda = {lam:g}$"]
    assert (main.get_xlabel(), main.get_ylabel()) == ("$x_1$", "$x_2$")
    (legend,) = figure.legends
    texts = [t.get_text() for t in legend.get_texts()]
    assert len(texts) == len(set(texts))
    assert any("simulated density" in ax.get_xlabel() for ax in figure.axes)


def main_axes(figure):
    return next(ax for ax in figure.axes if ax.get_title().startswith(r"$\lambda"))


def test_map_shows_density_modes_and_field(drawn):
    _, tables, figure = drawn
    ax = main_axes(figure)
    mesh = next(c for c in ax.collections if type(c).__name__ == "QuadMesh")
    assert_allclose(mesh.get_array().sum(), tables["histogram"]["density"].sum())
    (modes,) = [line for line in lines_of(ax, style.VERMILION) if line.get_marker() == "o"]
    assert_allclose(np.sort(modes.get_xdata()), [-1, 1])
    assert_allclose(modes.get_ydata(), [0, 0])


def test_streamlines_follow_the_downward_field_with_widths_in_proportion(monkeypatch):
    field = study.field_table(0.5, points=5)
    calls = []
    monkeypatch.setattr(Axes, "streamplot", lambda self, *args, **look: calls.append((args, look)))
    fig4_module._streams(style.new_figure()[1], field)
    ((x1, x2, u, v), look) = calls[0]
    row = field[(field["x1"] == x1[3]) & (field["x2"] == x2[1])].iloc[0]
    assert_allclose((u[1, 3], v[1, 3]), (-row["df1"], -row["df2"]))
    assert_allclose(look["linewidth"], fig4_module.WIDTH_PER_GRADIENT * np.hypot(u, v))


def test_marginals_show_the_law_and_error_bars(drawn):
    _, tables, figure = drawn
    panels = [ax for ax in figure.axes if ax.get_ylabel() == "density"]
    assert len(panels) == 2
    for axis, ax in enumerate(panels, start=1):
        table = tables["marginals"][tables["marginals"]["axis"] == axis]
        (law,) = lines_of(ax, style.VERMILION)
        assert_allclose(law.get_ydata(), table["law"])
        (bars,) = ax.containers
        segments = bars.lines[2][0].get_segments()
        heights = np.array([s[1, 1] - s[0, 1] for s in segments])
        assert_allclose(heights, 2 * 1.96 * table["error"], atol=1e-12)


def test_orbits_and_the_return_map(drawn):
    lam, tables, figure = drawn
    ax = main_axes(figure)
    for color in fig4_module.SPAN_COLORS:  # each orbit in three colours, by time
        assert len(lines_of(ax, color)) == 2
    assert max(tables["orbits"]["time"]) == fig4_module.SPANS[-1]
    assert len(lines_of(ax, style.GREEN)) == (0 if lam == 0 else 1)
    maps = [a for a in figure.axes if "turn" in a.get_ylabel()]
    assert len(maps) == (1 if lam == 1.5 else 0)
    for panel in maps:
        (line,) = lines_of(panel, style.ORANGE)
        table = tables["returns"]
        assert_allclose(line.get_ydata(), 1 - table["returned"] / table["radius"])
        assert (line.get_ydata() > 0).all()  # no closed orbit
        assert panel.get_xscale() == panel.get_yscale() == "log"


def test_figure_is_saved_with_a_stamp(drawn, tmp_path):
    _, _, figure = drawn
    style.stamp(figure, "demo scale")
    style.save(figure, tmp_path / "fig4.pdf", tmp_path / "fig4.png")
    assert (tmp_path / "fig4.png").stat().st_size > 10_000
