"""What the package offers: names that exist, are documented by tested examples and cost nothing to import."""

import ast
import doctest
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sgdiffusion as sd
from sgdiffusion.library.names import PUBLIC

SOURCE = Path(sd.__file__).parent
FUNCTIONS = [name for name in PUBLIC if name[0].islower()]


@pytest.mark.parametrize("name", PUBLIC)
def test_names_exist(name):
    assert getattr(sd, name).__name__ == PUBLIC[name].partition(":")[2]
    assert name in dir(sd)


def test_an_unknown_name_is_told_the_known_ones():
    with pytest.raises(AttributeError, match="has no attribute 'spectra'; it has gradients, spectrum"):
        _ = sd.spectra


@pytest.mark.parametrize("name", FUNCTIONS)
def test_examples_of_docstrings_run(name):
    function = getattr(sd, name)
    found = doctest.DocTestFinder(recurse=False).find(function, name, globs={})
    assert sum(len(test.examples) for test in found) >= 2
    runner = doctest.DocTestRunner()
    for test in found:
        runner.run(test)
    assert runner.summarize().failed == 0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstrings_name_every_argument(name):
    function = getattr(sd, name)
    words = set(re.findall(r"\w+", inspect.getdoc(function)))
    named = set(inspect.signature(function).parameters)
    if "Arguments: those of" in inspect.getdoc(function):
        named -= set(inspect.signature(sd.gradients).parameters)
    assert named - {"path"} <= words


def test_importing_the_package_loads_nothing():
    heavy = ("torch", "numpy", "pandas", "matplotlib")
    code = f"import sys, sgdiffusion; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(SOURCE.parent)},
    )
    assert done.stdout.strip() == "[]"


def test_types_are_declared_for_every_name():
    assert (SOURCE / "py.typed").exists()
    stub = ast.parse((SOURCE / "__init__.pyi").read_text())
    declared = {
        alias.asname: f"{node.module}:{alias.name}"
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert declared == PUBLIC


def test_modules_of_the_library_import_each_other_by_name():
    for target in set(PUBLIC.values()):
        assert importlib.import_module(target.partition(":")[0]).__doc__
