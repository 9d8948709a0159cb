"""Networks: published weight counts, layouts, seeded initialisation, errors."""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector

from sgdiffusion import networks
from sgdiffusion.errors import ConfigError


def count_weights(net):
    """Trained weights: batch-norm's scale and shift included, its running statistics not."""
    return sum(p.numel() for p in net.parameters())


def make(name, in_shape=(1, 28, 28), classes=10, seed=0, **kwargs):
    generator = torch.Generator().manual_seed(seed)
    return networks.build(name, in_shape=in_shape, classes=classes, generator=generator, **kwargs)


@pytest.mark.parametrize(
    ("name", "in_shape", "classes", "count"),
    [
        ("small-lenet", (1, 28, 28), 10, 13_338),
        ("small-allcnn", (3, 32, 32), 10, 26_982),
        ("small-allcnn", (3, 32, 32), 100, 29_412),
        ("small-fc", (1, 7, 7), 10, 49 * 64 + 64 + 2 * 64 + 64 * 10 + 10),
        ("tiny-fc", (1, 7, 7), 5, 49 * 16 + 16 + 2 * 16 + 16 * 5 + 5),
        ("two-layer-relu", (20,), 20, 20 * 200 + 200 * 20),
    ],
)
def test_weight_counts(name, in_shape, classes, count):
    net = make(name, in_shape, classes)
    assert count_weights(net) == count
    assert net(torch.zeros(3, *in_shape)).shape == (3, classes)


def test_sizes_of_the_families():
    mlp = make("mlp", (784,), 10, width=32, depth=2, batch_norm=False)
    assert count_weights(mlp) == 784 * 32 + 32 + 32 * 32 + 32 + 32 * 10 + 10
    assert not any(isinstance(m, nn.BatchNorm1d) for m in mlp)
    with_norm = make("mlp", (784,), 10, width=32, depth=2, dropout=0.3)
    assert count_weights(with_norm) == count_weights(mlp) + 2 * 2 * 32
    assert [m.p for m in with_norm if isinstance(m, nn.Dropout)] == [0.3, 0.3]
    deep = make("deep-tanh", (784,), 10, width=50, depth=3)
    assert sum(isinstance(m, nn.Tanh) for m in deep) == 3
    biased = make("two-layer-relu", (20,), 20, width=7, bias=True)
    assert count_weights(biased) == 20 * 7 + 7 + 7 * 20  # no bias of the outputs


def test_small_lenet_flattens_to_64_features():
    net = make("small-lenet")
    linear = [m for m in net if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linear] == [(64, 128), (128, 10)]


def test_two_layer_relu_has_the_rescaling_symmetry():
    net = make("two-layer-relu", (20,), 20).double()
    x = torch.randn(5, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    before = net(x)
    with torch.no_grad():
        net[1].weight.mul_(3.0)
        net[3].weight.div_(3.0)
    torch.testing.assert_close(net(x), before, rtol=1e-12, atol=1e-12)


def test_dropout_rates_and_override():
    def rates(net):
        return [m.p for m in net if isinstance(m, nn.Dropout)]

    assert rates(make("small-lenet")) == [0.1, 0.1, 0.1]
    assert rates(make("small-lenet", dropout=0.0)) == [0.0, 0.0, 0.0]
    assert rates(make("small-allcnn", (3, 32, 32))) == [0.2, 0.5, 0.5]
    assert rates(make("small-allcnn", (3, 32, 32), dropout=0.25)) == [0.1, 0.25, 0.25]


@pytest.mark.parametrize("name", ["small-lenet", "small-fc", "deep-tanh"])
@pytest.mark.parametrize("init", networks.INITS)
def test_initialisation_depends_on_the_generator_alone(name, init):
    state = torch.get_rng_state()
    first = parameters_to_vector(make(name, init=init, seed=3).parameters())
    torch.rand(5)  # moving the global generator changes nothing
    again = parameters_to_vector(make(name, init=init, seed=3).parameters())
    other = parameters_to_vector(make(name, init=init, seed=4).parameters())
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    torch.set_rng_state(state)


def test_global_generator_is_left_alone():
    before = torch.get_rng_state()
    make("small-allcnn", (3, 32, 32))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("init", "variance"), [("torch", 1 / 3 / 400), ("kaiming", 2 / 400), ("xavier", 2 / (400 + 300))]
)
def test_initial_variance(init, variance):
    layer = make("mlp", (400,), 10, width=300, init=init, seed=5)[1]
    # 120,000 draws: the relative standard error of a variance is at most √(2/n) = 0.4 %, tolerance 4 of them
    assert layer.weight.var().item() == pytest.approx(variance, rel=4 * math.sqrt(2 / 120_000))
    assert (layer.bias.abs().max() > 0) == (init == "torch")


def test_torch_init_equals_the_layers_own_law():
    own = nn.Conv2d(8, 16, 5)
    bound = 1 / math.sqrt(8 * 25)
    ours = make("small-lenet")[5]
    assert own.weight.abs().max() <= bound
    assert bound * 0.99 < ours.weight.abs().max() <= bound
    assert bound * 0.5 < ours.bias.abs().max() <= bound


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "lenet"}, "unknown network 'lenet'; known are small-lenet"),
        ({"name": "small-fc", "init": "he"}, "unknown initialisation 'he'; known are torch, kaiming"),
        ({"name": "small-fc", "width": 3}, "has no size width; its sizes are: none"),
        ({"name": "mlp", "height": 3}, "its sizes are: width, depth, batch_norm"),
        ({"name": "mlp", "width": 0}, "width must be a positive whole number, found 0"),
        ({"name": "mlp", "batch_norm": 1}, "batch_norm must be true or false"),
        ({"name": "small-lenet", "in_shape": (784,)}, "needs images"),
        ({"name": "small-lenet", "in_shape": (1, 8, 8)}, "at least 22×22"),
        ({"name": "small-allcnn", "in_shape": (3, 30, 30)}, "divisible by 4"),
        ({"name": "two-layer-relu", "dropout": 0.1}, "has no dropout"),
    ],
)
def test_errors_say_what_is_allowed(arguments, message):
    with pytest.raises(ConfigError, match=message):
        make(**arguments)


def test_unknown_layer_types_are_refused():
    with pytest.raises(ConfigError, match="layers of type Bilinear"):
        networks.initialise(nn.Bilinear(2, 2, 2), "torch", torch.Generator())


@pytest.mark.parametrize(
    ("name", "classes", "count"),
    # with 1,000 classes torchvision's are known to have 11,689,512 and 21,797,672; each class has 512 + 1
    [("resnet18", 10, 11_689_512 - 512 * 990 - 990), ("resnet34", 10, 21_797_672 - 512 * 990 - 990)],
)
def test_networks_of_torchvision(name, classes, count):
    nets = [
        networks.build_torchvision(name, classes=classes, generator=torch.Generator().manual_seed(s))
        for s in (0, 0, 1)
    ]
    assert count_weights(nets[0]) == count
    first, again, other = (parameters_to_vector(net.parameters()) for net in nets)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    running = [b for n, b in nets[0].named_buffers() if n.endswith(("running_mean", "running_var"))]
    assert {float(v) for b in running for v in b.unique()} == {0.0, 1.0}
    assert nets[0].eval()(torch.zeros(1, 3, 32, 32)).shape == (1, classes)


def test_an_unknown_network_of_torchvision_is_named():
    with pytest.raises(ConfigError, match="unknown network 'resnet50' of torchvision; known are resnet18"):
        networks.build_torchvision("resnet50", classes=2, generator=torch.Generator())
