"""Killed at any operation on a file, or within a write, a writer leaves the old file or the new one."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr  # noqa: F401  (once, not in every fork)
from pydantic import BaseModel

from sgdiffusion.data import store
from sgdiffusion.data.files import write_whole
from sgdiffusion.dynamics.training import checkpoints
from sgdiffusion.provenance import write_record

sys.path.insert(0, str(Path(__file__).parent))

from kills import everywhere


class Facts(BaseModel):
    text: str


def prepared(number: float) -> store.Prepared:
    x, y = np.full((4, 1, 2, 2), number, np.float32), np.arange(4) % 2
    facts = {"set": "s", "preparation": "full", "real": False, "digest": "", "digests": {}, "classes": 2}
    sizes = {"n_train": 4, "n_test": 4, "shape": [1, 2, 2], "constants": {}}
    return store.Prepared(x, y, x, y, {**facts, **sizes})


# writes a number to a path, reads one back, and the name of the file
WRITERS = {
    "checkpoint": (
        lambda path, n: checkpoints.save(path, {1.0: {"w": torch.full((3000,), n)}}, {"seed": 0}),
        lambda path: float(checkpoints.load(path)["states"][1.0]["w"].unique()),
        "checkpoints.pt",
    ),
    "prepared set": (
        lambda path, n: store.save(path, prepared(n)),
        lambda path: float(np.unique(store.load(path).x_test)[0]),
        "full.npz",
    ),
    "record": (
        lambda path, n: write_record(path, {"rule": "r", "value": n, "more": "x" * 10000}),
        lambda path: json.loads(path.read_text())["value"],
        "out.json",
    ),
    "manifest": (
        lambda path, n: write_whole(path, Facts(text=str(n) * 5000)),
        lambda path: float(Facts.model_validate_json(path.read_text()).text[:3]),
        "manifest.json",
    ),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_file_is_the_old_one_or_the_new_one(tmp_path: Path, kind: str):
    write, read, name = WRITERS[kind]
    path = tmp_path / name
    seen = set()
    for number, _ in enumerate(everywhere(lambda: write(path, 2.0), 12000)):
        seen.add(read(path) if path.exists() else None)
        path.unlink(missing_ok=True)
        if number % 2:
            write(path, 1.0)
    assert {None, 1.0} <= seen <= {None, 1.0, 2.0}
    write(path, 2.0)
    assert read(path) == 2.0


def keep_history(folder: Path) -> None:
    history = checkpoints.History(folder, np.arange(6), weights=200_000, buffers=2, dtype="float32")
    history.start()
    for epoch in range(6):
        history.append(np.full(200_000, epoch, np.float32), np.full(2, epoch, np.float32))
    history.finish()


def test_a_weight_history_is_whole_or_not_there(tmp_path: Path):
    final, kills = tmp_path / checkpoints.TRAJECTORY, 0
    for _ in everywhere(lambda: keep_history(tmp_path), 4 << 20, step=2):
        kills += 1
        if final.exists():
            whole = checkpoints.trajectory(final)
            assert (whole["weights"] == np.arange(6)[:, None]).all()
            checkpoints.discard(final)
    assert kills > 10
    keep_history(tmp_path)
    assert (checkpoints.trajectory(final)["buffers"] == np.arange(6)[:, None]).all()
