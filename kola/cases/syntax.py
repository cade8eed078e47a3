"""The syntax of a test file: its functions and their markers, wherever these were assigned."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.errors import ConfigError

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Syntax:
    """A parsed file. `top` is the directory from which its absolute imports of other files start."""

    path: Path
    tree: ast.Module
    top: Path

    @classmethod
    def parse(cls, path: Path, *, top: Path) -> Syntax:
        """Parse a file. Raises ConfigError when it cannot be read or is not Python."""
        try:
            tree = ast.parse(path.read_bytes(), path)
        except OSError as error:
            raise ConfigError(f"cannot be read: {error.strerror}", file=path) from error
        except SyntaxError as error:
            raise ConfigError(f"not Python: {error.msg}", file=path, line=error.lineno) from error
        except (ValueError, RecursionError, MemoryError) as error:
            raise ConfigError(f"not Python: {error}", file=path) from error
        return cls(path, tree, top)

    @cached_property
    def statements(self) -> tuple[ast.stmt, ...]:
        """The statements of the module, including those below `if`, `try` and `with`."""
        return tuple(_flat(self.tree.body))

    @property
    def functions(self) -> Iterator[Function]:
        """Yield the functions called `test_…`, in the order of the file."""
        yield from test_functions(self.statements)

    @property
    def classes(self) -> Iterator[ast.ClassDef]:
        yield from (node for node in self.statements if isinstance(node, ast.ClassDef))

    @cached_property
    def module_marks(self) -> tuple[ast.expr, ...]:
        """Return the marks of `pytestmark`."""
        value = self._values.get("pytestmark")
        if value is None:
            return ()
        marks = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
        return tuple(self.resolved(mark) for mark in marks)

    def marks(self, function: Function) -> tuple[ast.expr, ...]:
        """Return the function's decorators, the nearest first, as pytest applies them."""
        return tuple(self.resolved(mark) for mark in reversed(function.decorator_list))

    def resolved(self, node: ast.expr) -> ast.expr:
        """Return the expression that a name stands for, assigned in this file or in one it is imported
        from.
        """
        if not isinstance(node, ast.Name):
            return node
        value = self._values.get(node.id)
        if value is not None and not isinstance(value, ast.Name):
            return value
        return self._imported(node.id) or node

    @cached_property
    def _values(self) -> dict[str, ast.expr]:
        values: dict[str, ast.expr] = {}
        for node in self.statements:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    values[name] = value
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    values[name] = value
        return values

    def _imported(self, name: str) -> ast.expr | None:
        for node in self.statements:
            if not isinstance(node, ast.ImportFrom):
                continue
            for alias in node.names:
                if (alias.asname or alias.name) != name:
                    continue
                file = self._file_of(node)
                if file is None:
                    return None
                other = Syntax.parse(file, top=self.top)
                return other._values.get(alias.name)
        return None

    def _file_of(self, node: ast.ImportFrom) -> Path | None:
        base = self.path.parents[node.level - 1] if node.level else self.top
        file = base.joinpath(*(node.module or "").split(".")).with_suffix(".py")
        return file if file.is_file() else None


def test_functions(body: Sequence[ast.stmt]) -> Iterator[Function]:
    """Yield the functions of a module or a class that are called `test_…`."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def mark_name(node: ast.expr) -> str | None:
    """Return `kola` for `pytest.mark.kola(…)`, `pytest.mark.kola` and `mark.kola`; None for other
    expressions.
    """
    target = node.func if isinstance(node, ast.Call) else node
    match target:
        case ast.Attribute(attr=name, value=ast.Attribute(attr="mark") | ast.Name(id="mark")):
            return name
    return None


def literal_keywords(mark: ast.expr, path: Path) -> dict[str, Any]:
    """Return the keywords of a mark, which must all be literals. Raises ConfigError."""
    name = f"pytest.mark.{mark_name(mark)}"
    if not isinstance(mark, ast.Call):
        return {}
    if mark.args:
        raise ConfigError(
            f"{name} takes keywords only",
            file=path,
            line=mark.args[0].lineno,
            hint='write `name="…"`, `tags=[…]` and so on',
        )
    values: dict[str, Any] = {}
    for keyword in mark.keywords:
        if keyword.arg is None:
            raise _not_literal(f"`**` in {name}", path, keyword.value.lineno)
        try:
            values[keyword.arg] = ast.literal_eval(keyword.value)
        except ValueError as error:
            line = keyword.value.lineno
            raise _not_literal(f"the value of {keyword.arg!r} in {name}", path, line) from error
    return values


def _flat(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        match node:
            case ast.If():
                yield from _flat([*node.body, *node.orelse])
            case ast.Try():
                yield from _flat([*node.body, *node.orelse, *node.finalbody])
                for handler in node.handlers:
                    yield from _flat(handler.body)
            case ast.With():
                yield from _flat(node.body)


def _not_literal(what: str, path: Path, line: int) -> ConfigError:
    return ConfigError(
        f"{what} is not a literal",
        file=path,
        line=line,
        hint="`kola list` reads tests without running them: write the value out",
    )
