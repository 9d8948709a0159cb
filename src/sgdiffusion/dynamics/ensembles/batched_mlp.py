"""The fast path for multi-layer perceptrons: stacked matrix products, backward pass written by hand.

A net is a chain of stages h ← act(norm(h Wᵀ + b)), with or without b, batch-norm and activation. Compared
with automatic differentiation this saves the graph, one copy of the gradients and every temporary that an
in-place operation avoids. `shares` weight batch-norm's moments as well as the loss, so that an example of
share 0 has no influence at all: nets with different batch sizes fit into one rectangular batch.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from sgdiffusion.dynamics.ensembles.batched import (
    Batched,
    BatchedModule,
    Loss,
    Statistics,
    coupling,
    example_losses,
    norms,
    require_alike,
)
from sgdiffusion.errors import ConfigError, require_choice

Activation = Literal["relu", "tanh", "none"]
_ACTIVATIONS: dict[type[nn.Module], Activation] = {nn.ReLU: "relu", nn.Tanh: "tanh", nn.Identity: "none"}
_NormTape = tuple[Tensor, Tensor, Tensor] | None


@dataclass
class Stage:
    """One layer, and where its parameters lie in a row of θ."""

    fan_in: int
    fan_out: int
    weight: int
    bias: int | None
    norm: int | None = None
    """Offset of batch-norm's scale, then its shift; None without batch-norm."""
    eps: float = 0.0
    moments: tuple[Tensor, Tensor] | None = None
    """Running mean and variance of batch-norm, where these are used; None: those of the examples."""
    activation: Activation = "none"


def stages_of(net: nn.Module) -> list[Stage] | None:
    """The stages of a perceptron, or None when the net is something else or partly frozen."""
    if not isinstance(net, nn.Sequential) or not all(p.requires_grad for p in net.parameters()):
        return None
    stages: list[Stage] = []
    offset = 0
    for layer in net:
        if isinstance(layer, nn.Linear):
            bias = None if layer.bias is None else offset + layer.weight.numel()
            stages.append(Stage(layer.in_features, layer.out_features, offset, bias))
        elif isinstance(layer, nn.BatchNorm1d) and _follows_linear(stages) and layer.affine:
            stages[-1].norm, stages[-1].eps = offset, layer.eps
        elif type(layer) in _ACTIVATIONS and stages and stages[-1].activation == "none":
            stages[-1].activation = _ACTIVATIONS[type(layer)]
        elif not (isinstance(layer, nn.Dropout) or (isinstance(layer, nn.Flatten) and not stages)):
            return None
        offset += sum(p.numel() for p in layer.parameters())
    return stages or None


def _follows_linear(stages: list[Stage]) -> bool:
    return bool(stages) and stages[-1].norm is None and stages[-1].activation == "none"


def batched(net: nn.Module, loss: Loss = "cross-entropy", *, statistics: Statistics = "running") -> Batched:
    """The fastest path there is for nets of this architecture.

    `statistics` of batch-norm: the net's "running" ones (evaluation mode), or those of each "batch".
    """
    if _fast_stages(net, statistics) is None:
        return BatchedModule(net, loss, statistics=statistics)
    return BatchedMlp(net, loss, statistics=statistics)


def _fast_stages(net: nn.Module, statistics: Statistics) -> list[Stage] | None:
    stages = stages_of(net)
    if stages is None or statistics == "batch":
        return stages
    for stage, norm in zip([s for s in stages if s.norm is not None], norms(net).values(), strict=True):
        if norm.running_mean is None or norm.running_var is None:
            return None
        stage.moments = norm.running_mean.clone(), norm.running_var.clone()
    return stages


class BatchedMlp(Batched):
    """Perceptrons as products of stacked matrices; running statistics of batch-norm are those of the net that
    it was made of, for all nets of the batch.
    """

    def __init__(self, net: nn.Module, loss: Loss = "cross-entropy", *, statistics: Statistics = "running"):
        require_choice("loss", loss, Loss)
        self.couples = coupling(net, statistics)
        stages = _fast_stages(net, statistics)
        if stages is None:
            raise ConfigError(
                "BatchedMlp needs a chain of linear layers, none of them frozen, and the statistics of "
                "batch-norm that are asked for; use BatchedModule for other nets"
            )
        self.stages, self._loss = stages, loss
        self.weights = sum(p.numel() for p in net.parameters())
        self.units = sum(s.fan_out for s in stages)

    def _matrix(self, theta: Tensor, stage: Stage) -> Tensor:
        end = stage.weight + stage.fan_out * stage.fan_in
        return theta[:, stage.weight : end].view(-1, stage.fan_out, stage.fan_in)

    def _linear(self, theta: Tensor, stage: Stage, h: Tensor) -> Tensor:
        matrix = self._matrix(theta, stage).mT
        if stage.bias is None:
            return torch.bmm(h, matrix)
        bias = theta[:, None, stage.bias : stage.bias + stage.fan_out]
        return torch.baddbmm(bias, h, matrix)

    def _stage(
        self, theta: Tensor, stage: Stage, h: Tensor, shares: Tensor | None
    ) -> tuple[Tensor, _NormTape]:
        a = self._linear(theta, stage, h)
        tape = None
        if stage.norm is not None:
            if stage.moments is None:
                a, variance = _centred(a, shares)
            else:
                a, variance = a.sub_(stage.moments[0].to(a)), stage.moments[1].to(a)
            inverse = (variance + stage.eps).rsqrt_()
            scale, shift = theta[:, None, stage.norm : stage.norm + 2 * stage.fan_out].chunk(2, -1)
            normal = a.mul_(inverse)
            a, tape = torch.addcmul(shift, normal, scale), (normal, inverse, scale)
        if stage.activation == "relu":
            a.relu_()
        elif stage.activation == "tanh":
            a.tanh_()
        return a, tape

    def _inputs(self, theta: Tensor, x: Tensor) -> Tensor:
        return x.flatten(2).expand(len(theta), -1, -1)

    @torch.no_grad()
    def outputs(self, theta: Tensor, x: Tensor, shares: Tensor | None = None) -> Tensor:
        h = self._inputs(theta, x)
        for stage in self.stages:
            h, _ = self._stage(theta, stage, h, shares)
        return h

    @torch.no_grad()
    def losses(self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None = None) -> Tensor:
        examples = example_losses(self.outputs(theta, x, shares), y, self._loss)
        return examples.mean(1) if shares is None else (examples * shares).sum(1)

    @torch.no_grad()
    def gradients(
        self, theta: Tensor, x: Tensor, y: Tensor, shares: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        h = self._inputs(theta, x)
        tape: list[tuple[Tensor, _NormTape, Tensor]] = []
        for stage in self.stages:
            before = h
            h, norm = self._stage(theta, stage, before, shares)
            tape.append((before, norm, h))
        losses, back = self._loss_and_slope(h, y, shares)
        gradient = torch.empty_like(theta)
        for stage, (before, norm, after) in zip(reversed(self.stages), reversed(tape), strict=True):
            back = _through_activation(stage, back, after)
            if norm is not None:
                back = self._through_norm(stage, back, norm, shares, gradient)
            self._matrix(gradient, stage).copy_(torch.bmm(back.mT, before))
            if stage.bias is not None:
                torch.sum(back, 1, out=gradient[:, stage.bias : stage.bias + stage.fan_out])
            if stage.weight > 0:
                back = torch.bmm(back, self._matrix(theta, stage))
        return losses, gradient

    def _loss_and_slope(self, out: Tensor, y: Tensor, shares: Tensor | None) -> tuple[Tensor, Tensor]:
        """Losses [M] and their derivatives with respect to the outputs [M, b, classes]."""
        weight = 1 / out.shape[1] if shares is None else shares.unsqueeze(-1)
        if self._loss == "squared":
            require_alike(out, y)
            slope = out - y
            return (0.5 * slope.square() * weight).sum((1, 2)), slope.mul_(weight)
        logits = out.log_softmax(-1)
        chosen = y.expand(out.shape[:-1]).unsqueeze(-1)
        losses = -(logits.gather(-1, chosen) * weight).sum((1, 2))
        slope = logits.exp_()
        slope.scatter_add_(-1, chosen, slope.new_full((), -1.0).expand(chosen.shape))
        return losses, slope.mul_(weight)

    def _through_norm(
        self,
        stage: Stage,
        back: Tensor,
        tape: tuple[Tensor, Tensor, Tensor],
        shares: Tensor | None,
        gradient: Tensor,
    ) -> Tensor:
        """Backward through γ (a − μ)/σ + β: writes the gradients of γ and β, returns that of a."""
        normal, inverse, scale = tape
        assert stage.norm is not None
        product = (back * normal).sum(1, keepdim=True)
        total = back.sum(1, keepdim=True)
        ends = (stage.norm, stage.norm + stage.fan_out, stage.norm + 2 * stage.fan_out)
        gradient[:, ends[0] : ends[1]] = product[:, 0]
        gradient[:, ends[1] : ends[2]] = total[:, 0]
        if stage.moments is None:
            weight = 1 / back.shape[1] if shares is None else shares.unsqueeze(-1)
            common = torch.addcmul(total, normal, product).mul_(weight)
            back = torch.sub(back, common, out=common)
        return back * (scale * inverse)


def _through_activation(stage: Stage, back: Tensor, after: Tensor) -> Tensor:
    if stage.activation == "relu":
        # back where after > 0, else 0, in one pass
        return torch.ops.aten.threshold_backward(back, after, 0)
    if stage.activation == "tanh":
        return back.mul_(1 - after.square())
    return back


def _centred(a: Tensor, shares: Tensor | None) -> tuple[Tensor, Tensor]:
    """a less its mean over a net's examples, in place, and their variance [M, 1, units]; both means are
    weighted by shares.
    """
    if shares is None:
        a.sub_(a.mean(1, keepdim=True))
        return a, a.square().mean(1, keepdim=True)
    weights = shares.expand(len(a), -1)[:, None, :]
    a.sub_(torch.bmm(weights, a))
    return a, torch.bmm(weights, a.square())
