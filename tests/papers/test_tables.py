"""Rows of quantities that all studies share."""

import numpy as np
import pandas as pd
import pytest

from sgdiffusion.measures.statistics.intervals import Estimate
from sgdiffusion.papers.tables import (
    documented,
    estimated,
    finite_quantities,
    quantity,
    shares_bounded,
)
from sgdiffusion.verdicts import QUANTITY_COLUMNS, read_quantities


def test_rows_are_what_claims_read():
    rows = [estimated("a", Estimate(1.0, 0.5, 2.0, 3), unit="%"), quantity("b", 4.0, 0.5, n=2, over="nets")]
    table = pd.DataFrame(rows)
    assert list(table.columns) == list(QUANTITY_COLUMNS)
    assert table[["low", "high"]].to_numpy().tolist() == [[0.5, 2.0], [3.5, 4.5]]
    assert table["over"].tolist() == ["seeds", "nets"]


def test_shares_end_at_one_and_other_numbers_do_not():
    found = Estimate(0.95, 0.4, 1.5, 2)
    units = ("share of lags", "epochs", "")
    table = pd.DataFrame([estimated(unit or "none", found, unit=unit) for unit in units])
    bounded = shares_bounded(table)
    assert bounded["high"].tolist() == pytest.approx([1.0, 1.5, 1.5])
    assert bounded["low"].tolist() == pytest.approx([0.4] * 3)
    assert table["high"].tolist() == pytest.approx([1.5] * 3)


def test_documented_tables_keep_the_stated_columns():
    table = documented([{"b": 2, "a": 1, "c": 3}], {"a": "first", "b": "second"})
    assert list(table.columns) == ["a", "b"]
    assert table.attrs["columns"] == {"a": "first", "b": "second"}


def test_finite_quantities_are_what_claims_read():
    rows = [estimated("a", Estimate(1.0, 0.5, 2.0, 3), unit="%", over="runs"), quantity("b", 4.0)]
    table = finite_quantities(rows)
    assert list(table.columns) == list(QUANTITY_COLUMNS)
    found = read_quantities([table])
    assert (found["a"].low, found["a"].n, found["b"].over) == (0.5, 3, "exact")


def test_what_is_not_a_number_is_left_out():
    unknown = Estimate(np.nan, np.nan, np.nan, 3)
    assert len(finite_quantities([estimated("rho", unknown, over="runs")])) == 0
