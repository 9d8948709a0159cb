"""Tables of errors: rows per seed and checkpoint, t intervals over seeds."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.chaudhari2018 import errors as study


def metas():
    return [
        {
            "seed": seed,
            "evaluations": {
                1.0: {"train_loss": 0.1, "train_error": 0.005, "test_loss": 0.2, "test_error": error},
                0.2: {"train_loss": 0.5, "train_error": 0.1, "test_loss": 0.6, "test_error": 0.11},
            },
        }
        for seed, error in ((1, 0.008), (0, 0.010), (2, 0.009))
    ]


def metrics(seeds=(0, 1, 2)):
    return pd.DataFrame([{"seed": s, "epoch": e, "train_error": 0.02 / e} for s in seeds for e in (1, 2)])


def test_error_table():
    table = study.error_table(metas())
    assert list(table.columns) == list(table.attrs["columns"])
    assert table["seed"].tolist() == [0, 0, 1, 1, 2, 2]
    assert table["fraction"].tolist() == [0.2, 1.0] * 3
    assert table["test_error"].iloc[1] == 0.010


def test_error_quantities():
    table = study.error_quantities(study.error_table(metas()), metrics(), "small-lenet").set_index("quantity")
    row = table.loc["small-lenet.test_error_percent"]
    half = stats.t.ppf(0.975, 2) * 0.1 / np.sqrt(3)
    assert row["value"] == pytest.approx(0.9)
    assert row["high"] - row["value"] == pytest.approx(half)
    assert row["n"] == 3
    assert table.loc["small-lenet.train_error_percent", "value"] == pytest.approx(0.5)
    assert table.loc["small-lenet.train_error_training_mode_percent", "value"] == pytest.approx(1.0)


@pytest.mark.parametrize("seeds", [(0, 1), (0, 1, 3)])
def test_seeds_must_agree(seeds):
    with pytest.raises(MeasureError, match="must come from the same trainings"):
        study.error_quantities(study.error_table(metas()), metrics(seeds), "small-lenet")
