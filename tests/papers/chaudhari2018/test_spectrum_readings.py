"""Spectra read otherwise, on eigenvalues made by hand."""

import logging

import numpy as np
import pandas as pd
import pytest

from sgdiffusion.config.readings import Reading
from sgdiffusion.papers.chaudhari2018 import spectrum_readings as study
from sgdiffusion.papers.chaudhari2018.spectra import eigenvalue_table
from sgdiffusion.papers.task import Task

D = 10_000  # the default threshold is 1.2e-3 λ_max, the other one 8.4e-6 λ_max


def made(largest: float, instants=(0.2, 1.0), seeds=2) -> pd.DataFrame:
    """Two large eigenvalues, one between the thresholds; at 20 % all are ten times as large."""
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
    assert "lenet.distance_20_100" not in found


def test_the_other_threshold_finds_more_eigenvalues():
    found = read(rule="root")
    assert found["lenet.rank"] == 3
    assert found["lenet.mean"] == pytest.approx(read()["lenet.mean"])
    assert found["lenet.distance_20_100"] == pytest.approx(1)


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
        for n, s in (("base", {}), ("rank-threshold=root", {"rule": "root"}))
    ]
    task = Task("chaudhari2018", {}, 0, 1, "cpu", {}, logging.getLogger())
    found = study.measure(task, given, NAMES, **SPECTRA)["readings"]
    assert set(found["reading"]) == {"rank-threshold=root"}
