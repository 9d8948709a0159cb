"""Which rescalings leave the loss alone: by the transformation itself, on small networks of every kind."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sgdiffusion.inputs.data import Inputs
from sgdiffusion.inputs.losses import next_token_losses
from sgdiffusion.measures.noise.gradients import PerExampleGradients
from sgdiffusion.measures.noise.symmetries import (
    Part,
    Symmetry,
    fault_of,
    find_symmetries,
    transformed,
)

N = 6


class Block(nn.Module):
    """A residual block as torchvision has it."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += x
        return self.relu(out)


def residual():
    stem = nn.Sequential(nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
    return nn.Sequential(stem, Block(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


class Attention(nn.Module):
    """GPT's block: packed queries, keys and values; `written` spells the attention out."""

    def __init__(self, packed=True, written=False):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.qkv = nn.Linear(8, 24) if packed else None
        self.q, self.k, self.v = (None if packed else nn.Linear(8, 8) for _ in range(3))
        self.out, self.up, self.down = nn.Linear(8, 8), nn.Linear(8, 16), nn.Linear(16, 8)
        self.written = written

    def forward(self, x):
        h = self.norm1(x)
        parts = self.qkv(h).split(8, dim=-1) if self.qkv is not None else (self.q(h), self.k(h), self.v(h))
        q, k, v = (p.view(*p.shape[:2], 2, 4).transpose(1, 2) for p in parts)
        if self.written:
            scores = (q @ k.transpose(-2, -1)) * 0.5
            mask = torch.tril(torch.ones(x.shape[1], x.shape[1])) == 0
            h = F.softmax(scores.masked_fill(mask, float("-inf")), dim=-1) @ v
        else:
            h = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(h.transpose(1, 2).reshape(x.shape))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Gpt(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.embed, self.place = nn.Embedding(11, 8), nn.Embedding(5, 8)
        self.block, self.norm = Attention(**options), nn.LayerNorm(8)
        self.head = nn.Linear(8, 11, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens):
        x = self.embed(tokens) + self.place(torch.arange(tokens.shape[1]))
        return self.head(self.norm(self.block(x)))


class Torchs(nn.Module):
    """torch's own attention."""

    def __init__(self):
        super().__init__()
        self.lift, self.norm = nn.Linear(6, 8), nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = self.lift(x)
        h = self.norm(x)
        return self.head((x + self.attention(h, h, h, need_weights=False)[0]).tanh().mean(1))


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate, self.up, self.down = nn.Linear(6, 8), nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.again, self.head = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x):
        return self.head(F.relu(self.again(F.relu(self.again(F.relu(self.first(x)))))))


def tanh_twice():
    tanh = nn.Tanh()  # one instance in two places
    return nn.Sequential(
        nn.Linear(6, 5), tanh, nn.Linear(5, 5), tanh, nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)
    )


def nested():
    return nn.Sequential(
        nn.Sequential(nn.Linear(6, 5), nn.PReLU()), nn.Dropout(0.5),
        nn.Sequential(nn.Linear(5, 4), nn.LeakyReLU()), nn.Linear(4, 3),
    )  # fmt: skip


def plain(*shape):
    return torch.randn(N, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


TOKENS = torch.randint(11, (N, 5), generator=torch.Generator().manual_seed(1))
QKV = ["block.qkv[part] → block.qkv[part]", "block.qkv[part] → block.out"]
CASES = {
    # name: network, inputs, names of the pairs
    "nested": (nested, plain(6), ["0.0 → 2.0", "2.0 → 3"]),
    "tanh twice": (tanh_twice, plain(6), ["4 → 6"]),
    "a layer twice": (Twice, plain(6), []),
    "residual": (residual, plain(2, 8, 8), ["1.bn1 → 1.conv2"]),
    "gated": (Gated, plain(6), ["up → down"]),
    "attention": (Gpt, TOKENS, ["block.norm1 → block.qkv", *QKV, "block.norm2 → block.up"]),
    "attention written out": (
        lambda: Gpt(written=True), TOKENS, ["block.norm1 → block.qkv", *QKV, "block.norm2 → block.up"]
    ),
    "separate attention": (
        lambda: Gpt(packed=False), TOKENS,
        ["block.norm1 → block.q + block.k + block.v", "block.v → block.out", "block.q → block.k",
         "block.norm2 → block.up"],
    ),
    "torch's attention": (
        Torchs, plain(4, 6),
        ["norm → attention", "attention[part] → attention[part]", "attention[part] → attention.out_proj"],
    ),
}  # fmt: skip


def stream(name):
    make, inputs, _ = CASES[name]
    torch.manual_seed(2)
    net = make().double().eval()
    with torch.no_grad():
        for part in net.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.normal_()
                part.running_var.uniform_(0.5, 2)
        for p in net.parameters():
            p += 0.1 * torch.randn_like(p)  # no special values, such as shifts of zero
    tokens = inputs.dtype == torch.long
    targets = inputs if tokens else torch.arange(N) % 3
    return PerExampleGradients(net, Inputs((inputs, targets)), next_token_losses if tokens else F_cross)


def F_cross(outputs, targets):
    return F.cross_entropy(outputs, targets, reduction="none")


@pytest.mark.parametrize("name", CASES)
def test_the_pairs_of_a_network(name):
    found = find_symmetries(stream(name))
    assert [s.name for s in found.found if s.w] == CASES[name][2]
    assert all(reason for _, reason in found.skipped)


@pytest.mark.parametrize("name", CASES)
def test_every_transformation_leaves_every_loss_as_it_is(name):
    """The oracle: the transformed network itself, by its own forward pass, at factors of its own."""
    gradients = stream(name)
    batch = gradients.data.tree
    before = gradients.example_losses(batch)
    for symmetry in find_symmetries(gradients).found:
        for factor in (0.5, 3.0):
            net = copy.deepcopy(gradients.module)
            state = net.state_dict()
            with torch.no_grad():
                for key, value in transformed(net, symmetry, factor).items():
                    state[key].copy_(value)
            after = PerExampleGradients(net, gradients.data, gradients.loss).example_losses(batch)
            # ε of a norm breaks the invariances; the pairs are exact but for rounding
            tolerance = {"rtol": 1e-10, "atol": 1e-12} if symmetry.w else {"rtol": 1e-2, "atol": 1e-2}
            torch.testing.assert_close(after, before, **tolerance)


def test_invariances_are_told_apart():
    found = find_symmetries(stream("residual"))
    alone = [s.name for s in found.found if not s.w]
    assert alone == ["0.0", "1.conv1", "1.conv2"]
    assert {s.kind for s in found.found} == {"invariant", "norm-layer"}


def test_reasons_name_what_is_in_the_way():
    reasons = {
        name: dict(find_symmetries(stream(name)).skipped)
        for name in ("residual", "tanh twice", "a layer twice")
    }
    assert "added to" in reasons["residual"]["1.bn2"]
    assert "tanh is not homogeneous" in reasons["tanh twice"]["0"]
    assert "used 2 times" in reasons["a layer twice"]["first"]


def test_a_false_pair_is_found_out():
    gradients = stream("tanh twice")
    false = Symmetry("given", (Part("0.weight"), Part("0.bias")), (Part("2.weight"),))
    assert "the loss changes by" in fault_of(false, gradients, gradients.data.tree)
    true = Symmetry("given", (Part("4.weight"), Part("4.bias")), (Part("6.weight"),))
    assert fault_of(true, gradients, gradients.data.tree) is None
