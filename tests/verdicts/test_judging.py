"""Verdicts from intervals and regions, and that nothing missing or damaged ever becomes a verdict."""

import io

import pandas as pd
import pytest

from sgdiffusion.config.models import Claim, Region
from sgdiffusion.verdicts import Measured, Obstacle, Verdict, join_verdicts, verdict_table
from sgdiffusion.verdicts.judging import VERDICT_COLUMNS, lie, obstructed


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
        "reason": "a factor of 2",
    }
    return Claim(**{**base, "accept": list(regions) or [region()], **changes})


def row_of(claim: Claim, quantities: dict, preset: str = "full", embedded=(), left_out=None) -> pd.Series:
    return verdict_table([claim], quantities, preset, embedded, left_out)[0].iloc[0]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [((0.2, 0.3), (0.2, 0.3), Verdict.HOLDS), ((2, 3), (2, 3), Verdict.FAILS),
     ((0.2, 0.3), (2, 3), Verdict.IN_PART), ((0.2, 0.3), (0.5, 3), Verdict.IN_PART),
     ((2, 3), (0.5, 3), Verdict.IN_PART), ((0.5, 3), (0.5, 3), Verdict.UNDECIDED)],
)  # fmt: skip
def test_verdict_of_two_quantities(a, b, expected: Verdict):
    two = claim(region(quantity="a"), region(quantity="b"))
    row = row_of(two, {"a": measured(*a), "b": measured(*b)})
    assert (row["verdict"], row["obstacle"], row["rule"]) == (expected, "", "a factor of 2")
    assert row["interval"].count("over 5 seeds") == 2


def test_a_judged_claim_says_how_each_number_lies():
    one_sided = claim(region(), Region(quantity="b", low=4.0))
    found = lie(one_sided, {"q": measured(2e-7, 0.3), "b": measured(1, 5)})
    assert found == "q: inside, accepted [0, 1]; b: open, accepted [4, ∞]"


def test_a_missing_measurement_is_named():
    row = row_of(claim(region(), region(quantity="there")), {"there": measured(0.2, 0.3)})
    assert (row["verdict"], row["obstacle"]) == (Verdict.NOT_TESTED, Obstacle.NOT_RUN)
    assert (row["measured"], row["why"]) == ("there = 0.25", "no measurement of q")
    assert row_of(claim(), {})["measured"] == "not run"


def test_substitute_data_or_small_scale_give_no_verdict_but_show_the_value():
    needs, quantities = claim(needs_real=["mnist"], needs_preset="full"), {"q": measured(0.2, 0.3)}
    assert obstructed(needs, "full", []) is None
    assert row_of(needs, quantities)["verdict"] == Verdict.HOLDS
    for preset, embedded, obstacle, why in (
        ("full", ["mnist"], Obstacle.SUBSTITUTE_DATA, "needs the real mnist"),
        ("demo", ["mnist"], Obstacle.SUBSTITUTE_DATA, "needs the real mnist"),
        ("demo", [], Obstacle.REDUCED_SCALE, "needs the scale of the preset full"),
    ):
        row = row_of(needs, quantities, preset, embedded)
        assert (row["verdict"], row["obstacle"], row["why"]) == (Verdict.NOT_TESTED, obstacle, why)
        assert row["measured"] == "q = 0.25"


def test_a_claim_left_out_says_why_and_is_not_judged():
    row = row_of(claim(), {"q": measured(0.4, 0.6)}, left_out={"c": "no data at hand"})
    assert (row["verdict"], row["obstacle"]) == (Verdict.NOT_TESTED, Obstacle.LEFT_OUT)
    assert row["why"] == "no data at hand"


def test_an_optional_claim_says_how_to_measure_it_and_is_judged_once_it_is():
    asked = claim(optional="paper_table")
    row = row_of(asked, {})
    assert (row["verdict"], row["obstacle"]) == (Verdict.NOT_TESTED, Obstacle.OPTIONAL)
    assert row["why"] == "the target paper_table measures it when asked for"
    assert row_of(asked, {"q": measured(0.4, 0.6)})["verdict"] == Verdict.HOLDS


def test_tables_are_joined_and_empty_cells_stay_empty():
    """Read back from a file as the workflow reads them, where an empty cell is a NaN."""
    tables = []
    for quantities in ({"q": measured(0.4, 0.6)}, {}):
        text = verdict_table([claim()], quantities, "full", [])[0].assign(note="n").to_csv(index=False)
        tables.append(pd.read_csv(io.StringIO(text)))
    both = join_verdicts(one=tables[0], two=tables[1])
    assert both["paper"].tolist() == ["one", "two"]
    assert both["obstacle"].tolist() == ["", "not run"]
    assert both["interval"].tolist() == ["[0.4, 0.6] over 5 seeds", ""]
    assert list(both.columns) == ["paper", *VERDICT_COLUMNS, "note"]


def test_names_in_html_are_one_word():
    assert [v.slug for v in Verdict] == [
        "holds",
        "in-part",
        "fails",
        "depends-on-the-reading",
        "undecided",
        "not-comparable",
        "not-tested",
    ]
