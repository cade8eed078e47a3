"""An Ignition config as a value: read, merge, judge, write."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, field
from functools import cached_property, reduce
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.ignition.findings import Finding, errors_of
from harness.ignition.merge import lift, merge_trees
from harness.ignition.redact import redact_tree
from harness.ignition.schema import Object
from harness.ignition.shape import shape
from harness.ignition.validate import validate_tree
from harness.ignition.version import OLDEST, SpecVersion

SIZE_LIMIT = 4 * 1024 * 1024
"""Beyond this, reading fw_cfg in the initramfs takes minutes without acceleration."""


@dataclass(frozen=True)
class IgnitionConfig:
    """An immutable Ignition config of spec 3.0 to 3.6.

    `ignored` are the warnings for keys Ignition would not see; they are not part of the value.
    """

    _tree: Object = field(repr=False)
    ignored: tuple[Finding, ...] = field(default=(), compare=False)

    @classmethod
    def empty(cls, version: str = str(OLDEST)) -> IgnitionConfig:
        return cls({"ignition": {"version": str(SpecVersion.parse(version))}})

    @classmethod
    def from_dict(cls, document: Any) -> IgnitionConfig:
        """Raise ConfigError, naming the JSON path, for a wrong type or an unknown spec version."""
        head = document.get("ignition") if isinstance(document, dict) else None
        if not isinstance(head, dict):
            raise ConfigError("not an Ignition config: $.ignition.version is missing")
        version = SpecVersion.parse(head.get("version"))
        tree, ignored = shape(document, version)
        return cls(copy.deepcopy(tree), ignored)

    @classmethod
    def parse(cls, source: str | bytes, *, file: Path | str | None = None) -> IgnitionConfig:
        """Read JSON. Types and version are checked here, meaning by `validate`.

        Raise ConfigError with the line of a JSON error; `file` is only named in messages.
        """
        document = _decode(source, file)
        try:
            return cls.from_dict(document)
        except ConfigError as wrong:
            raise ConfigError(wrong.message, file=file, line=wrong.line, hint=wrong.hint) from None

    @classmethod
    def load(cls, path: Path) -> IgnitionConfig:
        """Read a file; raise ConfigError when it cannot be read or is not a config."""
        try:
            content = path.read_bytes()
        except OSError as cause:
            raise ConfigError(f"cannot read the Ignition config: {cause.strerror}", file=path) from cause
        return cls.parse(content, file=path)

    @property
    def version(self) -> str:
        return str(self._version)

    @cached_property
    def _version(self) -> SpecVersion:
        return SpecVersion.parse(self._tree["ignition"]["version"])

    def merge(self, *children: IgnitionConfig) -> IgnitionConfig:
        """Merge as Ignition would: each child's word counts over what came before it.

        The result has the highest version of all.
        """
        return reduce(_merge_two, children, self)

    def lifted(self, version: str) -> IgnitionConfig:
        """The same config in a later spec version; raise ConfigError for an earlier one."""
        wanted = SpecVersion.parse(version)
        if wanted < self._version:
            raise ConfigError(f"an Ignition config of spec {self._version} cannot be lowered to {wanted}")
        return IgnitionConfig(lift(self._tree, self._version, wanted), self.ignored)

    def validate(self) -> tuple[Finding, ...]:
        """All errors and warnings Ignition would report, ignored keys included."""
        return (*self.ignored, *validate_tree(self._tree, self._version))

    def check(self, *, file: Path | str | None = None) -> tuple[Finding, ...]:
        """Return the warnings; raise ConfigError naming every error."""
        findings = self.validate()
        wrong = errors_of(findings)
        if wrong:
            lines = "\n".join(f"  {finding.path}: {finding.message}" for finding in wrong)
            raise ConfigError(f"the Ignition config is not valid:\n{lines}", file=file)
        return findings

    def check_size(self, limit: int = SIZE_LIMIT) -> int:
        """Return the size in bytes as rendered; raise ConfigError above `limit`, naming what is largest."""
        size = len(self.to_bytes())
        if size > limit:
            raise ConfigError(
                f"the Ignition config has {size} bytes, more than {limit}; {self._largest()}",
                hint="serve large files over HTTP or upload them over SSH",
            )
        return size

    def redact(self) -> IgnitionConfig:
        """A copy without secrets (private keys, password hashes, key files, headers), fit for results."""
        return IgnitionConfig(redact_tree(self._tree), self.ignored)

    def to_dict(self) -> Object:
        """A copy of the JSON tree."""
        return copy.deepcopy(self._tree)

    def to_json(self, *, pretty: bool = False) -> str:
        if pretty:
            return json.dumps(self._tree, indent=2, ensure_ascii=False) + "\n"
        return json.dumps(self._tree, separators=(",", ":"), ensure_ascii=False)

    def to_bytes(self, *, pad_to: int | None = None) -> bytes:
        """UTF-8 JSON, padded with spaces to `pad_to` bytes; raise ConfigError when it is larger than that."""
        content = self.to_json().encode("utf-8", "surrogatepass")
        if pad_to is None:
            return content
        if len(content) > pad_to:
            raise ConfigError(f"the Ignition config has {len(content)} bytes, more than {pad_to}")
        return content.ljust(pad_to)

    def __hash__(self) -> int:
        return hash(self.to_json())

    def __repr__(self) -> str:
        return f"IgnitionConfig(version={self.version!r}, {len(self.to_json())} bytes)"

    def _largest(self) -> str:
        entries = [
            (len(json.dumps(entry)), f"{kind} {entry.get('path', entry.get('name', '?'))}")
            for section, kind in (("storage", "files"), ("systemd", "units"))
            for entry in self._tree.get(section, {}).get(kind, [])
        ]
        if not entries:
            return "no single file is to blame"
        size, name = max(entries)
        return f"the largest, in {name}, has {size}"


def _merge_two(parent: IgnitionConfig, child: IgnitionConfig) -> IgnitionConfig:
    version = max(parent._version, child._version)
    tree = merge_trees(parent.lifted(str(version))._tree, child.lifted(str(version))._tree)
    return IgnitionConfig(tree, (*parent.ignored, *child.ignored))


def _decode(source: str | bytes, file: Path | str | None) -> Any:
    text = source if isinstance(source, str) else _decode_utf8(source, file)
    if not text.strip():
        raise ConfigError("the Ignition config is empty", file=file)
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as wrong:
        hint = "this looks like Butane: use `kola butane`" if _looks_like_butane(text) else None
        message = f"the Ignition config is not JSON: {wrong.msg} (column {wrong.colno})"
        raise ConfigError(message, file=file, line=wrong.lineno, hint=hint) from None
    except ConfigError as wrong:
        raise ConfigError(wrong.message, file=file) from None
    except (RecursionError, ValueError):
        raise ConfigError("the Ignition config is nested too deeply for a config", file=file) from None


def _decode_utf8(content: bytes, file: Path | str | None) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as wrong:
        line = content.count(b"\n", 0, wrong.start) + 1
        raise ConfigError("the Ignition config is not UTF-8", file=file, line=line) from None


def _refuse_constant(name: str) -> Any:
    raise ConfigError(f"the Ignition config is not JSON: {name} is not a JSON value")


def _looks_like_butane(text: str) -> bool:
    return re.search(r"^variant:", text, re.MULTILINE) is not None
