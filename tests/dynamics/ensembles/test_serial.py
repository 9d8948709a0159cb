"""Large nets one after the other: against the vectorised path, and language models against their own loss."""

import pytest
import torch
from torch import nn

from sgdiffusion.dynamics.chains.sgld import Sgld
from sgdiffusion.dynamics.ensembles.batched import BatchedModule, stack
from sgdiffusion.dynamics.ensembles.serial import Logits, Serial, class_losses
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.errors import ConfigError
from sgdiffusion.inputs.losses import next_token_losses
from sgdiffusion.measures.coefficients.learning_coefficient import learning_coefficients


def conv(seed: int) -> nn.Module:
    layers = [nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Flatten()]
    net = nn.Sequential(*layers, nn.Linear(48, 4)).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.normal_(0, 0.5, generator=generator)
    return net


def examples(nets: int, batch: int = 7) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(9)
    x = torch.randn(nets, batch, 2, 6, 6, generator=generator, dtype=torch.float64)
    return x, torch.randint(4, (nets, batch), generator=generator)


@pytest.mark.parametrize("shared", [True, False])
def test_equals_the_vectorised_path(shared: bool):
    nets = [conv(i) for i in range(3)]
    theta, (x, y) = stack(nets), examples(1 if shared else 3)
    serial = Serial(nets[0], class_losses, statistics="batch")
    batched = BatchedModule(nets[0], statistics="batch")
    ours, theirs = serial.gradients(theta, x, y), batched.gradients(theta, x, y)
    # float64 sums of a few hundred terms of order one
    torch.testing.assert_close(ours[0], theirs[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(ours[1], theirs[1], rtol=0, atol=1e-12)
    torch.testing.assert_close(serial.losses(theta, x, y), theirs[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(serial.outputs(theta, x), batched.outputs(theta, x), rtol=0, atol=1e-12)
    assert serial.weights == theta.shape[1]
    assert serial.couples


def test_refuses_shares():
    x, y = examples(1)
    with pytest.raises(ConfigError, match="equal batch sizes"):
        Serial(conv(0), class_losses, statistics="batch").losses(
            stack([conv(0)]), x, y, torch.ones(1, 7).double() / 7
        )


def families() -> dict[str, nn.Module]:
    """Tiny random models of the families of TinyStories and TinyLlama."""
    from transformers import GPTNeoConfig, GPTNeoForCausalLM, LlamaConfig, LlamaForCausalLM

    ends = {"bos_token_id": 0, "eos_token_id": 0}
    neo = GPTNeoConfig(
        vocab_size=40, hidden_size=8, num_layers=2, num_heads=2, attention_types=[[["global", "local"], 1]],
        max_position_embeddings=32, window_size=4, intermediate_size=16, **ends,
    )  # fmt: skip
    llama = LlamaConfig(
        vocab_size=40, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=32, tie_word_embeddings=True, **ends,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(4)
        return {"neo": GPTNeoForCausalLM(neo).double(), "llama": LlamaForCausalLM(llama).double()}


@pytest.mark.parametrize("family", ["neo", "llama"])
def test_language_model_has_its_own_loss_and_gradient(family: str):
    pytest.importorskip("transformers", reason="the extra `language` is not installed")
    model = families()[family].eval()
    tokens = torch.randint(40, (1, 5, 16), generator=torch.Generator().manual_seed(2))
    net, row = Serial(Logits(model), next_token_losses), stack([Logits(model)])
    losses, gradient = net.gradients(row, tokens, tokens)
    # the slow twin in float64: one token after the other
    logits = model(input_ids=tokens[0]).logits
    terms = [-logits[i, t].log_softmax(0)[tokens[0, i, t + 1]] for i in range(5) for t in range(15)]
    mean = torch.stack(terms).mean()
    mean.backward()
    slow = torch.cat([p.grad.flatten() for p in model.parameters()])
    torch.testing.assert_close(losses[0], mean.detach(), rtol=0, atol=1e-12)
    # both families compute parts (attention scores, norms) in single precision: 2⁻²⁴ of gradients below 0.1
    torch.testing.assert_close(gradient[0], slow, rtol=0, atol=1e-8)
    # the module's own loss, which transformers computes in single precision: 2⁻²⁴ of a loss of about 4
    own = model(input_ids=tokens[0], labels=tokens[0]).loss.detach()
    assert float(losses[0]) == pytest.approx(float(own), abs=1e-6)
    assert net.weights == sum(p.numel() for p in model.parameters()), "tied weights count once"


def test_learning_coefficient_of_a_quadratic():
    """Linear regression: λ̂ = ½ Σ nβ a_i/(nβ a_i + γ) with a_i the eigenvalues of XᵀX/n."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(64, 6, generator=generator, dtype=torch.float64)
    net = nn.Linear(6, 1, bias=False).double()
    best = torch.randn(1, 6, generator=generator, dtype=torch.float64)
    data = Examples(x, x @ best[0])
    beta, gamma = 50.0, 5.0
    curvature = torch.linalg.eigvalsh(x.T @ x / 64)
    exact = float(0.5 * (beta * curvature / (beta * curvature + gamma)).sum())
    step = 0.4 / (beta * float(curvature.max()) + gamma)
    serial = Serial(net, lambda out, y: 0.5 * (out[:, 0] - y).square())
    chains = Sgld(step, beta, gamma, draws=150, burn_in=100, every=5, integrator="averaged")
    found = learning_coefficients(serial, data, best, chains, chains=6, seed=3).table.iloc[0]
    # six chains: the mean's error is a sixth of the 95 % interval's width or less; four errors are allowed
    error = (found["high"] - found["low"]) / 2 / 2.57
    assert abs(found["llc"] - exact) < 4 * error
    assert error < 0.1 * exact
