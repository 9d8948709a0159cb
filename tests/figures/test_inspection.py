"""The inspection of figures sees what it is for, and nothing on a figure without fault."""

import numpy as np
from oracles.inspection import complaints

from sgdiffusion.figures import style

X = np.linspace(0.0, 1.0, 20)


def example(**legend):
    figure, ax = style.new_figure()
    ax.plot(X, X, label="rising")
    ax.set(xlabel="x", ylabel="y")
    ax.legend(**legend)
    return figure, ax


def kinds(figure) -> set[str]:
    return {found.split(":")[0] for found in complaints(figure)}


def test_a_sound_figure_passes():
    assert complaints(example(loc="upper left")[0]) == []


def test_a_legend_on_a_line_on_points_and_on_a_band():
    assert kinds(example(loc="upper right")[0]) == {"legend on data"}
    figure, ax = example(loc="upper left")
    ax.scatter([0.05], [0.95])
    assert kinds(figure) == {"legend on data"}
    figure, ax = example(loc="upper left")
    ax.fill_between(X, 0.8, 1.2, alpha=0.2)
    assert kinds(figure) == {"legend on data"}


def test_what_lies_beyond_the_axes_is_not_under_their_legend():
    figure, ax = example(loc="upper left")
    ax.plot(X, X + 0.9)
    ax.set_ylim(0, 1)
    style.legend_below(ax)
    assert complaints(figure) == []


def test_words_that_are_cut_or_overlap():
    figure, ax = example(loc="upper left")
    figure.text(0.98, 0.5, "far beyond the edge")
    assert "cut at the edge" in kinds(figure)
    figure, ax = example(loc="upper left")
    ax.set_xticks([0.5, 0.51], ["first name", "second name"])
    assert kinds(figure) == {"words overlap"}
    figure, ax = example(loc="upper left")
    ax.annotate("one", (0.8, 0.1))
    ax.annotate("other", (0.8, 0.1))
    assert kinds(figure) == {"words overlap"}


def test_small_letters():
    figure, ax = example(loc="upper left")
    ax.annotate("tiny", (0.8, 0.1), fontsize=4)
    assert complaints(figure) == ["4 points: 'tiny'"]
