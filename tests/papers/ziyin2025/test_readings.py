"""Readings: each changes its settings alone; what cannot be measured is left out, what is known not made."""

import logging
from pathlib import Path

import pandas as pd
import pytest

from sgdiffusion.config import Configuration
from sgdiffusion.config.readings import Reading
from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.task import Task
from sgdiffusion.papers.ziyin2025 import densities, depths, readings
from sgdiffusion.papers.ziyin2025.settings import Plane

ROOT = Path(__file__).parents[3]
RUN = Plane(kind="plane", law="between", chains=4, steps=10)


def reading(name, **changes):
    return Reading(name=name, values={}, set=changes)


@pytest.fixture
def task():
    return Task("ziyin2025", {}, 0, 1, "cpu", {}, logging.getLogger("test"))


def test_each_reading_is_measured_under_its_settings(task):
    seen = []

    def fake(**settings):
        seen.append(settings)
        if settings["law"] == "strong":
            raise MeasureError("chains overflowed")
        return {"quantities": pd.DataFrame({"quantity": ["a"], "value": [1.0]})}

    given = [
        reading("base"),
        reading("plane-data=above", law="above"),
        reading("plane-data=strong", law="strong"),
    ]
    found = readings.measured(fake, task, RUN, given)["readings"]
    assert found["reading"].tolist() == ["plane-data=above"]
    assert [s["law"] for s in seen] == ["above", "strong"]
    assert all(s["chains"] == 4 for s in seen)
    with pytest.raises(MeasureError, match="no reading could be measured"):
        readings.measured(fake, task, RUN, given[:1])


def shipped(run_id):
    return Configuration(ROOT / "config").run("smoke", "ziyin2025", run_id)


def test_readings_of_densities_have_chains_of_their_own(task, monkeypatch):
    seen = []

    def fake(**settings):
        seen.append((settings["chains"], settings["batch"]))
        return {"quantities": pd.DataFrame({"quantity": ["a"], "value": [1.0]})}

    monkeypatch.setattr(densities, "densities", fake)
    run = shipped("densities")
    densities.densities_readings(task, run, [reading("fig3-batch=4", batch=4)])
    assert seen == [(run.readings_chains, 4)]
    assert run.readings_chains != run.chains


def test_a_reading_that_trains_as_the_run_does_reads_its_errors(task, monkeypatch):
    trained = []

    def fake(data, **settings):
        trained.append(settings["epochs"])
        return {"quantities": pd.DataFrame({"quantity": ["fig5c.sound_cuts"], "value": [-1.0]})}

    monkeypatch.setattr(depths, "depth_scaling", fake)
    monkeypatch.setattr(depths, "subset", lambda data, *sizes: data)
    errors = pd.DataFrame(
        {"shape": shape, "depth": d, "rate": r, "scaled_rate": r * d, "seed": 0, "test_error": 0.2 * r * d}
        for shape in ("constant", "proportional")
        for d in (1, 2)
        for r in (0.5, 1.0, 2.0)
    )  # fmt: skip
    given = [reading("all", failed=1.0), reading("under-10-percent", failed=0.1), reading("long", epochs=9)]
    found = depths.depth_readings(task, shipped("depth-scaling"), given, None, errors)["readings"]
    cuts = found[found["quantity"] == "fig5c.sound_cuts"].set_index("reading")["value"]
    assert cuts.to_dict() == {"all": 2, "under-10-percent": 0, "long": -1}
    assert trained == [9]
