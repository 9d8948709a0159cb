"""Noise balance of networks of one's own: against one backward pass per example, by name, with reasons."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

import sgdiffusion as sd

N = 12


class Residual(nn.Module):
    """A block with a skip, and a head."""

    def __init__(self):
        super().__init__()
        self.lift, self.up, self.down, self.head = (
            nn.Linear(5, 4),
            nn.Linear(4, 6),
            nn.Linear(6, 4),
            nn.Linear(4, 3),
        )

    def forward(self, x):
        x = self.lift(x)
        return self.head(x + self.down(torch.relu(self.up(x))))


def net():
    torch.manual_seed(0)
    return Residual().double().eval()


def data():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(N, 5, generator=generator, dtype=torch.float64), torch.arange(N) % 3


def trace(model, names, x, y):
    rows = []
    for i in range(len(x)):
        loss = nn.functional.cross_entropy(model(x[i : i + 1]), y[i : i + 1])
        rows.append(
            torch.cat(
                [g.flatten() for g in torch.autograd.grad(loss, [model.get_parameter(n) for n in names])]
            )
        )
    return float(torch.stack(rows).var(0, unbiased=False).sum())


def test_both_sides_of_the_pair_between_the_skips():
    model, (x, y) = net(), data()
    found = sd.noise_balance(model, (x, y), progress=False)
    (row,) = found.to_frame().to_dict("records")
    assert (row["pair"], row["u"], row["w"]) == ("up → down", "up.weight, up.bias", "down.weight")
    u_noise = trace(model, ["down.weight"], x, y)
    w_noise = trace(model, ["up.weight", "up.bias"], x, y)
    assert row["noise_ratio"] == pytest.approx(u_noise / w_noise, rel=1e-9)
    assert row["rescaling"] == pytest.approx((w_noise / u_noise) ** 0.25, rel=1e-9)
    reasons = dict(found.skipped.itertuples(index=False, name=None))
    assert "added" in reasons["lift"]
    assert "up → down" in repr(found)
    assert [t.get_text() for t in found.plot().axes[0].get_yticklabels()] == ["up → down"]


def test_the_rescaling_takes_the_pair_to_balance():
    model, (x, y) = net(), data()
    scale = sd.noise_balance(model, (x, y), progress=False).to_frame()["rescaling"][0]
    with torch.no_grad():
        for p in model.up.parameters():
            p *= scale
        model.down.weight /= scale
    after = sd.noise_balance(model, (x, y), progress=False).to_frame()
    assert after["noise_ratio"][0] == pytest.approx(1, rel=1e-9)


def test_pairs_by_name_are_those_that_are_found():
    found, given = (
        sd.noise_balance(net(), data(), pairs=pairs, progress=False).to_frame()
        for pairs in (None, [("up", "down")])
    )
    np.testing.assert_allclose(given["noise_ratio"], found["noise_ratio"], rtol=1e-12)
    assert given["kind"].tolist() == ["given"]


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("lift", "up")], "lift → up has no rescaling symmetry: the loss changes by"),
        ([("up", "mid")], "no module or parameter is called 'mid'"),
        (["up"], "give pairs"),
        ([], "pairs: found an empty list"),
    ],
)
def test_false_pairs_are_refused(pairs, message):
    with pytest.raises(sd.InputError, match=message):
        sd.noise_balance(net(), data(), pairs=pairs, progress=False)


def test_a_pair_with_a_frozen_side_says_so():
    with pytest.raises(sd.InputError, match=r"are frozen or left out \(up → down\)"):
        sd.noise_balance(net(), data(), params="up", progress=False)


def test_a_network_without_pairs_says_why():
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).double().eval()
    with pytest.raises(sd.InputError, match="tanh is not homogeneous"):
        sd.noise_balance(model, data(), progress=False)


@pytest.mark.parametrize("letters", [1, 20, 100])
def test_long_names_leave_room_for_the_numbers(letters):
    """Whatever the modules are called, the axes have two fifths of the width and no label is cut off."""
    layers = {"u" * letters: nn.Linear(5, 4), "r": nn.ReLU(), "w" * letters: nn.Linear(4, 3)}
    model = nn.Sequential(OrderedDict(layers)).double().eval()
    figure = sd.noise_balance(model, data(), progress=False).plot()
    figure.draw_without_rendering()
    (ax,), (label,) = figure.axes, figure.axes[0].get_yticklabels()
    assert ax.get_position().width > 0.4
    assert label.get_window_extent().x0 >= 0
    u, w = label.get_text().split("→")
    assert u.strip().endswith("u")
    assert w.strip().endswith("w")


def test_symmetries_show_and_keep_themselves(tmp_path):
    found = sd.symmetries(net(), data())
    assert found.to_frame()["pair"].tolist() == ["up → down"]
    assert "1 pairs" in repr(found)
    assert sd.load(found.save(tmp_path / "s.json")).skipped.equals(found.skipped)
    with pytest.raises(sd.InputError, match="noise_balance"):
        found.plot()
