"""The cases of `pytest.mark.parametrize`, with pytest's ids, read from the syntax alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from harness.errors import ConfigError

_MOST = 10_000
"""Maximum number of cases of one `range`, so that a typing error does not fill the memory."""

_HINT = (
    "`kola list` reads names without running anything: give ids=[…] as a list of texts, or pytest.param(id=…)"
)


def case_ids(marks: Sequence[ast.Call], *, file: Path) -> tuple[str, ...]:
    """Return the id of each case of these marks combined; `marks` begin with the one nearest the function.

    Raises ConfigError, with file and line, for ids that are known only by running the file.
    """
    if not marks:
        return ()
    return tuple("-".join(ids) for ids in product(*(_ids(mark, file) for mark in marks)))


def _ids(mark: ast.Call, file: Path) -> list[str]:
    given = {keyword.arg: keyword.value for keyword in mark.keywords}
    positional = dict(zip(("argnames", "argvalues", "indirect", "ids"), mark.args, strict=False))
    parts = {**positional, **{name: value for name, value in given.items() if name}}
    names = _argument_names(parts.get("argnames"))
    values = parts.get("argvalues")
    told = _told(parts.get("ids"), mark, file)
    if isinstance(values, ast.Call):
        values = _of_range(values) or values
    if not isinstance(values, ast.List | ast.Tuple):
        if told is None or None in told:
            raise _unreadable(values or mark, "the values of parametrize are no list", file)
        return [one for one in told if one is not None]
    told = told or [None] * len(values.elts)
    if len(told) != len(values.elts):
        raise ConfigError(
            f"parametrize has {len(values.elts)} values and {len(told)} ids", file=file, line=mark.lineno
        )
    return [
        one if one is not None else _id_of_set(value, names, number, file)
        for number, (value, one) in enumerate(zip(values.elts, told, strict=True))
    ]


def _of_range(call: ast.Call) -> ast.List | None:
    """Return `range(3)` as the list `[0, 1, 2]`; None for any other call."""
    if not (isinstance(call.func, ast.Name) and call.func.id == "range"):
        return None
    try:
        numbers = range(*(ast.literal_eval(argument) for argument in call.args))
    except (TypeError, ValueError):
        return None
    return ast.List([ast.copy_location(ast.Constant(number), call) for number in numbers[:_MOST]])


def _argument_names(node: ast.expr | None) -> list[str]:
    match node:
        case ast.Constant(value=str(text)):
            return [name.strip() for name in text.split(",") if name.strip()]
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return [str(one.value) for one in elements if isinstance(one, ast.Constant)]
    return []


def _told(node: ast.expr | None, mark: ast.Call, file: Path) -> list[str | None] | None:
    """Return the ids that are written out; None in the list means that pytest chooses."""
    if node is None or (isinstance(node, ast.Constant) and node.value is None):
        return None
    if not isinstance(node, ast.List | ast.Tuple):
        raise _unreadable(mark, "the ids of parametrize are no list", file)
    ids: list[str | None] = []
    for one in node.elts:
        if not isinstance(one, ast.Constant):
            raise _unreadable(one, "an id of parametrize is not written out", file)
        ids.append(None if one.value is None else _text(one.value))
    return ids


def _id_of_set(node: ast.expr, names: list[str], number: int, file: Path) -> str:
    """Return the id of one set of values, as pytest's IdMaker makes it."""
    if isinstance(node, ast.Call) and _is_param(node.func):
        for keyword in node.keywords:
            if keyword.arg == "id" and isinstance(keyword.value, ast.Constant):
                return _text(keyword.value.value)
        values = list(node.args)
    elif len(names) != 1 and isinstance(node, ast.List | ast.Tuple):
        values = list(node.elts)
    else:
        values = [node]
    named = [*names, *[""] * (len(values) - len(names))]
    return "-".join(_id_of(value, name, number, file) for value, name in zip(values, named, strict=False))


def _id_of(node: ast.expr, name: str, number: int, file: Path) -> str:
    if isinstance(node, ast.List | ast.Tuple | ast.Dict | ast.Set):
        return f"{name}{number}"
    try:
        return _text(ast.literal_eval(node))
    except ValueError:
        raise _unreadable(node, "a value of parametrize is not written out", file) from None


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("ascii", "backslashreplace")
    return str(value).encode("unicode_escape").decode("ascii") if isinstance(value, str) else str(value)


def _is_param(node: ast.expr) -> bool:
    match node:
        case ast.Attribute(attr="param") | ast.Name(id="param"):
            return True
    return False


def _unreadable(node: ast.expr, what: str, file: Path) -> ConfigError:
    return ConfigError(what, file=file, line=node.lineno, hint=_HINT)


def parametrize_marks(marks: Sequence[ast.expr]) -> Iterator[ast.Call]:
    """Yield the marks that are calls of `pytest.mark.parametrize`."""
    for mark in marks:
        match mark:
            case ast.Call(func=ast.Attribute(attr="parametrize")):
                yield mark
