"""The source tree as the rules see it: files, their syntax trees, their functions."""

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT_ROOMS = ("app", "workers", "model_store", "deploy", "migrations")
PRODUCT_FILES = ("wsgi.py",)
# Folders that git ignores, besides caches and virtual environments.
LEFT_BEHIND = frozenset({".git", ".hypothesis", "var", "build", "dist", "node_modules"})

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Function:
    """A function or method, with the dotted name it has inside its module."""

    name: str
    node: FunctionNode
    source: "SourceFile"

    @property
    def place(self) -> str:
        """Path, line and name, for a sentence about the function."""
        return f"{self.source.path}:{self.node.lineno} {self.name}"

    @property
    def body_lines(self) -> int:
        """Lines that hold code: neither docstring, blank nor comment."""
        statements = self.node.body[1:] if ast.get_docstring(self.node) is not None else self.node.body
        if not statements:
            return 0

        first, last = statements[0].lineno, statements[-1].end_lineno or 0
        lines = self.source.lines[first - 1 : last]
        return sum(1 for line in lines if line.strip() and not line.lstrip().startswith("#"))

    @property
    def parameters(self) -> list[str]:
        """All parameter names but self and cls."""
        arguments = self.node.args
        names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        return [name for name in names if name not in {"self", "cls"}]


@dataclass(frozen=True)
class SourceFile:
    """One Python file: `path` is relative to the root of the project, with forward slashes."""

    path: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        """The text in lines."""
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text, self.path)

    @property
    def is_product(self) -> bool:
        """Whether the file is shipped code. Migrations are history in lists of columns, and no test is shipped."""
        is_history = self.path.startswith("migrations/versions/")
        return not is_history and (self.path.split("/")[0] in PRODUCT_ROOMS or self.path in PRODUCT_FILES)

    @cached_property
    def functions(self) -> list[Function]:
        """All functions and methods, nested ones too."""
        return list(_functions(self, self.tree, prefix=""))

    def function_at(self, line: int) -> str:
        """Return the name of the innermost function around a line, or nothing."""
        around = [item for item in self.functions if item.node.lineno <= line <= (item.node.end_lineno or 0)]
        return around[-1].name if around else ""


@cache
def project_files() -> tuple[Path, ...]:
    """Return every file of the project; what a run leaves behind is not part of it."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not _is_left_behind(name)]
        found += [Path(folder, name) for name in names]
    return tuple(sorted(found))


@cache
def python_files() -> tuple[SourceFile, ...]:
    """Return all Python files of product and tests."""
    return tuple(
        SourceFile(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
        for path in project_files()
        if path.suffix == ".py"
    )


def product_files() -> list[SourceFile]:
    """Return the Python files that are shipped."""
    return [source for source in python_files() if source.is_product]


def test_files() -> list[SourceFile]:
    """Return the Python files under tests."""
    return [source for source in python_files() if source.path.startswith("tests/")]


test_files.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test


def _is_left_behind(folder: str) -> bool:
    return folder in LEFT_BEHIND or folder.startswith(".venv") or folder.endswith(("cache", "cache__", ".egg-info"))


def _functions(source: SourceFile, parent: ast.AST, *, prefix: str) -> Iterator[Function]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, FunctionNode):
            yield Function(prefix + node.name, node, source)
        inner = f"{prefix}{node.name}." if isinstance(node, FunctionNode | ast.ClassDef) else prefix
        yield from _functions(source, node, prefix=inner)
