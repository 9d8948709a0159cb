"""Many nets of one architecture as one computation: losses and gradients of M weight vectors at once.

The trainable weights of M nets are one tensor θ [M, d], each row in the order of
`torch.nn.utils.parameters_to_vector`; frozen ones (`requires_grad` False) stay as they are in the net that
the batch is made from. Small nets are bound by the overhead of calls, which one batched call
per layer shares among all M. :func:`batched` chooses the fastest path: a plain multi-layer perceptron is
products of stacked matrices with a backward pass written by hand (batched_mlp), anything else is the
module's own code under `torch.func.vmap`.

Batch-norm takes its running statistics, as the net does in evaluation mode, or the means and variances of the
examples given, as in training, when asked for by `statistics="batch"`: L(w) then has the rescaling symmetries
that training sees, and the examples of a batch depend on each other. Dropout is off.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, replace_all_batch_norm_modules_, vmap
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parameters_to_vector

from sgdiffusion.errors import ConfigError, require_choice
from sgdiffusion.inputs.model import copied

Loss = Literal["cross-entropy", "squared"]
Statistics = Literal["running", "batch"]


class Batched(ABC):
    """Losses and gradients of the M nets whose weights are the rows of θ.

    Inputs x [M, b, …] and targets y [M, b, …] belong to the nets in order; [1, b, …] is shared by all. The
    loss of a net is Σ_j s_j ℓ_j over its examples with `shares` s [M, b], 1/b each by default; ℓ is the
    cross-entropy in nats, or ½‖f − y‖² ("squared").
    """

    weights: int
    """d."""
    units = 0
    """Numbers that an example leaves in the layers, outputs included, where known."""
    couples = False
    """Whether an example's output depends on the others given with it (batch-norm by the batch)."""

    @abstractmethod
    def outputs(self, theta: Tensor, x: Tensor) -> Tensor:
        """Outputs [M, b, classes]."""

    @abstractmethod
    def losses(self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None = None) -> Tensor:
        """Losses [M]."""

    @abstractmethod
    def gradients(
        self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Losses [M] and their gradients [M, d]."""


def nets_at_once(net: Batched, batch: int, features: int, own: int = 0, *, shared: bool = False) -> int:
    """How many nets to compute together: as many as fit into the cache, at least 4 to share the calls' cost.

    Measured on a core with 1 MB of second-level cache: a third or a fourth of the time of one large batch.
    `own` is what a net moves beside its examples and weights; `shared` examples are in the cache once.
    """
    numbers = net.units if shared and net.units > 0 else features + net.units
    by_examples = 400_000 // (batch * numbers)
    return max(4, min(by_examples, (1 << 20) // (4 * net.weights + own)))


def trainable(net: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that are weights here: those with `requires_grad`."""
    found = {name: p for name, p in net.named_parameters() if p.requires_grad}
    if not found:
        raise ConfigError(
            "the network has no trainable parameter: all are frozen (requires_grad is False), or it has none"
        )
    return found


def stack(nets: Sequence[nn.Module], dtype: torch.dtype | None = None) -> Tensor:
    """θ [M, d] of nets of one architecture, which may differ in their trainable weights only."""
    rows = [parameters_to_vector(trainable(net).values()).detach() for net in nets]
    sizes = {len(row) for row in rows}
    if len(sizes) != 1:
        raise ConfigError(f"a batch needs nets of one architecture, found weight counts {sorted(sizes)}")
    first = _held(nets[0])
    for i, net in enumerate(nets):
        for name, value in _held(net).items():
            if name not in first or not torch.equal(value, first[name]):
                raise ConfigError(
                    f"`{name}`, frozen or a running statistic in evaluation mode, differs between nets 0 and "
                    f"{i}: the nets of a batch share it; take these one at a time"
                )
    return torch.stack(rows).to(dtype or rows[0].dtype)


def _held(net: nn.Module) -> dict[str, Tensor]:
    """What beside its trainable weights the outputs of a net depend on."""
    held: dict[str, Tensor] = {k: p.detach() for k, p in net.named_parameters() if not p.requires_grad}
    for name, norm in norms(net).items():
        if norm.running_mean is not None and norm.running_var is not None and not norm.training:
            held |= {f"{name}.running_mean": norm.running_mean, f"{name}.running_var": norm.running_var}
    return held


def norms(net: nn.Module) -> dict[str, _BatchNorm]:
    """Its batch-norm layers by name."""
    return {name: m for name, m in net.named_modules() if isinstance(m, _BatchNorm)}


def coupling(net: nn.Module, statistics: Statistics) -> bool:
    """Whether an example's output depends on the others; a net in training mode has to be told by name."""
    require_choice("statistics", statistics, Statistics)
    layers = norms(net)
    if statistics == "batch":
        return bool(layers)
    unclear = [name for name, m in layers.items() if m.training and m.running_mean is not None]
    if unclear:
        raise ConfigError(
            f"batch-norm `{unclear[0]}` is in training mode: call net.eval() to measure with its running "
            'statistics, or ask for those of each batch by statistics="batch"'
        )
    return any(m.running_mean is None for m in layers.values())


def example_losses(outputs: Tensor, y: Tensor, loss: Loss) -> Tensor:
    """ℓ of each example: outputs [..., classes] to [...]."""
    if loss == "squared":
        require_alike(outputs, y)
        return 0.5 * (outputs - y).square().sum(-1)
    chosen = y.expand(outputs.shape[:-1]).unsqueeze(-1)
    return -outputs.log_softmax(-1).gather(-1, chosen).squeeze(-1)


def require_alike(outputs: Tensor, y: Tensor) -> None:
    """Refuses targets of a squared error that would be broadcast against the outputs."""
    if y.dim() != outputs.dim() or y.shape[-2:] != outputs.shape[-2:]:
        raise ConfigError(
            f"a squared error needs a target for each output, found outputs {list(outputs.shape[-2:])} and "
            f"targets {list(y.shape[1 - outputs.dim() :])} (examples first)"
        )


class FunctionalNet(Batched):
    """A module's own code as a function of its trainable weights; weights that it ties are counted once."""

    def __init__(self, net: nn.Module, statistics: Statistics):
        self.couples = coupling(net, statistics)
        self._net = copied(net).eval()
        if statistics == "batch":
            # without running statistics the batch's own are used, in evaluation mode too
            replace_all_batch_norm_modules_(self._net)
        self._shapes = {name: p.shape for name, p in trainable(net).items()}
        self.weights = sum(math.prod(shape) for shape in self._shapes.values())

    def _weights(self, row: Tensor) -> dict[str, Tensor]:
        """A row of θ as the weights by name: views of it."""
        pieces = torch.split(row, [math.prod(s) for s in self._shapes.values()])
        return {k: p.view(s) for (k, s), p in zip(self._shapes.items(), pieces, strict=True)}

    def _call(self, weights: dict[str, Tensor], x: Tensor) -> Tensor:
        """Outputs of one net on its examples x [b, …]."""
        outputs: Tensor = functional_call(self._net, weights, (x,))
        return outputs


class BatchedModule(FunctionalNet):
    """Any torch module, vectorised by torch.func: the general path."""

    def __init__(self, net: nn.Module, loss: Loss = "cross-entropy", *, statistics: Statistics = "running"):
        super().__init__(net, statistics)
        require_choice("loss", loss, Loss)
        self._loss = loss

    def _loss_of(self, row: Tensor, x: Tensor, y: Tensor, shares: Tensor) -> Tensor:
        return (example_losses(self._call(self._weights(row), x), y, self._loss) * shares).sum()

    def _arguments(self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None) -> list[Tensor]:
        m, examples = len(theta), x.shape[1]
        if shares is not None and self.couples:
            raise ConfigError(
                "shares cannot weight the batch-norm of a general module; use equal batch sizes"
            )
        even = theta.new_full((1, examples), 1 / examples) if shares is None else shares
        return [theta, *(t.expand(m, *t.shape[1:]) for t in (x, y, even))]

    @torch.no_grad()
    def outputs(self, theta: Tensor, x: Tensor) -> Tensor:
        return vmap(lambda row, x: self._call(self._weights(row), x))(
            theta, x.expand(len(theta), *x.shape[1:])
        )

    @torch.no_grad()
    def losses(self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None = None) -> Tensor:
        return vmap(self._loss_of)(*self._arguments(theta, x, y, shares))

    @torch.no_grad()
    def gradients(
        self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        both = vmap(grad_and_value(self._loss_of))
        gradient, losses = both(*self._arguments(theta, x, y, shares))
        return losses, gradient
