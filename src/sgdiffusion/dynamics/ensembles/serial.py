"""Large nets for the measurements made for batches of small ones: one net after the other.

Small nets are bound by the overhead of calls, which `batched` shares among many. A net with millions of
weights fills the device alone; computing several at once would only multiply the memory of the activations.
So here M nets are a loop over the rows of θ, with the module's own code and ordinary autograd.

The loss of an example is a parameter: cross-entropy of its class for images, the mean cross-entropy of its
next tokens for texts. Batch-norm and dropout are as in `batched`.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sgdiffusion.dynamics.ensembles.batched import FunctionalNet, Statistics, example_losses
from sgdiffusion.errors import ConfigError

ExampleLoss = Callable[[Tensor, Tensor], Tensor]
"""Outputs [b, …] and targets [b, …] of one net to the loss of each example, [b]."""


def class_losses(outputs: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of each image's class in nats, from outputs [b, classes]."""
    return example_losses(outputs, y, "cross-entropy")


class Logits(nn.Module):
    """A language model of `transformers` as a map from tokens [b, T] to outputs [b, T, vocabulary]."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.model(input_ids=tokens, use_cache=False).logits
        return logits


class Serial(FunctionalNet):
    """Losses and gradients of one architecture at the rows of θ, row by row."""

    def __init__(self, net: nn.Module, example_loss: ExampleLoss, *, statistics: Statistics = "running"):
        super().__init__(net, statistics)
        self._loss = example_loss

    def _loss_of(self, weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return self._loss(self._call(weights, x), y).mean()

    def _each(self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None) -> list[tuple[Tensor, ...]]:
        if shares is not None:
            raise ConfigError("shares cannot weight the examples of a large net; use equal batch sizes")
        m = len(theta)
        return list(zip(theta, x.expand(m, *x.shape[1:]), y.expand(m, *y.shape[1:]), strict=True))

    @torch.no_grad()
    def outputs(self, theta: Tensor, x: Tensor) -> Tensor:
        return torch.stack(
            [self._call(self._weights(row), xs) for row, xs, _ in self._each(theta, x, x, None)]
        )

    @torch.no_grad()
    def losses(self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None = None) -> Tensor:
        each = self._each(theta, x, y, shares)
        return torch.stack([self._loss_of(self._weights(row), xs, ys) for row, xs, ys in each])

    def gradients(
        self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        losses, gradient = theta.new_empty(len(theta)), torch.empty_like(theta)
        with torch.enable_grad():
            for i, (row, xs, ys) in enumerate(self._each(theta.detach(), x, y, shares)):
                # by weight, not by row: the row's own gradient would be put together in memory of its own
                weights = {name: part.requires_grad_() for name, part in self._weights(row).items()}
                loss = self._loss_of(weights, xs, ys)
                parts = torch.autograd.grad(loss, list(weights.values()), materialize_grads=True)
                torch.cat([part.flatten() for part in parts], out=gradient[i])
                losses[i] = loss.detach()
        return losses, gradient
