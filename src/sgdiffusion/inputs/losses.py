"""Losses of each example by name, and the outputs and targets that they accept."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sgdiffusion.errors import InputError
from sgdiffusion.inputs.data import Forward, describe

Loss = Callable[[Tensor, Tensor], Tensor]
LossName = Literal["cross-entropy", "squared", "half-squared", "next-token"]

IGNORED = -100  # the label that torch and transformers leave out of the loss


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of logits per example, shape (n,): the default loss f_k."""
    return F.cross_entropy(outputs, targets, reduction="none")


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """‖output − target‖² per example, shape (n,)."""
    require_same_shape(outputs, targets)
    return (
        (outputs - targets).square().flatten(1).sum(1) if outputs.ndim > 1 else (outputs - targets).square()
    )


def half_squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """½ ‖output − target‖² per example, shape (n,)."""
    return 0.5 * squared_error(outputs, targets)


def next_token_losses(outputs: Tensor, tokens: Tensor) -> Tensor:
    """Mean cross-entropy in nats of the tokens after the first, from outputs (n, T, vocabulary).

    The outputs at position t predict token t + 1; the predictions of an example weigh the same, those of
    the label −100 are left out.
    """
    if tokens.shape[1] < 2:
        raise InputError("data", "texts of one token have no next one", "give longer texts")
    predicted, wanted = outputs[:, :-1], tokens[:, 1:]
    losses = F.cross_entropy(
        predicted.flatten(0, 1), wanted.flatten(), reduction="none", ignore_index=IGNORED
    ).view(wanted.shape)
    kept = wanted != IGNORED
    return losses.sum(1) / kept.sum(1).clamp_min(1)


def require_same_shape(outputs: Tensor, targets: Tensor) -> None:
    """Refuse what would be broadcast: (n, 1) against (n,) compares every output with every target."""
    if outputs.shape != targets.shape:
        raise InputError(
            "data",
            f"outputs have shape {tuple(outputs.shape)}, targets {tuple(targets.shape)}",
            "a squared error needs equal shapes: reshape the targets, as in targets.unsqueeze(1), or "
            "squeeze the outputs",
        )


LOSSES: dict[str, Loss] = {
    "cross-entropy": cross_entropy,
    "squared": squared_error,
    "half-squared": half_squared_error,
    "next-token": next_token_losses,
}


def loss_function(loss: LossName | Loss) -> Loss:
    """The function of a name; a function is itself."""
    if isinstance(loss, type):
        raise InputError("loss", f"found the class {loss.__name__}", "give a function, or one of its objects")
    if callable(loss):
        return loss
    if loss not in LOSSES:
        raise InputError("loss", f"unknown loss {loss!r}", f"expected {', '.join(LOSSES)} or a function")
    return LOSSES[loss]


def forward_of(loss: LossName | Loss, forward: Forward | None, tree: Any) -> Forward:
    """Losses of each example from model and batch, by the user's own function or as the data suggest.

    (inputs, targets): loss(model(inputs), targets). A dict: its ``labels`` are the targets, everything else
    goes to the model by name, as in transformers. One tensor of tokens with the loss "next-token": inputs
    and targets are the same. Of outputs with ``.logits`` the logits are taken.
    """
    if forward is not None:
        if not callable(forward):
            raise InputError("forward", f"found {forward!r}", "give a function (model, batch) -> losses (n,)")
        return forward
    function = loss_function(loss)
    if isinstance(tree, Tensor) and loss == "next-token":
        return lambda model, batch: function(tensor_of(model(batch, **_no_cache(model))), batch)
    if isinstance(tree, Mapping) and "labels" in tree:
        return lambda model, batch: function(*_by_name(model, batch, loss))
    if isinstance(tree, tuple) and len(tree) == 2:
        return lambda model, batch: function(tensor_of(model(batch[0])), batch[1])
    raise InputError(
        "data",
        f"which part is the target is not known of {describe(tree)}",
        "give pairs (inputs, targets), dicts with 'labels', or say how to use a batch: "
        "forward=lambda model, batch: losses, one per example",
    )


def _by_name(model: nn.Module, batch: Mapping[str, Tensor], loss: Any) -> tuple[Tensor, Tensor]:
    outputs = tensor_of(model(**{k: v for k, v in batch.items() if k != "labels"}, **_no_cache(model)))
    labels = batch["labels"]
    if loss == "next-token" and "attention_mask" in batch:
        labels = labels.masked_fill(batch["attention_mask"] == 0, IGNORED)
    return outputs, labels


def _no_cache(model: nn.Module) -> dict[str, bool]:
    """The models of transformers return past keys and values unless told not to."""
    return {"use_cache": False} if getattr(getattr(model, "config", None), "use_cache", False) else {}


def tensor_of(output: Any) -> Tensor:
    """The tensor that a model returned, or the ``.logits`` of it."""
    if isinstance(output, Tensor):
        return output
    logits = getattr(output, "logits", None)
    if isinstance(logits, Tensor):
        return logits
    shown = f"a {type(output).__name__}" + (f" of {len(output)}" if isinstance(output, tuple | list) else "")
    raise InputError(
        "model",
        f"it returns {shown}, not a tensor",
        "say which part is meant: forward=lambda model, batch: loss(model(batch[0])[0], batch[1])",
    )


def _require_one_label(outputs: Tensor, targets: Tensor) -> None:
    """Refuse classes in a column, or as zeros and ones."""
    if targets.shape[1:] == outputs.shape[2:]:
        return
    column, ones = targets.ndim == 2 and targets.shape[1] == 1, targets.shape[1:] == outputs.shape[1:]
    remedy = "use targets.squeeze(1)" if column else "give one class number for each prediction"
    raise InputError(
        "data",
        f"targets have shape {tuple(targets.shape[1:])} per example, outputs {tuple(outputs.shape[1:])}",
        "use targets.argmax(1), or targets.float() for probabilities" if ones and not column else remedy,
    )


def check_labels(outputs: Tensor, targets: Tensor) -> None:
    """Refuse labels that cross-entropy cannot take; ``targets`` are those of all examples."""
    classes = outputs.shape[1] if outputs.ndim > 1 else 0
    if outputs.ndim > 1 and not targets.is_floating_point():
        _require_one_label(outputs, targets)
    if targets.is_floating_point():
        if targets.shape[1:] == outputs.shape[1:] and outputs.ndim > 1:
            return  # probabilities of classes
        raise InputError(
            "data",
            f"targets are {targets.dtype} of shape {tuple(targets.shape)}, cross-entropy takes whole numbers",
            "use targets.long() for classes, or loss='half-squared' for numbers",
        )
    if outputs.ndim < 2:
        raise InputError(
            "model", f"its outputs have shape {tuple(outputs.shape)}", "cross-entropy needs one per class"
        )
    bad = (targets != IGNORED) & ((targets < 0) | (targets >= classes))
    if bool(bad.any()):
        where = bad.nonzero()[0]
        label = int(targets[tuple(where)])
        raise InputError(
            "data",
            f"example {int(where[0])} has the label {label}, but the model has {classes} outputs",
            f"labels go from 0 to {classes - 1}: renumber them, or give the last layer more outputs",
        )
    if targets.dtype != torch.long:
        raise InputError(
            "data", f"labels are {targets.dtype}", "cross-entropy takes torch.long: use targets.long()"
        )
