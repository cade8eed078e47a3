"""The catalog of Python tests: their names and properties, found without importing them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import kola
from harness.errors import ConfigError
from harness.util.suggest import near
from kola.cases.broken import BrokenTest, unused_name
from kola.cases.external.names import name_fault, shown
from kola.cases.marker import default_name, info_from_marker
from kola.cases.model import TestInfo
from kola.cases.names import case_name
from kola.cases.parameters import case_ids, parametrize_marks
from kola.cases.promises import FILE, Promises
from kola.cases.syntax import Function, Syntax, literal_keywords, mark_name, test_functions
from kola.cases.table import TABLE, read_table

__all__ = [
    "Catalog",
    "Module",
    "collected_by_pytest",
    "find_tests",
    "info_from_marker",
    "own_root",
    "read_module",
]

_MARKERS = ("kola", "machine", "parametrize", "usefixtures", "skip", "skipif", "xfail", "filterwarnings")


@dataclass(frozen=True)
class Module:
    """A test file: its suite (the dotted folder below the root) and its name without `.py`."""

    path: Path
    suite: str
    name: str

    @classmethod
    def at(cls, path: Path, *, root: Path) -> Module:
        """Return the module of a file of the tree. The pytest plugin uses this, too."""
        return cls(path, suite=".".join(path.relative_to(root).parts[:-1]), name=path.stem)

    @property
    def top(self) -> Path:
        """The directory that contains the tree."""
        return self.path.parents[len(self.suite.split(".")) if self.suite else 0].parent

    @property
    def test_name(self) -> str:
        """The name of a test that represents the whole file."""
        return default_name(shown(self.suite), shown(self.name), "") or shown(self.name)

    @property
    def fault(self) -> ConfigError | None:
        """The reason why names of tests cannot be made of the file's own name or its folders'."""
        faults = (name_fault(part) for part in (*self.suite.split("."), f"{self.name}.py"))
        return next((fault for fault in faults if fault is not None), None)


@dataclass(frozen=True)
class Catalog:
    """The tests of a tree or of one file, sorted by name, and those that cannot run as they are written.

    `functions` maps each function of a file to the names of its tests, including broken ones.
    """

    tests: tuple[TestInfo, ...] = ()
    broken: tuple[BrokenTest, ...] = ()
    functions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def errors(self) -> tuple[ConfigError, ...]:
        return tuple(test.error for test in self.broken)


def own_root() -> Path:
    """Return the tree of NestOS's own tests, next to this package."""
    return Path(kola.__file__).parents[1] / "testsuites"


def collected_by_pytest(path: Path) -> bool:
    """Return True for a Python test file of the own tree, unless its name cannot become a test's name."""
    root = own_root()
    return path.is_relative_to(root) and Module.at(path, root=root).fault is None


def find_tests(root: Path) -> Catalog:
    """Return every test of the tree, from the syntax alone. A bad file or name affects only its own tests."""
    tests: dict[str, TestInfo] = {}
    broken: list[BrokenTest] = []
    for path in sorted(root.rglob("test_*.py")):
        found = read_module(Module.at(path, root=root))
        broken += found.broken
        for test in found.tests:
            if test.name in tests:
                broken.append(_broken(f"{test.name}.duplicate", _taken(test, tests[test.name]), path))
            else:
                tests[test.name] = test
    for test, error in _wrong_citations(tests.values(), root / FILE):
        broken.append(_broken(test.name, error, test.source or root))
        del tests[test.name]
    unique: dict[str, BrokenTest] = {}
    for one in broken:
        name = unused_name(one.name, {*unique, *tests})
        unique[name] = replace(one, name=name)
    return Catalog(
        tuple(tests[name] for name in sorted(tests)), tuple(unique[name] for name in sorted(unique))
    )


def read_module(module: Module) -> Catalog:
    """Return the tests of one file: its functions `test_…`, each of which must have `pytest.mark.kola`.

    A function that pytest would not run, or kola would not choose, is a broken test with file and line.
    """
    try:
        if module.fault is not None:
            raise module.fault
        syntax = Syntax.parse(module.path, top=module.top)
        shared: dict[str, Any] = {}
        for mark in _kola_marks(syntax.module_marks):
            shared.update(literal_keywords(mark, module.path))
    except ConfigError as error:
        return Catalog(broken=(_broken(module.test_name, error, module.path),))
    tests: list[TestInfo] = []
    broken: list[BrokenTest] = []
    functions: dict[str, tuple[str, ...]] = {}
    for node in syntax.functions:
        try:
            if node.name in functions:
                raise _wrong(
                    node, f"{node.name} stands twice in this file: only the later one would run", module
                )
            found = _tests_of(node, syntax, shared, module)
            tests += found
            functions[node.name] = tuple(test.name for test in found)
        except ConfigError as error:
            one = _broken(_name_of(node, syntax, module), error, module.path)
            broken.append(one)
            functions.setdefault(node.name, (one.name,))
    broken += _methods(syntax, module)
    return Catalog(tuple(tests), tuple(broken), functions)


def _tests_of(node: Function, syntax: Syntax, shared: Mapping[str, Any], module: Module) -> list[TestInfo]:
    marks = syntax.marks(node)
    _check_marks((*marks, *syntax.module_marks), node, module)
    if isinstance(node, ast.AsyncFunctionDef):
        raise _wrong(node, f"{node.name} is `async def`, which would never be awaited", module)
    own = _kola_marks(marks)
    if not own and not _kola_marks(syntax.module_marks):
        hint = "write @pytest.mark.kola() above it, or give it a name that does not begin with test_"
        raise _wrong(node, f"{node.name} has no @pytest.mark.kola, so it would never run", module, hint)
    keywords = dict(shared)
    for mark in own:
        keywords.update(literal_keywords(mark, module.path))
    place = {"suite": module.suite, "module": module.name, "function": node.name}
    if TABLE in keywords:
        return [row.info for row in read_table(keywords, **place, path=module.path, line=_line(node))]
    info = info_from_marker(
        keywords, **place, path=module.path, line=_line(node), docstring=ast.get_docstring(node)
    )
    sets = list(parametrize_marks((*marks, *syntax.module_marks)))
    if not sets:
        return [info]
    cases = [
        replace(info, name=case_name(info.name, one), family=info.name)
        for one in case_ids(sets, file=module.path)
    ]
    names = [case.name for case in cases]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise _wrong(node, f"two cases of {node.name} are called {twice}", module, "give ids=[…] that differ")
    if not cases:
        raise _wrong(node, f"parametrize gives {node.name} no case, so it would never run", module)
    return cases


def _check_marks(marks: Iterable[ast.expr], node: Function, module: Module) -> None:
    """Raise ConfigError for a misspelt marker, and for marker arguments that nothing reads."""
    for mark in marks:
        name = mark_name(mark)
        meant = near(name, _MARKERS) if name and name not in _MARKERS else []
        if meant:
            hint = f"did you mean {meant[0]!r}?"
            raise ConfigError(f"there is no marker {name!r}", file=module.path, line=mark.lineno, hint=hint)
        if name == "machine" and isinstance(mark, ast.Call) and mark.args:
            raise ConfigError(
                "pytest.mark.machine takes keywords only",
                file=module.path,
                line=mark.args[0].lineno,
                hint="write `memory_mib=2048` and so on",
            )


def _methods(syntax: Syntax, module: Module) -> Iterator[BrokenTest]:
    """Yield the methods `test_…` of classes that look like a test case, as broken tests: kola runs functions
    only.
    """
    for node in syntax.classes:
        case = node.name.startswith("Test") or any("TestCase" in ast.unparse(base) for base in node.bases)
        for method in test_functions(node.body):
            if case or _kola_marks(syntax.marks(method)):
                name = f"{node.name}.{method.name}"
                error = _wrong(method, f"{name} is a method, and kola runs functions only", module)
                yield _broken(default_name(module.suite, module.name, name), error, module.path)


def _kola_marks(marks: Iterable[ast.expr]) -> list[ast.expr]:
    return [mark for mark in marks if mark_name(mark) == "kola"]


def _name_of(node: Function, syntax: Syntax, module: Module) -> str:
    """Return the name of a broken test from its marker, if that can be read, else the default name."""
    for mark in reversed(_kola_marks(syntax.marks(node))):
        for keyword in mark.keywords if isinstance(mark, ast.Call) else ():
            match keyword:
                case ast.keyword(arg="name", value=ast.Constant(value=str(name))):
                    try:
                        return info_from_marker(
                            {"name": name}, suite="", module="", function="", path=module.path, line=1
                        ).name
                    except ConfigError:
                        continue
    return default_name(module.suite, module.name, node.name)


def _wrong(node: Function, message: str, module: Module, hint: str | None = None) -> ConfigError:
    return ConfigError(message, file=module.path, line=_line(node), hint=hint)


def _line(node: Function) -> int:
    return node.decorator_list[0].lineno if node.decorator_list else node.lineno


def _broken(name: str, error: ConfigError, path: Path) -> BrokenTest:
    return BrokenTest(name, error, path, tags=frozenset())


def _wrong_citations(tests: Iterable[TestInfo], table: Path) -> list[tuple[TestInfo, ConfigError]]:
    """Return the tests that cite a promise the guide does not make. A tree without a table has none."""
    if not table.is_file():
        return []
    promises = Promises.load(table)
    wrong = []
    for test in tests:
        for citation in test.guide:
            try:
                promises.find(citation)
            except ConfigError as error:
                message = f"kola marker: guide: {error.message}"
                wrong.append((test, ConfigError(message, file=test.source, line=test.line, hint=error.hint)))
                break
    return wrong


def _taken(test: TestInfo, by: TestInfo) -> ConfigError:
    return ConfigError(
        f"the test name {test.name!r} is taken by {by.source}:{by.line}",
        file=test.source,
        line=test.line,
        hint="give one of them another name, by its marker or its function",
    )
