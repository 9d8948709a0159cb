"""Every network of the three papers, by name, initialised from an explicit generator.

The layouts of small-lenet and small-allcnn are those whose weight counts equal the published 13,338 and
26,982 (convolution → batch-norm → ReLU → pool → dropout, biases everywhere). A weight vector x ∈ R^d is
`torch.nn.utils.parameters_to_vector(net.parameters())`; batch-norm's running statistics are not in it.
"""

import inspect
import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from sgdiffusion.errors import ConfigError

Shape = tuple[int, ...]
INITS = ("torch", "kaiming", "xavier")


def _small_lenet(in_shape: Shape, classes: int, dropout: float | None) -> nn.Module:
    channels, height, width = _image(in_shape, "small-lenet")
    side_h, side_w = (((side - 4) // 3 - 4) // 2 for side in (height, width))
    if min(side_h, side_w) < 1:
        raise ConfigError(f"small-lenet needs images of at least 22×22, found {height}×{width}")
    rate = 0.1 if dropout is None else dropout
    return nn.Sequential(
        nn.Conv2d(channels, 8, 5),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(3),
        nn.Dropout(rate),
        nn.Conv2d(8, 16, 5),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(rate),
        nn.Flatten(),
        nn.Linear(16 * side_h * side_w, 128),
        nn.BatchNorm1d(128),
        nn.ReLU(),
        nn.Dropout(rate),
        nn.Linear(128, classes),
    )


def _small_allcnn(in_shape: Shape, classes: int, dropout: float | None) -> nn.Module:
    """All-CNN with 12 and 24 channels; `dropout` is the hidden rate, the input's stays at 2/5 of it."""
    channels, height, width = _image(in_shape, "small-allcnn")
    if height % 4 or width % 4:
        raise ConfigError(f"small-allcnn needs image sides divisible by 4, found {height}×{width}")
    rate = 0.5 if dropout is None else dropout
    return nn.Sequential(
        nn.Dropout(0.4 * rate),
        *_block(channels, 12, 3, 1),
        *_block(12, 12, 3, 1),
        *_block(12, 12, 3, 2),
        nn.Dropout(rate),
        *_block(12, 24, 3, 1),
        *_block(24, 24, 3, 1),
        *_block(24, 24, 3, 2),
        nn.Dropout(rate),
        *_block(24, 24, 3, 1),
        *_block(24, 24, 3, 1),
        *_block(24, classes, 1, 1),
        nn.AvgPool2d((height // 4, width // 4)),
        nn.Flatten(),
    )


def _block(fan_in: int, fan_out: int, kernel: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(fan_in, fan_out, kernel, stride=stride, padding=kernel // 2)
    return [convolution, nn.BatchNorm2d(fan_out), nn.ReLU()]


def _small_fc(in_shape: Shape, classes: int, dropout: float | None) -> nn.Module:
    return _mlp(in_shape, classes, dropout, width=64)


def _tiny_fc(in_shape: Shape, classes: int, dropout: float | None) -> nn.Module:
    return _mlp(in_shape, classes, dropout, width=16)


def _mlp(
    in_shape: Shape,
    classes: int,
    dropout: float | None,
    width: int = 64,
    depth: int = 1,
    batch_norm: bool = True,
) -> nn.Module:
    """`depth` hidden layers of `width` ReLU units, batch-norm before each ReLU when asked for."""
    layers: list[nn.Module] = [nn.Flatten()]
    fan_in = math.prod(in_shape)
    for _ in range(depth):
        layers.append(nn.Linear(fan_in, width))
        layers += [nn.BatchNorm1d(width)] if batch_norm else []
        layers.append(nn.ReLU())
        layers += [nn.Dropout(dropout)] if dropout else []
        fan_in = width
    return nn.Sequential(*layers, nn.Linear(fan_in, classes))


def _plain(
    activation: type[nn.Module], fan_in: int, width: int, depth: int, out: int, bias: bool
) -> nn.Sequential:
    sides = [fan_in] + [width] * depth
    hidden = [
        layer
        for left, right in itertools.pairwise(sides)
        for layer in (nn.Linear(left, right, bias=bias), activation())
    ]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(sides[-1], out, bias=bias))


def _two_layer_relu(
    in_shape: Shape, classes: int, dropout: float | None, width: int = 200, bias: bool = False
) -> nn.Module:
    """Σ_i u_i ReLU(w_i·x + b_i), the b_i with `bias`: symmetric under (u, (w, b)) → (λu, (w, b)/λ)."""
    _no_dropout("two-layer-relu", dropout)
    net = _plain(nn.ReLU, math.prod(in_shape), width, 1, classes, False)
    if bias:
        net[1] = nn.Linear(math.prod(in_shape), width)
    return net


def _deep_tanh(
    in_shape: Shape, classes: int, dropout: float | None, width: int = 64, depth: int = 4, bias: bool = True
) -> nn.Module:
    """`depth` hidden layers of `width` tanh units."""
    _no_dropout("deep-tanh", dropout)
    return _plain(nn.Tanh, math.prod(in_shape), width, depth, classes, bias)


def _conv_norm(in_shape: Shape, classes: int, dropout: float | None, width: int = 8) -> nn.Module:
    """Two 3×3 convolutions with batch-norm and ReLU, and a linear layer."""
    _no_dropout("conv-norm", dropout)
    channels, height, side = _image(in_shape, "conv-norm")
    return nn.Sequential(
        *_block(channels, width, 3, 1),
        *_block(width, width, 3, 2),
        nn.Flatten(),
        nn.Linear(width * -(-height // 2) * -(-side // 2), classes),
    )


class SelfAttention(nn.Module):
    """softmax(QKᵀ/√width) V through an output layer, one head, no mask."""

    def __init__(self, width: int):
        super().__init__()
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))
        self.scale = width**-0.5

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.query(x) @ self.key(x).transpose(-2, -1) * self.scale
        out: torch.Tensor = self.output(scores.softmax(-1) @ self.value(x))
        return out


class RowTransformer(nn.Module):
    """A transformer without layer-norm on the rows of an image, each with its number; mean at the end."""

    def __init__(self, rows: int, features: int, width: int, depth: int, classes: int):
        super().__init__()
        self.rows, self.embed = rows, nn.Linear(features + rows, width)
        self.attention = nn.ModuleList(SelfAttention(width) for _ in range(depth))
        self.up = nn.ModuleList(nn.Linear(width, 2 * width) for _ in range(depth))
        self.down = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(depth))
        self.head = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = x.transpose(1, 2).flatten(2)
        number = torch.eye(self.rows, dtype=x.dtype, device=x.device).expand(len(x), -1, -1)
        h = self.embed(torch.cat([tokens, number], -1))
        for attention, up, down in zip(self.attention, self.up, self.down, strict=True):
            h = h + attention(h)
            h = h + down(torch.relu(up(h)))
        out: torch.Tensor = self.head(h.mean(1))
        return out


def _transformer(
    in_shape: Shape, classes: int, dropout: float | None, width: int = 16, depth: int = 2
) -> nn.Module:
    _no_dropout("row-transformer", dropout)
    channels, height, side = _image(in_shape, "row-transformer")
    return RowTransformer(height, channels * side, width, depth, classes)


_BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "small-lenet": _small_lenet,
    "small-allcnn": _small_allcnn,
    "small-fc": _small_fc,
    "tiny-fc": _tiny_fc,
    "mlp": _mlp,
    "two-layer-relu": _two_layer_relu,
    "deep-tanh": _deep_tanh,
    "conv-norm": _conv_norm,
    "row-transformer": _transformer,
}
NAMES = tuple(_BUILDERS)


def build(
    name: str,
    *,
    in_shape: Shape,
    classes: int,
    generator: torch.Generator,
    init: str = "torch",
    dropout: float | None = None,
    **sizes: Any,
) -> nn.Module:
    """The network `name` for inputs of `in_shape` and `classes` outputs, its weights drawn from `generator`.

    `sizes` are the keywords of the networks that have free sizes: width, depth, batch_norm (mlp), width, bias
    (two-layer-relu), width, depth, bias (deep-tanh), width (conv-norm), width, depth (row-transformer).
    Nothing is drawn from torch's global generator.
    """
    if name not in _BUILDERS:
        raise ConfigError(f"unknown network {name!r}; known are {', '.join(NAMES)}")
    builder = _BUILDERS[name]
    allowed = list(inspect.signature(builder).parameters)[3:]
    if unknown := sorted(set(sizes) - set(allowed)):
        known = ", ".join(allowed) or "none"
        raise ConfigError(f"network {name!r} has no size {', '.join(unknown)}; its sizes are: {known}")
    _check_sizes(name, {"classes": classes, **sizes})
    with torch.device("meta"):  # layers' own initialisation would draw from the global generator
        net = builder(tuple(in_shape), classes, dropout, **sizes)
    net.to_empty(device="cpu")
    initialise(net, init, generator)
    return net


def initialise(net: nn.Module, init: str, generator: torch.Generator) -> None:
    """Draw all weights in the order of `net.modules()`, so that the same generator gives the same net.

    torch: U(−1/√fan_in, 1/√fan_in) for weights and biases, the default of torch's layers; kaiming:
    N(0, 2/fan_in); xavier: N(0, 2/(fan_in + fan_out)), both with zero biases. Batch-norm starts as the
    identity.
    """
    if init not in INITS:
        raise ConfigError(f"unknown initialisation {init!r}; known are {', '.join(INITS)}")
    for module in net.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            _initialise_layer(module, init, generator)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.reset_parameters()
        elif next(module.parameters(recurse=False), None) is not None:
            raise ConfigError(f"no initialisation is defined for layers of type {type(module).__name__}")


@torch.no_grad()
def _initialise_layer(layer: nn.Linear | nn.Conv2d, init: str, generator: torch.Generator) -> None:
    fan_in = layer.weight[0].numel()
    fan_out = layer.weight.numel() // layer.weight.shape[1]
    if init == "torch":
        bound = 1 / math.sqrt(fan_in)
        layer.weight.uniform_(-bound, bound, generator=generator)
    else:
        variance = 2 / fan_in if init == "kaiming" else 2 / (fan_in + fan_out)
        layer.weight.normal_(0.0, math.sqrt(variance), generator=generator)
    if layer.bias is None:
        return
    if init == "torch":
        layer.bias.uniform_(-bound, bound, generator=generator)
    else:
        layer.bias.zero_()


def _image(in_shape: Shape, name: str) -> tuple[int, int, int]:
    if len(in_shape) != 3:
        raise ConfigError(f"{name} needs images (channels, height, width), found in_shape {in_shape}")
    channels, height, width = in_shape
    return channels, height, width


def _check_sizes(name: str, sizes: dict[str, Any]) -> None:
    for key, value in sizes.items():
        if key in ("batch_norm", "bias"):
            if not isinstance(value, bool):
                raise ConfigError(f"network {name!r}: {key} must be true or false, found {value!r}")
        elif isinstance(value, bool) or not isinstance(value, int) or value < (key != "depth"):
            raise ConfigError(f"network {name!r}: {key} must be a positive whole number, found {value!r}")


def _no_dropout(name: str, dropout: float | None) -> None:
    if dropout is not None:
        raise ConfigError(f"network {name!r} has no dropout, found dropout: {dropout}")


def build_torchvision(name: str, *, classes: int, generator: torch.Generator) -> nn.Module:
    """resnet18, resnet34 or vgg16 of torchvision for colour images of any size, weights drawn from
    `generator`.

    Weights are N(0, 2/fan_in), biases zero, batch-norm the identity (torchvision's own rule has the fan out
    for residual nets). vgg16 is the one without batch-norm; its two hidden layers have dropout.
    """
    from torchvision import models

    known = {"resnet18": models.resnet18, "resnet34": models.resnet34, "vgg16": models.vgg16}
    if name not in known:
        raise ConfigError(f"unknown network {name!r} of torchvision; known are {', '.join(known)}")
    with torch.device("meta"):  # as in build: nothing is drawn from the global generator
        net: nn.Module = known[name](weights=None, num_classes=classes)
    net.to_empty(device="cpu")
    initialise(net, "kaiming", generator)
    return net
