"""The resume state: when it is due, what it fits, when it goes."""

import logging

import pytest
import torch

from sgdiffusion.dynamics.training import resumption
from sgdiffusion.dynamics.training.resumption import Resumption


def at(path, digest="a", seconds=60.0):
    return Resumption(path, digest, seconds=seconds, log=logging.getLogger("test"))


def test_a_state_is_read_by_the_training_that_wrote_it(tmp_path, caplog):
    path = tmp_path / "new folder" / "resume.pt"
    assert at(path).read() is None
    at(path).write({"epoch": 3, "net": {"w": torch.ones(2)}})
    state = at(path).read()
    assert state["epoch"] == 3
    assert torch.equal(state["net"]["w"], torch.ones(2))
    assert not caplog.text
    assert at(path, "b").read() is None
    assert "belongs to other settings, data or code: training starts afresh" in caplog.text


def test_a_state_is_due_every_so_many_seconds(tmp_path, monkeypatch):
    now = 100.0
    monkeypatch.setattr(resumption.time, "monotonic", lambda: now)
    state = at(tmp_path / "resume.pt", seconds=10.0)
    due = []
    for now in range(100, 131):
        if state.due():
            due.append(now)
            state.write({})
    assert due == [110, 120, 130]


@pytest.mark.parametrize("written", [True, False])
def test_a_discarded_state_is_gone(tmp_path, written):
    state = at(tmp_path / "resume.pt")
    if written:
        state.write({})
    state.discard()
    assert not list(tmp_path.iterdir())
