"""An Ignition config as a value: read, merge, validate, write."""

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
from harness.util.jsontext import parse_json
from harness.util.userfile import decode_user_text, read_user_bytes


@dataclass(frozen=True)
class IgnitionConfig:
    """An immutable Ignition config of spec 3.0 to 3.6.

    `ignored` holds the warnings for keys that Ignition ignores; it is not part of the value.
    """

    _tree: Object = field(repr=False)
    ignored: tuple[Finding, ...] = field(default=(), compare=False)

    @classmethod
    def empty(cls, version: str = str(OLDEST)) -> IgnitionConfig:
        return cls({"ignition": {"version": str(SpecVersion.parse(version))}})

    @classmethod
    def from_dict(cls, document: Any) -> IgnitionConfig:
        """Check a JSON tree.

        Raises ConfigError with the JSON path for a wrong type or an unknown spec version.
        """
        head = document.get("ignition") if isinstance(document, dict) else None
        if not isinstance(head, dict):
            raise ConfigError("not an Ignition config: $.ignition.version is missing")
        version = SpecVersion.parse(head.get("version"))
        tree, ignored = shape(document, version)
        return cls(copy.deepcopy(tree), ignored)

    @classmethod
    def parse(cls, source: str | bytes, *, file: Path | str | None = None) -> IgnitionConfig:
        """Parse JSON and check its types and version. `validate` checks the rest.

        Raises ConfigError with the line of a JSON error; `file` is only named in messages.
        """
        document = _decode(source, file)
        try:
            return cls.from_dict(document)
        except ConfigError as wrong:
            raise ConfigError(wrong.message, file=file, line=wrong.line, hint=wrong.hint) from None

    @classmethod
    def load(cls, path: Path) -> IgnitionConfig:
        """Read a file. Raises ConfigError when it cannot be read or is not a config."""
        return cls.parse(read_user_bytes(path), file=path)

    @property
    def version(self) -> str:
        return str(self._version)

    @cached_property
    def _version(self) -> SpecVersion:
        return SpecVersion.parse(self._tree["ignition"]["version"])

    def merge(self, *children: IgnitionConfig) -> IgnitionConfig:
        """Merge as Ignition would: each child takes precedence over its predecessors.

        The result has the highest spec version of all.
        """
        return reduce(_merge_two, children, self)

    def lifted(self, version: str) -> IgnitionConfig:
        """Return the same config in a later spec version. Raises ConfigError for an earlier one."""
        wanted = SpecVersion.parse(version)
        if wanted < self._version:
            raise ConfigError(f"an Ignition config of spec {self._version} cannot be lowered to {wanted}")
        return IgnitionConfig(lift(self._tree, self._version, wanted), self.ignored)

    def validate(self) -> tuple[Finding, ...]:
        """Return all errors and warnings that Ignition would report, ignored keys included."""
        return (*self.ignored, *validate_tree(self._tree, self._version))

    def check(self, *, file: Path | str | None = None) -> tuple[Finding, ...]:
        """Return the warnings. Raises ConfigError that names every error."""
        findings = self.validate()
        wrong = errors_of(findings)
        if wrong:
            lines = "\n".join(f"  {finding.path}: {finding.message}" for finding in wrong)
            raise ConfigError(f"the Ignition config is not valid:\n{lines}", file=file)
        return findings

    def redact(self) -> IgnitionConfig:
        """Return a copy without secrets (private keys, password hashes, key files, headers), fit for
        results.
        """
        return IgnitionConfig(redact_tree(self._tree), self.ignored)

    def to_dict(self) -> Object:
        """Return a copy of the JSON tree."""
        return copy.deepcopy(self._tree)

    def to_json(self, *, pretty: bool = False) -> str:
        if pretty:
            return json.dumps(self._tree, indent=2, ensure_ascii=False) + "\n"
        return json.dumps(self._tree, separators=(",", ":"), ensure_ascii=False)

    def to_bytes(self, *, pad_to: int | None = None) -> bytes:
        """Return UTF-8 JSON, padded with spaces to `pad_to` bytes. Raises ConfigError when it is larger."""
        content = self.to_json().encode()
        if pad_to is None:
            return content
        if len(content) > pad_to:
            raise ConfigError(f"the Ignition config has {len(content)} bytes, more than {pad_to}")
        return content.ljust(pad_to)

    def __hash__(self) -> int:
        return hash(self.to_json())

    def __repr__(self) -> str:
        return f"IgnitionConfig(version={self.version!r}, {len(self.to_json())} bytes)"


def _merge_two(parent: IgnitionConfig, child: IgnitionConfig) -> IgnitionConfig:
    version = max(parent._version, child._version)
    tree = merge_trees(parent.lifted(str(version))._tree, child.lifted(str(version))._tree)
    return IgnitionConfig(tree, (*parent.ignored, *child.ignored))


def _decode(source: str | bytes, file: Path | str | None) -> Any:
    text = source if isinstance(source, str) else decode_user_text(source, file=file)
    if not text.strip():
        raise ConfigError("the Ignition config is empty", file=file)
    try:
        return parse_json(text, file=file)
    except ConfigError as wrong:
        if _looks_like_butane(text):
            wrong.hint = "this looks like Butane: use `kola butane`"
        raise


def _looks_like_butane(text: str) -> bool:
    return re.search(r"^variant:", text, re.MULTILINE) is not None
