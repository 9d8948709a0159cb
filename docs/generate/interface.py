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
    return "\n\n".join(_rules(module.__doc__ or "") for module in (judging, readings))


def _rules(words: str) -> str:
    """The indented lines of a docstring, `condition   verdict` or the other way round, as a table."""
    lines = [line.strip() for line in words.splitlines() if line.startswith("    ")]
    rows = [tuple(map(escaped, re.split(r"\s{2,}", line, maxsplit=1))) for line in lines]
    title = escaped(words.splitlines()[0])
    return f"{title}\n\n" + table(("", ""), rows)
