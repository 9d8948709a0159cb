"""Table 1: small runs against the derived and the printed rows, and where chains end above T_c."""

import numpy as np
import pytest

from sgdiffusion.papers.ziyin2025.table_one import table_one
from sgdiffusion.papers.ziyin2025.tables import ends_table, table_one_table


@pytest.fixture(scope="module")
def first():
    return table_one(chains=400, seed=1)


def test_every_derived_row_passes_at_a_small_scale(first):
    table = first["laws"]
    assert len(table) == 10
    assert set(table["depth"]) == {0, 1}
    laws = table[table["p_value"].notna()]
    assert len(laws) == 8
    assert laws["p_value"].min() > 1e-4
    points = table[table["p_value"].isna()]
    assert (points["case"] == "interpolation").all()
    assert (points["distance"] == 0).all()  # nothing is left away from v = k
    assert "row" not in table_one_table(table)


def test_printed_rows_differ_where_they_are_wrong(first):
    rows = first["laws"].set_index("row")
    assert rows.loc["d1.interpolation.decay", "printed"] > 3 * rows.loc["d1.interpolation.decay", "critical"]
    assert rows.loc["d1.interpolation.decay", "distance"] < rows.loc["d1.interpolation.decay", "critical"]
    assert np.isnan(rows.loc["d0.general.decay", "printed"])
    assert rows.loc["d1.general", "printed"] == rows.loc["d1.general", "distance"]


def test_chains_end_where_the_scale_function_says(first):
    table = ends_table(first["ends"])
    assert len(table) == 4
    error = np.sqrt(table["theory"] * (1 - table["theory"]) / table["n"])
    assert (np.abs(table["zero"] - table["theory"]) < 4 * error).all()
    assert table["theory"].max() - table["theory"].min() > 0.3
