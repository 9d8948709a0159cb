"""Is this module one whose gradients by example mean something? Checked before anything is computed."""

import copy
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch.utils._pytree import tree_leaves

from sgdiffusion.errors import InputError

PRECISE = (torch.float32, torch.float64)


def check_model(model: Any) -> None:
    """Refuse what is no module, has no weights to differentiate, is in training mode, in half precision, …"""
    require_module(model)
    if isinstance(model, torch.jit.ScriptModule):
        raise InputError("model", "it is a ScriptModule", "give the nn.Module that it was made from")
    require_evaluation(model)
    empty = [name for name, p in model.named_parameters() if isinstance(p, UninitializedParameter)]
    if empty:
        raise InputError(
            "model", f"{empty[0]} of a lazy module has no shape yet", "call model(inputs) once before"
        )
    weights = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not weights:
        frozen = sum(1 for _ in model.parameters())
        raise InputError(
            "model",
            f"the module has no parameter that requires gradients ({frozen} frozen)",
            "give a module with trainable weights",
        )
    kinds = {(p.dtype, p.device) for p in weights.values()}
    if len(kinds) > 1:
        raise InputError(
            "model",
            f"the module's weights differ in dtype or device: {sorted(map(str, kinds))}",
            "bring them together: model.float().to(device)",
        )
    dtype, device = kinds.pop()
    if device.type == "meta":
        raise InputError("model", "its weights are on the device meta and hold no numbers", "load them")
    if dtype not in PRECISE:
        raise InputError(
            "model",
            f"its weights are {str(dtype).removeprefix('torch.')}, whose gradients have three digits",
            "use copy.deepcopy(model).float()",
        )
    _check_finite(weights)


def require_module(model: Any) -> None:
    """Refuse what is not the torch module itself."""
    if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
        raise InputError(
            "model", f"it is wrapped in {type(model).__name__}", "give the module inside: model.module"
        )
    if not isinstance(model, nn.Module):
        raise InputError("model", f"found {type(model).__name__}", "give a torch.nn.Module")


def _check_finite(weights: dict[str, nn.Parameter]) -> None:
    bad = [name for name, p in weights.items() if not bool(torch.isfinite(p.detach()).all())]
    if bad:
        raise InputError(
            "model",
            f"weights hold NaN or infinity: {', '.join(bad[:3])}",
            "the training diverged; load others",
        )


def require_evaluation(module: nn.Module) -> None:
    """Refuse a module in which any part is in training mode, or whose batch-norm couples the examples."""
    training = [(name or "the module itself", m) for name, m in module.named_modules() if m.training]
    if training:
        # The layers whose outputs change with the mode come first: they are the ones that do the harm.
        training.sort(key=lambda entry: not _depends_on_mode(entry[1]))
        shown = ", ".join(f"{name} ({type(m).__name__})" for name, m in training[:3])
        more = f" and {len(training) - 3} more" if len(training) > 3 else ""
        raise InputError(
            "model",
            f"per-example gradients need evaluation mode, but these are in training mode: {shown}{more}",
            "call module.eval() first (batch-norm in training mode makes one example's gradient depend on "
            "the others, dropout makes it random)",
        )
    for name, part in module.named_modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is None:
            raise InputError(
                "model",
                f"batch-norm {name or 'module'} keeps no running statistics (track_running_stats=False)",
                "it normalises by the batch at hand even in evaluation mode; let it keep running statistics",
            )


def _depends_on_mode(part: nn.Module) -> bool:
    return isinstance(part, nn.modules.batchnorm._BatchNorm | nn.modules.dropout._DropoutNd)


def chosen_model(
    model: nn.Module, params: Sequence[str] | str | None, device: torch.device | str | None
) -> nn.Module:
    """The model; a copy where only some parameters are to be differentiated, or on another device.

    ``params`` are names of parameters or modules, or patterns such as ``"layer4.*"``.
    """
    if params is None and device is None:
        return model
    model = copied(model)
    if device is not None:
        try:
            model.to(device)
        except (RuntimeError, AssertionError) as error:  # an unknown name, no card, no memory on it
            line = str(error).partition("\n")[0][:160]
            raise InputError("device", f"the model cannot go to {device!r} ({line})", "give cpu") from error
    if params is not None:
        _freeze_others(model, _patterns(params))
    return model


def copied(model: nn.Module) -> nn.Module:
    """A copy, also of a module that keeps what it computed: its weights are taken as they are now.

    ``copy.deepcopy`` refuses a tensor with a graph, such as ``self.features = x`` in a forward.
    """
    kept = [v for part in model.modules() for v in tree_leaves(dict(vars(part))) if isinstance(v, Tensor)]
    memo: dict[int, Any] = {id(v): v.detach().clone() for v in kept if not v.is_leaf}
    return copy.deepcopy(model, memo)


def _patterns(params: Any) -> list[str]:
    found = [params] if isinstance(params, str) else params
    if not isinstance(found, list | tuple) or not found or not all(isinstance(p, str) for p in found):
        raise InputError(
            "params", f"found {type(params).__name__}", "give names or patterns, such as ['layer4.*', 'fc']"
        )
    return list(found)


def _freeze_others(model: nn.Module, patterns: list[str]) -> None:
    names = [name for name, _ in model.named_parameters()]
    patterns = [part for name in patterns for part in (name, f"{name}.*")]  # a module's name means all of it
    for pattern, below in zip(patterns[::2], patterns[1::2], strict=True):
        if not any(fnmatchcase(name, pattern) or fnmatchcase(name, below) for name in names):
            shown = ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
            raise InputError(
                "params",
                f"no parameter is called {pattern!r}",
                f"its parameters are {shown}; patterns have *",
            )
    for name, p in model.named_parameters():
        p.requires_grad_(p.requires_grad and any(fnmatchcase(name, pattern) for pattern in patterns))
