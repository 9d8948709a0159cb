"""What goes wrong without an error is named in the record and on all that is drawn of it; nothing else."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sgdiffusion.provenance import Job, flag_note, guards, marks
from sgdiffusion.provenance.guards import warnings
from sgdiffusion.provenance.record import Record, compose, write_record


def metrics(folder: Path, losses: list[float], errors: list[float]) -> Path:
    path = folder / "small-fc" / "seed-3" / "metrics.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {"epoch": range(1, len(losses) + 1), "train_loss": losses, "train_error": errors}
    pd.DataFrame({**columns, "test_loss": losses}).to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("losses", "errors", "said"),
    [
        ([2.3, np.nan], [0.9, 0.9], "small-fc seed-3: the loss is not finite"),
        ([2.3, np.inf], [0.9, 0.9], "small-fc seed-3: the loss is not finite"),
        ([2.3, 1.9, 54.0], [0.9, 0.6, 0.9], "small-fc seed-3: the loss grew from 2.3 to 54"),
        ([2.31, 2.30], [0.9, 0.9], "small-fc seed-3: the error did not fall, 90% at the end"),
    ],
    ids=["none", "overflow", "exploded", "dead"],
)
def test_a_training_that_did_not_learn_is_named(tmp_path: Path, losses, errors, said):
    assert warnings([metrics(tmp_path, losses, errors)]) == [said]


@pytest.mark.parametrize(
    ("losses", "errors"),
    [([2.3, 1.1, 0.2], [0.8, 0.3, 0.0]), ([0.4, 0.1], [0.0, 0.0]), ([2.4], [0.9])],
    ids=["learns", "without errors from the start", "one epoch"],
)
def test_a_training_that_learns_is_not_named(tmp_path: Path, losses, errors):
    assert warnings([metrics(tmp_path, losses, errors)]) == []


def test_a_quantity_that_is_no_number_is_named(tmp_path: Path):
    path = tmp_path / "q.csv"
    rows = {"quantity": ["a", "b"], "value": [1.0, np.nan], "low": 0.5, "high": 1.5}
    pd.DataFrame(rows).to_csv(path, index=False)
    assert warnings([path]) == ["b is not a number"]


@pytest.mark.parametrize(("flagged", "named"), [(3, False), (5, False), (6, True), (10, True)])
def test_chains_that_do_not_mix_are_named_where_they_are_most(tmp_path: Path, flagged: int, named: bool):
    path = tmp_path / "coefficients.parquet"
    pd.DataFrame({"llc": 1.0, "diagnoses": ["short"] * flagged + [""] * (10 - flagged)}).to_parquet(path)
    expected = [f"coefficients: {flagged} of 10 rows flagged (short)"] if named else []
    assert warnings([path, tmp_path / "missing.csv", tmp_path / "arrays.npz"]) == expected


def test_only_the_columns_that_are_judged_are_read(tmp_path: Path):
    """A path of a million rows is not read again; beside judged columns the others are not parsed."""
    ragged = tmp_path / "path.csv"
    ragged.write_text("t,r\n1,2\n1,2,3\n")  # no parser takes its last line
    assert warnings([ragged]) == []
    table = pd.DataFrame({"marks": ["short"] * 3, "theta": [[1.0]] * 3})
    table.to_parquet(tmp_path / "walk.parquet")
    assert warnings([tmp_path / "walk.parquet"]) == ["walk: 3 of 3 rows flagged (short)"]
    assert list(guards._judged(tmp_path / "walk.parquet").columns) == ["marks"]
    table.drop(columns="marks").to_parquet(tmp_path / "plain.parquet")
    assert warnings([tmp_path / "plain.parquet"]) == []


def test_warnings_travel_to_everything_that_is_made_of_it(tmp_path: Path):
    cost = Job().cost()
    training = Record(preset="full", rule="train", warnings=["small-fc seed-3: the loss grew from 2 to 9"])
    made = compose(tmp_path / "metrics.csv", training, cost, [], tmp_path)
    write_record(tmp_path / "metrics.csv", made)
    drawn = compose(tmp_path / "f.pdf", Record("full", "plot"), cost, [tmp_path / "metrics.csv"], tmp_path)
    assert drawn["warnings"] == training.warnings
    assert marks(drawn) == "flagged: small-fc seed-3: the loss grew from 2 to 9"


def test_a_mark_names_one_and_counts_the_others():
    assert flag_note({"warnings": ["a", "b", "c"]}) == "flagged: a and 2 more, see the record"
    assert flag_note({}) == ""
    record = {"data": [], "preset": "demo", "warnings": ["a"]}
    assert marks(record) == "preset demo: reduced scale · flagged: a"
