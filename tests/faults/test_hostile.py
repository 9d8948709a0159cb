"""No code path unpickles or runs what a file holds; hostile input gives our clear errors (a seeded part)."""

import ast
import itertools
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sgdiffusion.config.load import SAFE

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("src", "workflow", "tools", "benchmarks")  # docs/generate runs the examples of our own pages
MODULES = sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py"))
QUICK = ("experiments", "presets", "readings", "settings", "claims", "texts", "left out", "sources")
QUICK += ("idx", "cifar", "zip", "checkpoint", "numbers", "result", "trajectory", "recording")
RULES = [ROOT / "Snakefile", *sorted((ROOT / "workflow/rules").glob("*.smk"))]
# part of a module's name, imported in whatever way; pandas.io.pickle is one as well
UNPICKLING = {"pickle", "cPickle", "_pickle", "pickle5", "pickletools", "jsonpickle", "dill", "cloudpickle"}
UNPICKLING |= {"joblib", "shelve", "marshal", "runpy"}
# named in whatever way, called or not: of pandas, PyYAML, torch (TorchScript, hub, packages), zarr
NEVER = {"read_pickle", "read_hdf", "HDFStore", "unsafe_load", "full_load", "unsafe_load_all"}
NEVER |= {"full_load_all", "load_all", "Loader", "FullLoader", "UnsafeLoader", "CLoader", "CFullLoader"}
NEVER |= {"CUnsafeLoader", "add_safe_globals", "safe_globals", "load_url", "load_state_dict_from_url"}
NEVER |= {"PackageImporter", "import_ir_module", "Pickle", "__reduce__", "__reduce_ex__", "__setstate__"}
TEXT_RUNNERS = {"eval", "exec", "compile", "__import__"}
RUNS = {*(("", name) for name in TEXT_RUNNERS), ("os", "system"), ("os", "popen")}
LOADERS = {"torch", "yaml", "numpy", "pandas"}  # imported whole and under one name, so that calls are seen


def of_call(node: ast.Call) -> tuple[str, str]:
    """What a call's function is taken from, and its name: yaml.load is ("yaml", "load")."""
    called = node.func
    if isinstance(called, ast.Attribute):
        return ast.unparse(called.value), called.attr
    return "", called.id if isinstance(called, ast.Name) else ""


def given(node: ast.Call, name: str) -> str:
    return next((ast.unparse(k.value) for k in node.keywords if k.arg == name), "")


def of_import(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Modules that unpickle, and loaders under a name by which no call of theirs would be seen."""
    from_ = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    for name, alias in ((a.name, a.asname) for a in node.names):
        if UNPICKLING & {part for module in (*from_, name) for part in module.split(".")}:
            yield f"imports {name}"
        if from_ and from_[0].split(".")[0] in LOADERS and name in ("load", "jit", "hub", "package"):
            yield f"imports {name} of {from_[0]}"
        if not from_ and name in LOADERS and alias not in (None, "np", "pd"):
            yield f"imports {name} as {alias}"


def of_arguments(node: ast.Call) -> Iterator[str]:
    """Calls that unpickle or run a text by what they are given."""
    owner, name = of_call(node)
    if (owner, name) in RUNS or (name == "load" and owner.startswith("torch.")):
        yield f"calls {owner}.{name}"
    if name == "load" and owner == "torch" and given(node, "weights_only") != "True":
        yield "torch.load without weights_only=True"
    if name == "load" and owner == "yaml" and given(node, "Loader") != "SAFE":
        yield "yaml.load with a loader that may construct objects"
    by_place = (owner in ("np", "numpy") and name == "load") or name == "read_array"
    if given(node, "allow_pickle") not in ("", "False") or (by_place and len(node.args) > 1):
        yield "allow_pickle"
    if given(node, "shell") not in ("", "False") or given(node, "trust_remote_code") not in ("", "False"):
        yield "runs a text"
    if name in ("getattr", "import_module") and any(
        isinstance(a, ast.Constant) and a.value in {"load", *UNPICKLING, *NEVER} for a in node.args
    ):
        yield f"{name} by a forbidden name"


def offences(tree: ast.AST) -> Iterator[str]:
    """Imports, names and calls that unpickle or run what a file holds."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from of_import(node)
        for key in ("attr", "id", "name"):
            if (named := getattr(node, key, None)) in NEVER:
                yield f"names {named}"
        if isinstance(node, ast.Call):
            yield from of_arguments(node)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_nothing_unpickles_or_runs_what_a_file_holds(path: Path):
    assert list(offences(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize("path", RULES, ids=lambda p: p.name)
def test_no_rule_loads_or_runs_anything(path: Path):
    """Rules are no Python that `ast` reads, and need none of these words."""
    with path.open("rb") as file:
        words = [token.string for token in tokenize.tokenize(file.readline)]
    assert len(words) > 20
    loads = {before for before, word in itertools.pairwise(words) if word in ("load", "loads")}
    assert loads <= {"."}
    forbidden = UNPICKLING | NEVER | TEXT_RUNNERS | {"torch", "yaml", "numpy", "pandas"}
    assert set(words) & forbidden == set()


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.jit.load(path)",
        "torch.hub.load(repo, name)",
        "torch.hub.load_state_dict_from_url(url)",
        "from torch import load",
        "from torch import hub",
        "from torch.jit import load",
        "import torch as t",
        "torch.serialization.add_safe_globals([Thing])",
        "from pandas.io import pickle",
        "importlib.import_module('dill')",
        "getattr(torch, 'load')(path)",
        "import runpy",
        "yaml.load(text)",
        "yaml.load(text, Loader=SOME)",
        "yaml.load_all(text, SAFE)",
        "Unsafe = yaml.UnsafeLoader",
        "from yaml import load",
        "np.load(path, allow_pickle=True)",
        "np.load(path, None, True)",
        "np.lib.format.read_array(file, True)",
        "pd.read_pickle(path)",
        "pd.read_hdf(path)",
        "zarr.create(8, object_codec=numcodecs.Pickle())",
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
    done = subprocess.run(
        [*command, "--targets", *QUICK], cwd=tmp_path, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " inputs, 0 wrong" in done.stdout.splitlines()[-1]
