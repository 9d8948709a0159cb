"""Verdicts from intervals and regions, and that nothing missing or damaged ever becomes a verdict."""

import math

import pandas as pd
import pytest

from sgdiffusion.config.models import Claim, Region
from sgdiffusion.errors import MeasureError
from sgdiffusion.verdicts import (
    Measured,
    join_verdicts,
    judge,
    markdown,
    obstacle,
    read_quantities,
    standing,
    verdict_table,
    was_judged,
)


def region(low=0.0, high=1.0, quantity="q"):
    return Region(quantity=quantity, low=low, high=high)


def measured(low: float, high: float, n: int = 5, over: str = "seeds"):
    return Measured((low + high) / 2, low, high, n, "", over)


def claim(*regions: Region, **changes) -> Claim:
    base = {
        "id": "c",
        "source": "Fig 1",
        "statement": "s",
        "kind": "number",
        "published": "0.5",
        "reason": "why.",
    }
    return Claim(**{**base, "accept": list(regions) or [region()], **changes})


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.2, 0.8, "inside"), (0.0, 1.0, "inside"), (1.1, 2.0, "outside"), (-3, -1, "outside"),
     (0.5, 1.5, "open"), (-1.0, 2.0, "open"), (1.0, 2.0, "open")],
)  # fmt: skip
def test_standing(low: float, high: float, expected: str):
    assert standing(measured(low, high), region()) == expected


def test_one_sided_regions():
    assert standing(measured(5, 9), Region(quantity="q", low=1.0)) == "inside"
    assert standing(measured(5, 9), Region(quantity="q", high=1.0)) == "outside"


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [((0.2, 0.3), (0.2, 0.3), "reproduced"), ((2, 3), (2, 3), "not reproduced"),
     ((0.2, 0.3), (2, 3), "reproduced in part"), ((0.2, 0.3), (0.5, 3), "reproduced in part"),
     ((0.5, 3), (0.5, 3), "not testable here")],
)  # fmt: skip
def test_verdict_of_two_quantities(a, b, expected: str):
    row = judge(claim(region(quantity="a"), region(quantity="b")), {"a": measured(*a), "b": measured(*b)})
    assert row["verdict"] == expected
    assert "why." in row["why"]
    assert "over 5 seeds" in row["interval"]


def test_missing_measurement_is_not_run():
    row = judge(claim(), {})
    assert (row["verdict"], row["measured"], row["why"]) == ("not testable here", "not run", "not run: q")


def test_substitute_data_or_small_scale_give_no_verdict_but_show_the_value():
    needs = claim(needs_real=["mnist"], needs_preset="full")
    assert obstacle(needs, "full", []) is None
    assert "needs the real mnist" in obstacle(needs, "full", ["mnist"])
    assert "preset full" in obstacle(needs, "demo", [])
    row = judge(needs, {"q": measured(0.2, 0.3)}, obstacle(needs, "demo", ["mnist"]))
    assert row["verdict"] == "not testable here"
    assert row["measured"].startswith("q = 0.25")


def test_intervals_say_when_there_is_none():
    assert judge(claim(), {"q": measured(0.5, 0.5, 1, "seeds")})["interval"] == "none (n = 1)"
    assert judge(claim(), {"q": measured(0.5, 0.5, 1, "exact")})["interval"] == "exact"


def quantities(**changes) -> pd.DataFrame:
    row = {"quantity": "q", "value": 0.5, "low": 0.4, "high": 0.6, "n": 3, "unit": "", "over": "seeds"}
    return pd.DataFrame([{**row, **changes}])


def test_read_quantities_refuses_damaged_tables():
    assert read_quantities([quantities()])["q"] == Measured(0.5, 0.4, 0.6, 3, "", "seeds")
    with pytest.raises(MeasureError, match="lacks the columns over"):
        read_quantities([quantities().drop(columns="over")])
    with pytest.raises(MeasureError, match="measured twice"):
        read_quantities([quantities(), quantities()])
    with pytest.raises(MeasureError, match="not a number"):
        read_quantities([quantities(low=math.nan)])


def test_tables_join_and_print():
    table = verdict_table([claim()], read_quantities([quantities()]), "full", [])
    assert table["verdict"].tolist() == ["reproduced"]
    both = join_verdicts(one=table, two=table)
    assert both["paper"].tolist() == ["one", "two"]
    text = markdown(pd.DataFrame({"a": [1.23456789, None], "b": ["x|y", "z"]}), "a note")
    assert text.splitlines() == [
        "**a note**",
        "",
        "| a | b |",
        "| --- | --- |",
        "| 1.235 | x\\|y |",
        "| nan | z |",
    ]


def test_a_claim_left_out_says_why_and_is_not_judged():
    quantities = {"q": measured(0.4, 0.6)}
    rows = verdict_table([claim()], quantities, "full", [], {"c": "no data at hand"})
    assert list(rows["verdict"]) == ["not testable here"]
    assert list(rows["why"]) == ["not run: no data at hand"]
    assert not was_judged(rows["why"][0])
    assert was_judged(verdict_table([claim()], quantities, "full", [])["why"][0])


def test_an_optional_claim_says_how_to_measure_it_and_is_judged_once_it_is():
    asked = claim(optional="paper_table")
    row = verdict_table([asked], {}, "full", []).iloc[0]
    assert row["verdict"] == "not testable here"
    assert row["why"] == "not run: optional, measured by the target paper_table when asked for"
    assert not was_judged(row["why"])
    assert verdict_table([asked], {"q": measured(0.4, 0.6)}, "full", [])["verdict"][0] == "reproduced"
