"""A headline is told only where the run's numbers carry it."""

import pandas as pd
import pytest
from pydantic import ValidationError

from sgdiffusion.config.texts import Headline
from sgdiffusion.gallery.headlines import carried
from sgdiffusion.verdicts import Measured

NUMBERS = {"there": Measured(1.0, 0.9, 1.1, 5, "", "seeds")}
FINDINGS = pd.DataFrame({"finding": ["slip", "open"], "demonstrated": ["yes", "undecided"]})
VERDICTS = {"holds": "Holds", "fails": "Fails", "far": "Not tested"}


def told(**about: str) -> bool:
    headline = Headline(text=about.pop("text", "It is {there}."), **about)
    return carried([headline], NUMBERS, VERDICTS, FINDINGS) == [headline]


def test_a_claim_must_have_the_verdict_that_the_sentence_speaks_of():
    assert told(claim="holds")
    assert told(claim="fails", verdict="Fails")
    assert not told(claim="fails")
    assert not told(claim="far")


def test_a_finding_must_be_demonstrated():
    assert told(finding="slip")
    assert not told(finding="open")


def test_a_number_must_be_measured():
    assert not told(claim="holds", text="It is {absent}.")


def test_it_is_about_a_claim_or_a_finding():
    for about in ({}, {"claim": "a", "finding": "b"}):
        with pytest.raises(ValidationError, match="about a claim or a finding"):
            Headline(text="It is.", **about)
