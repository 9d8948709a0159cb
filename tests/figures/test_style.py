"""The shared figure style: palettes, marks, stamps, and files that do not change by themselves."""

import itertools
import re
import time

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from oracles.inspection import complaints

from sgdiffusion.figures import style


def _luminance(colour: str) -> float:
    return float(np.dot(to_rgb(colour), (0.2126, 0.7152, 0.0722)))


def _example() -> Figure:
    fig, ax = style.new_figure()
    ax.plot([0, 1, 2], [1, 3, 2], label="measured")
    ax.set_xlabel("x / unit")
    style.published(ax, y=2.5)
    style.stamp(fig, "substitute data: digits · demo scale")
    return fig


@pytest.mark.parametrize(("columns", "width"), [(1, 3.4), (2, 7.0)])
def test_figure_has_column_width_and_constrained_layout(columns, width):
    fig, axes = style.new_figure(columns, height=2.0, nrows=1, ncols=3)
    assert tuple(fig.get_size_inches()) == (width, 2.0)
    assert axes.shape == (3,)
    assert type(fig.get_layout_engine()).__name__ == "ConstrainedLayoutEngine"


def test_figure_of_three_columns_is_refused():
    with pytest.raises(ValueError, match="1 or 2 columns"):
        style.new_figure(3)


def test_style_does_not_leak_out_of_its_context():
    before = dict(mpl.rcParams)
    with style.style():
        assert mpl.rcParams["pdf.fonttype"] == 42
    _example()
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_instants_run_from_light_to_dark(n):
    luminances = [_luminance(c) for c in style.instants_palette(n)]
    assert len(luminances) == n
    assert all(a > b + 0.02 for a, b in itertools.pairwise(luminances))
    assert luminances[0] < 0.8  # the lightest still shows on white
    assert luminances[-1] == pytest.approx(_luminance(style.instants_palette(1)[0]))


def test_empty_palette_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        style.instants_palette(0)


def test_published_marks_have_one_look():
    _, ax = style.new_figure()
    vertical = style.published(ax, x=1.0)
    horizontal = style.published(ax, y=2.0, label=None)
    points = style.published(ax, x=[1, 2], y=[3, 4], label="paper")
    curve = style.published(ax, x=[1, 2], y=[3, 4], curve=True)
    assert list(vertical.get_xdata()) == [1.0, 1.0]
    assert list(horizontal.get_ydata()) == [2.0, 2.0]
    assert (points.get_marker(), points.get_linestyle()) == ("D", "None")
    assert curve.get_color() == vertical.get_color() == style.GREY
    assert curve.get_linestyle() == "--"
    assert ax.get_legend_handles_labels()[1] == ["published", "paper", "published"]


def test_published_without_a_value_is_refused():
    _, ax = style.new_figure()
    with pytest.raises(ValueError, match="x, y or both"):
        style.published(ax)


def test_seed_band_spans_low_to_high_in_the_given_colour():
    _, ax = style.new_figure()
    band = style.seed_band(ax, [0, 1], [1, 2], [3, 5], style.BLUE, label="s.d. over seeds")
    vertices = band.get_paths()[0].vertices
    assert (vertices[:, 1].min(), vertices[:, 1].max()) == (1, 5)
    assert tuple(band.get_facecolor()[0][:3]) == pytest.approx(to_rgb(style.BLUE))
    style.seed_band(ax, [0, 1], [1, 2], [3, 5], style.BLUE)
    assert ax.get_legend_handles_labels()[1] == ["s.d. over seeds"]


def test_panel_label_stands_at_the_left():
    _, ax = style.new_figure()
    style.panel_label(ax, "a")
    assert ax.get_title(loc="left") == "a"


@pytest.mark.parametrize("text", ["demo", "substitute data: digits at the scale of the demo preset " * 3])
def test_stamp_covers_nothing_and_is_not_clipped(text):
    fig, ax = style.new_figure(height=2.5)
    ax.set_xlabel("a label")
    style.stamp(fig, text)
    fig.draw_without_rendering()
    (mark,) = fig.texts
    box, label = mark.get_window_extent(), ax.xaxis.get_tightbbox()
    assert " ".join(mark.get_text().split()) == " ".join(text.split())
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert not box.overlaps(label)


def test_stamp_on_a_figure_that_cannot_make_room_is_refused():
    with pytest.raises(ValueError, match="constrained layout"):
        style.stamp(Figure(), "demo")


def test_files_are_the_same_bytes_at_another_time(tmp_path):
    style.save(_example(), tmp_path / "a" / "one.pdf", tmp_path / "a" / "one.png")
    time.sleep(1.1)  # the formats' dates have a resolution of one second
    style.save(_example(), tmp_path / "b" / "two.pdf", tmp_path / "b" / "two.png")
    for kind in ("pdf", "png"):
        first, second = (
            (tmp_path / "a" / f"one.{kind}").read_bytes(),
            (tmp_path / "b" / f"two.{kind}").read_bytes(),
        )
        assert first == second
        assert not re.search(rb"CreationDate|Software|Creator \(", first)


def test_saving_is_silent_about_the_dates_of_mathematical_fonts(tmp_path, caplog):
    fig, ax = style.new_figure()
    ax.set_xlabel(r"$f''$")  # its glyphs are in a font whose dates the font library finds too early
    style.save(fig, tmp_path / "f.pdf", tmp_path / "f.png")
    assert not [record for record in caplog.records if "timestamp" in record.getMessage()]


def test_png_has_200_dots_per_inch(tmp_path):
    style.save(_example(), tmp_path / "f.pdf", tmp_path / "f.png")
    header = (tmp_path / "f.png").read_bytes()[16:24]
    assert int.from_bytes(header[:4], "big") == 680  # 3.4 in x 200 dpi


def test_stamp_does_not_touch_a_legend_outside_the_axes():
    figure, ax = style.new_figure(height=2.0)
    ax.plot([0, 1], label="a long label that fills the width of the figure")
    ax.set_xlabel("x")
    figure.legend(loc="outside lower center")
    style.stamp(figure, "substitute data: digits")
    figure.draw_without_rendering()
    (mark,) = (t for t in figure.texts if t.get_gid() == "stamp")
    legend = figure.legends[0].get_window_extent()
    assert not mark.get_window_extent().overlaps(legend)
    assert not ax.get_tightbbox().overlaps(legend)  # and the axes still make room for it


def test_logarithmic_ticks_are_plain_numbers():
    _, ax = style.new_figure()
    ax.set(xscale="log", xlim=(0.3, 30))
    style.plain_log_ticks(ax.xaxis)
    ax.figure.canvas.draw()
    shown = [label.get_text() for label in ax.get_xticklabels() if 0.3 <= label.get_position()[0] <= 30]
    assert shown == ["0.5", "1", "2", "5", "10", "20"]
    assert not any(label.get_text() for label in ax.get_xticklabels(minor=True))


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.8, 60.0, ["1", "2", "5", "10", "20", "50"]),
        (0.9, 2.4, ["1", "1.5", "2"]),
        (1.02, 1.09, None),
        (1e-9, 1e9, None),
        (0.06, 14.0, None),
    ],
)
def test_plain_ticks_fit_an_axis_of_any_range(low: float, high: float, ticks: list[str] | None):
    with style.style():
        figure, (ax, narrow) = style.new_figure(2, height=2.2, ncols=2, width_ratios=[6, 1])
        for one in (ax, narrow):
            one.set(xscale="log", xlim=(low, high))
            style.plain_log_ticks(one.xaxis)
        assert complaints(figure) == []
        for one in (ax, narrow):
            inside = [t for t in one.xaxis.get_ticklocs() if low <= t <= high]
            assert len(inside) >= 2
        if ticks is not None:
            assert [label.get_text() for label in ax.get_xticklabels()] == ticks
