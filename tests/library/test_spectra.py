"""The public spectrum: every method gives the numbers of the oracle, the estimate comes first."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import sgdiffusion as sd
from sgdiffusion.measures.noise import ways

N, D = 40, 63


def net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 3)).double().eval()


def data(n=N):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, 6, generator=generator, dtype=torch.float64), torch.arange(n) % 3


def oracle(model, x, y):
    """Eigenvalues of D from one backward pass per example."""
    rows = []
    for k in range(len(x)):
        model.zero_grad()
        nn.functional.cross_entropy(model(x[k : k + 1]), y[k : k + 1]).backward()
        rows.append(torch.cat([p.grad.flatten() for p in model.parameters()]).numpy().copy())
    rows = np.array(rows) - np.mean(rows, 0)
    return np.linalg.eigvalsh(rows.T @ rows / len(rows))[::-1]


@pytest.mark.parametrize("method", ["dense", "dual", "layers", "krylov"])
def test_every_method_gives_the_eigenvalues(method):
    model, (x, y) = net(), data()
    found = sd.spectrum(model, (x, y), k=5, method=method, precision="float64", progress=False)
    expected = oracle(model, x, y)
    # Krylov stops at residuals of 1e-4, which enter squared over the gaps; the others are exact
    np.testing.assert_allclose(found.eigenvalues, expected[:5], rtol=1e-6 if method == "krylov" else 1e-9)
    assert found.trace == pytest.approx(expected.sum(), rel=1e-9)
    assert (found.method, found.weights, found.examples) == (method, D, N)
    assert np.isfinite(found.residuals).all() == (method == "krylov")


def test_all_that_can_differ_from_zero_by_default():
    model, (x, y) = net(), data(20)
    found = sd.spectrum(model, (x, y), precision="float64", progress=False)
    expected = oracle(model, x, y)
    assert len(found.eigenvalues) == 20
    np.testing.assert_allclose(found.eigenvalues, expected[:20], atol=1e-12)
    assert found.rank == 19  # centred rows of 20 examples
    assert found.mean == pytest.approx(expected.mean())
    assert found.sd == pytest.approx(expected.std())
    assert found.participation == pytest.approx(expected.sum() ** 2 / (expected**2).sum())


def test_the_estimate_is_said_before_the_work(capsys, monkeypatch):
    monkeypatch.setattr(ways, "SHORT", 600)  # however busy the machine, the simplest way goes first
    sd.spectrum(net(), data(), k=3)
    said = capsys.readouterr().err
    assert said.startswith(f"spectrum: N = {N}, d = {D}: dense, about ")
    assert "krylov" in said


def test_no_rank_where_single_precision_cannot_decide(monkeypatch):
    """9 million weights: λ₁·d·ε is above λ₁, whatever the spectrum."""

    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.zeros(9_000_000))

        def forward(self, x):
            return x @ self.w[:6].unsqueeze(1)

    x, _ = data(4)
    found = sd.spectrum(
        Wide().eval(), (x.float(), x[:, :1].float()), "half-squared", method="dual", progress=False
    )
    assert found.rank is None
    assert "undecidable" in found.notes[0]
    assert "rank not known" in repr(found)


def test_a_rank_above_k_is_no_number():
    found = sd.spectrum(net(), data(), k=2, method="krylov", progress=False)
    assert found.rank is None
    assert "rank above 2" in found.notes[0]


def test_results_are_kept_and_read_again(tmp_path):
    found = sd.spectrum(net(), data(), k=4, method="krylov", progress=False)
    path = found.save(tmp_path / "spectrum.json")
    json.loads(path.read_text(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    again = sd.load(path)
    assert isinstance(again, sd.Spectrum)
    np.testing.assert_array_equal(again.eigenvalues, found.eigenvalues)
    assert np.isnan(again.frobenius)
    assert repr(again) == repr(found)
    assert again.to_frame().equals(found.to_frame())
    assert list(found.to_frame().attrs["columns"]) == list(found.to_frame())


def test_the_picture_shows_all_eigenvalues_but_rounding():
    found = sd.spectrum(net(), data(20), precision="float64", progress=False)  # 19 and one that is zero
    (ax,) = found.plot().axes
    np.testing.assert_allclose(ax.lines[0].get_ydata(), found.eigenvalues[:-1])
    assert ax.get_xlabel() == "index"


def test_gradients_are_those_of_the_examples():
    model, (x, y) = net(), data(3)
    stream = sd.gradients(model, (x, y), params="2.*")
    rows = torch.cat(list(stream))
    for k in range(3):
        loss = nn.functional.cross_entropy(model(x[k : k + 1]), y[k : k + 1])
        expected = torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model[2].parameters()))])
        torch.testing.assert_close(rows[k], expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k: 0 eigenvalues of 40"),
        ({"k": 41}, "ask for a whole number from 1 to 40"),
        ({"k": 2.5}, "k: 2.5 eigenvalues of 40"),
        ({"k": True}, "k: True eigenvalues"),
        ({"seed": None}, "seed: found None"),
        ({"memory": "8GB"}, "memory: found '8GB'; give GiB"),
        ({"memory": -1}, "memory: found -1"),
        ({"memory": 1e-6}, "nothing fits into"),
        ({"method": "krylov"}, "give k"),
        ({"method": "exact"}, "unknown method 'exact'"),
        ({"convention": "none"}, "convention: unknown convention 'none'; expected with_replacement or"),
        ({"precision": "float16"}, "precision: unknown precision 'float16'; expected float32 or float64"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(sd.InputError, match=message):
        sd.spectrum(net(), data(), progress=False, **options)


def test_a_network_without_noise_has_a_diagnosis_and_no_participation():
    x, y = data(1)
    found = sd.spectrum(net(), (x.repeat(9, 1), y.repeat(9)), method="dense", progress=False)
    assert (found.rank, found.trace) == (0, 0)
    assert np.isnan(found.participation)
    assert np.isnan(found.to_frame()["share"]).all()
    (diagnosis,) = found.diagnoses
    assert diagnosis.startswith("all examples have the same gradient")


def test_numbers_of_numpy_are_numbers():
    found = sd.spectrum(net(), data(), k=np.int64(3), examples=np.int32(20), progress=False)
    assert (len(found.eigenvalues), found.examples) == (3, 20)


@pytest.mark.parametrize("kind", ["Foo", "Spectrum"])
def test_a_file_that_holds_no_result_is_named(tmp_path, kind):
    (tmp_path / "s.json").write_text(json.dumps({"kind": kind, "sgdiffusion": "1"}))
    with pytest.raises(sd.InputError, match=f"s.json holds no whole {kind}"):
        sd.load(tmp_path / "s.json")


def test_a_place_that_takes_no_file_is_named(tmp_path):
    found = sd.spectrum(net(), data(), k=2, progress=False)
    with pytest.raises(sd.InputError, match=r"path: .*nowhere/s\.json cannot be written"):
        found.save(tmp_path / "nowhere" / "s.json")


class Last(nn.Module):
    """A recurrent network that answers after three steps."""

    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(2, 3, batch_first=True), nn.Linear(3, 3)

    def forward(self, x):
        return self.head(self.lstm(x.view(len(x), 3, 2))[0][:, -1])


@pytest.mark.parametrize(
    ("precision", "vectorise"), [(torch.float32, True), (torch.float32, False), (torch.float64, False)]
)
def test_a_recurrent_network(precision, vectorise):
    torch.manual_seed(0)
    model, (x, y) = Last().to(precision).eval(), data(8)
    found = sd.spectrum(model, (x, y), vectorise=vectorise, progress=False).eigenvalues
    expected = oracle(model, x.to(precision), y)
    np.testing.assert_allclose(found, expected[: len(found)], atol=1e-6 * expected[0])  # single precision


def test_what_vmap_cannot_do_is_named_whatever_torch_says():
    """Of an LSTM in double precision torch.func says only that shapes of its own tensors differ."""
    with pytest.raises(sd.InputError, match=r"torch\.func cannot vectorise it .*; use vectorise=False"):
        sd.spectrum(Last().double().eval(), data(8), progress=False)


def test_control_flow_is_named_with_its_remedy():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(6, 3)

        def forward(self, x):
            return self.layer(x) if bool(x.abs().sum() > 0) else self.layer(-x)

    model, (x, y) = Branches().double().eval(), data(8)
    with pytest.raises(sd.InputError, match="use vectorise=False"):
        sd.spectrum(model, (x, y), progress=False)
    found = sd.spectrum(model, (x, y), vectorise=False, progress=False)
    assert found.trace > 0


def test_free_memory_is_that_of_this_machine():
    assert 2**26 < ways.free_memory() < 2**45
