"""Numbers, intervals, regions and tables as text."""

import pandas as pd
import pytest

from sgdiffusion.config.models import Region
from sgdiffusion.verdicts import Measured, markdown
from sgdiffusion.verdicts.words import bounds, cell, interval, number, span, with_interval

MEASURED = Measured(0.1234, 0.1, 0.15, 3, "", "seeds")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.01234, "0.0123"), (-3.0, "−3"), (1.874e-5, "1.87·10⁻⁵"), (2e7, "2·10⁷"),
     (45678.0, "45678"), (float("inf"), "∞"), (float("nan"), "–"), (100.0, "100")],
)  # fmt: skip
def test_number(value: float, text: str):
    assert number(value) == text


def test_intervals_in_words():
    assert interval(MEASURED) == "[0.1, 0.15] over 3 seeds"
    assert interval(Measured(1.874e-5, 1.874e-5, 1.874e-5, 1, "λ", "exact")) == "exact"
    assert interval(Measured(1, 1, 1, 1, "", "seeds")) == "no interval (n = 1)"
    assert interval(Measured(1, 1, 1, 4, "", "seeds")) == "the same in 4 seeds"


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(1.0, None, "at least 1"), (None, 2.0, "at most 2"), (1.0, 2.0, "from 1 to 2")],
)
def test_bounds_in_words(low, high, words: str):
    assert bounds(Region(quantity="q", low=low, high=high)) == words


def test_numbers_with_their_intervals():
    assert with_interval(MEASURED) == "0.123 [0.1, 0.15]"
    assert with_interval(Measured(1, 1, 1, 1, "", "exact")) == "1"
    assert span(-float("inf"), 1.23456e-5, 4) == "[−∞, 1.235·10⁻⁵]"


def test_cells_have_four_digits_and_integers_all_of_theirs():
    assert [cell(t) for t in ("12345", "0.123456", "word", "")] == ["12345", "0.1235", "word", ""]


def test_markdown():
    text = markdown(pd.DataFrame({"a": [1.23456789e-6, None], "b": ["x|y", "z"]}), "a note")
    assert text.splitlines() == [
        "**a note**",
        "",
        "| a | b |",
        "| --- | --- |",
        "| 1.235·10⁻⁶ | x\\|y |",
        "| – | z |",
    ]
