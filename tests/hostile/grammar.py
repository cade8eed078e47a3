"""Generators of hostile input: right by the grammar of a format in most places, and wrong in a few.

All take a random.Random, so a seed always gives the same input.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

Value = Any

_WORDS = (
    "a",
    "ext.*",
    "x86_64",
    "x86_64,",
    "!!ppc64le",
    "qemu",
    "stable",
    "2026-01-01",
    "2026-02-31",
    "/etc/a",
    "..",
)
_ODD_TEXTS = (
    "",
    " ",
    "\x00",
    "\x1b[31m",
    "\u202e文件",
    "\ud800",
    "\udcb2",
    "a\nb",
    "*" * 60 + "b",
    "[",
    "[a-",
    "\\",
    "%s%n{0}",
    "../" * 20,
    "/" + "x" * 300,
    "x" * 20_000,
    "data:;base64,====",
    "data:,%zz",
    "https://[::1",
    "${HOME}",
    "-1",
    "1e999",
    "0x",
    "10G",
    "NaN",
)
_ODD_NUMBERS = (0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**30, 0.5, 1e308, True)
_YAML_SPICE = (
    "&a ",
    "*a",
    "!!binary ",
    "!!python/object:os.system ",
    "!foo ",
    "<<: ",
    "? ",
    "| ",
    "> ",
    "{",
    "[",
    "]",
)
_BYTES = (
    b"\x00",
    b"\xff",
    b"\xb2\xe2",
    b"\xef\xbb\xbf",
    b"\r",
    b"\t",
    b"\n",
    b":",
    b"-",
    b"'",
    b'"',
    b"#",
    b"---\n",
    b"~",
)


def text(random: Random) -> str:
    """A text: a plausible word, an odd one, or a mixture."""
    kind = random.random()
    if kind < 0.5:
        return random.choice(_WORDS)
    if kind < 0.9:
        return random.choice(_ODD_TEXTS)
    return "".join(random.choice(_WORDS + _ODD_TEXTS[:10]) for _ in range(random.randint(1, 5)))


def value(random: Random, depth: int = 3) -> Value:
    """Any value JSON can say."""
    kind = random.random()
    if depth and kind < 0.15:
        return [value(random, depth - 1) for _ in range(random.randint(0, 4))]
    if depth and kind < 0.3:
        return {text(random): value(random, depth - 1) for _ in range(random.randint(0, 4))}
    if kind < 0.4:
        return None
    if kind < 0.6:
        return random.choice(_ODD_NUMBERS)
    return text(random)


def spoiled(random: Random, tree: Value, keys: Sequence[str] = ()) -> Value:
    """The tree with a few values of another kind, keys left out, doubled as others or misspelt."""
    if random.random() < 0.06:
        return value(random)
    if isinstance(tree, dict):
        result: dict[str, Value] = {}
        for key, child in tree.items():
            kind = random.random()
            if kind < 0.04:
                continue
            name = key[:-1] if kind < 0.07 else key
            result[name] = spoiled(random, child, keys)
        if keys and random.random() < 0.2:
            result[random.choice(keys)] = value(random)
        return result
    if isinstance(tree, list):
        children = [spoiled(random, child, keys) for child in tree]
        return children * random.choice((1, 1, 1, 2)) if len(children) < 20 else children
    return tree


def scratched(random: Random, content: bytes) -> bytes:
    """The bytes with some put in, left out, repeated or cut off."""
    for _ in range(random.choice((0, 0, 1, 1, 2, 6))):
        at = random.randint(0, len(content))
        end = min(len(content), at + random.choice((1, 1, 3, 20)))
        match random.randint(0, 4):
            case 0:
                content = content[:at] + random.choice(_BYTES) + content[at:]
            case 1:
                content = content[:at] + content[end:]
            case 2:
                content = content[:end] + content[at:end] * random.choice((1, 2, 50)) + content[end:]
            case 3:
                content = content[:at]
            case _:
                content = content[:at] + bytes([random.randrange(256)]) + content[end:]
    return content


def json_bytes(random: Random, tree: Value, keys: Sequence[str] = ()) -> bytes:
    """A JSON file that is nearly right."""
    special = random.random()
    if special < 0.01:
        return b"[" * 50_000
    if special < 0.02:
        return b'{"a": ' + b"9" * 5000 + b"}"
    written = json.dumps(spoiled(random, tree, keys), ensure_ascii=random.random() < 0.5)
    return scratched(random, written.encode("utf-8", "surrogatepass"))


def yaml_bytes(random: Random, tree: Value, keys: Sequence[str] = ()) -> bytes:
    """A YAML file that is nearly right."""
    special = random.random()
    if special < 0.01:
        rows = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
        return f"a0: &a0 x\n{rows}".encode()
    if special < 0.02:
        return b"a: &a\n  b: *a\n"
    if special < 0.03:
        return random.choice((b"[", b"{a: ", b"- ")) * 3000
    written = _yaml(random, spoiled(random, tree, keys), 0)
    return scratched(random, written.encode("utf-8", "surrogatepass"))


def _yaml(random: Random, tree: Value, depth: int) -> str:
    pad = "  " * depth
    spice = random.choice(_YAML_SPICE) if random.random() < 0.02 else ""
    if isinstance(tree, dict) and tree and depth < 6:
        return "\n" * bool(depth) + "".join(
            f"{pad}{_scalar(random, key)}: {spice}{_yaml(random, child, depth + 1)}"
            for key, child in tree.items()
        )
    if isinstance(tree, list) and tree and depth < 6:
        return "\n" * bool(depth) + "".join(
            f"{pad}- {spice}{_yaml(random, one, depth + 1).lstrip()}" for one in tree
        )
    return f"{spice}{_scalar(random, tree)}\n"


def _scalar(random: Random, plain: Value) -> str:
    if isinstance(plain, str) and plain.isascii() and plain.isprintable() and random.random() < 0.7:
        return plain
    return json.dumps(plain)


Maker = Callable[[Random], bytes]
