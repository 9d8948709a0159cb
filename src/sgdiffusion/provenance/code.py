"""Digest of exactly the code a result depends on, so that an edit makes stale what it can change and no more.

From an entry point (a script, or `module:function`) every name it uses is followed through the package's
top-level definitions. The digest is over the unparsed definitions reached, without docstrings and comments:
touching, reformatting or re-documenting a file changes nothing. Names are resolved statically, a function's
own as its own, and generously: a method call reaches its whole class, an attribute of one of our modules
reaches that name. A script's helpers beside it are followed as well, but for UNCOVERED, which changes no
result.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

PACKAGE = "sgdiffusion"
UNCOVERED = "_job"  # the scripts' threads, logs and records
Definition = tuple[str, str]  # module, name; the name "" stands for the module's bare statements
Node = TypeVar("Node", bound=ast.AST)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SCOPES = (*FUNCTIONS, ast.ClassDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
NONE: frozenset[str] = frozenset()


@dataclass
class Module:
    """A parsed module: what its top-level names are bound to."""

    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, Definition] = field(default_factory=dict)


class Code:
    """The package's source and the folder of the scripts, parsed on demand."""

    def __init__(self, source: Path, scripts: Path | None = None):
        self.source, self.scripts = source, scripts
        self._modules: dict[str, Module] = {}
        self._uses: dict[Definition, set[Definition]] = {}
        self._texts: dict[Definition, str] = {}
        self._digests: dict[tuple[str | Path, ...], str] = {}

    def digest(self, *entries: str | Path) -> str:
        """sha256 over every definition reached from the entries.

        An entry is the path of a script or "package.module:function".
        """
        if entries not in self._digests:
            lines = [f"{m}:{n}\n{self._text((m, n))}" for m, n in sorted(self.closure(*entries))]
            self._digests[entries] = hashlib.sha256("\n\n".join(lines).encode()).hexdigest()
        return self._digests[entries]

    def closure(self, *entries: str | Path) -> set[Definition]:
        """All definitions reached from the entries, the entries included."""
        waiting = [d for e in entries for d in self._entry(e)]
        reached: set[Definition] = set()
        while waiting:
            definition = waiting.pop()
            if definition not in reached:
                reached.add(definition)
                waiting.extend(self._used_by(definition))
        return reached

    def _entry(self, entry: str | Path) -> list[Definition]:
        if isinstance(entry, str) and ":" in entry and not entry.endswith(".py"):
            module, name = entry.split(":")
            if not self._is_bound(module, name):
                raise KeyError(f"{entry}: {module} defines no {name}")
            return [(module, name)]
        script = Path(entry).name  # without its folder: a checkout keeps its digests wherever it lies
        if script not in self._modules:
            self._modules[script] = parse_module(Path(entry).read_text(encoding="utf-8"), "")
        return [(script, name) for name in self._modules[script].definitions]

    def _used_by(self, definition: Definition) -> set[Definition]:
        if definition not in self._uses:
            self._uses[definition] = set(self._find_uses(definition))
        return self._uses[definition]

    def _find_uses(self, definition: Definition) -> Iterator[Definition]:
        module, name = definition
        here = self._module(module)
        if name in here.imports and name not in here.definitions:
            yield from self._resolve(here.imports[name], [])
            return
        if "" in here.definitions:
            yield (module, "")
        for chain in attribute_chains(here.definitions.get(name, [])):
            if chain[0] in here.definitions:
                yield (module, chain[0])
            if chain[0] in here.imports:
                yield from self._resolve(here.imports[chain[0]], chain[1:])

    def _resolve(self, target: Definition, attributes: list[str]) -> Iterator[Definition]:
        """What `import target` followed by `.attributes` refers to."""
        module, name = target
        if self._path(module) is None:
            return
        if name and self._is_bound(module, name):
            yield (module, name)
            return
        whole = f"{module}.{name}" if name else module
        if attributes and (self._is_bound(whole, attributes[0]) or self._path(f"{whole}.{attributes[0]}")):
            yield from self._resolve((whole, attributes[0]), attributes[1:])
        elif self._path(whole):
            # the module itself is handed around: everything in it counts
            yield from ((whole, n) for n in self._module(whole).definitions)

    def _is_bound(self, module: str, name: str) -> bool:
        if self._path(module) is None:
            return False
        parsed = self._module(module)
        return name in parsed.definitions or name in parsed.imports

    def _module(self, module: str) -> Module:
        if module not in self._modules:
            path = self._path(module)
            if path is None:
                raise KeyError(f"no module {module} under {self.source}")
            package = module if path.name == "__init__.py" else module.rpartition(".")[0]
            self._modules[module] = parse_module(path.read_text(encoding="utf-8"), package)
        return self._modules[module]

    def _path(self, module: str) -> Path | None:
        if module in self._modules:
            return Path(module)
        if module.split(".")[0] != PACKAGE:
            beside = self.scripts / f"{module}.py" if self.scripts and module != UNCOVERED else None
            return beside if beside and beside.exists() else None
        base = self.source.joinpath(*module.split("."))
        candidates = (base.with_suffix(".py"), base / "__init__.py")
        return next((p for p in candidates if p.exists()), None)

    def _text(self, definition: Definition) -> str:
        if definition not in self._texts:
            statements = self._module(definition[0]).definitions.get(definition[1], [])
            self._texts[definition] = "\n".join(ast.unparse(s) for s in statements)
        return self._texts[definition]


def parse_module(text: str, package: str) -> Module:
    """Top-level names of a module and its imports, those inside functions included."""
    tree = without_docstrings(ast.parse(text))
    module = Module()
    for statement in tree.body:
        for name in bound_names(statement):
            module.definitions.setdefault(name, []).append(statement)
    for node in ast.walk(tree):
        module.imports.update(imported_names(node, package))
    return module


def bound_names(statement: ast.stmt) -> list[str]:
    """The names a top-level statement defines; "" for one that defines none but runs."""
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return []
    if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
        return [statement.name]
    stored = (n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    return sorted(set(stored)) or [""]


def imported_names(node: ast.AST, package: str) -> dict[str, Definition]:
    """Local name -> (module, name) of an import statement; relative ones are made absolute."""
    if isinstance(node, ast.Import):
        # `import a.b` binds a; `import a.b as c` binds the module a.b
        return {
            a.asname or a.name.split(".")[0]: (a.name if a.asname else a.name.split(".")[0], "")
            for a in node.names
        }
    if isinstance(node, ast.ImportFrom):
        parents = package.split(".")
        base = ".".join(parents[: len(parents) - node.level + 1]) if node.level else ""
        module = ".".join(p for p in (base, node.module) if p)
        return {a.asname or a.name: (module, a.name) for a in node.names}
    return {}


def attribute_chains(statements: Iterable[ast.AST], local: frozenset[str] = NONE) -> Iterator[list[str]]:
    """Every use of a name that is not `local`, with the attributes taken from it: `a.b.c` gives [a, b, c]."""
    for node in statements:
        names: list[str] = []
        at: ast.AST = node
        while isinstance(at, ast.Attribute):
            names.append(at.attr)
            at = at.value
        if isinstance(at, ast.Name):
            if at.id not in local:
                yield [at.id, *reversed(names)]
        elif isinstance(at, FUNCTIONS):
            around = [*at.decorator_list, at.args, *([at.returns] if at.returns else [])]
            yield from attribute_chains(around, local)
            yield from attribute_chains(at.body, local | local_names(at))
        else:
            yield from attribute_chains(ast.iter_child_nodes(at), local)


def local_names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """The names that a function binds for itself: its parameters and what its own statements assign."""
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    found = {a.arg for a in named if a}
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        if not isinstance(node, SCOPES):
            waiting.extend(ast.iter_child_nodes(node))
    elsewhere = {n for node in ast.walk(function) if isinstance(node, ast.Global) for n in node.names}
    return found - elsewhere


def without_docstrings(node: Node) -> Node:
    """The tree without docstrings (in place)."""
    for part in ast.walk(node):
        if isinstance(part, (ast.Module, ast.ClassDef, *FUNCTIONS)):
            first = part.body[0] if part.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                part.body = part.body[1:] or ([] if isinstance(part, ast.Module) else [ast.Pass()])
    return node
