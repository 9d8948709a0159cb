"""Every form of data reads the same, and every ordinary mistake is one error before anything is computed."""

import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import sgdiffusion as sd
from sgdiffusion.errors import InputError
from sgdiffusion.inputs.data import Inputs, read_data
from sgdiffusion.inputs.losses import loss_function
from sgdiffusion.inputs.problem import read

N = 12
X = torch.randn(N, 5, generator=torch.Generator().manual_seed(0))
Y = torch.arange(N) % 3


class Rows(Dataset):
    """Examples as dicts."""

    def __len__(self):
        return N

    def __getitem__(self, i):
        return {"x": X[i], "labels": int(Y[i])}


class Named(nn.Module):
    """Takes its input by name, returns an object with logits."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 3)

    def forward(self, x, mask=None):
        return SimpleNamespace(logits=self.layer(x if mask is None else x * mask))


class Tokens(nn.Module):
    """A language model of one layer."""

    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(7, 4), nn.Linear(4, 7)

    def forward(self, tokens):
        return self.head(self.embed(tokens).cumsum(1))


def net():
    torch.manual_seed(1)
    return nn.Linear(5, 3).eval()


def as_generator():
    yield X[:5], Y[:5]
    yield X[5:], Y[5:]


FORMS = {
    "tensors": lambda: (X, Y),
    "arrays": lambda: (X.numpy(), Y.numpy()),
    "dataset": lambda: TensorDataset(X, Y),
    "loader": lambda: DataLoader(TensorDataset(X, Y), batch_size=5),
    "list of batches": lambda: [(X[:7], Y[:7]), (X[7:], Y[7:])],
    "tuple of batches": lambda: ((X[:7], Y[:7]), (X[7:], Y[7:])),
    "generator": as_generator,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_examples(form):
    inputs = read_data(FORMS[form]())
    assert len(inputs) == N
    torch.testing.assert_close(inputs.tree, (X, Y))
    torch.testing.assert_close(torch.cat([y for _, y in inputs.batches(5)]), Y)
    assert len(read_data(FORMS[form](), 7)) == 7


@pytest.mark.parametrize("form", ["whole", "dataset", "loader"])
def test_dicts_are_read_by_name(form):
    data = {"whole": {"x": X, "labels": Y}, "dataset": Rows(), "loader": DataLoader(Rows(), batch_size=5)}
    torch.testing.assert_close(read_data(data[form]).tree, {"x": X, "labels": Y})
    model = Named().eval()
    expected = F.cross_entropy(model.layer(X), Y, reduction="none")
    torch.testing.assert_close(read(model, data[form]).losses(slice(None)), expected)


def test_what_was_read_is_not_read_again():
    inputs = read_data((X, Y))
    assert read_data(inputs) is inputs
    assert isinstance(read_data(inputs, 3), Inputs)


def test_a_shuffling_loader_is_noted():
    assert "shuffles" in read_data(DataLoader(TensorDataset(X, Y), shuffle=True)).notes[0]


def test_losses_of_tokens_leave_out_padding():
    model = Tokens().eval()
    tokens = torch.randint(7, (4, 6), generator=torch.Generator().manual_seed(2))
    plain = read(model, tokens, "next-token").losses(slice(None))
    logits = model(tokens).detach()
    for k in range(4):
        expected = F.cross_entropy(logits[k, :-1], tokens[k, 1:])
        assert plain[k] == pytest.approx(float(expected), rel=1e-6)
    mask = torch.ones_like(tokens)
    mask[:, 4:] = 0

    class ByName(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model

        def forward(self, input_ids, attention_mask):
            return self.inner(input_ids)

    batch = {"input_ids": tokens, "attention_mask": mask, "labels": tokens}
    short = read(ByName().eval(), batch, "next-token").losses(slice(None))
    for k in range(4):
        expected = F.cross_entropy(logits[k, :3], tokens[k, 1:4])
        assert short[k] == pytest.approx(float(expected), rel=1e-6)


def test_a_forward_of_ones_own_takes_any_batch():
    weights = torch.rand(N)
    problem = read(
        net(),
        (X, Y, weights),
        forward=lambda model, batch: batch[2] * F.cross_entropy(model(batch[0]), batch[1], reduction="none"),
    )
    assert problem.losses([2]).item() == pytest.approx(
        float(weights[2] * F.cross_entropy(problem.model(X[2:3]).detach(), Y[2:3])), rel=1e-6
    )


def test_params_choose_what_is_differentiated():
    model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)).eval()
    problem = read(model, (X, Y), params="2.*")
    assert problem.weights == 15
    assert all(p.requires_grad for p in model.parameters())  # the user's own stays as it was


class Couples(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 3)

    def forward(self, x):
        return self.layer(x - x.mean(0))


class Random(Couples):
    def forward(self, x):
        return F.dropout(self.layer(x), 0.5, training=True)


class Pair(Couples):
    def forward(self, x):
        return self.layer(x), x


class Placed(Tokens):
    """A language model with places for four tokens."""

    def __init__(self):
        super().__init__()
        self.place = nn.Embedding(4, 4)

    def forward(self, tokens):
        return self.head(self.embed(tokens) + self.place(torch.arange(tokens.shape[1])))


TEXTS = torch.randint(7, (N, 6), generator=torch.Generator().manual_seed(3))
TEXTS[9, 0] = 0


def late(data, name, value):
    """A mistake that the first examples do not show."""
    changed = data[name].clone()
    changed[9, 3] = value
    return data | {name: changed}


def wide(model=None):
    return nn.Sequential(nn.Linear(5, 1)).eval() if model is None else model.eval()


MISTAKES = {
    "three parts": (net, lambda: (X, X, Y), {}, r"data: which part is the target .* forward="),
    "dict without labels": (net, lambda: {"x": X}, {}, r"data: which part .* 'labels'"),
    "wrong names": (
        lambda: Named().eval(),
        lambda: {"image": X, "labels": Y},
        {},
        "unexpected keyword argument",
    ),
    "strings": (net, lambda: [{"text": ["a", "b"], "labels": Y[:2]}], {}, r"batch 0\['text'\] holds strings"),
    "single numbers": (net, lambda: [(X[0, 0], Y[0])], {}, "is a single number, not one entry per example"),
    "tuple output": (
        lambda: Pair().eval(),
        lambda: (X, Y),
        {},
        r"model: it returns a tuple of 2, not a tensor",
    ),
    "float labels": (net, lambda: (X, Y.float()), {}, r"targets are torch.float32 .* use targets.long\(\)"),
    "label out of range": (
        net,
        lambda: (X, Y + 1),
        {},
        "example 2 has the label 3, but the model has 3 outputs",
    ),
    "int32 labels": (net, lambda: (X, Y.int()), {}, r"labels are torch.int32; .* targets.long\(\)"),
    "uint8 images": (net, lambda: (X.byte(), Y), {}, r"inputs are uint8, .* inputs\.float\(\) / 255"),
    "bfloat16": (lambda: net().bfloat16(), lambda: (X, Y), {}, r"bfloat16, whose gradients .*\.float\(\)"),
    "float16": (lambda: net().half(), lambda: (X, Y), {}, r"float16, whose gradients have three digits"),
    "DataParallel": (
        lambda: nn.DataParallel(net()),
        lambda: (X, Y),
        {},
        "wrapped in DataParallel; .*model.module",
    ),
    "meta": (
        lambda: nn.Linear(5, 3, device="meta").eval(),
        lambda: (X, Y),
        {},
        "device meta and hold no numbers",
    ),
    "no module": (lambda: 3, lambda: (X, Y), {}, r"model: found int; give a torch.nn.Module"),
    "no weights": (lambda: nn.ReLU().eval(), lambda: (X, Y), {}, "no parameter that requires gradients"),
    "NaN inputs": (
        net,
        lambda: (X / (Y != 1)[:, None], Y),
        {},
        r"inputs of 4 example\(s\) \(index 1, 4, 7, 10\)",
    ),
    "lengths differ": (net, lambda: (X, Y[:-1]), {}, "12 inputs but 11 targets"),
    "no example": (net, lambda: (X[:0], Y[:0]), {}, "holds no example"),
    "one example": (net, lambda: (X[:1], Y[:1]), {}, "needs at least 2"),
    "nothing": (net, lambda: None, {}, r"data: found None; give \(inputs, targets\)"),
    "a number": (net, lambda: 3, {}, "found int, which cannot be read"),
    "ragged": (net, lambda: [(X[:, :4], Y), (X, Y)], {}, r"shape \(5,\) .* in batch 1, of \(4,\)"),
    "couples": (lambda: Couples().eval(), lambda: (X, Y), {}, "it couples the examples of a batch"),
    "random": (lambda: Random().eval(), lambda: (X, Y), {}, "something in it is random"),
    "wrong width": (lambda: nn.Linear(4, 3).eval(), lambda: (X, Y), {}, r"fails on inputs \(4, 5\) float32"),
    "broadcast": (
        wide,
        lambda: (X, X[:, 0]),
        {"loss": "half-squared"},
        r"outputs have shape \(4, 1\), targets \(4,\)",
    ),
    "averaging loss": (net, lambda: (X, Y), {"loss": F.cross_entropy}, r"reduction='none'"),
    "unknown loss": (net, lambda: (X, Y), {"loss": "mse"}, "unknown loss 'mse'; expected cross-entropy"),
    "unknown params": (net, lambda: (X, Y), {"params": "head.*"}, "no parameter is called 'head"),
    "no examples asked": (net, lambda: (X, Y), {"examples": 0}, "examples: found 0; give a whole number"),
    "examples in words": (net, lambda: (X, Y), {"examples": "10"}, "examples: found '10'"),
    "a module for params": (
        net,
        lambda: (X, Y),
        {"params": nn.Linear(5, 3)},
        "params: found Linear; give names",
    ),
    "no such device": (net, lambda: (X, Y), {"device": "gpu"}, "device: the model cannot go to 'gpu'"),
    "lazy": (lambda: nn.LazyLinear(3).eval(), lambda: (X, Y), {}, "lazy module has no shape yet; call model"),
    "script": (
        lambda: torch.jit.script(net()),
        lambda: (X, Y),
        {},
        "it is a ScriptModule; give the nn.Module",
    ),
    "labels in a column": (
        net,
        lambda: (X, Y[:, None]),
        {},
        r"shape \(1,\) per .*; use targets.squeeze\(1\)",
    ),
    "labels as zeros and ones": (
        net,
        lambda: (X, F.one_hot(Y)),
        {},
        r"use targets.argmax\(1\), or targets.float",
    ),
    "class of a loss": (
        net,
        lambda: (X, Y),
        {"loss": nn.CrossEntropyLoss},
        "found the class CrossEntropyLoss",
    ),
    "detached": (
        net,
        lambda: (X, Y),
        {"loss": lambda out, y: F.cross_entropy(out.detach(), y, reduction="none")},
        r"torch sees no way from it to the weights .*; leave out .detach\(\)",
    ),
    "broadcast in a loss of one's own": (
        wide,
        lambda: (X, X[:, 0]),
        {"loss": lambda out, y: (out - y).square().mean(1)},
        r"couples the examples .* \(n, 1\) against \(n,\) is broadcast",
    ),
    "list for a tuple": (
        net,
        lambda: [X, Y],
        {},
        "a list is read as batches: give inputs and targets as a tuple",
    ),
    "list of examples": (net, lambda: [(x, int(y)) for x, y in zip(X, Y, strict=True)], {}, "by DataLoader"),
    "one token": (lambda: Tokens().eval(), lambda: Y[:, None], {"loss": "next-token"}, "no next one"),
    "images as targets": (
        lambda: nn.Conv2d(1, 3, 1).eval(),
        lambda: (X.view(N, 1, 5, 1), Y.view(N, 1, 1).expand(N, 5, 1)),
        {},
        r"one prediction per place of an image; average over them: loss=lambda",
    ),
    "id beyond the vocabulary": (
        lambda: Tokens().eval(),
        lambda: late({"tokens": TEXTS, "labels": TEXTS}, "tokens", 7),
        {"loss": "next-token"},
        r"example 9, whose data\['tokens'\] go from 0 to 7, fails with IndexError",
    ),
    "label beyond the vocabulary": (
        lambda: Tokens().eval(),
        lambda: late({"tokens": TEXTS, "labels": TEXTS}, "labels", 7),
        {"loss": "next-token"},
        r"example 9, whose data\['labels'\] go from 0 to 7, fails with IndexError",
    ),
    "text beyond the places": (
        lambda: Placed().eval(),
        lambda: TEXTS,
        {"loss": "next-token"},
        "IndexError: index out of range .*; ids must be below .* texts no longer than the model's places",
    ),
    "tokens": (
        lambda: Tokens().eval(),
        lambda: (Y[None].repeat(4, 1),) * 2,
        {},
        "per token; use loss=.next-token",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(mistake):
    model, data, options, message = MISTAKES[mistake]
    with pytest.raises(InputError, match=message) as caught:
        read(model(), data(), **options)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


class InPlace(nn.Module):
    """Normalises what it is given, without a copy."""

    def __init__(self, copies):
        super().__init__()
        self.layer, self._copies = nn.Linear(5, 3), copies

    def forward(self, x):
        x = x.clone() if self._copies else x
        x -= 0.5
        x *= 2
        return self.layer(x)


def numbers(model, x):
    """Losses, gradients in both ways and by the layers, a pair's noise, λ̂."""
    model, quick = model.double().eval(), {"chains": 1, "draws": 8, "burn_in": 4, "every": 1, "rounds": 0}
    found = [read(model, (x, Y)).losses(slice(None))]
    found += [torch.cat(list(sd.gradients(model, (x, Y), vectorise=v))).flatten() for v in (True, False)]
    spectrum = sd.spectrum(model, (x, Y), method="layers", precision="float64", progress=False)
    found += [torch.from_numpy(spectrum.eigenvalues)]
    found += [torch.tensor([sd.learning_coefficient(model, (x, Y), **quick, progress=False).value])]
    return torch.cat(found)


def test_a_module_that_changes_its_inputs_in_place_leaves_the_users_alone():
    x = X.double().clone()
    torch.manual_seed(0)
    found = numbers(InPlace(copies=False), x)
    assert torch.equal(x, X.double())
    torch.manual_seed(0)
    torch.testing.assert_close(found, numbers(InPlace(copies=True), x))


class Keeps(nn.Module):
    """Remembers what it computed, with its graph, as `nn.utils.weight_norm` does."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 3)

    def forward(self, x):
        self.features = [self.layer(x)]
        return self.features[0]


@pytest.mark.parametrize("make", [Keeps, lambda: nn.utils.weight_norm(nn.Linear(5, 3))])
def test_a_module_that_keeps_a_graph_can_be_measured(make):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # weight_norm is the old way
        model = make().double().eval()
    model(X.double())
    weights = list(model.parameters())
    losses = F.cross_entropy(model(X.double()), Y, reduction="none")
    rows = [
        torch.cat([g.flatten() for g in torch.autograd.grad(v, weights, retain_graph=True)]) for v in losses
    ]
    torch.testing.assert_close(torch.cat(list(sd.gradients(model, (X, Y)))), torch.stack(rows))
    assert sd.spectrum(model, (X, Y), params="*weight*", progress=False).trace > 0


@pytest.mark.parametrize("kind", ["lists", "tables", "inference mode"])
def test_other_kinds_of_numbers(kind):
    data = (X.tolist(), Y.tolist())
    if kind == "tables":
        data = pd.DataFrame(X.numpy()), pd.Series(Y.numpy())
    if kind == "inference mode":
        with torch.inference_mode():
            data = X + 0, Y + 0
    torch.testing.assert_close(
        torch.cat(list(sd.gradients(net(), data))), torch.cat(list(sd.gradients(net(), (X, Y))))
    )


def test_inference_mode_is_refused():
    with (
        torch.inference_mode(),
        pytest.raises(InputError, match=r"inference_mode.* forbids gradients; call outside"),
    ):
        read(net(), (X, Y))


def test_examples_without_a_label_are_noted():
    assert read(net(), (X, Y)).notes == ()
    labels = Y.clone()
    labels[3] = -100
    (note,) = read(net(), (X, labels)).notes
    assert note == "1 example(s) have no label but -100: their gradient is zero"


def test_a_modules_name_means_all_its_weights():
    model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)).eval()
    assert read(model, (X, Y), params=["2", "0.bias"]).weights == 15 + 4


def test_a_training_module_is_refused():
    with pytest.raises(InputError, match="training mode"):
        read(nn.Linear(5, 3), (X, Y))


def test_torchs_random_state_is_left_alone():
    model = net()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    read(model, (X, Y))
    torch.testing.assert_close(torch.rand(3), expected)


def test_squared_losses_of_plain_outputs():
    out, y = np.array([1.0, 2.0]), np.array([0.0, 5.0])
    found = loss_function("half-squared")(torch.from_numpy(out), torch.from_numpy(y))
    np.testing.assert_allclose(found.numpy(), [0.5, 4.5])
