"""Cross-examination: known walks, nets of known balance, and every row of the table."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from sgdiffusion import networks
from sgdiffusion.dynamics.chains.averages import with_statistics
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.errors import MeasureError
from sgdiffusion.inputs.losses import cross_entropy, half_squared_error
from sgdiffusion.papers.cross import examinations as cross
from sgdiffusion.papers.cross.figures.networks import cross_figure
from sgdiffusion.papers.hennick2025.settings import Langevin

PLAN = Langevin(chains=2, draws=8, burn_in=8, every=1, temperature="examples", localisation=10.0, share=0.3)


def walk(kind, seed, steps=4000, d=200):
    generator = np.random.default_rng(seed)
    if kind == "straight":
        return np.arange(steps + 1)[:, None] * np.ones(d)
    return np.concatenate([np.zeros((1, d)), generator.standard_normal((steps, d)).cumsum(0)])


# A straight line has exponent 1 exactly. Brownian motion in 200 dimensions: R² is χ²_200·t, so ln R has s.d.
# 1/√400 = 0.05 at each time; a slope over one decade (2.3 in ln t) is known to about 0.04: 4 of these.
@pytest.mark.parametrize(("kind", "slope", "tolerance"), [("straight", 1.0, 1e-9), ("brownian", 0.5, 0.16)])
@pytest.mark.parametrize("origin", [0, 500])
def test_exponents_of_known_walks(kind, slope, tolerance, origin):
    epochs = np.arange(4001)
    histories = {s: {"weights": walk(kind, s), "epochs": epochs} for s in (0, 1)}
    found = cross.exponents(cross.displacement_table(histories, [origin]))
    assert found["seed"].tolist() == [0, 1]
    np.testing.assert_allclose(found["slope"], slope, atol=tolerance)
    assert (found["last"] == 4000 - origin).all()


def test_displacement_is_the_distance_at_those_epochs():
    weights, epochs = walk("brownian", 3, steps=50), 10 * np.arange(51)
    time, moved = cross.displacement(weights, epochs, 100)
    assert time[0] == 10
    assert time[-1] == 400
    rows = 10 + (time / 10).astype(int)
    np.testing.assert_allclose(moved, np.sqrt(((weights[rows] - weights[10]) ** 2).sum(1)))


def test_a_short_trajectory_is_refused():
    with pytest.raises(MeasureError, match="too short for displacements since 45"):
        cross.displacement(walk("straight", 0, steps=50), np.arange(51), 45)


def mlp(seed):
    generator = torch.Generator().manual_seed(seed)
    return networks.build(
        "mlp", in_shape=(3,), classes=2, generator=generator, width=5, depth=2, batch_norm=False
    )


def with_norm(seed):
    generator = torch.Generator().manual_seed(seed)
    net = networks.build("mlp", in_shape=(3,), classes=2, generator=generator, width=5, depth=1)
    return with_statistics(net, examples().x)


def examples(n=40):
    generator = torch.Generator().manual_seed(7)
    return Examples(torch.randn(n, 3, generator=generator), torch.randint(2, (n,), generator=generator))


def test_nets_have_rank_and_balance_of_every_pair():
    data, net = examples(), mlp(0)
    table = cross.net_table("small", "hennick2025", [net, mlp(1)], data)
    assert set(table["measured"]) == {"rank", "participation", "noise-1", "norms-1", "noise-2", "norms-2"}
    assert set(table["net"]) == {0, 1}
    first = table[table["net"] == 0].set_index("measured")["value"]
    linear = [m for m in net.modules() if isinstance(m, nn.Linear)]
    u = (linear[0].weight ** 2).sum() + (linear[0].bias ** 2).sum()
    assert first["norms-1"] == pytest.approx(torch.log10(u / (linear[1].weight ** 2).sum()).item(), abs=1e-5)
    gradients = []
    for x, y in zip(data.x, data.y, strict=True):
        net.zero_grad()
        cross_entropy(net(x[None]), y[None]).sum().backward()
        inner = torch.cat([linear[0].weight.grad.flatten(), linear[0].bias.grad])
        gradients.append([inner, linear[1].weight.grad.flatten().clone()])
    # wᵀC₂w is the trace of the covariance of the first layer's gradients, its biases' included, and uᵀC₁u
    # that of the second's
    traces = [torch.stack(g).var(0, unbiased=False).sum().item() for g in zip(*gradients, strict=True)]
    assert first["noise-1"] == pytest.approx(np.log10(traces[1] / traces[0]), abs=1e-4)
    assert 0 < first["rank"] <= 100 * len(data) / sum(p.numel() for p in net.parameters())


def test_a_rescaled_layer_moves_both_ratios_by_the_known_powers():
    """u → λu, w → w/λ multiplies ‖u‖²/‖w‖² by λ⁴, and uᵀC₁u/wᵀC₂w too, as Tr Cov ∇_w ∝ λ², ∇_u ∝ λ⁻²."""
    generator = torch.Generator().manual_seed(2)
    net = networks.build("two-layer-relu", in_shape=(3,), classes=3, generator=generator, width=6)
    data = Examples(examples().x, examples().x + 0.3)
    before, scale = cross.net_table("a", "ziyin2025", [net], data, half_squared_error), 1.7
    first, second = (m for m in net.modules() if isinstance(m, nn.Linear))
    with torch.no_grad():
        first.weight.mul_(scale)
        second.weight.div_(scale)
    after = cross.net_table("a", "ziyin2025", [net], data, half_squared_error)
    moved = (after.set_index("measured")["value"] - before.set_index("measured")["value"])[
        ["noise-1", "norms-1"]
    ]
    np.testing.assert_allclose(moved, 4 * np.log10(scale), atol=1e-4)


def test_statistics_are_means_over_batches():
    """In evaluation mode the first batch-norm then normalises with the batches' mean moments."""
    generator, x = torch.Generator().manual_seed(0), examples().x
    net = networks.build("mlp", in_shape=(3,), classes=2, generator=generator, width=5, depth=1)
    found = with_statistics(net, x, batch=10)
    before = x @ found[1].weight.T + found[1].bias
    assert not found.training
    torch.testing.assert_close(found[2].running_mean, before.mean(0), rtol=1e-5, atol=1e-6)
    variances = torch.stack([part.var(0) for part in before.split(10)]).mean(0)
    torch.testing.assert_close(found[2].running_var, variances, rtol=1e-5, atol=1e-6)


def test_networks_along_a_history():
    net = mlp(0)
    d = sum(p.numel() for p in net.parameters())
    history = {"weights": np.arange(101)[:, None] * np.ones((1, d), np.float32), "epochs": np.arange(101)}
    history["weights"] = history["weights"].astype(np.float32)
    found = cross.along(net, history, 4)
    assert next(iter(found)) == 1
    assert list(found)[-1] == 100
    for time, module in found.items():
        assert all(bool((p == time).all()) for p in module.parameters())


@pytest.fixture(scope="module")
def tables():
    histories = {s: {"weights": walk("brownian", s, 400), "epochs": np.arange(401)} for s in (0, 1)}
    points = {(s, t): mlp(s) for s in (0, 1) for t in (1.0, 40.0, 160.0, 400.0)}
    kept = {(s, t): mlp(s) for s in (0, 1) for t in (0.2, 1.0)}
    coefficients = pd.concat(
        [
            cross.coefficients("tiny-fc", points, examples(), PLAN, seed=1),
            cross.coefficients("small-lenet", kept, examples(), PLAN, seed=2),
        ]
    )
    relu = [networks.build("two-layer-relu", in_shape=(3,), classes=3, generator=torch.Generator(), width=6)]
    nets = pd.concat(
        [
            cross.net_table("moons", "hennick2025", [mlp(i) for i in range(3)], examples()),
            cross.net_table(
                "two-layer-relu", "ziyin2025", relu, Examples(examples().x, examples().x), half_squared_error
            ),
            cross.net_table("small-fc", "chaudhari2018", [with_norm(i) for i in range(2)], examples()),
        ],
        ignore_index=True,
    )
    return {
        "curves": cross.displacement_table(histories, [0, 50]),
        "coefficients": coefficients,
        "nets": nets,
    }


def test_table_has_every_measurement_on_others_networks_only(tables):
    table = cross.cross_table(**tables)
    assert (table["measurement"] != table["of"]).all()
    assert table["quantity"].is_unique
    assert {
        "cross.tiny-fc.exponent.from-0", "cross.tiny-fc.exponent.from-50", "cross.tiny-fc.spectral-dimension",
        "cross.tiny-fc.llc.end", "cross.small-lenet.llc.0.2", "cross.small-lenet.llc.end", "cross.moons.rank",
        "cross.moons.noise-2", "cross.two-layer-relu.rank",
    } <= set(table["quantity"])  # fmt: skip
    assert "cross.small-fc.noise-1" in set(table["quantity"])
    own = ("two-layer-relu.noise", "small-fc.rank")
    assert not any(name in quantity for quantity in table["quantity"] for name in own)
    assert ((table["low"] <= table["value"]) & (table["value"] <= table["high"])).all()


def test_spectral_dimension_is_twice_coefficient_times_exponent(tables):
    flat = tables["coefficients"].assign(llc=3.0, diagnoses="")
    table = cross.cross_table(tables["curves"], flat, tables["nets"]).set_index("quantity")["value"]
    slopes = cross.exponents(tables["curves"]).query("origin == 0")["slope"]
    assert table["cross.tiny-fc.spectral-dimension"] == pytest.approx(2 * 3.0 * slopes.mean())


def test_figure_draws_all_and_marks_flagged_estimates(tables):
    flagged = tables["coefficients"].copy()
    flagged.loc[flagged.index[:2], "diagnoses"] = "drifting"
    figure = cross_figure(tables["curves"], flagged, tables["nets"])
    assert len(figure.axes) == 4
    labels = {t.get_text() for ax in figure.axes for t in ax.get_legend().get_texts()}
    assert {"flagged unreliable", "balance", "published ranks of other nets"} <= labels
