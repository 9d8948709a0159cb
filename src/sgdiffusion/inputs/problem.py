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
from sgdiffusion.inputs.data import Forward, Inputs, describe, named_leaves, read_data
from sgdiffusion.inputs.losses import IGNORED, Loss, LossName, check_labels, forward_of, tensor_of
from sgdiffusion.inputs.model import check_model, chosen_model
from sgdiffusion.inputs.precision import full_precision

TRIED = 4  # examples in the trial
BY_LABELS = ("cross-entropy", "next-token")
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
            return self.forward(self.model, _copied(to_model(self.inputs.part(rows), self.model)))


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
    if torch.is_inference_mode_enabled():
        raise InputError("model", "torch.inference_mode() forbids gradients", "call outside of it")
    check_model(model)
    model = chosen_model(model, params, device)
    check_model(model)
    inputs = read_data(data, examples)
    if len(inputs) < least:
        raise InputError(
            "data", f"{len(inputs)} example(s)", f"a spread over examples needs at least {least}"
        )
    function = forward_of(loss, forward, inputs.tree)
    problem = Problem(
        model, inputs, function, loss, (*inputs.notes, *_unlabelled(loss, forward, inputs.tree))
    )
    _try_out(problem, own=forward is not None)
    return problem


def _unlabelled(loss: LossName | Loss, forward: Forward | None, tree: Any) -> list[str]:
    """A note on examples of which every label is left out: their loss is zero, and so is their gradient."""
    labels = tree.get("labels") if isinstance(tree, dict) else tree[1] if isinstance(tree, tuple) else None
    if forward is not None or loss not in BY_LABELS or not isinstance(labels, Tensor):
        return []
    count = int((labels == IGNORED).reshape(len(labels), -1).all(1).sum())
    return [f"{count} example(s) have no label but {IGNORED}: their gradient is zero"] if count else []


def to_model(tree: Any, model: nn.Module) -> Any:
    """A batch on the model's device, floating-point parts in its dtype."""
    weight = next(p for p in model.parameters() if p.requires_grad)

    def move(values: Tensor) -> Tensor:
        return values.to(weight.device, weight.dtype if values.is_floating_point() else values.dtype)

    return tree_map(move, tree)


def _copied(batch: Any) -> Any:
    """The same batch in memory of its own, which the model may change in place."""
    return tree_map(torch.clone, batch)


def _try_out(problem: Problem, own: bool) -> None:
    count = min(TRIED, problem.examples)
    batch = to_model(problem.inputs.part(slice(0, count)), problem.model)
    if not own:
        _check_targets(problem, batch)
    with torch.random.fork_rng():
        together = _losses(problem, batch, count)
        _check_differentiable(problem, batch)
        again = _losses(problem, batch, count)
        alone = [_losses(problem, tree_map(lambda v, i=i: v[i : i + 1], batch), 1) for i in range(count)]
        _try_extremes(problem)
    if not torch.equal(together, again):
        raise InputError(
            "model",
            "two passes over the same examples give different losses: something in it is random",
            "call F.dropout with training=self.training, and draw noise outside of the model",
        )
    _check_alone(together, torch.cat(alone))


def _check_differentiable(problem: Problem, batch: Any) -> None:
    """Refuse a loss that torch cannot follow back to the weights."""
    with torch.enable_grad():
        losses = _called(problem, batch)
    if isinstance(losses, Tensor) and not losses.requires_grad:
        raise InputError(
            "loss",
            "torch sees no way from it to the weights that require gradients",
            "leave out .detach(), .item(), .numpy() and torch.no_grad(), or choose other params",
        )


def _try_extremes(problem: Problem) -> None:
    """The examples with the smallest and largest whole numbers: ids beyond a vocabulary are found at once."""
    for name, leaf in named_leaves(problem.inputs.tree):
        if leaf.is_floating_point() or leaf.dtype == torch.bool or problem.examples <= TRIED:
            continue
        rows = leaf.reshape(len(leaf), -1)
        if not rows.shape[1]:
            continue
        low, high = rows.amin(1), rows.amax(1)
        for example in (int(low.argmin()), int(high.argmax())):
            one = to_model(problem.inputs.part(slice(example, example + 1)), problem.model)
            try:
                with torch.no_grad():
                    problem.forward(problem.model, _copied(one))
            except Exception as error:
                line = str(error).strip().partition("\n")[0]
                raise InputError(
                    "data",
                    f"example {example}, whose {name} go from {int(low[example])} to {int(high[example])}, "
                    f"fails with {type(error).__name__}: {line}",
                    "ids must be below the size of the vocabulary, labels below the number of outputs",
                ) from error


def _losses(problem: Problem, batch: Any, count: int) -> Tensor:
    with torch.no_grad():
        losses = _called(problem, batch)
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


def _called(problem: Problem, batch: Any) -> Any:
    """What the loss returns."""
    try:
        return problem.forward(problem.model, _copied(batch))
    except InputError:
        raise
    except Exception as error:
        raise _explained(problem.model, batch, error) from error


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
    if isinstance(error, IndexError):
        return InputError(
            "data",
            f"the model {failure}",
            "ids must be below the size of the vocabulary, texts no longer than the model's places",
        )
    return InputError("model", found, "call model(inputs) by hand on these shapes until it runs")


def _check_targets(problem: Problem, batch: Any) -> None:
    """Labels of all examples against the number of outputs, where the loss is the built-in one."""
    tree, name = problem.inputs.tree, problem.loss
    if name not in BY_LABELS or isinstance(tree, dict):
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
    elif outputs.ndim > 3 and targets.ndim == outputs.ndim - 1:
        raise InputError(
            "loss",
            f"outputs of shape {tuple(outputs.shape)} are one prediction per place of an image",
            "average over them: loss=lambda o, y: F.cross_entropy(o, y, reduction='none').mean((1, 2))",
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
            kept.append(tensor_of(problem.model(_copied(batch))))
        else:
            forward_of(keep, None, tree)(problem.model, _copied(batch))
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
            "normalise and attend within an example, and compare each output with its own target: (n, 1) "
            "against (n,) is broadcast",
        )
