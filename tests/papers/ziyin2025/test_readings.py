"""Readings: each changes its settings alone, and what cannot be measured is left out."""

import logging

import pandas as pd
import pytest

from sgdiffusion.config.readings import Reading
from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.task import Task
from sgdiffusion.papers.ziyin2025 import readings as study
from sgdiffusion.papers.ziyin2025.settings import Plane

RUN = Plane(kind="plane", law="between", chains=4, steps=10)


def reading(name, **changes):
    return Reading(name=name, values={}, set=changes)


@pytest.fixture
def task():
    return Task("ziyin2025", {}, 0, 1, "cpu", {}, logging.getLogger("test"))


def test_each_reading_is_measured_under_its_settings(task, monkeypatch):
    seen = []

    def fake(**settings):
        seen.append(settings)
        if settings["law"] == "strong":
            raise MeasureError("chains overflowed")
        return {"quantities": pd.DataFrame({"quantity": ["a"], "value": [1.0]})}

    monkeypatch.setattr(study, "contrast", fake)
    given = [
        reading("base"),
        reading("plane-data=above", law="above"),
        reading("plane-data=strong", law="strong"),
    ]
    found = study.plane(task, RUN, given)["readings"]
    assert found["reading"].tolist() == ["plane-data=above"]
    assert [s["law"] for s in seen] == ["above", "strong"]
    assert all(s["chains"] == 4 for s in seen)
    with pytest.raises(MeasureError, match="no reading of plane"):
        study.plane(task, RUN, given[:1])
