"""A model, its examples and its loss, read and tried out before anything is computed.

The trial runs the model on the first few examples: alone and together (does an example see the others?),
twice (is anything random?), with the loss (one number per example?). What fails is one InputError, with the
argument, the example, the shape and the remedy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from sgdiffusion.errors import InputError
from sgdiffusion.inputs.data import Forward, Inputs, describe, read_data
from sgdiffusion.inputs.losses import Loss, LossName, check_labels, forward_of, tensor_of
from sgdiffusion.inputs.model import check_model, chosen_model
from sgdiffusion.inputs.precision import full_precision

TRIED = 4  # examples in the trial
# Losses of the same example alone and in a batch differ by rounding: products of other shapes sum in
# another order, 1e-7 per layer in single precision.
COUPLED = {torch.float32: 1e-3, torch.float64: 1e-9}


@dataclass(frozen=True)
class Problem:
    """What every measurement of a network starts from."""

    model: nn.Module
    inputs: Inputs
    forward: Forward
    loss: LossName | Loss
    notes: tuple[str, ...] = ()

    @property
    def examples(self) -> int:
        """N."""
        return len(self.inputs)

    @property
    def weights(self) -> int:
        """d: the weights that require gradients."""
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

    def losses(self, rows: Any) -> Tensor:
        """Losses of some examples, without a graph."""
        with torch.no_grad():
            return self.forward(self.model, to_model(self.inputs.part(rows), self.model))


@full_precision()
def read(
    model: Any,
    data: Any,
    loss: LossName | Loss = "cross-entropy",
    *,
    forward: Forward | None = None,
    params: Sequence[str] | str | None = None,
    examples: int | None = None,
    device: torch.device | str | None = None,
    least: int = 2,
) -> Problem:
    """Read, check and try out; ``least`` is the number of examples that the measurement needs."""
    check_model(model)
    model = chosen_model(model, params, device)
    check_model(model)
    inputs = read_data(data, examples)
    if len(inputs) < least:
        raise InputError(
            "data", f"{len(inputs)} example(s)", f"a spread over examples needs at least {least}"
        )
    problem = Problem(model, inputs, forward_of(loss, forward, inputs.tree), loss, inputs.notes)
    _try_out(problem, own=forward is not None)
    return problem


def to_model(tree: Any, model: nn.Module) -> Any:
    """A batch on the model's device, floating-point parts in its dtype."""
    weight = next(p for p in model.parameters() if p.requires_grad)

    def move(values: Tensor) -> Tensor:
        return values.to(weight.device, weight.dtype if values.is_floating_point() else values.dtype)

    return tree_map(move, tree)


def _try_out(problem: Problem, own: bool) -> None:
    count = min(TRIED, problem.examples)
    batch = to_model(problem.inputs.part(slice(0, count)), problem.model)
    if not own:
        _check_targets(problem, batch)
    with torch.random.fork_rng():
        together = _losses(problem, batch, count)
        again = _losses(problem, batch, count)
        alone = [_losses(problem, tree_map(lambda v, i=i: v[i : i + 1], batch), 1) for i in range(count)]
    if not torch.equal(together, again):
        raise InputError(
            "model",
            "two passes over the same examples give different losses: something in it is random",
            "call F.dropout with training=self.training, and draw noise outside of the model",
        )
    _check_alone(together, torch.cat(alone))


def _losses(problem: Problem, batch: Any, count: int) -> Tensor:
    try:
        with torch.no_grad():
            losses = problem.forward(problem.model, batch)
    except InputError:
        raise
    except Exception as error:
        raise _explained(problem.model, batch, error) from error
    if not isinstance(losses, Tensor) or losses.shape != (count,):
        shape = tuple(losses.shape) if isinstance(losses, Tensor) else type(losses).__name__
        raise InputError(
            "loss",
            f"for {count} example(s) it returns {shape}, expected a tensor of shape ({count},)",
            "return one loss per example, without averaging over the batch (reduction='none', and the mean "
            "over tokens or outputs of each example)",
        )
    bad = ~torch.isfinite(losses)
    if bool(bad.any()):
        index = int(bad.nonzero()[0])
        raise InputError(
            "model", f"the loss of example {index} is {float(losses[index])}", "check weights and inputs"
        )
    return losses


def _explained(model: nn.Module, batch: Any, error: Exception) -> InputError:
    """The failure of the model or loss on the first examples, with the likely remedy."""
    line = str(error).strip().partition("\n")[0]
    failure = f"fails on {describe(batch)} with {type(error).__name__}: {line}"
    found = f"it {failure}"
    leaves = tree_leaves(batch)
    if any(leaf.dtype == torch.uint8 for leaf in leaves):
        return InputError("data", f"inputs are uint8, and the model {failure}", "use inputs.float() / 255")
    if isinstance(error, TypeError) and "argument" in line:
        return InputError(
            "model",
            found,
            "name the parts of a batch as its forward does, or say forward=lambda model, batch: …",
        )
    return InputError("model", found, "call model(inputs) by hand on these shapes until it runs")


def _check_targets(problem: Problem, batch: Any) -> None:
    """Labels of all examples against the number of outputs, where the loss is the built-in one."""
    tree, name = problem.inputs.tree, problem.loss
    if name not in ("cross-entropy", "next-token") or isinstance(tree, dict):
        targets = tree.get("labels") if isinstance(tree, dict) and name == "cross-entropy" else None
        if targets is None:
            return
    else:
        targets = tree if isinstance(tree, Tensor) else tree[1]
    with torch.no_grad():
        outputs = _outputs(problem, batch)
    if name == "next-token":
        if outputs.ndim != 3 or targets.ndim != 2 or outputs.shape[1] != targets.shape[1]:
            raise InputError(
                "data",
                f"outputs have shape {tuple(outputs.shape)}, tokens {tuple(targets.shape[1:])} per example",
                "next-token needs outputs (n, T, vocabulary) and tokens (n, T)",
            )
        outputs = outputs.transpose(1, 2)
    elif outputs.ndim == 3 and targets.ndim == 2:
        raise InputError(
            "loss",
            f"outputs of shape {tuple(outputs.shape)} are one prediction per token",
            "use loss='next-token' for language models, or a loss that averages over each example's tokens",
        )
    check_labels(outputs, targets)


def _outputs(problem: Problem, batch: Any) -> Tensor:
    """The model's outputs, taken from the built-in forward by a loss that hands them through."""
    kept: list[Tensor] = []

    def keep(outputs: Tensor, targets: Tensor) -> Tensor:
        kept.append(outputs)
        return outputs.new_zeros(len(outputs))

    tree = problem.inputs.tree
    try:
        if isinstance(tree, Tensor):
            kept.append(tensor_of(problem.model(batch)))
        else:
            forward_of(keep, None, tree)(problem.model, batch)
    except InputError:
        raise
    except Exception as error:
        raise _explained(problem.model, batch, error) from error
    return kept[0]


def _check_alone(together: Tensor, alone: Tensor) -> None:
    gap = (together - alone).abs()
    allowed = COUPLED[together.dtype] * (1 + together.abs()) if together.dtype in COUPLED else gap
    if bool((gap > allowed).any()):
        index = int((gap - allowed).argmax())
        raise InputError(
            "model",
            f"the loss of example {index} is {float(alone[index]):.6g} alone and "
            f"{float(together[index]):.6g} beside {len(alone) - 1} others: it couples the "
            "examples of a batch",
            "normalise and attend within an example, and give losses that do not average over the batch",
        )
