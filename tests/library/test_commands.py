"""The commands give what the functions give, on a module, checkpoint and data, with honest exit statuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import sgdiffusion as sd
from sgdiffusion.cli import main

SCRIPT = """
import torch
from torch import nn

def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))

def data():
    return torch.randn(30, 5, generator=torch.Generator().manual_seed(1)), torch.arange(30) % 3

def both():
    return network(), data()

def by_name():
    return {"model": network(), "data": data(), "forward":
            lambda m, b: nn.functional.cross_entropy(m(b[0]), b[1], reduction="none")}

def nothing():
    return network(), None

def broken():
    raise ValueError("no such file")

class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = network()

    def forward(self, x):
        return self.net(x if bool(x.abs().sum() > 0) else -x)

def branches():
    return Branches(), data()

def odd():
    return {"net": network()}

number = 3
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "mine_for_commands.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "mine_for_commands", raising=False)
    return tmp_path


def parts():
    scope: dict = {}
    exec(SCRIPT, scope)
    return scope["network"]().eval(), scope["data"]()


def test_spectrum_is_that_of_the_function(folder, capsys):
    words = "--k 4 --method dense --precision float64 --json s.json --plot s.png --quiet"
    assert main(["spectrum", "mine_for_commands:both", *words.split()]) == 0
    options = {"k": 4, "method": "dense", "precision": "float64", "progress": False}
    found, expected = sd.load("s.json"), sd.spectrum(*parts(), **options)
    np.testing.assert_array_equal(found.eigenvalues, expected.eigenvalues)
    assert (folder / "s.png").stat().st_size > 1000
    said = capsys.readouterr()
    assert "largest" in said.out
    assert not said.err


@pytest.mark.parametrize("target", ["mine_for_commands:by_name", "mine_for_commands.py:both"])
def test_other_ways_to_name_a_network(folder, target):
    assert main(["spectrum", target, "--json", "s.json", "--quiet"]) == 0
    assert sd.load("s.json").trace == pytest.approx(sd.spectrum(*parts(), progress=False).trace, rel=1e-6)


def test_llc_is_that_of_the_function(folder):
    words = [
        "--chains",
        "2",
        "--draws",
        "8",
        "--burn-in",
        "4",
        "--every",
        "1",
        "--rounds",
        "0",
        "--seed",
        "3",
        "--json",
        "l.json",
        "--quiet",
    ]
    status = main(["llc", "mine_for_commands:network", "--data", "mine_for_commands:data", *words])
    options = {"chains": 2, "draws": 8, "burn_in": 4, "every": 1, "rounds": 0, "seed": 3, "progress": False}
    expected = sd.learning_coefficient(*parts(), **options)
    assert sd.load("l.json").value == expected.value
    assert status == (3 if expected.diagnoses else 0)
    assert expected.diagnoses  # so short a chain is called so: the status 3 is tested


@pytest.mark.parametrize("command", ["spectrum", "balance", "check"])
def test_one_example_at_a_time(folder, command):
    files = [] if command == "check" else ["--json", "b.json"]
    words = ["mine_for_commands:branches", "--no-vectorise", "--quiet", *files]
    assert main([command, *words]) == 0
    if command == "spectrum":
        expected = sd.spectrum(*parts(), progress=False).trace
        assert sd.load("b.json").trace == pytest.approx(expected, rel=1e-6)


def test_balance_is_that_of_the_function(folder):
    expected = sd.noise_balance(*parts(), progress=False).to_frame()
    for pair in ([], ["--pair", "0:2"]):
        assert main(["balance", "mine_for_commands:both", "--json", "b.json", "--quiet", *pair]) == 0
        np.testing.assert_allclose(sd.load("b.json").table["noise_ratio"], expected["noise_ratio"])


def test_walk_is_that_of_the_function(folder):
    curves = []
    for seed in range(3):
        walk = np.random.default_rng(seed).standard_normal((200, 20)).cumsum(0)
        curves.append(sd.trajectory(walk))
        curves[-1].save(folder / f"{seed}.npz")
    assert main(["walk", "0.npz", "1.npz", "2.npz", "--json", "w.json", "--first", "5"]) == 0
    expected = sd.walk_dimension(np.stack([c.displacements for c in curves]), curves[0].times, first=5)
    assert sd.load("w.json").slope == expected.slope


def test_check_says_what_it_would_cost_and_measures_nothing(folder, capsys):
    assert main(["check", "mine_for_commands:both", "--k", "5"]) == 0
    said = capsys.readouterr().out
    for words in ("N = 30 examples, d = 39 weights, torch.float32", "krylov", "0 → 2", "free memory"):
        assert words in said


def test_weights_come_from_the_checkpoint(folder):
    model, data = parts()
    nn.init.zeros_(model[2].weight)
    torch.save({"epoch": 3, "state_dict": model.state_dict()}, folder / "c.pt")
    words = ["spectrum", "mine_for_commands:both", "--checkpoint", "c.pt", "--json", "s.json", "--quiet"]
    assert main(words) == 0
    assert sd.load("s.json").trace == pytest.approx(sd.spectrum(model, data, progress=False).trace, rel=1e-6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["spectrum", "mine_for_commands"], "give module:function"),
        (["spectrum", "nowhere:both"], "nowhere cannot be imported: ModuleNotFoundError"),
        (["spectrum", "nowhere.py:both"], "there is no file nowhere.py"),
        (["spectrum", "mine_for_commands:none"], "mine_for_commands has no none"),
        (["spectrum", "mine_for_commands:number"], "is a int, no function"),
        (["spectrum", "mine_for_commands:broken"], "failed with ValueError: no such file"),
        (["spectrum", "mine_for_commands:nothing"], "gave no data"),
        (["spectrum", "mine_for_commands:odd"], "gave a dict with net"),
        (["spectrum", "mine_for_commands:both", "--k", "99"], "99 eigenvalues of 30"),
        (["spectrum", "mine_for_commands:both", "--checkpoint", "none.pt"], "none.pt cannot be read"),
        (["walk", "none"], "none is no recording"),
        (["spectrum", "mine_for_commands:broken", "--json", "no/s.json"], "--json: there is no folder no"),
        (["spectrum", "mine_for_commands:broken", "--plot", "s.xyz"], "--plot: s.xyz has no known ending"),
        (["walk", "none", "--plot", "."], "--plot: . is a folder"),
        (["spectrum", "mine_for_commands:both", "--device", "gpu"], "device: the model cannot go to 'gpu'"),
        (["spectrum", "mine_for_commands:branches"], "use vectorise=False (--no-vectorise)"),
    ],
)
def test_errors_are_one_line_and_status_1(folder, capsys, words, message):
    assert main(words) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_a_checkpoint_of_another_network(folder, capsys):
    torch.save(nn.Linear(2, 2).state_dict(), folder / "c.pt")
    assert main(["spectrum", "mine_for_commands:both", "--checkpoint", "c.pt"]) == 1
    assert "c.pt does not fit the model" in capsys.readouterr().err


def test_a_wrong_call_is_status_2(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["spectrum", "a:b", "--method", "exact"])
    assert ended.value.code == 2


def test_the_command_itself(folder):
    """One process from outside: the command, its status and its files."""
    words = [
        sys.executable,
        "-m",
        "sgdiffusion.cli",
        "spectrum",
        "mine_for_commands:both",
        "--json",
        "s.json",
    ]
    environment = os.environ | {"PYTHONPATH": str(Path(sd.__file__).parents[1])}
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "s.json").read_text())["kind"] == "Spectrum"
    assert done.stderr.startswith("spectrum: N = 30")
