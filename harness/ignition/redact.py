"""Removal of secrets from a config before it is stored with results."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from harness.ignition import dataurl
from harness.ignition.schema import Object

PLACEHOLDER = "REDACTED"
_PUBLIC_HEADERS = frozenset({"accept", "accept-encoding", "content-type", "user-agent", "x-source"})
_SECRET_FILES = ("/etc/shadow", "/etc/gshadow", "/.docker/config.json", "/containers/auth.json")
_SECRET_FOLDERS = ("/etc/luks/", "/etc/cryptsetup-keys.d/")


def redact_tree(tree: Object) -> Object:
    """Return a copy in which every secret is replaced by the word REDACTED."""
    clean = copy.deepcopy(tree)
    passwd = clean.get("passwd", {})
    for account in (*passwd.get("users", []), *passwd.get("groups", [])):
        _blank(account, "passwordHash")
    storage = clean.get("storage", {})
    for file in storage.get("files", []):
        _redact_file(file)
    for luks in storage.get("luks", []):
        _blank_resource(luks.get("keyFile", {}))
        _blank(luks.get("clevis", {}).get("custom", {}), "config")
    for resource in _resources(clean):
        _redact_transport(resource)
    for proxy in ("httpProxy", "httpsProxy"):
        _strip_credentials(clean.get("ignition", {}).get("proxy", {}), proxy)
    return clean


def _redact_file(file: Object) -> None:
    parts = [file.get("contents", {}), *file.get("append", [])]
    path = str(file.get("path", ""))
    named_secret = path.startswith(_SECRET_FOLDERS) or path.endswith(_SECRET_FILES)
    for part in parts:
        if named_secret or _holds_private_key(part):
            _blank_resource(part)


def _holds_private_key(resource: Object) -> bool:
    source = str(resource.get("source", ""))
    if not source.startswith("data:"):
        return False
    try:
        content = dataurl.unpack(source, resource.get("compression"))
    except ValueError:
        return False
    return b"PRIVATE KEY-----" in content


def _blank_resource(resource: Object) -> None:
    if str(resource.get("source", "")).startswith("data:"):
        resource["source"] = f"data:,{PLACEHOLDER}"
        resource.pop("compression", None)
        resource.pop("verification", None)


def _redact_transport(resource: Object) -> None:
    for header in resource.get("httpHeaders", []):
        if str(header.get("name", "")).lower() not in _PUBLIC_HEADERS:
            _blank(header, "value")
    _strip_credentials(resource, "source")


def _strip_credentials(entry: Object, key: str) -> None:
    """Remove user and password from `https://user:password@host/`."""
    scheme, separator, rest = str(entry.get(key, "")).partition("://")
    authority, slash, path = rest.partition("/")
    if separator and "@" in authority and scheme != "data":
        entry[key] = f"{scheme}://{PLACEHOLDER}@{authority.rpartition('@')[2]}{slash}{path}"


def _blank(entry: Object, key: str) -> None:
    if entry.get(key):
        entry[key] = PLACEHOLDER


def _resources(value: Any) -> Iterator[Object]:
    if isinstance(value, dict):
        if "source" in value:
            yield value
        for child in value.values():
            yield from _resources(child)
    elif isinstance(value, list):
        for child in value:
            yield from _resources(child)
