"""Readings: settings revised and checked, chains computed once, readings without numbers left out."""

import logging

import pandas as pd
import pytest
from pydantic import ValidationError

from sgdiffusion.config.readings import Reading
from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.hennick2025 import readings as study

from .test_runs import LLC, SLOPES, TABLES, coefficients, evaluations, settings, walks


def reading(name: str, **changes) -> Reading:
    return Reading(name=name, values={}, set={k.replace("__", "."): v for k, v in changes.items()})


BASE = reading("base")
WEAK = reading("localisation=2", coefficients__localisation=2.0)
LOW = reading("rates=low", rates="low")


def test_settings_are_revised_and_checked_again():
    run = settings()
    assert study.revised(run, WEAK).coefficients.localisation == 2.0
    assert run.coefficients.localisation == 1.0
    with pytest.raises(ValidationError, match="rates 'none' is none of own, low"):
        study.revised(run, reading("x", rates="none"))


def test_chains_are_shared_between_readings():
    both = reading("rates=low;localisation=2", rates="low", coefficients__localisation=2.0)
    found = study.other_chains(settings(), [BASE, WEAK, LOW, both])
    assert list(found) == [study.chains_of(study.revised(settings(), WEAK))]


def designed(optimiser: str, factor: float = 1.0) -> study.Designed:
    """Two kinds of chains, the weak ones with half the λ̂ on every second run."""
    run, table = settings(optimiser), TABLES[optimiser]
    weak = coefficients(table, 0.5 * factor * LLC)
    chains = {
        study.chains_of(run): coefficients(table, factor * LLC),
        study.chains_of(study.revised(run, WEAK)): weak[weak["run"] % 2 == 0],
    }
    ends = evaluations(table, 2.0 * 1000**SLOPES)
    return study.Designed(f"mlps-{optimiser}", run, table, walks(table, SLOPES), chains, ends)


def test_a_reading_takes_its_own_chains_and_runs():
    both = [designed("sgd"), designed("adam", 2.0)]
    base, weak, low = (
        study.both_optimisers(both, r)["quantities"].set_index("quantity")["value"] for r in (None, WEAK, LOW)
    )
    assert base["mlps-sgd.final_llc_mean"] == pytest.approx(1.1 * LLC.mean())
    assert weak["mlps-sgd.final_llc_mean"] == pytest.approx(0.55 * LLC[::2].mean())
    assert weak["mlps-adam.final_llc_mean"] == pytest.approx(1.1 * LLC[::2].mean())
    inside = TABLES["sgd"]["rate"].between(0.003, 0.03).to_numpy()
    assert low["mlps-sgd.final_llc_mean"] == pytest.approx(1.1 * LLC[inside].mean())
    assert base["mlps.llc_sgd_over_adam"] < 0


def test_sensitivity_compares_the_same_runs():
    one = designed("sgd")
    table = one.sensitivity([BASE, LOW, WEAK]).set_index("variation")
    assert list(table.index) == ["base", "localisation=2"]
    assert table.loc["localisation=2", "ratio"] == pytest.approx(0.5)


def test_readings_without_numbers_are_logged_and_left_out(caplog):
    def measure(one: Reading) -> tuple[pd.DataFrame, float]:
        if one.name == "rates=low":
            raise MeasureError("no runs")
        return pd.DataFrame({"quantity": ["q"], "value": [1.0]}), 0.25

    with caplog.at_level(logging.WARNING):
        table = study.collected([BASE, LOW, WEAK], measure, logging.getLogger())
    assert table["reading"].tolist() == ["base", "localisation=2"]
    assert table["flagged"].tolist() == [0.25, 0.25]
    assert "rates=low has no numbers: no runs" in caplog.text


def test_flagged_counts_diagnoses():
    tables = [pd.DataFrame({"diagnoses": ["", "short", None]}), pd.DataFrame({"diagnoses": [""]})]
    assert study.flagged(*tables) == 0.25
