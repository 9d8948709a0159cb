"""What the commands do: the library's functions on a model, data and loss that a user's function returns."""

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from matplotlib.backend_bases import FigureCanvasBase
from torch import nn

from sgdiffusion.errors import InputError
from sgdiffusion.inputs.problem import read
from sgdiffusion.library import arguments
from sgdiffusion.library.balance import noise_balance, symmetries
from sgdiffusion.library.coefficient import learning_coefficient
from sgdiffusion.library.dimension import walk_dimension
from sgdiffusion.library.results import Result
from sgdiffusion.library.spectra import spectrum
from sgdiffusion.library.trajectories import trajectory
from sgdiffusion.measures.noise import ways
from sgdiffusion.measures.noise.gradients import PerExampleGradients

DONE, DIAGNOSED = 0, 3
WEIGHTS = ("state_dict", "model_state_dict", "model", "weights")  # where checkpoints keep them
FORMS = "return the model, (model, data), (model, data, loss), or a dict with model, data, loss, forward"


def named_function(target: str) -> Callable[..., Any]:
    """The function of "module:function" or "path/to/file.py:function", seen from the working directory."""
    module, colon, name = target.rpartition(":")
    if not colon or not module or not name:
        raise InputError("target", f"found {target!r}", "give module:function, such as train:network")
    try:
        found = getattr(_module(module), name)
    except InputError:
        raise
    except AttributeError:
        raise InputError("target", f"{module} has no {name}", "name a function of it") from None
    except Exception as error:
        raise InputError(
            "target",
            f"{module} cannot be imported: {type(error).__name__}: {error}",
            "make it importable from here",
        ) from error
    if not callable(found):
        raise InputError("target", f"{target} is a {type(found).__name__}, no function", f"let it {FORMS}")
    return found


def _module(name: str) -> Any:
    if not name.endswith(".py"):
        sys.path.insert(0, str(Path.cwd()))
        try:
            return importlib.import_module(name)
        finally:
            sys.path.remove(str(Path.cwd()))
    if not Path(name).is_file():
        raise InputError("target", f"there is no file {name}", "name one")
    spec = importlib.util.spec_from_file_location(Path(name).stem, name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def network(chosen: argparse.Namespace) -> tuple[Any, Any, dict[str, Any]]:
    """Model, data and the options that all functions share, from the command's arguments."""
    _require_places(chosen)
    found = _called(chosen.target)
    parts: dict[str, Any] = {}
    if isinstance(found, Mapping):
        parts = dict(found)
    elif isinstance(found, tuple):
        parts = dict(zip(("model", "data", "loss"), found, strict=False))
    else:
        parts = {"model": found}
    if chosen.data is not None:
        parts["data"] = _called(chosen.data)
    unknown = sorted(set(parts) - {"model", "data", "loss", "forward"})
    if unknown or "model" not in parts or parts.get("data") is None:
        what = (
            f"a dict with {', '.join(unknown)}"
            if unknown
            else "no model"
            if "model" not in parts
            else "no data"
        )
        raise InputError("target", f"{chosen.target} gave {what}", f"let it {FORMS}; or give --data")
    model = parts["model"]
    if chosen.checkpoint is not None:
        _load(model, chosen.checkpoint)
    if isinstance(model, nn.Module):
        model.eval()
    options = {"params": chosen.params, "examples": chosen.examples, "device": chosen.device}
    options["forward"] = parts.get("forward")
    options["loss"] = chosen.loss or parts.get("loss") or "cross-entropy"
    return model, parts["data"], options


def _called(target: str) -> Any:
    function = named_function(target)
    try:
        return function()
    except Exception as error:
        raise InputError(
            "target",
            f"{target}() failed with {type(error).__name__}: {error}",
            "let it run without arguments",
        ) from error


def _load(model: nn.Module, path: Path) -> None:
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        first = str(error).partition("\n")[0]
        raise InputError(
            "checkpoint", f"{path} cannot be read ({first})", "save model.state_dict()"
        ) from error
    for key in WEIGHTS:
        held = held[key] if isinstance(held, Mapping) and isinstance(held.get(key), Mapping) else held
    try:
        model.load_state_dict(held)
    except Exception as error:
        lines = " ".join(str(error).split())[:200]
        raise InputError(
            "checkpoint", f"{path} does not fit the model ({lines})", "give that model's"
        ) from error


def _require_places(chosen: argparse.Namespace) -> None:
    """What is going to be written can be, which a user shall not learn after the work."""
    for name, path in (("json", chosen.json), ("plot", chosen.plot)):
        if path is not None and not path.absolute().parent.is_dir():
            raise InputError(f"--{name}", f"there is no folder {path.parent}", "make it first")
        if path is not None and path.is_dir():
            raise InputError(f"--{name}", f"{path} is a folder", "name a file")
    kinds = FigureCanvasBase.get_supported_filetypes()
    if chosen.plot is not None and chosen.plot.suffix.removeprefix(".") not in kinds:
        raise InputError(
            "--plot", f"{chosen.plot} has no known ending", f"use one of {', '.join(sorted(kinds))}"
        )


def _told(result: Result, chosen: argparse.Namespace) -> int:
    """Prints a result, writes its files, and says by the exit status whether anything is wrong with it."""
    print(result)
    if chosen.json is not None:
        result.save(chosen.json)
    if chosen.plot is not None:
        result.plot().savefig(chosen.plot)
    return DIAGNOSED if getattr(result, "diagnoses", ()) else DONE


def run_spectrum(chosen: argparse.Namespace) -> int:
    """`sgdiffusion spectrum`."""
    model, data, options = network(chosen)
    own = arguments.chosen_options(chosen, arguments.SPECTRUM) | {"vectorise": chosen.vectorise}
    return _told(spectrum(model, data, **options, **own, progress=not chosen.quiet), chosen)


def run_llc(chosen: argparse.Namespace) -> int:
    """`sgdiffusion llc`."""
    model, data, options = network(chosen)
    own = arguments.chosen_options(chosen, arguments.LLC)
    return _told(learning_coefficient(model, data, **options, **own, progress=not chosen.quiet), chosen)


def run_balance(chosen: argparse.Namespace) -> int:
    """`sgdiffusion balance`."""
    model, data, options = network(chosen)
    pairs = None
    if chosen.pair:
        pairs = [(u, w) for u, _, w in (pair.partition(":") for pair in chosen.pair)]
    own = {"pairs": pairs, "vectorise": chosen.vectorise}
    return _told(noise_balance(model, data, **options, **own, progress=not chosen.quiet), chosen)


def run_walk(chosen: argparse.Namespace) -> int:
    """`sgdiffusion walk`."""
    _require_places(chosen)
    own = arguments.chosen_options(chosen, arguments.WALK)
    return _told(walk_dimension([trajectory(file) for file in chosen.files], **own), chosen)


def run_check(chosen: argparse.Namespace) -> int:
    """`sgdiffusion check`: what would be measured and what it would cost."""
    model, data, options = network(chosen)
    problem = read(model, data, **options)
    stream = PerExampleGradients(
        problem.model, problem.inputs, forward=problem.forward, vectorise=chosen.vectorise
    )
    weight = next(p for p in problem.model.parameters() if p.requires_grad)
    print(
        f"N = {problem.examples:,} examples, d = {problem.weights:,} weights, {weight.dtype}, {weight.device}"
    )
    print("evaluation mode, one loss per example, no coupling between examples, nothing random")
    few = min(chosen.k, problem.examples, problem.weights)
    print(f"the {few} largest eigenvalues of D; free memory {ways.size(ways.free_memory())}:")
    for way in ways.ways(stream, few):
        print(f"  {way}")
    print(symmetries(model, data, **options))
    for note in problem.notes:
        print(f"note: {note}")
    return DONE


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "spectrum": run_spectrum,
    "llc": run_llc,
    "balance": run_balance,
    "walk": run_walk,
    "check": run_check,
}
