"""No code path unpickles or runs what a file holds; hostile input gives our clear errors (a seeded part)."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sgdiffusion.config.load import SAFE

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("src", "workflow", "tools", "benchmarks")  # docs/generate runs the examples of our own pages
MODULES = sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py"))
UNPICKLING = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
# called from whatever module; `load` and `loads` are judged by their arguments below
NEVER = {"read_pickle", "unsafe_load", "full_load", "unsafe_load_all", "full_load_all"}
RUNS = {("", "eval"), ("", "exec"), ("os", "system"), ("os", "popen")}


def of_call(node: ast.Call) -> tuple[str, str]:
    """What a call's function is taken from, and its name: yaml.load is ("yaml", "load")."""
    called = node.func
    if isinstance(called, ast.Attribute):
        return ast.unparse(called.value), called.attr
    return "", called.id if isinstance(called, ast.Name) else ""


def given(node: ast.Call, name: str) -> str:
    return next((ast.unparse(k.value) for k in node.keywords if k.arg == name), "")


def offences(tree: ast.AST) -> Iterator[str]:
    """Imports and calls that unpickle or run what a file holds."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [str(node.module)]
            yield from (f"imports {n}" for n in names if n.split(".")[0] in UNPICKLING)
        if not isinstance(node, ast.Call):
            continue
        owner, name = of_call(node)
        if name in NEVER or (owner, name) in RUNS:
            yield f"calls {name}"
        if name == "load" and owner == "torch" and given(node, "weights_only") != "True":
            yield "torch.load without weights_only=True"
        if name == "load" and owner == "yaml" and given(node, "Loader") != "SAFE":
            yield "yaml.load with a loader that may construct objects"
        if given(node, "allow_pickle") not in ("", "False"):
            yield "allow_pickle"
        if given(node, "shell") not in ("", "False") or given(node, "trust_remote_code") not in ("", "False"):
            yield "runs a text"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_nothing_unpickles_or_runs_what_a_file_holds(path: Path):
    assert list(offences(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "yaml.load(text, Loader=yaml.Loader)",
        "np.load(path, allow_pickle=True)",
        "pd.read_pickle(path)",
        "eval(text)",
        "subprocess.run(text, shell=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
    ],
)
def test_each_way_to_run_what_a_file_holds_is_seen(line: str):
    assert len(list(offences(ast.parse(line)))) == 1


def test_the_loader_of_configuration_constructs_plain_values_alone():
    assert SAFE in (yaml.SafeLoader, getattr(yaml, "CSafeLoader", None))


def test_hostile_input_is_refused_in_our_words(tmp_path: Path):
    """In a process of its own, whose memory is bounded and whose deeds are watched."""
    command = [sys.executable, Path(__file__).with_name("hostile.py"), "--inputs", "500", "--seed", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " inputs, 0 wrong" in done.stdout.splitlines()[-1]
