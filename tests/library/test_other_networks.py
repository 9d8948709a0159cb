"""Networks as others write them: gradients, spectra, noise balances against one backward pass per example."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sgdiffusion as sd

N = 16
GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.randn(N, 1, 8, 8, generator=GENERATOR, dtype=torch.float64)
LABELS = torch.arange(N) % 3
TEXTS = torch.randint(1, 11, (N, 7), generator=GENERATOR)
MASK = torch.ones_like(TEXTS)
MASK[::3, 5:] = 0


class Vit(nn.Module):
    """Patches, a class token, torch's own attention."""

    def __init__(self, d=8):
        super().__init__()
        self.patch, self.first = nn.Conv2d(1, d, 4, 4), nn.Parameter(torch.randn(1, 1, d))
        self.place, self.attention = (
            nn.Parameter(torch.randn(1, 5, d)),
            nn.MultiheadAttention(d, 2, batch_first=True),
        )
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(d), nn.LayerNorm(d), nn.LayerNorm(d)
        self.up, self.down, self.head = nn.Linear(d, 2 * d), nn.Linear(2 * d, d), nn.Linear(d, 3)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(len(x), -1, -1), x], 1) + self.place
        h = self.norm1(x)
        x = x + self.attention(h, h, h)[0]
        x = x + self.down(F.gelu(self.up(self.norm2(x))))
        return self.head(self.norm3(x)[:, 0])


class UNet(nn.Module):
    """A skip by concatenation, a transposed convolution, norms over groups and batches."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.SiLU())
        self.deep = nn.Sequential(
            nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True)
        )
        self.up, self.both = nn.ConvTranspose2d(6, 4, 2, 2), nn.Conv2d(8, 4, 3, padding=1)
        self.head = nn.Conv2d(4, 3, 1)

    def forward(self, x):
        first = self.first(x)
        return self.head(F.relu(self.both(torch.cat([first, self.up(self.deep(first))], 1))))


class Mixer(nn.Module):
    """Perceptrons over places and over channels."""

    def __init__(self):
        super().__init__()
        self.patch, self.norm1, self.norm2 = nn.Linear(4, 6), nn.LayerNorm(6), nn.LayerNorm(6)
        self.places = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 16))
        self.channels, self.head = nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 6)), nn.Linear(6, 3)

    def forward(self, x):
        x = self.patch(x.reshape(len(x), 16, 4))
        x = x + self.places(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return self.head((x + self.channels(self.norm2(x))).mean(1))


class Encoder(nn.Module):
    """torch's own encoder, with a mask for padding."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 1), nn.Linear(8, 3)

    def forward(self, tokens, padding):
        x = self.encoder(self.embed(tokens), src_key_padding_mask=padding == 0)
        return self.head((x * padding[..., None]).sum(1))


def bert():
    transformers = pytest.importorskip("transformers", reason="the extra `language` is not installed")
    config = transformers.BertConfig(
        vocab_size=11, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=12,
        max_position_embeddings=7, num_labels=3,
    )  # fmt: skip
    return transformers.BertForSequenceClassification(config)


def classes(outputs, targets):
    return F.cross_entropy(outputs, targets, reduction="none")


def pixels(outputs, targets):
    return F.cross_entropy(outputs, targets, reduction="none").mean((1, 2))


PIXELS = torch.randint(3, (N, 8, 8), generator=GENERATOR)
PADDED = {"tokens": TEXTS, "padding": MASK, "labels": LABELS}
CASES = {
    # name: network, data, loss, of one example by hand, vectorised, pairs of whole weights
    "vit": (Vit, (IMAGES, LABELS), classes, True, ["norm1 → attention", "norm2 → up", "norm3 → head"]),
    "u-net": (UNet, (IMAGES, PIXELS), pixels, True, ["deep.1 → up", "both → head"]),
    "mixer": (
        Mixer, (IMAGES, LABELS), classes, True,
        ["norm1 → places.0", "places.0 → places.2", "norm2 → channels.0"],
    ),
    "encoder": (
        Encoder, PADDED, classes, False,
        ["encoder.layers.0.linear1 → encoder.layers.0.linear2", "encoder.layers.0.norm2 → head"],
    ),
    "bert": (
        bert, {"input_ids": TEXTS, "attention_mask": MASK, "labels": LABELS}, classes, False,
        [f"bert.encoder.layer.0.{pair}" for pair in (
            "attention.self.value → bert.encoder.layer.0.attention.output.dense",
            "attention.self.query → bert.encoder.layer.0.attention.self.key",
            "output.LayerNorm → bert.pooler.dense",
        )],
    ),
}  # fmt: skip


def network(name):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return CASES[name][0]().double().eval()


def rows(name, model):
    """The gradients (N, d), from one forward and backward pass for each example."""
    data, loss = CASES[name][1:3]
    weights, found = list(model.parameters()), []
    for k in range(N):
        if isinstance(data, dict):
            one = {key: value[k : k + 1] for key, value in data.items()}
            targets = one.pop("labels")
            outputs = model(**one)
            outputs = getattr(outputs, "logits", outputs)
        else:
            outputs, targets = model(data[0][k : k + 1]), data[1][k : k + 1]
        slopes = torch.autograd.grad(loss(outputs, targets)[0], weights, materialize_grads=True)
        found.append(torch.cat([slope.flatten() for slope in slopes]))
    return torch.stack(found)


@pytest.mark.parametrize("name", CASES)
def test_gradients_and_spectrum(name):
    _, data, loss, vectorise, _ = CASES[name]
    model = network(name)
    expected = rows(name, model)
    options = {"loss": "cross-entropy" if loss is classes else loss, "vectorise": vectorise}
    found = torch.cat(list(sd.gradients(model, data, **options)))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13 * float(expected.abs().max()))
    values = np.linalg.svd((expected - expected.mean(0)).numpy(), compute_uv=False) ** 2 / N
    for method in ("dual", "layers") if vectorise else ("dual",):
        spectrum = sd.spectrum(model, data, method=method, precision="float64", progress=False, **options)
        np.testing.assert_allclose(spectrum.eigenvalues, values, rtol=0, atol=1e-12 * values[0])
        assert spectrum.trace == pytest.approx(values.sum(), rel=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_balances(name):
    _, data, loss, vectorise, pairs = CASES[name]
    model = network(name)
    options = {"loss": "cross-entropy" if loss is classes else loss, "vectorise": vectorise}
    table = sd.noise_balance(model, data, progress=False, **options).to_frame()
    whole = table[~table["pair"].str.contains(r"\[part\]")]
    assert whole["pair"].tolist() == pairs
    names = [key for key, _ in model.named_parameters()]
    spread = torch.split(rows(name, model).var(0, unbiased=False), [p.numel() for p in model.parameters()])
    noise = {key: float(part.sum()) for key, part in zip(names, spread, strict=True)}
    for row in whole.to_dict("records"):
        u, w = (sum(noise[key] for key in row[side].split(", ")) for side in ("u", "w"))
        assert row["noise_ratio"] == pytest.approx(w / u, rel=1e-9)


def test_a_mask_that_torch_cannot_vectorise_is_named_with_its_remedy():
    with pytest.raises(sd.InputError, match=r"torch\.func cannot vectorise it .*; use vectorise=False"):
        sd.spectrum(network("encoder"), PADDED, progress=False)
