"""The tests written in Python: what they are called, and how to list them without importing them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kola
from harness.errors import ConfigError
from kola.model import TestInfo
from kola.promises import FILE, Promises
from kola.select.marker import info_from_marker

__all__ = ["Catalog", "Module", "find_tests", "info_from_marker", "own_root", "read_module"]


@dataclass(frozen=True)
class Module:
    """One test file: its suite (the dotted folder below the root) and its name without `.py`."""

    path: Path
    suite: str
    name: str

    @classmethod
    def at(cls, path: Path, *, root: Path) -> Module:
        """The module of that file of the tree; the pytest plugin asks the same."""
        return cls(path, suite=".".join(path.relative_to(root).parts[:-1]), name=path.stem)


@dataclass(frozen=True)
class Catalog:
    """The tests of a tree, sorted by name, and what could not be read of it."""

    tests: tuple[TestInfo, ...] = ()
    errors: tuple[ConfigError, ...] = ()


def own_root() -> Path:
    """The tree of NestOS's own tests, next to this package."""
    return Path(kola.__file__).parents[1] / "testsuites"


def find_tests(root: Path) -> Catalog:
    """Every test of the tree, read from the syntax alone; a bad file or name costs only its own tests."""
    tests: dict[str, TestInfo] = {}
    errors: list[ConfigError] = []
    for path in sorted(root.rglob("test_*.py")):
        try:
            found = read_module(Module.at(path, root=root))
        except ConfigError as error:
            errors.append(error)
            continue
        for test in found:
            if test.name in tests:
                errors.append(_taken(test, tests[test.name]))
            else:
                tests[test.name] = test
    errors += _wrong_citations(tests.values(), root / FILE)
    return Catalog(tuple(tests[name] for name in sorted(tests)), tuple(errors))


def read_module(module: Module) -> list[TestInfo]:
    """The tests of one file: functions `test_*` that bear `pytest.mark.kola`, or whose module does."""
    source = module.path.read_bytes()
    if b".kola" not in source:
        return []
    try:
        tree = ast.parse(source, module.path)
    except SyntaxError as error:
        raise ConfigError(f"not Python: {error.msg}", file=module.path, line=error.lineno) from error
    shared: dict[str, Any] = {}
    marked = False
    for mark in _module_marks(tree):
        shared.update(_keywords(mark, module.path))
        marked = True
    tests = []
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
            continue
        marks = [mark for mark in node.decorator_list if _is_kola_mark(mark)]
        if not marks and not marked:
            continue
        own: dict[str, Any] = {}
        for mark in reversed(marks):  # the decorator nearest the function is applied first
            own.update(_keywords(mark, module.path))
        tests.append(
            info_from_marker(
                {**shared, **own},
                suite=module.suite,
                module=module.name,
                function=node.name,
                path=module.path,
                line=node.decorator_list[0].lineno if node.decorator_list else node.lineno,
                docstring=ast.get_docstring(node),
            )
        )
    return tests


def _wrong_citations(tests: Iterable[TestInfo], table: Path) -> Iterator[ConfigError]:
    """One for each test that says it proves what the guide does not promise; a tree may have no table."""
    if not table.is_file():
        return
    promises = Promises.load(table)
    for test in tests:
        for citation in test.guide:
            try:
                promises.find(citation)
            except ConfigError as error:
                yield ConfigError(
                    f"kola marker: guide: {error.message}", file=test.source, line=test.line, hint=error.hint
                )


def _taken(test: TestInfo, by: TestInfo) -> ConfigError:
    return ConfigError(
        f"the test name {test.name!r} is taken by {by.source}:{by.line}",
        file=test.source,
        line=test.line,
        hint="give one of them another name, by its marker or its function",
    )


def _module_marks(tree: ast.Module) -> Iterator[ast.expr]:
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="pytestmark")], value=value):
                marks = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
                yield from (mark for mark in marks if _is_kola_mark(mark))
            case ast.AnnAssign(target=ast.Name(id="pytestmark"), value=ast.expr() as value):
                marks = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
                yield from (mark for mark in marks if _is_kola_mark(mark))


def _is_kola_mark(node: ast.expr) -> bool:
    target = node.func if isinstance(node, ast.Call) else node
    match target:
        case ast.Attribute(attr="kola", value=ast.Attribute(attr="mark")):
            return True
        case ast.Attribute(attr="kola", value=ast.Name(id="mark")):
            return True
    return False


def _keywords(mark: ast.expr, path: Path) -> Mapping[str, Any]:
    if not isinstance(mark, ast.Call):
        return {}
    if mark.args:
        raise ConfigError(
            "pytest.mark.kola takes keywords only",
            file=path,
            line=mark.args[0].lineno,
            hint='write `name="…"`, `tags=[…]` and so on',
        )
    values: dict[str, Any] = {}
    for keyword in mark.keywords:
        if keyword.arg is None:
            raise _not_literal("`**` in pytest.mark.kola", path, keyword.value.lineno)
        try:
            values[keyword.arg] = ast.literal_eval(keyword.value)
        except ValueError as error:
            line = keyword.value.lineno
            raise _not_literal(f"the value of {keyword.arg!r} in pytest.mark.kola", path, line) from error
    return values


def _not_literal(what: str, path: Path, line: int) -> ConfigError:
    return ConfigError(
        f"{what} is not a literal",
        file=path,
        line=line,
        hint="`kola list` reads tests without running them: write the value out",
    )
