"""The shape of the library: imports point downward, few modules touch files, nothing knows the workflow."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "sgdiffusion"
MODULES = sorted(SOURCE.rglob("*.py"))

# layer -> the layers it may import beside itself; errors and streams may be imported by all
ALLOWED = {
    "errors": set(),
    "streams": set(),
    "config": {"papers"},  # the list of papers alone; the runs of each are looked up by its name
    "inputs": set(),
    "data": {"config"},
    "networks": {"config"},
    "dynamics": {"inputs", "networks", "data", "config"},
    "measures": {"inputs", "dynamics", "networks", "data", "config"},
    "papers": {"inputs", "measures", "dynamics", "networks", "data", "config"},
    "papers/settings": {"config"},
    "papers/theory": set(),
    "papers/published": set(),
    "papers/figures": {"figures"},
    "figures": set(),
    "verdicts": {"config"},
    "provenance": {"config"},
    "gallery": {"verdicts", "provenance", "measures", "figures", "config"},
    "report": {"gallery", "verdicts", "provenance", "config"},
    "library": {"inputs", "measures", "dynamics", "figures", "__version__"},
    "cli": {"measures", "config", "gallery", "library"},
}
# config reads its own YAML files; the rest is the design's list
TOUCH_FILES = {
    "config",
    "data",
    "provenance",
    "gallery",
    "report",
    "cli",
    "library/results",
    "library/commands",
    "library/recorder",
    "library/trajectories",
    "measures/noise/ways",  # reads how much memory is free
    "dynamics/training/checkpoints",
    "figures/style",
    "figures/vector",  # saves into memory
}
FILE_CALLS = {"open", "read_text", "write_text", "read_bytes", "write_bytes", "unlink", "mkdir", "savez",
              "to_csv", "to_parquet", "read_csv", "read_parquet", "savefig", "rename"}  # fmt: skip


def name(path: Path) -> str:
    return path.relative_to(SOURCE).with_suffix("").as_posix()


def layer(path: Path) -> str:
    return layer_of(name(path).split("/"))


def layer_of(parts: list[str]) -> str:
    """The first folder; a paper's settings, theory, printed numbers, figures are layers of their own."""
    within = [part for part in parts[2:3] if f"papers/{part}" in ALLOWED]
    return "/".join([parts[0], *within]) if parts[0] == "papers" else parts[0]


def imported_layers(path: Path) -> set[str]:
    layers = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            names = [f"{node.module}.{a.name}" for a in node.names]
        else:
            continue
        layers |= {layer_of(n.split(".")[1:]) for n in names if n.startswith("sgdiffusion.")}
    return layers - {"__version__"}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_point_downward(path: Path):
    if layer(path) == "__init__":
        assert imported_layers(path) == {"library"}  # the list of its names alone
        return
    allowed = ALLOWED[layer(path)] | {layer(path), "errors", "streams"}
    if layer(path) == "papers":
        allowed |= {inner for inner in ALLOWED if inner.startswith("papers/")} - {"papers/figures"}
    if layer(path) == "papers/figures":
        allowed |= {"papers/theory", "papers/published"}
    assert imported_layers(path) <= allowed


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_nothing_knows_the_workflow(path: Path):
    # the library list of provenance names the package whose version it records: the one exception
    text = path.read_text().lower().replace('"snakemake")', "").replace('"snakemake",', "")
    assert "snakemake" not in text or name(path) == "config/generate"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_few_modules_touch_files(path: Path):
    if layer(path) in TOUCH_FILES or name(path) in TOUCH_FILES:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = node.func
            word = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
            assert word not in FILE_CALLS, f"{name(path)}:{node.lineno} calls {word}"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_modules_stay_short(path: Path):
    assert len(path.read_text().splitlines()) <= 400


def test_what_reports_loads_nothing_heavy():
    """Every job imports some of these; starting with torch or scipy.stats would cost it seconds."""
    light = ("cli", "config", "gallery.page", "papers.tables", "provenance", "report.content", "verdicts")
    heavy = ("matplotlib", "numba", "scipy.stats", "seaborn", "torch", "torchvision")
    lines = [f"import sgdiffusion.{name}" for name in light]
    lines.append(f"import sys; print([name for name in {heavy} if name in sys.modules])")
    environment = {"PYTHONPATH": str(SOURCE.parent)}
    command = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"


IMPORT = re.compile(r"^\s*from (sgdiffusion[\w.]*) import (\([^)]*\)|.*)", re.MULTILINE)
ENTRY = re.compile(r"(?:([\w.]+):)?(\w+)")  # of a registry: "module:function", or the function alone
LOCAL = "-"  # where names are that are no module's

Reference = tuple[str, str]  # a module, the end or the beginning of its name; a name in it


def bound(tree: ast.AST) -> dict[str, str]:
    """Imported name -> where from, by its full name."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return found


def references(nodes: Iterable[ast.AST], module: str, names: Mapping[str, str]) -> Iterator[Reference]:
    """What a piece of code names: in its own module, by imports, through imported modules, in registries."""
    for node in nodes:
        if isinstance(node, ast.Name):
            where, _, name = names.get(node.id, f"{module}.{node.id}").rpartition(".")
            yield where, name
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield names.get(node.value.id, LOCAL), node.attr
        elif isinstance(node, ast.Constant) and (entry := ENTRY.fullmatch(str(node.value))):
            yield entry[1] or ("sgdiffusion.papers" if module.endswith(".items") else LOCAL), entry[2]


def definitions_and_references() -> tuple[set[Reference], dict[str, set[str]]]:
    """The package's public functions and classes; name -> modules that the others say it is in."""
    defined, named = set(), set()
    for path in MODULES:
        module = ".".join(("sgdiffusion", *name(path).removesuffix("/__init__").split("/")))
        tree = ast.parse(path.read_text())
        names = bound(tree)
        for statement in tree.body if path.name != "__init__.py" else ():  # which only hands names on
            own = getattr(statement, "name", "_")
            if not own.startswith("_"):
                defined.add((module, own))
            named |= set(references(ast.walk(statement), module, names)) - {(module, own)}
    for path in (*ROOT.glob("workflow/**/*.py"), *ROOT.glob("benchmarks/*.py")):
        tree = ast.parse(path.read_text())
        named |= set(references(ast.walk(tree), LOCAL, bound(tree)))
    for path in (ROOT / "Snakefile", *ROOT.glob("workflow/**/*.smk"), *ROOT.glob("docs/*.md")):
        text = path.read_text()
        named |= {(m, n) for m, many in IMPORT.findall(text) for n in re.findall(r"\w+", many)}
        named |= set(re.findall(r"(sgdiffusion[\w.]*):(\w+)", text))
    places: dict[str, set[str]] = {}
    for module, known in named:
        places.setdefault(known, set()).add(module)
    return defined, places


def test_every_public_function_and_class_is_used():
    """By more than tests: what only they use is an oracle and belongs to them, or is dead."""
    defined, places = definitions_and_references()
    assert len(defined) > 500

    def used(module: str, known: str) -> bool:
        # a package hands on the names of its modules; a registry's entry leaves out its paper's package
        there = places.get(known, ())
        return any(f"{module}.".startswith(f"{m}.") or module.endswith(f".{m}") for m in there)

    unused = {f"{m.removeprefix('sgdiffusion.')}:{known}" for m, known in defined if not used(m, known)}
    assert unused == set()  # an exception belongs here, with its reason


def test_files_that_share_a_dear_fixture_run_in_one_process():
    groups = ast.parse((ROOT / "tests/conftest.py").read_text())
    (table,) = (n.value for n in groups.body if isinstance(n, ast.Assign) and n.targets[0].id == "GROUPS")
    listed = ast.literal_eval(table)
    for folder, fixture, group in (("workflow", "smoked", "smoke"), ("docs", "site", "site")):
        files = (ROOT / "tests" / folder).glob("test_*.py")
        named = re.compile(rf"\b{fixture}\b[:,)]")
        using = {f.relative_to(ROOT).as_posix() for f in files if named.search(f.read_text())}
        assert using == {file for file, of in listed.items() if of == group}
