"""The public interface from its docstrings, and the words of diagnoses and verdicts."""

import inspect
import re

import sgdiffusion
from generate.text import escaped, table
from sgdiffusion.library.names import PUBLIC
from sgdiffusion.measures.coefficients.learning_coefficient import EXPLANATIONS
from sgdiffusion.verdicts import judging, readings

OPTIONS = {
    "class": "\n   :members:\n   :inherited-members: BaseException",
    "exception": "\n   :show-inheritance:",
    "function": "",
}


def kind(name: str) -> str:
    """What Sphinx calls the object."""
    value = getattr(sgdiffusion, name)
    if not inspect.isclass(value):
        return "function"
    return "exception" if issubclass(value, BaseException) else "class"


def reference() -> str:
    """Every public name, with signature and docstring."""
    parts = []
    for name in PUBLIC:
        what = kind(name)
        words = f".. auto{what}:: sgdiffusion.{name}{OPTIONS[what]}"
        parts.append(f"## {name}\n\n```{{eval-rst}}\n{words}\n```")
    return "\n\n".join(parts)


def diagnoses() -> str:
    """What an estimate of the learning coefficient may carry, and what to do."""
    rows = [(f"`{name}`", escaped(words)) for name, words in EXPLANATIONS.items()]
    return table(("diagnosis", "what it means and what to do"), rows)


def labels() -> str:
    """The rules that make a verdict, from the docstrings of the modules that apply them."""
    one = _rules(judging.__doc__ or "", "its numbers are", "verdict")
    return f"Under one reading:\n\n{one}\n\nOver all readings:\n\n" + _rules(
        readings.__doc__ or "", "label", "the claim"
    )


def _rules(words: str, *header: str) -> str:
    """The indented lines of a docstring, two parts with blanks between them, as a table."""
    lines = [line.strip() for line in words.splitlines() if line.startswith("    ")]
    return table(
        header, [[escaped(part) for part in re.split(r"\s{2,}", line, maxsplit=1)] for line in lines]
    )
