"""Conversion of a decoded document to an Ignition tree: renames keys, embeds local and inline content."""

from __future__ import annotations

from typing import Any

from harness.butane.keys import Shape
from harness.butane.local import LocalFiles
from harness.butane.report import Report
from harness.errors import ConfigError
from harness.ignition import dataurl
from harness.ignition.config import IgnitionConfig
from harness.ignition.findings import Path
from harness.ignition.schema import Object


class Converter:
    """The converter. `spec_minor` is the target Ignition minor; 3.0 has no automatic compression."""

    def __init__(self, spec_minor: int, files: LocalFiles, report: Report) -> None:
        self._compresses = spec_minor > 0
        self._files = files
        self._report = report

    def convert(self, tree: Object, shape: Shape, path: Path = ()) -> Object:
        result: Object = {}
        for name, key in shape.keys.items():
            if name not in tree or key.json is None:
                continue
            value: Any = tree[name]
            here = (*path, name)
            if isinstance(key.kind, Shape):
                if key.many:
                    kind = key.kind
                    value = [self.convert(item, kind, (*here, i)) for i, item in enumerate(value)]
                else:
                    value = self.convert(value, key.kind, here)
            if value not in ({}, []):
                result[key.json] = value
        self._embed(tree, shape, path, result)
        return result

    def _embed(self, tree: Object, shape: Shape, path: Path, result: Object) -> None:
        match shape.name:
            case "resource" | "reference":
                self._embed_resource(tree, path, result)
            case "unit" | "dropin" if tree.get("contents_local"):
                text = self._read((*path, "contents_local"), tree["contents_local"])
                if text is not None:
                    self._set_text(result, text, (*path, "contents_local"))
            case "user":
                self._embed_keys(tree, path, result)

    def _embed_resource(self, tree: Object, path: Path, result: Object) -> None:
        if "local" in tree:
            here = (*path, "local")
            content = self._read(here, tree["local"])
        elif "inline" in tree:
            here = (*path, "inline")
            content = tree["inline"].encode("utf-8", "surrogateescape")
        else:
            return
        if content is None:
            return
        if path[:2] == ("ignition", "config"):
            self._check_nested(content, here)
        packed_by_user = bool(tree.get("compression"))
        url, compression = dataurl.encode(content, compress=self._compresses and not packed_by_user)
        if not self._compresses:
            url = dataurl.percent_encode(content)
        result["source"] = url
        if self._compresses and not packed_by_user:
            result["compression"] = compression

    def _embed_keys(self, tree: Object, path: Path, result: Object) -> None:
        for index, name in enumerate(tree.get("ssh_authorized_keys_local", [])):
            here = (*path, "ssh_authorized_keys_local", index)
            content = self._read(here, name)
            if content is None:
                continue
            lines = content.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
            result.setdefault("sshAuthorizedKeys", []).extend(line for line in lines if line)

    def _check_nested(self, content: bytes, path: Path) -> None:
        """Check a config that is to be merged or to replace another: Ignition should accept it, too."""
        try:
            nested = IgnitionConfig.parse(content)
        except ConfigError as wrong:
            if "spec version" in wrong.message:
                self._report.warning(path, f"the embedded config is not checked: {wrong.message}")
            else:
                self._report.error(path, f"the embedded config is wrong: {wrong.message}")
            return
        for finding in nested.validate():
            self._report.add(finding, path)

    def _read(self, path: Path, name: str) -> bytes | None:
        try:
            return self._files.read(name)
        except ValueError as wrong:
            self._report.error(path, str(wrong))
            return None

    def _set_text(self, result: Object, content: bytes, path: Path) -> None:
        try:
            result["contents"] = content.decode()
        except UnicodeDecodeError:
            self._report.error(path, "the file is not UTF-8 text")
