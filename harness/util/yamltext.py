"""A YAML parser for files of users: one document, with lines, and protected against alias bombs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import yaml

from harness.errors import ConfigError

_MOST_NODES = 200_000
_DEEPEST = 100


def compose_yaml(
    text: str, *, file: Path | str | None = None, first_line: int = 1, ignore_further: bool = False
) -> yaml.Node | None:
    """Parse the only document to its node tree; None when there is no document or it is null.

    With `ignore_further`, other documents may follow and are not read. Raises ConfigError with file and line
    for what is not YAML, and for aliases that contain themselves or multiply to more than 200,000 values.
    `first_line` is the line of the file that `text` begins on.
    """
    unprintable = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if unprintable:
        line = first_line + text.count("\n", 0, unprintable.start())
        raise ConfigError(f"not YAML: the character {unprintable[0]!r}", file=file, line=line)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        root: yaml.Node | None
        if ignore_further:
            root = next(iter(yaml.compose_all(text, Loader=loader)), None)
        else:
            root = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = first_line + (mark.line if mark else 0)
        raise ConfigError(f"not YAML: {error.problem or error.context}", file=file, line=line) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"not YAML: {error or 'nested too deeply'}", file=file, line=first_line) from None
    if root is None or is_null(root):
        return None
    _require_sane(root, file, first_line)
    return root


def load_yaml(text: str, *, file: Path | str | None = None) -> object:
    """Parse the only document to lists, dicts and scalars; None when it is empty.

    Raises ConfigError as `compose_yaml` does, and for tags that stand for other values.
    """
    root = compose_yaml(text, file=file)
    if root is None:
        return None
    try:
        return yaml.constructor.SafeConstructor().construct_document(root)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise ConfigError(f"not YAML: {error.problem}", file=file, line=line) from None
    except (ValueError, KeyError, AttributeError):  # 2026-02-31; `!!bool maybe`; `!!timestamp soon`
        raise ConfigError(
            "a value that is not what it looks like, or not what its tag says", file=file
        ) from None


def is_plain(node: yaml.Node) -> bool:
    """Return True when the node is a scalar without quotes."""
    return isinstance(node, yaml.ScalarNode) and not node.style


def is_null(node: yaml.Node) -> bool:
    """Return True when the node is YAML's null."""
    return bool(node.tag == "tag:yaml.org,2002:null")


def is_merge(key: yaml.Node) -> bool:
    """Return True when the key of a mapping is YAML's `<<`, which merges other mappings into this one."""
    return bool(key.tag == "tag:yaml.org,2002:merge")


def scalar_value(node: yaml.ScalarNode, *, file: Path | str | None = None, line: int | None = None) -> object:
    """Return the value of a scalar by YAML 1.1: text, number, boolean, date or None.

    Raises ConfigError for a tag of another kind. Text that only resembles a number or date stays text.
    """
    try:
        value: object = yaml.constructor.SafeConstructor().construct_object(node)
    except yaml.MarkedYAMLError:
        value = NotImplemented
    except (ValueError, KeyError, AttributeError):  # 2026-02-31; `!!bool maybe`; `!!timestamp soon`
        return node.value
    if value is not None and not isinstance(value, str | int | float | date):
        raise ConfigError(f"the tag {node.tag} has no meaning here", file=file, line=line)
    return value


def text_under(node: yaml.Node | None, *keys: str) -> str | None:
    """Return the scalar under nested keys, as written; None when it is absent or null."""
    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            return None
        node = next((value for name, value in node.value if name.value == key), None)
    if not isinstance(node, yaml.ScalarNode) or is_null(node):
        return None
    return str(node.value) or None


def children(node: yaml.Node) -> Iterator[yaml.Node]:
    """Yield the values directly inside a list or mapping, including keys of a mapping."""
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value


def _require_sane(root: yaml.Node, file: Path | str | None, first_line: int) -> None:
    """Count values as if every alias were expanded: a few lines can stand for billions, or for infinitely
    many.
    """
    sizes: dict[int, int] = {}
    above: set[int] = set()

    def size(node: yaml.Node, depth: int) -> int:
        if id(node) in sizes:
            return sizes[id(node)]
        line = first_line + node.start_mark.line
        if id(node) in above:
            raise ConfigError("an alias contains itself", file=file, line=line)
        if depth > _DEEPEST:
            raise ConfigError(f"nested deeper than {_DEEPEST} levels", file=file, line=line)
        above.add(id(node))
        total = 1
        for child in children(node):
            total += size(child, depth + 1)
            if total > _MOST_NODES:
                message = f"aliases multiply this to more than {_MOST_NODES} values"
                raise ConfigError(message, file=file, line=line)
        above.discard(id(node))
        sizes[id(node)] = total
        return total

    size(root, 0)
