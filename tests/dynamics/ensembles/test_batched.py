"""Batched losses and gradients against a loop of eager nets with autograd, in double precision."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parameters_to_vector

from sgdiffusion import networks
from sgdiffusion.dynamics.ensembles.batched import BatchedModule, example_losses, stack
from sgdiffusion.dynamics.ensembles.batched_mlp import BatchedMlp, batched, stages_of
from sgdiffusion.errors import ConfigError

NETS, EXAMPLES, INPUTS, CLASSES = 4, 11, 5, 3


def make(name="mlp", in_shape=(INPUTS,), **sizes):
    generators = [torch.Generator().manual_seed(seed) for seed in range(NETS)]
    return [
        networks.build(name, in_shape=in_shape, classes=CLASSES, generator=g, **sizes).double()
        for g in generators
    ]


def examples(own, in_shape=(INPUTS,), squared=False, seed=9):
    g = torch.Generator().manual_seed(seed)
    count = NETS if own else 1
    x = torch.randn(count, EXAMPLES, *in_shape, generator=g, dtype=torch.float64)
    if squared:
        return x, torch.randn(count, EXAMPLES, CLASSES, generator=g, dtype=torch.float64)
    return x, torch.randint(CLASSES, (count, EXAMPLES), generator=g)


def eager(net, x, y, squared):
    """Loss and gradient of one net, the obvious way."""
    outputs = net(x)
    loss = 0.5 * ((outputs - y) ** 2).sum(1).mean() if squared else F.cross_entropy(outputs, y)
    return loss.detach(), parameters_to_vector(torch.autograd.grad(loss, list(net.parameters())))


def loop(nets, x, y, squared=False):
    pairs = [eager(net, x[i % len(x)], y[i % len(y)], squared) for i, net in enumerate(nets)]
    return torch.stack([p[0] for p in pairs]), torch.stack([p[1] for p in pairs])


FAMILIES = [
    ("mlp", {"width": 6, "depth": 2, "batch_norm": True}),
    ("mlp", {"width": 6, "depth": 3, "batch_norm": False}),
    ("two-layer-relu", {"width": 7}),
    ("deep-tanh", {"width": 4, "depth": 2}),
]


@pytest.mark.parametrize("path", [BatchedMlp, BatchedModule])
@pytest.mark.parametrize("own", [True, False], ids=["own", "shared"])
@pytest.mark.parametrize("squared", [True, False], ids=["squared", "entropy"])
@pytest.mark.parametrize(("name", "sizes"), FAMILIES)
def test_losses_and_gradients(path, own, squared, name, sizes):
    nets, (x, y) = make(name, **sizes), examples(own, squared=squared)
    expected = loop(nets, x, y, squared)
    net = path(nets[0], "squared" if squared else "cross-entropy", statistics="batch")
    found = net.gradients(stack(nets), x, y)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-13)
    torch.testing.assert_close(net.losses(stack(nets), x, y), expected[0], rtol=1e-12, atol=0)
    assert net.weights == sum(p.numel() for p in nets[0].parameters())
    for net_, row in zip(nets, net.outputs(stack(nets), x), strict=True):
        assert row.shape == (EXAMPLES, CLASSES)
        if not own:
            torch.testing.assert_close(row, net_(x[0]).detach(), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("own", [True, False], ids=["own", "shared"])
def test_running_statistics_are_constants(own):
    """The fast path against autograd through the module in evaluation mode."""
    nets, (x, y) = make(width=6, depth=2, batch_norm=True), examples(own)
    g = torch.Generator().manual_seed(4)
    for net in nets:
        for i in (2, 5):
            net[i].running_mean.copy_(torch.randn(6, generator=torch.Generator().manual_seed(i)))
            net[i].running_var.copy_(torch.rand(6, generator=g.manual_seed(i)) + 0.5)
        net.eval()
    expected = loop(nets, x, y)
    fast = batched(nets[0], statistics="running")
    assert isinstance(fast, BatchedMlp)
    assert not fast.couples
    torch.testing.assert_close(fast.gradients(stack(nets), x, y), expected, rtol=1e-11, atol=1e-13)
    torch.testing.assert_close(fast.losses(stack(nets), x, y), expected[0], rtol=1e-12, atol=0)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_examples_of_share_zero_have_no_influence(batch_norm):
    """Nets with different batch sizes in one rectangle: each as if its own examples were alone."""
    nets, (x, y) = make(width=6, depth=2, batch_norm=batch_norm), examples(own=True)
    sizes = torch.tensor([11, 4, 7, 2])
    shares = (torch.arange(EXAMPLES) < sizes[:, None]).double() / sizes[:, None]
    net = BatchedMlp(nets[0], statistics="batch")
    losses, gradients = net.gradients(stack(nets), x, y, shares)
    torch.testing.assert_close(net.losses(stack(nets), x, y, shares), losses)
    for i, one in enumerate(nets):
        expected = eager(one, x[i, : sizes[i]], y[i, : sizes[i]], False)
        torch.testing.assert_close((losses[i], gradients[i]), expected, rtol=1e-10, atol=1e-12)


def test_shares_of_a_general_module():
    nets, (x, y) = make(width=6, depth=1, batch_norm=False), examples(own=True, squared=True)
    shares = torch.rand(NETS, EXAMPLES, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    found = [
        path(nets[0], "squared").gradients(stack(nets), x, y, shares) for path in (BatchedMlp, BatchedModule)
    ]
    torch.testing.assert_close(found[0], found[1], rtol=1e-11, atol=1e-13)
    with pytest.raises(ConfigError, match="equal batch sizes"):
        BatchedModule(make(width=6)[0], statistics="batch").gradients(stack(make(width=6)), x, y, shares)


def test_convolutional_net_takes_the_general_path():
    nets = make("small-lenet", in_shape=(1, 22, 22), dropout=0.0)
    x, y = examples(own=False, in_shape=(1, 22, 22))
    net = batched(nets[0], statistics="batch")
    assert isinstance(net, BatchedModule)
    assert net.couples
    found = net.gradients(stack(nets), x, y)
    torch.testing.assert_close(found, loop(nets, x, y), rtol=1e-9, atol=1e-12)


def test_the_fast_path_is_chosen_for_perceptrons_only():
    assert isinstance(batched(make(width=3)[0], statistics="batch"), BatchedMlp)
    assert isinstance(batched(nn.Sequential(nn.Linear(5, 4), nn.Sigmoid(), nn.Linear(4, 3))), BatchedModule)
    assert isinstance(batched(nn.Linear(5, 3)), BatchedModule)
    assert stages_of(nn.Sequential(nn.ReLU())) is None
    late = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.BatchNorm1d(4))
    assert stages_of(late) is None
    assert not batched(make(width=3, batch_norm=False)[0]).couples
    with pytest.raises(ConfigError, match="BatchedModule"):
        BatchedMlp(late.eval())


def test_single_precision_and_dropout_off():
    nets = [net.float() for net in make(width=6, depth=2, dropout=0.5)]
    x, y = examples(own=False)
    first, second = (
        path(nets[0], statistics="batch").losses(stack(nets), x.float(), y)
        for path in (BatchedMlp, BatchedModule)
    )
    torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-6)


def test_errors():
    with pytest.raises(ConfigError, match="one architecture"):
        stack([make(width=3)[0], make(width=4)[0]])
    with pytest.raises(ConfigError, match="loss must be 'cross-entropy' or 'squared', found 'mse'"):
        batched(make(width=3, batch_norm=False)[0], "mse")
    with pytest.raises(ConfigError, match="statistics must be 'running' or 'batch', found 'eval'"):
        batched(make(width=3)[0], statistics="eval")


@pytest.mark.parametrize("path", [BatchedMlp, BatchedModule])
def test_targets_are_never_broadcast(path):
    """Outputs [n, 1] against targets [n] would be n² differences."""
    net = nn.Sequential(nn.Linear(5, 1)).double()
    x, y = torch.randn(1, 7, 5, dtype=torch.float64), torch.randn(1, 7, dtype=torch.float64)
    kernel, theta = path(net, "squared"), stack([net, net])
    for call in (kernel.losses, kernel.gradients):
        with pytest.raises(ConfigError, match=r"a target for each output, found outputs \[7, 1\]"):
            call(theta, x, y)
    expected = 0.5 * (net(x[0])[:, 0] - y[0]).square().mean().detach()
    torch.testing.assert_close(kernel.losses(theta, x, y[..., None]), expected.expand(2))


def used(nets):
    """Nets that have seen data: running statistics of their own."""
    with torch.no_grad():
        for i, net in enumerate(nets):
            g = torch.Generator().manual_seed(20 + i)
            for _ in range(3):
                net.train()(2 + 3 * torch.randn(8, INPUTS, generator=g, dtype=torch.float64))
    return [net.eval() for net in nets]


def test_evaluation_mode_has_its_running_statistics():
    net = used(make(width=6, depth=2)[:1])[0]
    x, y = examples(own=False)
    expected = eager(net, x[0], y[0], False)
    kernel = batched(net)
    assert not kernel.couples
    losses, gradients = kernel.gradients(stack([net]), x, y)
    torch.testing.assert_close((losses[0], gradients[0]), expected, rtol=1e-11, atol=1e-13)
    by_batch = batched(net, statistics="batch")
    assert by_batch.couples
    expected = eager(net.train(), x[0], y[0], False)
    losses, gradients = by_batch.gradients(stack([net]), x, y)
    torch.testing.assert_close((losses[0], gradients[0]), expected, rtol=1e-11, atol=1e-13)


def test_training_mode_needs_the_statistics_by_name():
    net = make(width=6)[0]
    for path in (batched, BatchedMlp, BatchedModule):
        with pytest.raises(ConfigError, match=r"`2` is in training mode: call net\.eval\(\)"):
            path(net)
    assert not BatchedMlp(net.eval()).couples
    untracked = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4, track_running_stats=False))
    assert batched(untracked).couples, "it has no statistics but the batch's"
    with pytest.raises(ConfigError, match="statistics of batch-norm that are asked for"):
        BatchedMlp(untracked)


def frozen_first_layer(nets):
    for net in nets:
        for p in net[1].parameters():
            p.requires_grad_(False)
    return nets


def test_frozen_weights_are_no_weights():
    """d counts the trainable ones, and the gradient is autograd's of those."""
    nets = frozen_first_layer(make(width=6, depth=2, batch_norm=False)[:1])
    x, y = examples(own=False)
    trained = [p for p in nets[0].parameters() if p.requires_grad]
    count = sum(p.numel() for p in trained)
    loss = F.cross_entropy(nets[0](x[0]), y[0])
    expected = parameters_to_vector(torch.autograd.grad(loss, trained))
    kernel, theta = batched(nets[0]), stack(nets)
    assert kernel.weights == theta.shape[1] == count < sum(p.numel() for p in nets[0].parameters())
    losses, gradients = kernel.gradients(theta, x, y)
    torch.testing.assert_close((losses[0], gradients[0]), (loss.detach(), expected), rtol=1e-11, atol=1e-13)
    assert stages_of(nets[0]) is None


def test_nets_without_trainable_weights_and_stacks_that_differ_elsewhere_are_refused():
    for p in (net := make(width=6)[0]).parameters():
        p.requires_grad_(False)
    for call in (stack, lambda nets: batched(nets[0], statistics="batch")):
        with pytest.raises(ConfigError, match="no trainable parameter: all are frozen"):
            call([net])
    with pytest.raises(ConfigError, match=r"`1\.weight`, frozen or .* differs between nets 0 and 1"):
        stack(frozen_first_layer(make(width=6, batch_norm=False)))
    with pytest.raises(ConfigError, match=r"`2\.running_mean`"):
        stack(used(make(width=6)))
    assert len(stack(make(width=6))) == NETS


def test_example_losses_of_shared_labels():
    outputs = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.tensor([0, 2, 1, 1])
    expected = torch.stack([F.cross_entropy(o, labels, reduction="none") for o in outputs])
    torch.testing.assert_close(example_losses(outputs, labels[None], "cross-entropy"), expected)
