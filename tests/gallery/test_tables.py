"""Assumptions and findings as tables: shared choices in one row, findings with their standing."""

import io

import pandas as pd

from sgdiffusion.config.models import Assumption
from sgdiffusion.config.texts import Texts
from sgdiffusion.gallery.tables import assumptions_table, findings_table

NUMBERS = pd.DataFrame(
    [{"quantity": q, "value": v, "low": v - 0.1, "high": v + 0.1, "n": 3, "unit": "", "over": "seeds"}
     for q, v in (("one", 1.0), ("two", 2.0))]
)  # fmt: skip


def assumption(sensitivity: str | None = None) -> Assumption:
    return Assumption(topic="batch size", choice="128", reason="usual", sensitivity=sensitivity)


def test_runs_with_the_same_choice_share_a_row():
    choices = [("p", "a", assumption()), ("p", "b", assumption()), ("q", "a", assumption())]
    table = assumptions_table(choices, {}, {"p": NUMBERS})
    assert list(table["runs"]) == ["a, b", "a"]
    assert list(table["sensitivity"]) == ["not measured"] * 2


def test_sensitivity_is_filled_in_from_the_numbers():
    table = assumptions_table([("p", "a", assumption("it doubles: {two|value}"))], {}, {"p": NUMBERS})
    assert list(table["sensitivity"]) == ["it doubles: 2"]


def test_the_effect_of_a_varied_choice_is_read_from_the_readings():
    rows = [("one", "base", "Holds"), ("one", "rate=2", "Fails"), ("one", "rate=2;size=3", "Undecided"),
            ("two", "base", "Holds"), ("two", "rate=2", "Holds"), ("three", "base", "Fails")]  # fmt: skip
    readings = {"p": pd.DataFrame(rows, columns=["claim", "reading", "verdict"])}
    varied = [("p", "a", assumption().model_copy(update={"varied": name})) for name in ("rate", "size")]
    table = assumptions_table(varied, readings, {"p": NUMBERS})
    assert list(table["sensitivity"]) == [
        "varied in 2 claims: it changes the verdict of one (specification curves)",
        "size is not varied at this preset",
    ]


def test_a_paper_that_is_left_out_has_no_readings():
    varied = [("p", "a", assumption().model_copy(update={"varied": "rate"}))]
    for text in "claim,reading,verdict\n", "claim,reading,verdict\none,base,Holds\n":
        table = assumptions_table(varied, {"p": pd.read_csv(io.StringIO(text))}, {"p": NUMBERS})
        assert list(table["sensitivity"]) == ["rate is not varied at this preset"]


def test_a_choice_that_cannot_matter_says_why():
    told = assumption().model_copy(update={"no_effect": "an identity"})
    table = assumptions_table([("p", "a", told)], {}, {"p": NUMBERS})
    assert list(table["sensitivity"]) == ["cannot change a verdict: an identity"]


def standing(*regions: dict) -> str:
    paper = {"title": "t", "short": "s", "authors": "a", "venue": "v", "arxiv": "1710.11029", "subject": "s"}
    entry = {
        "id": "f",
        "source": "Eq. 1",
        "kind": "error",
        "statement": "{one}",
        "demonstrated_by": list(regions),
    }
    table = findings_table({"p": Texts.model_validate({"paper": paper, "findings": [entry]})}, p=NUMBERS)
    assert list(table["statement"]) == ["1 [0.9, 1.1]"]
    return table["demonstrated"][0]


def test_a_finding_is_demonstrated_only_if_every_number_lies_where_it_must():
    one, two = {"quantity": "one", "high": 1.5}, {"quantity": "two", "low": 1.5}
    assert standing(one, two) == "yes"
    assert standing(one, {**two, "low": 2.0}) == "undecided"
    assert standing(one, {**two, "low": 3.0}) == "no"
    assert standing(one, {"quantity": "three", "low": 0.0}) == "not tested"
