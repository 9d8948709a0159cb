"""Measurements ask the card for full single precision, and leave its settings as they were."""

import threading

import pytest
import torch
from torch import nn

import sgdiffusion as sd
from sgdiffusion.inputs.precision import full_precision


def settings() -> tuple[bool, str]:
    return torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()


@pytest.fixture
def reduced():
    """A user who has allowed TF32 everywhere."""
    before = settings()
    torch.backends.cudnn.allow_tf32 = True
    torch.set_float32_matmul_precision("high")
    yield settings()
    torch.backends.cudnn.allow_tf32 = before[0]
    torch.set_float32_matmul_precision(before[1])


def test_full_inside_and_as_before_outside(reduced):
    with full_precision():
        assert settings() == (False, "highest")
    assert settings() == reduced


def test_as_before_after_an_error(reduced):
    with pytest.raises(ValueError, match="of the caller"), full_precision():
        raise ValueError("of the caller")
    assert settings() == reduced


def test_as_before_when_threads_overlap(reduced):
    """The first to begin ends first: it must not take the other's precision, nor the other keep it."""
    begun, inside, ended = threading.Event(), threading.Event(), threading.Event()

    def first():
        with full_precision():
            begun.set()
            inside.wait(10)
        ended.set()

    thread = threading.Thread(target=first)
    thread.start()
    assert begun.wait(10)
    with full_precision():
        inside.set()
        assert ended.wait(10)
        assert settings() == (False, "highest")
    thread.join()
    assert settings() == reduced


@pytest.mark.parametrize("measure", ["spectrum", "noise_balance", "learning_coefficient", "gradients"])
def test_every_measurement_runs_in_full_precision(reduced, measure):
    seen = []

    class Looking(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(3, 4), nn.Linear(4, 2)

        def forward(self, x):
            seen.append(settings())
            return self.two(torch.relu(self.one(x)))

    data = torch.randn(20, 3), torch.arange(20) % 2
    short = {"draws": 20, "burn_in": 20} if measure == "learning_coefficient" else {}
    quiet = {} if measure == "gradients" else {"progress": False}
    found = getattr(sd, measure)(Looking().eval(), data, **short, **quiet)
    if measure == "gradients":
        list(found)
    assert set(seen) == {(False, "highest")}
    assert settings() == reduced
