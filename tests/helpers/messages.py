"""The messages of kola and harness, read from their sources: what the Chinese catalogue must have.

A message is a text in the sources that reads as prose: it has two words of letters, and is neither a
docstring nor in a place that people do not read (programs for guests, patterns that consoles are searched
for). In an f-string, the values are written as `{name}`. In calls that surely speak to people, such as
`ConfigError(…)`, one word is enough.

As a program, it adds new messages to the catalogues, without a translation, and removes those that are gone.
"""

from __future__ import annotations

import ast
import functools
import io
import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

import harness
from harness.util.language import CATALOGUES, DOMAIN, letters
from kola.cli.commands import TOPICS

ROOT = Path(harness.__file__).parents[1]
SOURCES = ("harness", "kola")

UNREAD = (
    "harness/reference/guest",
    "harness/machine/signs.py",
    "harness/machine/probe.py",
    "harness/installer/signs.py",
    "kola/shell/guest",
    "kola/report/tap.py",
    "kola/report/junit.py",
    "kola/report/allure.py",
    "kola/report/attachments.py",
    "kola/report/telling.py",
    "kola/cli/manpage.py",
)
"""Sources without a message that kola prints: programs of guests, patterns, reports for programs."""

_WORD = re.compile(r"(?<![\w{/.$=-])(?:an?(?= )|[A-Za-z][A-Za-z']+)(?![\w}/=(])")
_CODE = re.compile(
    r"\\[\w.]|\n.*\n|^\s*[-#@\[<%\"]"
    r"|^\s*(?:apt-get|systemctl|sudo|cat|ip|set|exec|umask|mount|info|cd) "
    r"|[\w.]+=[\w{]|&&|\$[({\w]|\{\}|\|\|"
)
_HOLE = re.compile(r"\{(\w+)\}")
_SURE = frozenset(
    {"ConfigError", "ArgumentTypeError", "print", "tell", "_tell", "add_argument_group", "titled_group"}
)
_TEXTS = frozenset({"help", "hint"})
_CONSTANTS = frozenset({"HELP", "USAGE"})

OF_ARGPARSE = frozenset(
    {
        "options",
        "argument {name}: {message}",
        "expected at least one argument",
        "expected one argument",
        "invalid choice: {value} (choose from {choices})",
        "invalid {type} value: {value}",
        "not allowed with argument {name}",
        "the following arguments are required: {names}",
        "takes true or false, not {value}",
    }
)
"""What the library says by itself, in the words of Python 3.11 and of `Parser.error`."""

NOT_MESSAGES = frozenset(
    {
        "127.0.0.1 localhost localhost.localdomain\n::1 localhost",
        'Acquire::Languages "none"',
        "Acquire::PDiffs false",
        'Apt::Install-Recommends "false"',
        "AutoReqProv: no",
        "Cannot access storage file",
        "CoreOS Admin",
        "Created-By: Packages",
        "Debian, packaged as .deb; entered by the kola reference OS",
        "DEFAULT live",
        "Failed to start",
        "Failed with result",
        "Fedora CoreOS",
        "IO-APIC + timer doesn't work",
        "Killed process",
        "LABEL live",
        "Last Verdict",
        "Own Tests",
        "make test",
        "of kola itself",
        "License: MulanPSL-2.0",
        "Made by a test",
        "NestOS Admin",
        "NestOS live",
        "Permission denied",
        "Test Name",
        "access denied",
        "available fixtures:",
        "boot file",
        "console keys",
        "initramfs journal",
        "kola COMMAND [OPTION…] [ARGUMENT…]",
        "kola reference OS",
        "kola reference build, {comment}",
        "kola test authority",
        "kola test server",
        "libvirt call",
        "libvirt events",
        "libvirt probe",
        "label: gpt",
        "menuentry live {",
        'name = "coreos-installer"',
        "network hub",
        "no MINISO",
        "osmet guest",
        "qemu exit",
        "search --no-floppy --set root --label {volume_id}\nconfigfile /{efi}/grub.cfg",
        "see the distribution's package",
        "shutting down",
        "ssh heartbeat",
        "ssh input",
        "ssh-ed25519 AAAA -",
        "starting up",
        "takes true or false, not",
        "timeout 600 systemctl is-system-running --wait >/dev/null; systemd-analyze plot",
        "unit: sectors",
        "until {moved}; do {read}; sleep 1; done; exec {read2} --follow",
        "ut of memory: {victim}",
        "{read_boot_id}; sudo -n sh -c 'date -s @{now} >/dev/null; cat >/dev/urandom'",
        "{step} through libvirt",
        "{verdict}, output in {output_dir}",
    }
)
"""Texts that read as prose and are for programs: names of threads, lines of logs, the Go kola's lines."""


@functools.cache
def messages() -> frozenset[str]:
    """Return every message, with `{name}` for the values in it."""
    found = set(itertools.chain.from_iterable(map(_messages, _sources())))
    return frozenset((found - NOT_MESSAGES) | OF_ARGPARSE)


def _sources() -> Iterator[Path]:
    for source in SOURCES:
        for path in sorted((ROOT / source).rglob("*.py")):
            if not str(path.relative_to(ROOT)).startswith(UNREAD):
                yield path


def _messages(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {getattr(node.targets[0], "id", "") for node in tree.body if isinstance(node, ast.Assign)}
    if "cli" in path.parts and "HELP" in names:  # a command, described by its docstring
        yield from (" ".join(part.split()) for part in (ast.get_docstring(tree) or "").split("\n\n"))
    yield from _Reader().read(tree)


class _Reader(ast.NodeVisitor):
    def __init__(self) -> None:
        self._found: list[str] = []

    def read(self, tree: ast.Module) -> list[str]:
        self.visit(tree)
        return self._found

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name == "compile":  # a pattern
            return
        if name == "tr":
            self._found += [node.value for node in node.args if isinstance(node, ast.Constant)]
        sure = [*node.args[:1]] if name in _SURE else []
        sure += [keyword.value for keyword in node.keywords if keyword.arg in _TEXTS]
        for text in sure:
            self._add(text, sure=True)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        name = getattr(node.targets[0], "id", getattr(node.targets[0], "attr", ""))
        if name in _CONSTANTS or name == "title":
            self._add(node.value, sure=True)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Dict(self, node: ast.Dict) -> None:
        for key in node.keys:
            if isinstance(key, ast.Constant) and key.value in TOPICS:
                self._add(key, sure=True)
        self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg != "metavar":
            self.visit(node.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        self._add(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self._add(node)
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.visit(part.value)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Add) and _written(node.left) and _written(node.right):
            self._add(node)
        else:
            self.generic_visit(node)

    def visit_match_case(self, node: ast.match_case) -> None:
        for line in node.body:
            self.visit(line)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if not isinstance(node.slice, ast.Constant):
            self.generic_visit(node)

    def _add(self, node: ast.expr, *, sure: bool = False) -> None:
        for parts in _variants(node):
            text = _template(parts).strip().removeprefix("; ").replace("%%", "%")
            plain = _HOLE.sub(" \0 ", text)
            words = len(_WORD.findall(plain))
            prose = words > 1 and " " in text and not _CODE.search(text)
            if letters(text) and (prose or (sure and words)):
                self._found.append(text)


def _written(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant | ast.JoinedStr)


def _variants(node: ast.expr) -> list[list[str | ast.expr]]:
    """Return the parts of a text, texts and values, once for each choice that is written in it."""
    match node:
        case ast.Constant(value=str(text)):
            return [[text]]
        case ast.JoinedStr(values=values):
            return [list(itertools.chain(*parts)) for parts in itertools.product(*map(_variants, values))]
        case ast.FormattedValue(value=ast.IfExp() as value):
            return _variants(value)
        case ast.FormattedValue(value=value):
            return [[value]]
        case ast.IfExp(body=first, orelse=second):
            return [*(_variants(first) or [[first]]), *(_variants(second) or [[second]])]
        case ast.BinOp(left=left, right=right, op=ast.Add()) if _written(left) and _written(right):
            return [[*one, *two] for one, two in itertools.product(_variants(left), _variants(right))]
    return []


def _template(parts: list[str | ast.expr]) -> str:
    names: list[str] = []
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        name = _name(part)
        names.append(name)
        number = names.count(name)
        text += f"{{{name}{number if number > 1 else ''}}}"
    return text


def _name(value: ast.expr) -> str:
    """Return a word for a value: the last name in its expression."""
    match value:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.strip("_").lower()
        case ast.Call(args=[first, *_]):
            return _name(first)
        case ast.Call(func=ast.Name(id=name)):
            return name.strip("_").lower()
        case ast.Call(func=ast.Attribute(value=first)) | ast.Subscript(value=first) | ast.BinOp(left=first):
            return _name(first)
        case ast.GeneratorExp(elt=first) | ast.ListComp(elt=first) | ast.Starred(value=first):
            return _name(first)
        case ast.BoolOp(values=[first, *_]):
            return _name(first)
    return "value"


def catalogue_file(language: str) -> Path:
    return CATALOGUES / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def catalogue(language: str) -> Catalog:
    with catalogue_file(language).open("rb") as file:
        return read_po(file, locale=language)


def update(language: str) -> None:
    """Write a catalogue with the messages of the sources and the translations that it had."""
    known = {message.id: message.string for message in catalogue(language)}
    write(language, {message: str(known.get(message) or "") for message in messages()})


def write(language: str, translations: Mapping[str, str]) -> None:
    """Write a catalogue, sorted, below the header that it has."""
    path = catalogue_file(language)
    header, _, _ = path.read_text(encoding="utf-8").partition("\n\n")
    catalog = Catalog(locale=language, fuzzy=False)
    for message in sorted(translations):
        catalog.add(message, translations[message])
    body = io.BytesIO()
    write_po(body, catalog, width=0, sort_output=True, omit_header=True)
    path.write_text(f"{header}\n\n{body.getvalue().decode()}", encoding="utf-8")


if __name__ == "__main__":
    for path in CATALOGUES.iterdir():
        update(path.name)
