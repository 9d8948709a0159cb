"""Spectra read otherwise, on eigenvalues made by hand."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from sgdiffusion.config import Configuration
from sgdiffusion.config.readings import Reading
from sgdiffusion.data.store import Prepared
from sgdiffusion.measures.noise.gradients import PerExampleGradients
from sgdiffusion.papers.chaudhari2018 import spectrum_readings as study
from sgdiffusion.papers.chaudhari2018.spectra import eigenvalue_table
from sgdiffusion.papers.task import Task

from .test_constancy import network

ROOT = Path(__file__).resolve().parents[3]
D = 10_000  # the threshold is 1.2e-3 λ_max


def made(largest: float, instants=(0.2, 1.0), seeds=2) -> pd.DataFrame:
    """Two large eigenvalues, one below the threshold; at 20 % all are ten times as large."""
    values = np.zeros(D)
    values[:3] = largest, largest / 3, largest * 1e-4
    return eigenvalue_table(
        {(s, f): values * (1 if f == 1.0 else 10) for s in range(seeds) for f in instants}
    )


SPECTRA = {"mnist": made(1.0), "fc": made(2.0), "augmented": made(6.0, (1.0,)), "plain": made(9.0, (1.0,))}
SPECTRA["cifar10"] = made(3.0, (1.0,))
NAMES = {"mnist": "lenet", "fc": "fc", "augmented": "aug.augmented", "plain": "aug", "cifar10": "allcnn"}


def read(**settings) -> pd.Series:
    table = study.read(SPECTRA, NAMES, study.SpectrumReading(**settings))
    assert table["quantity"].is_unique
    return table.set_index("quantity")["value"]


def test_the_base_is_the_end_all_eigenvalues_and_the_default_threshold():
    found = read()
    assert found["lenet.mean"] == pytest.approx((4 / 3 + 1e-4) / D)
    assert found["lenet.rank"] == 2
    assert found["r14.augmented-over-plain.mean"] == pytest.approx(2)


def test_another_instant_scales_what_is_measured_there():
    found = read(fraction=0.2)
    assert found["lenet.mean"] == pytest.approx(10 * read()["lenet.mean"])
    assert "allcnn.mean" not in found  # not measured at that instant


def test_means_over_the_eigenvalues_above_threshold():
    found = read(above=True)
    assert found["lenet.mean"] == found["lenet.mean_above"] == pytest.approx(2 / 3)
    assert found["lenet.sd"] == pytest.approx(1 / 3)
    assert found["lenet.sd_over_mean"] == pytest.approx(0.5)


def test_plain_images_in_the_place_of_augmented_ones():
    found = read(images="plain")
    assert found["aug.augmented.mean_above"] == pytest.approx(6)
    assert found["r14.augmented-over-plain.mean"] == pytest.approx(3)


def test_the_base_is_left_to_the_studies_themselves():
    given = [
        Reading(name=n, values={}, set=s)
        for n, s in (("base", {}), ("spectrum-instant=20-percent", {"fraction": 0.2}))
    ]
    task = Task("chaudhari2018", {}, 0, 1, "cpu", {}, logging.getLogger())
    found = study.measure(task, given, NAMES, **SPECTRA)["readings"]
    assert set(found["reading"]) == {"spectrum-instant=20-percent"}


def test_in_double_precision_smaller_eigenvalues_are_told_from_rounding(monkeypatch):
    """Of 83 weights: the smallest eigenvalues are 1e-12 of the largest where a weight hardly matters."""
    x = torch.randn(400, 6, generator=torch.Generator().manual_seed(4)).numpy()
    x[:, 0] *= 3e-6
    y = np.arange(400) % 3
    net = network(0, 0.5)
    monkeypatch.setattr(study.stored, "modules", lambda path: {1.0: net})
    run = Configuration(ROOT / "config").run("full", "chaudhari2018", "small-lenet")
    task = Task("chaudhari2018", {}, 0, 1, "cpu", {}, logging.getLogger())
    data = [Prepared(x, y, x, y, {})]
    found = study.measure_double(task, {"mnist": run}, NAMES, "double", data, mnist=["seed-0", "seed-1"])[
        "readings"
    ]
    rows = torch.cat(list(PerExampleGradients(net, (x, y)))).double().numpy()
    values = np.linalg.eigvalsh(np.cov(rows.T, bias=True))
    double, single = ((values > values.max() * len(values) * e).sum() for e in (2.22e-16, 1.19e-7))
    assert found.set_index("quantity")["value"]["lenet.rank"] == double > single
    assert set(found["reading"]) == {"double"}
    assert set(found["n"]) == {2}
