"""Text files are UTF-8 in every locale: no code leaves the encoding to the environment."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

_TOP = Path(__file__).parents[3]
_OURS = ("harness", "kola", "testsuites")
_MODE = re.compile(r"[rwax][+bt]*")


def _files() -> list[Path]:
    return [path for name in _OURS for path in (_TOP / name).rglob("*.py")]


@pytest.mark.parametrize("name", _OURS)
def test_text_files_are_opened_with_an_encoding(name: str) -> None:
    wrong = [
        f"{path.relative_to(_TOP)}:{line}"
        for path in _files()
        if path.is_relative_to(_TOP / name)
        for line in _without_encoding(ast.parse(path.read_bytes()))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "code",
    [
        "path.read_text()",
        "path.write_text(text)",
        "path.read_text(errors='replace')",
        "path.open()",
        "path.open('a')",
        "open(path)",
        "open(path, 'w')",
        "os.fdopen(4)",
        "os.fdopen(4, 'w')",
        "subprocess.run(argv, text=True)",
        "tempfile.NamedTemporaryFile('w')",
        "tempfile.TemporaryFile(mode='w+')",
    ],
)
def test_the_check_sees_a_text_file_without_encoding(code: str) -> None:
    assert list(_without_encoding(ast.parse(code))) == [1]


@pytest.mark.parametrize(
    "code",
    [
        "path.read_text('utf-8')",
        "path.write_text(text, encoding='utf-8')",
        "path.open('rb')",
        "path.open(encoding='utf-8')",
        "open(path, 'wb')",
        "os.open(path, flags)",
        "listener.open(serve)",
        "tempfile.NamedTemporaryFile()",
        "write_text(path, text)",
        "subprocess.run(argv)",
    ],
)
def test_the_check_lets_others_pass(code: str) -> None:
    assert list(_without_encoding(ast.parse(code))) == []


def _without_encoding(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_text(node) and not _has_encoding(node):
            yield node.lineno


def _has_encoding(call: ast.Call) -> bool:
    if any(keyword.arg == "encoding" for keyword in call.keywords):
        return True
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    return (name, len(call.args)) in {("read_text", 1), ("write_text", 2)}


def _is_text(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(attr="read_text" | "write_text"):
            return True
        case ast.Attribute(attr="open", value=ast.Name(id="os" | "tarfile" | "gzip" | "lzma")):
            return False
        case ast.Attribute(attr="open"):
            return _mode_is_text(call, 0, default="r")
        case ast.Name(id="open") | ast.Attribute(attr="fdopen", value=ast.Name(id="os")):
            return _mode_is_text(call, 1, default="r")
        case ast.Attribute(attr="NamedTemporaryFile" | "TemporaryFile"):
            return _mode_is_text(call, 0, default="w+b")
    return any(
        keyword.arg in ("text", "universal_newlines")
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value is True
        for keyword in call.keywords
    )


def _mode_is_text(call: ast.Call, position: int, *, default: str) -> bool:
    given: ast.expr = ast.Constant(default)
    if len(call.args) > position:
        given = call.args[position]
    for keyword in call.keywords:
        if keyword.arg == "mode":
            given = keyword.value
    if not isinstance(given, ast.Constant) or not isinstance(given.value, str):
        return False
    return _MODE.fullmatch(given.value) is not None and "b" not in given.value
