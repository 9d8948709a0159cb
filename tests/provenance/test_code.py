"""The code digest changes with exactly what an entry point depends on, in a small package made here."""

import shutil
from pathlib import Path

import pytest

from sgdiffusion.provenance import Code

FILES = {
    "__init__.py": "",
    "low.py": '''
        LIMIT = 3
        OTHER = 4
        def base(x):
            """Doc."""
            return x + LIMIT  # why
        def unused(x):
            return OTHER
        class Thing:
            def go(self):
                return helper()
        def helper():
            return 1
    ''',
    "package/__init__.py": "from sgdiffusion.package.inner import exported\n",
    "package/inner.py": """
        from ..low import base as renamed
        def exported(x):
            return renamed(x)
        def apart(x):
            return 5
    """,
    "top.py": """
        import numpy as np
        import sgdiffusion.low
        from sgdiffusion import low, package
        from sgdiffusion.low import Thing
        TABLE = {"a": low.base}
        def by_module(x): return low.base(np.abs(x))
        def by_package(x): return package.exported(x)
        def by_dotted(x): return sgdiffusion.low.helper()
        def by_class(): return Thing().go()
        def by_table(k): return TABLE[k]
        def by_local():
            from sgdiffusion.low import unused
            return unused(1)
        def by_whole(f): return f(low)
        def alone(): return np.pi
    """,
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    import textwrap

    for name, text in FILES.items():
        path = tmp_path / "src" / "sgdiffusion" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return tmp_path / "src"


def replace(source: Path, name: str, old: str, new: str) -> None:
    path = source / "sgdiffusion" / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


ENTRIES = [f"by_{w}" for w in ("module", "package", "dotted", "class", "table", "local", "whole")] + ["alone"]


def changed(source: Path, name: str, old: str, new: str) -> set[str]:
    """The entries whose digest an edit changes."""
    before = {e: Code(source).digest(f"sgdiffusion.top:{e}") for e in ENTRIES}
    replace(source, name, old, new)
    return {e for e in ENTRIES if Code(source).digest(f"sgdiffusion.top:{e}") != before[e]}


def test_constant_reaches_what_uses_it(source: Path):
    assert changed(source, "low.py", "LIMIT = 3", "LIMIT = 9") == {
        "by_module", "by_package", "by_table", "by_whole",
    }  # fmt: skip


def test_method_reaches_through_its_class(source: Path):
    assert changed(source, "low.py", "return 1", "return 2") == {"by_dotted", "by_class", "by_whole"}


@pytest.mark.parametrize(
    "body",
    [
        "def f(helper): return helper(1)",
        "def f(x):\n    helper, y = x\n    return (lambda: helper)()",
        "async def f(*, Thing=1, **helper):\n    for _ in helper: yield Thing",
        "class F:\n    def f(self):\n        with self as helper:\n            def g(): return helper.go",
    ],
)
def test_a_functions_own_names_are_not_the_modules(tmp_path: Path, body: str):
    assert uses(tmp_path, body).isdisjoint({"helper", "Thing"})


@pytest.mark.parametrize(
    "body",
    [
        "def f(x=helper): helper = x",
        "@helper\ndef f(helper): pass",
        "def f(helper: helper): pass",
        "def f(x) -> helper: helper = x",
        "def f(x):\n    global helper\n    helper = x",
        "def f(x): return [helper for helper in x], helper",
        "def f(x):\n    def g(helper): pass\n    return helper(g)",
        "def f(x):\n    from elsewhere import helper\n    return helper",
        "class F:\n    helper = 1\n    def f(self): return helper",
    ],
)
def test_the_modules_names_count_wherever_they_may_be_meant(tmp_path: Path, body: str):
    assert "helper" in uses(tmp_path, body)


def uses(folder: Path, body: str) -> set[str]:
    """The names of its module that a function or class reaches, by the code digest."""
    path = folder / "sgdiffusion" / "m.py"
    path.parent.mkdir()
    path.write_text(f"def helper(): pass\nclass Thing: pass\n{body}\n")
    name = "F" if "class F" in body else "f"
    return {name for _, name in Code(folder).closure(f"sgdiffusion.m:{name}")}


def test_local_import_counts(source: Path):
    assert changed(source, "low.py", "OTHER = 4", "OTHER = 5") == {"by_local", "by_whole"}


def test_neighbour_in_the_same_module_does_not_count(source: Path):
    assert changed(source, "package/inner.py", "return 5", "return 6") == set()


def test_comments_docstrings_and_layout_do_not_count(source: Path):
    assert changed(source, "low.py", '"""Doc."""', '"""Other."""') == set()
    assert changed(source, "low.py", "# why", "# because") == set()
    assert changed(source, "low.py", "x + LIMIT", "(x   + LIMIT)") == set()


def test_bare_statements_of_a_reached_module_count(source: Path):
    assert "by_dotted" in changed(source, "low.py", "LIMIT = 3", "LIMIT = 3\nprint('side effect')")


def test_script_entry_follows_its_imports(source: Path, tmp_path: Path):
    script = tmp_path / "plot.py"
    script.write_text('"""Doc."""\nfrom sgdiffusion.top import by_dotted\nprint(by_dotted(1))\n')
    before = Code(source).digest(script)
    replace(source, "low.py", "LIMIT = 3", "LIMIT = 9")
    assert Code(source).digest(script) == before
    replace(source, "low.py", "return 1", "return 2")
    assert Code(source).digest(script) != before


def test_helpers_beside_a_script_count_but_for_the_jobs_own(source: Path, tmp_path: Path):
    script = tmp_path / "plot.py"
    script.write_text("from _files import read\nfrom _job import job\njob(read)\n")
    (tmp_path / "_files.py").write_text("def read():\n    return 1\n\n\ndef other():\n    return 1\n")
    (tmp_path / "_job.py").write_text("def job(x):\n    return 1\n")
    before = Code(source, tmp_path).digest(script)
    for name, old, new, counts in (
        ("_job.py", "return 1", "return 2", False),
        ("_files.py", "def other():\n    return 1", "def other():\n    return 2", False),
        ("_files.py", "def read():\n    return 1", "def read():\n    return 2", True),
    ):
        path = tmp_path / name
        path.write_text(path.read_text().replace(old, new))
        assert (Code(source, tmp_path).digest(script) != before) is counts


def test_digest_does_not_depend_on_where_the_checkout_lies(source: Path, tmp_path: Path):
    digests = set()
    for folder in ("one", "two"):
        copy = tmp_path / folder / "src"
        shutil.copytree(source, copy)
        script = tmp_path / folder / "job.py"
        script.write_text("from sgdiffusion.top import by_dotted\nprint(by_dotted(1))\n")
        digests.add(Code(copy).digest(script))
    assert len(digests) == 1


def test_unknown_entry_is_an_error(source: Path):
    with pytest.raises(KeyError, match="defines no nothing"):
        Code(source).digest("sgdiffusion.top:nothing")
