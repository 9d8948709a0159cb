"""Cosine, overlap and trace of diffusion matrices: both forms against dense algebra in double precision."""

import numpy as np
import pytest
import torch
from torch import nn

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.noise.alignment import Noise, cosine, noise, overlap
from sgdiffusion.measures.noise.gradients import PerExampleGradients


def network(seed):
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=generator))
    return net.eval()


def gradients(seed, examples):
    generator = torch.Generator().manual_seed(9)
    data = torch.randn(examples, 6, generator=generator), torch.arange(examples) % 3
    return PerExampleGradients(network(seed), data)


def dense(stream):
    g = torch.cat(list(stream)).double().numpy()
    g -= g.mean(axis=0)
    return g.T @ g / len(g)


@pytest.mark.parametrize("examples", [40, 400])  # d = 83: by rows, and by the triangle
def test_equals_dense_algebra(examples):
    streams = [gradients(seed, examples) for seed in (0, 1)]
    a, b = map(dense, streams)
    first, second = map(noise, streams)
    assert (first.rows is None) == (examples > 83)
    np.testing.assert_allclose(
        first.eigenvalues(), np.linalg.eigvalsh(a)[::-1], atol=1e-5 * np.linalg.norm(a)
    )
    assert first.trace() == pytest.approx(np.trace(a), rel=1e-5)
    assert first.inner(second) == pytest.approx((a * b).sum(), rel=1e-5)
    exact = (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b)
    assert cosine(first, second) == pytest.approx(exact, rel=1e-5)
    vectors = [np.linalg.eigh(m)[1][:, -5:] for m in (a, b)]
    exact = np.square(vectors[0].T @ vectors[1]).sum() / 5
    assert overlap(first.leading(5), second.leading(5)) == pytest.approx(exact, abs=1e-3)


def test_scale_and_self():
    one = noise(gradients(0, 400))
    larger = Noise(lower=3 * one.lower)
    assert cosine(one, larger) == pytest.approx(1, abs=1e-6)
    assert overlap(one.leading(4), larger.leading(4)) == pytest.approx(1, abs=1e-4)
    assert larger.trace() == pytest.approx(3 * one.trace(), rel=1e-6)


def test_errors():
    with pytest.raises(MeasureError, match="must be 1 to 82, found 83"):
        noise(gradients(0, 400)).leading(83)
    with pytest.raises(MeasureError, match="cannot be compared"):
        noise(gradients(0, 400)).inner(noise(gradients(0, 40)))
