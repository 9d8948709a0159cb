"""The choice of the way: the fastest that fits, and errors that say what would fit."""

import pytest
import torch
from torch import nn

from sgdiffusion.errors import InputError
from sgdiffusion.inputs.data import Inputs
from sgdiffusion.measures.noise import ways
from sgdiffusion.measures.noise.gradients import PerExampleGradients
from sgdiffusion.measures.noise.ways import Way, choose

GIB = 2.0**30
FOUND = [Way("layers", 2 * GIB, 5), Way("dual", 9 * GIB, 20), Way("krylov", 1 * GIB, 90)]


def test_the_fastest_that_fits():
    assert choose(FOUND, "auto", 16 * GIB).method == "layers"
    assert choose(FOUND, "auto", 1.5 * GIB).method == "krylov"
    assert choose(FOUND, "dual", 16 * GIB).method == "dual"


@pytest.mark.parametrize(
    ("method", "memory", "message"),
    [
        ("auto", 0.5, r"nothing fits into 512 MiB \(layers 2 GiB, 5 s; .*k=20"),
        ("dual", 1, r"nothing fits into 1 GiB \(dual 9 GiB, 20 s\)"),
        ("dense", 99, "needs the number of eigenvalues"),
        ("lanczos", 99, "unknown method 'lanczos'; expected auto, dense"),
    ],
)
def test_what_does_not_fit(method, memory, message):
    with pytest.raises(InputError, match=message):
        choose(FOUND, method, memory * GIB)


def test_estimates_of_a_wide_network():
    net = nn.Linear(300, 400).eval()
    stream = PerExampleGradients(net, Inputs((torch.randn(50, 300), torch.arange(50) % 3)))
    found = {way.method: way for way in ways.ways(stream, 5)}
    assert found.keys() == {"dense", "dual", "layers", "krylov"}
    d = stream.weights
    assert found["dense"].memory > 2 * d**2 * 4
    assert found["dual"].memory > 50 * d * 4
    assert min(found.values(), key=lambda way: way.seconds).method != "dense"
    assert "krylov" not in {way.method for way in ways.ways(stream, None)}


def test_single_precision_by_layers_is_no_double_precision():
    x, y = torch.randn(50, 300), torch.arange(50) % 3
    for double, precision, possible in (
        (False, "float32", True),
        (False, "float64", False),
        (True, "float64", True),
    ):
        net = nn.Linear(300, 400).eval()
        stream = PerExampleGradients(net.double() if double else net, Inputs((x, y)))
        assert ("layers" in {way.method for way in ways.ways(stream, 5, precision)}) == possible
    with pytest.raises(InputError, match="method: 'layers' sums in the model's precision"):
        choose(FOUND[1:], "layers", 99 * GIB)


@pytest.mark.parametrize(
    ("amount", "words"), [(5, "5 B"), (2048, "2 KiB"), (3 * GIB, "3 GiB"), (2e15, "1,819 TiB")]
)
def test_sizes_in_words(amount, words):
    assert ways.size(amount) == words
