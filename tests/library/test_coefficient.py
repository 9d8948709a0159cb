"""λ̂ of networks of one's own: closed forms, every kind of data, frozen weights, evaluation mode."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import sgdiffusion as sd

N = 300
QUICK = {"draws": 60, "burn_in": 100, "every": 2, "progress": False}


def quadratic(d=3, seed=0):
    """A linear regression at its optimum: λ̂ = ½ Σ nβ a_i/(nβ a_i + γ), a_i the eigenvalues of XᵀX/n."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(N, d, generator=generator, dtype=torch.float64)
    net = nn.Linear(d, 1, bias=False).double().eval()
    nn.init.zeros_(net.weight)
    return net, (x, torch.zeros(N, 1, dtype=torch.float64)), np.linalg.eigvalsh((x.T @ x / N).numpy())


def exact(curvatures, localisation=10.0):
    stiff = N / math.log(N) * np.asarray(curvatures)
    return 0.5 * float((stiff / (stiff + localisation)).sum())


@pytest.mark.parametrize("general", [False, True])
def test_of_a_quadratic(general):
    net, (x, y), curvatures = quadratic()
    options = {"forward": lambda m, b: 0.5 * (m(b["x"]) - b["y"]).square().sum(1)} if general else {}
    data = {"x": x, "y": y} if general else (x, y)
    loss = "cross-entropy" if general else "half-squared"
    found = sd.learning_coefficient(net, data, loss, chains=6, rounds=2, **{**QUICK, "draws": 100}, **options)
    truth = exact(curvatures)
    # 6 chains of 100 draws: a standard error of about 0.06
    assert abs(found.value - truth) < 0.25
    assert found.low - 0.1 < truth < found.high + 0.1
    assert found.traces.shape == (6, 100)
    assert found.settings["n_beta"] == pytest.approx(N / math.log(N))
    assert set(found.diagnoses) <= {"short"}


@pytest.mark.parametrize("integrator", ["averaged", "euler"])
def test_a_step_of_ones_own(integrator):
    """εh/4 = 0.2 in the stiffest direction: Euler inflates λ̂ by up to a quarter, and its interval knows."""
    net, (x, y), curvatures = quadratic()
    step = 0.8 / (N / math.log(N) * curvatures.max() + 10)
    options = {**QUICK, "draws": 200, "integrator": integrator, "step_size": step}
    found = sd.learning_coefficient(net, (x, y), "half-squared", chains=6, **options)
    h = N / math.log(N) * curvatures + 10
    inflation = 1 / (1 - step * h / 4) if integrator == "euler" else 1.0
    expected = 0.5 * float((N / math.log(N) * curvatures / h * inflation).sum())
    # 6 chains of 200 draws: a standard error of about 0.05
    assert found.value == pytest.approx(expected, abs=0.2)
    assert found.low < exact(curvatures)
    assert found.to_frame()["step_size"][0] == pytest.approx(step, rel=1e-6)
    assert (found.table["step_bias"][0] > 0) == (integrator == "euler")
    assert f"step {step:.3g} (given)" in repr(found)
    assert found.settings["integrator"] == integrator


def test_too_short_a_burn_in_is_noted():
    net, data, _ = quadratic()
    found = sd.learning_coefficient(net, data, "half-squared", step_size=1e-3, **{**QUICK, "burn_in": 50})
    (note,) = found.notes
    assert note.startswith("burn_in is 50, below the 200 steps that γ needs at this step")  # 2/(εγ)


def test_frozen_weights_are_not_sampled():
    net, (x, y), curvatures = quadratic(4)
    both = nn.Sequential(nn.Linear(4, 4, bias=False).double(), net).eval()
    nn.init.eye_(both[0].weight)
    found = sd.learning_coefficient(both, (x, y), "half-squared", params="1.*", chains=6, rounds=1, **QUICK)
    assert found.weights == 4
    assert found.value == pytest.approx(exact(curvatures), abs=0.3)


def test_batch_norm_is_as_in_evaluation():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).eval()
    net[1].running_mean.uniform_(-2, 2)
    x, y = torch.randn(64, 4), torch.arange(64) % 3
    found = sd.learning_coefficient(net, (x, y), chains=2, rounds=1, **{**QUICK, "draws": 10, "burn_in": 5})
    truth = float(nn.functional.cross_entropy(net(x), y).detach())
    assert found.table["baseline"][0] == pytest.approx(truth, rel=1e-5)


def test_recurrent_nets_and_tokens():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.lstm, self.head = (
                nn.Embedding(5, 3),
                nn.LSTM(3, 3, batch_first=True),
                nn.Linear(3, 5),
            )

        def forward(self, tokens):
            return self.head(self.lstm(self.embed(tokens))[0])

    torch.manual_seed(0)
    tokens = torch.randint(5, (16, 6))
    options = {**QUICK, "draws": 8, "burn_in": 2, "every": 1, "rounds": 0, "localisation": 1e3}
    found = sd.learning_coefficient(Model().eval(), tokens, "next-token", chains=2, **options)
    assert np.isfinite(found.value)


def test_it_shows_and_keeps_itself(tmp_path, capsys):
    net, data, _ = quadratic()
    found = sd.learning_coefficient(net, data, "half-squared", chains=2, **{**QUICK, "progress": True})
    assert "2 chains of 220 steps, whose step is found while they burn in" in capsys.readouterr().err
    again = sd.load(found.save(tmp_path / "llc.json"))
    assert repr(again) == repr(found)
    assert again.to_frame()["llc"][0] == found.value
    (ax,) = found.plot().axes
    np.testing.assert_allclose(ax.lines[0].get_ydata()[-1], found.traces[0].mean())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chains": 0}, "chains: found 0"),
        ({"draws": 7}, "draws: found 7; give a whole number of at least 8"),
        ({"every": 0}, "every: found 0"),
        ({"batch_size": 0}, "batch_size: found 0"),
        ({"n_beta": -1}, "n_beta: found -1"),
        ({"localisation": -1.0}, "localisation: found -1"),
        ({"burn_in": 1.5}, "burn_in: found 1.5"),
        ({"seed": -1}, "seed: found -1"),
        ({"n_beta": "auto"}, "n_beta: found 'auto'; give a positive number, or None"),
        ({"localisation": None}, "localisation: found None; give γ ≥ 0"),
        ({"step_size": 0.0}, "step_size: found 0.0; give ε > 0, or None"),
        ({"integrator": "verlet"}, "integrator: unknown integrator 'verlet'; expected averaged, euler"),
    ],
)
def test_options_are_checked_before_sampling(options, message):
    net, data, _ = quadratic()
    with pytest.raises(sd.InputError, match=message):
        sd.learning_coefficient(net, data, "half-squared", progress=False, **options)
