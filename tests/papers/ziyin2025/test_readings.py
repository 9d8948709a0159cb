"""Readings: each changes its settings alone; what cannot be measured is left out, what is known not made."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sgdiffusion.config import Configuration
from sgdiffusion.config.readings import Reading
from sgdiffusion.errors import MeasureError, TrainingError
from sgdiffusion.papers.task import Task
from sgdiffusion.papers.ziyin2025 import balance, densities, depths, readings, two_layer
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

    def fake(data, settings, root_seed):
        trained.append(settings.epochs)
        return errors(0.9)

    def errors(slope):
        return pd.DataFrame(
            {"shape": s, "depth": d, "rate": r, "scaled_rate": r * d, "seed": 0, "test_error": slope * r * d}
            for s in ("constant", "proportional")
            for d in (1, 2)
            for r in (0.5, 1.0, 2.0)
        )  # fmt: skip

    monkeypatch.setattr(depths, "trained_errors", fake)
    run = shipped("depth-scaling")
    given = [reading("all", failed=1.0), reading("under-10-percent", failed=0.1), reading("long", epochs=9)]
    own = depths.train_readings(task, run, given, None)["errors"]
    assert trained == [9]
    assert set(own["reading"]) == {"long"}
    found = depths.depth_readings(task, run, given, errors(0.2), own)["readings"]
    cuts = found[found["quantity"] == "fig5c.sound_cuts"].set_index("reading")["value"]
    assert cuts.to_dict() == {"all": 2, "under-10-percent": 0, "long": 0}
    none = depths.train_readings(task, run, given[:2], None)["errors"]
    assert set(none.columns) == {*depths.COLUMNS, "reading"}


def test_a_reading_whose_nets_diverge_is_left_out(task, monkeypatch, caplog):
    def fake(settings, root_seed):
        if settings.span == 9:
            raise TrainingError("diverged")
        return {"case.kept": np.zeros(1)}

    monkeypatch.setattr(two_layer, "trained_cases", fake)
    run = shipped("two-layer")
    given = [reading("base"), reading("few", seeds=2), reading("long", span=9.0)]
    found = two_layer.train_readings(task, run, given)["trained"]
    assert list(found) == ["few/case.kept"]
    seen = []

    def measured(trained, settings, root_seed):
        seen.append((list(trained), settings.seeds))
        return {"quantities": pd.DataFrame({"quantity": ["a"], "value": [1.0]})}

    monkeypatch.setattr(balance, "two_layer", measured)
    read = balance.two_layer_readings(task, run, given, found)["readings"]
    assert read["reading"].tolist() == ["few"]
    assert seen == [(["case.kept"], 2)]
    assert "long cannot be measured: its nets diverged" in caplog.text
