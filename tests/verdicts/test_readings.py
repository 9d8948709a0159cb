"""Labels over readings: the rules, what decides, and how often chance gives a wrong label."""

import numpy as np
import pandas as pd
import pytest

from sgdiffusion.config.models import Claim
from sgdiffusion.errors import MeasureError
from sgdiffusion.verdicts import Measured, Verdict, read_readings, verdict_table
from sgdiffusion.verdicts.judging import verdict_of
from sgdiffusion.verdicts.readings import (
    Reading,
    decides,
    distance,
    effects,
    judged_readings,
    label,
    nearest,
    summary,
    values_of_choices,
)

H, P, F, U = Verdict.HOLDS, Verdict.IN_PART, Verdict.FAILS, Verdict.UNDECIDED


def claim(**changes) -> Claim:
    base = {
        "id": "c",
        "source": "Fig 1",
        "statement": "s",
        "kind": "number",
        "published": "0.5",
        "accept": [{"quantity": "q", "published": 0.5, "low": 0.0, "high": 1.0}],
        "reason": "a factor of 2",
        "choices": ["window", "rate"],
    }
    return Claim(**{**base, **changes})


def at(value: float, half: float = 0.1) -> dict[str, Measured]:
    return {"q": Measured(value, value - half, value + half, 5, "", "seeds")}


def reading(name: str, value: float, half: float = 0.1, flagged: float = 0.0) -> Reading:
    return Reading(name, at(value, half), {"q": flagged})


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [([H], H), ([U], U), ([H] * 9 + [F], H), ([H] * 8 + [F] * 2, Verdict.DEPENDS), ([F] * 9 + [H], F),
     ([F, P], Verdict.DEPENDS), ([P, U], P), ([H] * 5 + [U] * 5, U), ([U] * 3, U)],
)  # fmt: skip
def test_labels(verdicts, expected):
    assert label(claim(), verdicts) is expected
    assert label(claim(incomparable="no scale is given"), verdicts) is Verdict.NOT_COMPARABLE


def test_a_claim_is_judged_under_the_readings_of_its_own_choices():
    base = {**at(0.5), "other": Measured(1, 1, 1, 1, "", "exact")}
    there = [reading("base", 0.5), reading("window=1", 0.6), reading("rate=2;window=1", 3.0)]
    foreign = [reading("chains=9", 9.0), Reading("window=7", {"other": base["other"]}, {})]
    judged = judged_readings(claim(), base, [*there, *foreign])
    assert [j.reading.name for j in judged] == ["base", "window=1", "rate=2;window=1"]
    assert [j.verdict for j in judged] == [H, H, F]


def test_a_number_that_a_reading_does_not_touch_is_that_of_the_base():
    two = claim(accept=[{"quantity": "q", "low": 0.0}, {"quantity": "r", "low": 0.0}])
    base = {**at(0.5), "r": Measured(-2, -3, -1, 5, "", "seeds")}
    assert [j.verdict for j in judged_readings(two, base, [reading("rate=2", 0.7)])] == [P, P]


def test_a_single_observation_decides_nothing():
    alone = {"q": Measured(0.5, 0.5, 0.5, 1, "", "seeds")}
    assert verdict_of(claim(), alone) is U
    assert verdict_of(claim(), {"q": Measured(0.5, 0.5, 0.5, 1, "", "exact")}) is H


def test_what_decides_is_the_choice_that_moves_the_number_most():
    found = [reading("window=1", 0.6), reading("window=2", 0.7), reading("rate=2", 3.0, 0.2)]
    judged = judged_readings(claim(), at(0.5), [*found, reading("rate=2;window=2", 100.0)])
    assert [(e.choice, e.low, e.high) for e in effects(claim(), judged)] == [
        ("rate", 0.5, 3.0),
        ("window", 0.5, 0.7),
    ]
    assert effects(claim(), judged)[0].error == pytest.approx(np.hypot(0.1, 0.2))
    assert decides(claim(), judged) == "rate (from 0.5 to 3, ± 0.224); the verdict turns on rate"
    assert nearest(claim(), judged).startswith("base: 0.5 [0.4, 0.6]")


def test_distances_are_ratios_where_the_signs_agree():
    assert distance(2.0, 1.0) == pytest.approx(distance(0.5, 1.0))
    assert distance(-1.0, 1.0) == 2.0


def test_unconverged_readings_are_counted_apart():
    judged = judged_readings(claim(), at(0.5), [reading("rate=2", 9, flagged=0.5), reading("rate=3", 0.4)])
    assert summary(claim(), judged) == "of 3 readings 2 hold, 1 fail; converged: of 2 readings 2 hold"
    lonely = claim(choices=[], no_choices="a theorem")
    assert summary(lonely, judged_readings(lonely, at(0.5), [])) == "a theorem"


def test_tables_of_readings_are_read_and_joined():
    columns = ["quantity", "value", "low", "high", "n", "unit", "over", "reading"]
    first = pd.DataFrame([("q", 1, 0, 2, 5, "", "seeds", "rate=2")], columns=columns)
    second = pd.DataFrame([("r", 1, 0, 2, 5, "", "seeds", "rate=2")], columns=columns).assign(flagged=0.3)
    (found,) = read_readings([first, second])
    assert (found.name, set(found.quantities), dict(found.flagged)) == ("rate=2", {"q", "r"}, {"r": 0.3})
    with pytest.raises(MeasureError, match="lacks the column reading"):
        read_readings([first.drop(columns="reading")])
    assert read_readings([]) == []


def test_the_table_has_the_label_and_the_readings_their_own():
    table, under = verdict_table([claim()], at(0.5), "full", [], readings=[reading("rate=2", 5.0)])
    row = table.iloc[0]
    assert (row["verdict"], row["at base"]) == (Verdict.DEPENDS, H)
    assert row["readings"] == "of 2 readings 1 hold, 1 fail"
    assert under[["reading", "verdict", "value"]].to_numpy().tolist() == [
        ["base", "Holds", 0.5],
        ["rate=2", "Fails", 5.0],
    ]


def test_values_of_choices_leave_out_what_no_reading_changes():
    table = values_of_choices(["base", "rate=2"], claim(), {"rate": "1", "window": "w"})
    assert table.to_dict("index") == {"base": {"rate": "1"}, "rate=2": {"rate": "2"}}


def simulated(truths: np.ndarray, rng: np.random.Generator, error: float = 0.1) -> Verdict:
    """The label of a claim q in [0, 1] whose readings have these true values, each measured with an error."""
    measured = truths + error * rng.standard_normal(len(truths))
    return label(claim(), [verdict_of(claim(), at(v, 1.96 * error)) for v in measured])


@pytest.mark.parametrize(
    ("truths", "right", "wrong", "most"),
    [  # the worst cases of each truth: at the end of the region, where an interval misses 2.5 % of the time
        (np.full(20, 0.5), {H}, {F, Verdict.DEPENDS}, 0.01),
        (np.full(20, 2.0), {F}, {H, Verdict.DEPENDS}, 0.01),
        (np.r_[np.full(10, 0.5), np.full(10, 2.0)], {Verdict.DEPENDS}, {H, F}, 0.01),
        (np.full(20, 1.0), {U, Verdict.DEPENDS}, {H, F}, 0.01),
    ],
)
def test_chance_seldom_gives_a_wrong_label(truths, right, wrong, most):
    """1,000 claims of known truth; three standard errors of a rate of 1 % are 1 %."""
    rng = np.random.default_rng(0)
    labels = [simulated(truths, rng) for _ in range(1000)]
    assert sum(found in wrong for found in labels) / 1000 <= 2 * most
    assert sum(found in right for found in labels) / 1000 >= 0.95
