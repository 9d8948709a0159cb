"""The words of the commands; what they do (`commands`) is loaded when one is called."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

LOSSES = ("cross-entropy", "squared", "half-squared", "next-token")
Parsers = Any  # argparse's own, whose type is private
Option = tuple[str, Any, Any, str]  # name, type or choices, default, words

SPECTRUM: tuple[Option, ...] = (
    ("k", int, None, "how many of the largest eigenvalues (default: all that can differ from zero)"),
    ("method", ("auto", "dense", "dual", "layers", "krylov"), "auto", "default: the fastest that fits"),
    ("convention", ("with_replacement", "without_replacement"), "with_replacement", "1/N or 1/(N−1)"),
    ("precision", ("float32", "float64"), "float32", "of the sums and of the rank's threshold"),
    ("memory", float, None, "GiB that may be used"),
    ("seed", int, 0, "of the Krylov start"),
)
LLC: tuple[Option, ...] = (
    ("chains", int, 4, "Langevin chains"),
    ("draws", int, 200, "per chain"),
    ("every", int, 5, "steps from draw to draw"),
    ("burn-in", int, None, "steps before the first draw (default: found)"),
    ("batch-size", int, None, "examples per step (default: all)"),
    ("localisation", float, 10.0, "γ"),
    ("n-beta", float, None, "nβ (default: n/ln n)"),
    ("step-size", float, None, "ε (default: found while the chains burn in)"),
    ("integrator", ("averaged", "euler"), "averaged", "euler: as in other packages, inflates the estimate"),
    ("rounds", int, 3, "of the search for the step size"),
    ("seed", int, 0, "of the chains"),
)
WALK: tuple[Option, ...] = (
    ("first", float, None, "first time of the window (default: a hundredth of the last)"),
    ("last", float, None, "last time of the window"),
    ("seed", int, 0, "of the bootstrap over runs"),
)


def add_commands(commands: Parsers) -> None:
    """The commands spectrum, llc, balance, walk and check."""
    _vectorised(_network(commands, "spectrum", "eigenvalues of the gradient noise D", SPECTRUM))
    _network(commands, "llc", "the local learning coefficient λ̂", LLC)
    balance = _network(commands, "balance", "noise balance of the rescaling symmetries", ())
    balance.add_argument(
        "--pair", action="append", metavar="U:W", help="two modules, such as fc1:fc2; may be repeated"
    )
    _vectorised(balance)
    walk = commands.add_parser("walk", help="walk dimension of recorded trajectories")
    walk.add_argument("files", nargs="+", type=Path, help="recordings or saved trajectories, one per run")
    _add(walk, WALK)
    _outputs(walk, "walk")
    check = _network(commands, "check", "read and try out, say what all would cost; nothing is measured", ())
    check.add_argument("--k", type=int, default=20, help="eigenvalues that will be asked for")
    _vectorised(check)


def _network(
    commands: Parsers, name: str, words: str, options: tuple[Option, ...]
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=words)
    command.add_argument(
        "target",
        metavar="module:function",
        help="returns the model, (model, data), (model, data, loss) or a dict of model, data, loss, forward",
    )
    command.add_argument("--checkpoint", type=Path, help="weights to load into the model")
    command.add_argument("--data", metavar="module:function", help="returns the data")
    command.add_argument("--loss", choices=LOSSES, help="default: cross-entropy")
    command.add_argument("--params", action="append", help="names or patterns of the weights to look at")
    command.add_argument("--examples", type=int, help="use so many of the examples")
    command.add_argument("--device", help="such as cuda")
    _add(command, options)
    _outputs(command, name)
    return command


def _vectorised(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--no-vectorise", dest="vectorise", action="store_false",
        help="one example at a time, for models that torch.func cannot vectorise (it says so)",
    )  # fmt: skip


def _add(command: argparse.ArgumentParser, options: tuple[Option, ...]) -> None:
    for name, kind, default, words in options:
        chosen: dict[str, Any] = {"choices": kind} if isinstance(kind, tuple) else {"type": kind}
        command.add_argument(f"--{name}", default=default, help=words, **chosen)


def _outputs(command: argparse.ArgumentParser, name: str) -> None:
    command.add_argument("--json", type=Path, help="write the result here")
    command.add_argument("--plot", type=Path, help="draw it here (.png, .pdf, .svg)")
    command.add_argument("--quiet", action="store_true", help="no estimate and no progress")
    command.set_defaults(call=lambda chosen: _command(name)(chosen))


def _command(name: str) -> Callable[[argparse.Namespace], int]:
    from sgdiffusion.library import commands  # torch is loaded here

    return commands.COMMANDS[name]


def chosen_options(chosen: argparse.Namespace, options: tuple[Option, ...]) -> dict[str, Any]:
    """The keyword arguments of the library's function."""
    return {key: getattr(chosen, key) for key in (name.replace("-", "_") for name, *_ in options)}
