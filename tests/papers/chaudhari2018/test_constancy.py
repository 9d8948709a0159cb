"""Remark 13's table: which matrices are compared, and their numbers over seeds."""

import numpy as np
import pytest
import torch
from torch import nn

from sgdiffusion.papers.chaudhari2018 import constancy as study
from sgdiffusion.papers.chaudhari2018 import tables as published


def network(seed, scale):
    net = nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 3))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(scale * torch.randn(p.shape, generator=generator))
    return net.eval()


@pytest.fixture(scope="module")
def table():
    data = torch.randn(200, 6, generator=torch.Generator().manual_seed(3)), torch.arange(200) % 3
    instants = {seed: {f: network(seed, s) for f, s in ((0.2, 0.5), (1.0, 0.51))} for seed in range(3)}
    instants[2][0.2] = instants[2][1.0]
    return study.constancy_table(instants, data)


def test_pairs(table):
    assert list(table.columns) == list(study.CONSTANCY_COLUMNS)
    training, seeds = (table[table["kind"] == kind] for kind in ("training", "seeds"))
    assert training["seed"].tolist() == training["other_seed"].tolist() == [0, 1, 2]
    assert list(zip(seeds["seed"], seeds["other_seed"], strict=True)) == [(0, 1), (0, 2), (1, 2)]
    # nearly the same weights, nearly the same matrix; other weights, another one
    assert training["cosine"].min() > 0.99 > 0.9 > seeds["cosine"].max()
    same = training.iloc[2]
    np.testing.assert_allclose([same["cosine"], same["overlap"], same["trace_ratio"]], 1, atol=1e-4)


def test_quantities(table):
    found = study.quantities(table, "net").set_index("quantity")
    training = table[table["kind"] == "training"]
    assert found.loc["net.cosine_20_100", "value"] == pytest.approx(training["cosine"].mean())
    ratio = np.exp(np.log(training["trace_ratio"]).mean())
    assert found.loc["net.trace_ratio_20_100", "value"] == pytest.approx(ratio)
    assert found.loc["net.overlap_seeds", "n"] == 3
    alone = study.quantities(training, "net")
    assert not alone["quantity"].str.endswith("seeds").any()


def test_published_table(table):
    found = published.constancy_table(net=table)
    assert found["pairs"].tolist() == [3, 3]
    assert found["kind"].tolist() == ["training", "seeds"]
