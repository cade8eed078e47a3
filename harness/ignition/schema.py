"""The schema of an Ignition config: its keys, the version that introduced each, and how lists merge.

One table drives parsing, merging and validation. Format: Ignition's configuration specifications 3.0 to 3.6.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Object = dict[str, Any]
"""A JSON object inside a config: known keys only, values checked against this table."""


class Scalar(StrEnum):
    STRING = "string"
    INTEGER = "integer"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True)
class Field:
    """A key of a config. `since` is the spec minor that introduced it.

    Lists merge by key unless `appends`; lists with the same `handle` share one key space.
    """

    kind: Scalar | Struct
    many: bool = False
    since: int = 0
    appends: bool = False
    handle: str | None = None


def _no_key(_: Object) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Struct:
    name: str
    fields: dict[str, Field] = field(repr=False)
    key: Callable[[Object], str] = _no_key


def _by(name: str) -> Callable[[Object], str]:
    return lambda entry: str(entry.get(name, ""))


def _partition_key(entry: Object) -> str:
    if entry.get("number", 0) != 0:
        return f"number:{entry['number']}"
    return f"label:{entry['label']}" if "label" in entry else ""


def _text(since: int = 0) -> Field:
    return Field(Scalar.STRING, since=since)


def _number(since: int = 0) -> Field:
    return Field(Scalar.INTEGER, since=since)


def _flag(since: int = 0) -> Field:
    return Field(Scalar.BOOLEAN, since=since)


def _one(kind: Struct, since: int = 0) -> Field:
    return Field(kind, since=since)


def _many(
    kind: Struct | Scalar, since: int = 0, *, appends: bool = False, handle: str | None = None
) -> Field:
    return Field(kind, many=True, since=since, appends=appends, handle=handle)


VERIFICATION = Struct("verification", {"hash": _text()})
HEADER = Struct("header", {"name": _text(), "value": _text()}, _by("name"))


def _resource(name: str, compression_since: int) -> Struct:
    fields = {
        "compression": _text(compression_since),
        "httpHeaders": _many(HEADER, 1),
        "source": _text(),
        "verification": _one(VERIFICATION),
    }
    return Struct(name, fields, _by("source"))


RESOURCE = _resource("resource", 0)
REFERENCE = _resource("reference", 1)
"""A resource, but in 3.0 a bare source and hash: merged configs and certificate authorities."""

OWNER = Struct("owner", {"id": _number(), "name": _text()})
_NODE = {"group": _one(OWNER), "overwrite": _flag(), "path": _text(), "user": _one(OWNER)}
DIRECTORY = Struct("directory", {**_NODE, "mode": _number()}, _by("path"))
FILE = Struct(
    "file",
    {**_NODE, "append": _many(RESOURCE, appends=True), "contents": _one(RESOURCE), "mode": _number()},
    _by("path"),
)
LINK = Struct("link", {**_NODE, "hard": _flag(), "target": _text()}, _by("path"))

PARTITION = Struct(
    "partition",
    {
        "guid": _text(),
        "label": _text(),
        "number": _number(),
        "resize": _flag(2),
        "shouldExist": _flag(),
        "sizeMiB": _number(),
        "startMiB": _number(),
        "typeGuid": _text(),
        "wipePartitionEntry": _flag(),
    },
    _partition_key,
)
DISK = Struct(
    "disk", {"device": _text(), "partitions": _many(PARTITION), "wipeTable": _flag()}, _by("device")
)
FILESYSTEM = Struct(
    "filesystem",
    {
        "device": _text(),
        "format": _text(),
        "label": _text(),
        "mountOptions": _many(Scalar.STRING, 1, appends=True),
        "options": _many(Scalar.STRING, appends=True),
        "path": _text(),
        "uuid": _text(),
        "wipeFilesystem": _flag(),
    },
    _by("device"),
)
RAID = Struct(
    "raid",
    {
        "devices": _many(Scalar.STRING),
        "level": _text(),
        "name": _text(),
        "options": _many(Scalar.STRING, appends=True),
        "spares": _number(),
    },
    _by("name"),
)

TANG = Struct("tang", {"advertisement": _text(4), "thumbprint": _text(), "url": _text()}, _by("url"))
CLEVIS_CUSTOM = Struct("clevis-custom", {"config": _text(), "needsNetwork": _flag(), "pin": _text()})
CLEVIS = Struct(
    "clevis",
    {"custom": _one(CLEVIS_CUSTOM), "tang": _many(TANG), "threshold": _number(), "tpm2": _flag()},
)
CEX = Struct("cex", {"enabled": _flag()})
LUKS = Struct(
    "luks",
    {
        "cex": _one(CEX, 5),
        "clevis": _one(CLEVIS),
        "device": _text(),
        "discard": _flag(4),
        "keyFile": _one(RESOURCE),
        "label": _text(),
        "name": _text(),
        "openOptions": _many(Scalar.STRING, 4),
        "options": _many(Scalar.STRING, appends=True),
        "uuid": _text(),
        "wipeVolume": _flag(),
    },
    _by("name"),
)
STORAGE = Struct(
    "storage",
    {
        "directories": _many(DIRECTORY, handle="node"),
        "disks": _many(DISK),
        "files": _many(FILE, handle="node"),
        "filesystems": _many(FILESYSTEM),
        "links": _many(LINK, handle="node"),
        "luks": _many(LUKS, 2),
        "raid": _many(RAID),
    },
)

GROUP = Struct(
    "group",
    {
        "gid": _number(),
        "name": _text(),
        "passwordHash": _text(),
        "shouldExist": _flag(2),
        "system": _flag(),
    },
    _by("name"),
)
USER = Struct(
    "user",
    {
        "gecos": _text(),
        "groups": _many(Scalar.STRING),
        "homeDir": _text(),
        "name": _text(),
        "noCreateHome": _flag(),
        "noLogInit": _flag(),
        "noUserGroup": _flag(),
        "passwordHash": _text(),
        "primaryGroup": _text(),
        "shell": _text(),
        "shouldExist": _flag(2),
        "sshAuthorizedKeys": _many(Scalar.STRING),
        "system": _flag(),
        "uid": _number(),
    },
    _by("name"),
)
PASSWD = Struct("passwd", {"groups": _many(GROUP), "users": _many(USER)})

DROPIN = Struct("dropin", {"contents": _text(), "name": _text()}, _by("name"))
UNIT = Struct(
    "unit",
    {
        "contents": _text(),
        "dropins": _many(DROPIN),
        "enabled": _flag(),
        "mask": _flag(),
        "name": _text(),
    },
    _by("name"),
)
SYSTEMD = Struct("systemd", {"units": _many(UNIT)})

KERNEL_ARGUMENTS = Struct(
    "kernel-arguments",
    {
        "shouldExist": _many(Scalar.STRING, handle="argument"),
        "shouldNotExist": _many(Scalar.STRING, handle="argument"),
    },
)

TLS = Struct("tls", {"certificateAuthorities": _many(REFERENCE)})
IGNITION_CONFIG = Struct("ignition-config", {"merge": _many(REFERENCE), "replace": _one(REFERENCE)})
PROXY = Struct("proxy", {"httpProxy": _text(), "httpsProxy": _text(), "noProxy": _many(Scalar.STRING)})
IGNITION = Struct(
    "ignition",
    {
        "config": _one(IGNITION_CONFIG),
        "proxy": _one(PROXY, 1),
        "security": _one(Struct("security", {"tls": _one(TLS)})),
        "timeouts": _one(Struct("timeouts", {"httpResponseHeaders": _number(), "httpTotal": _number()})),
        "version": _text(),
    },
)
CONFIG = Struct(
    "config",
    {
        "ignition": _one(IGNITION),
        "kernelArguments": _one(KERNEL_ARGUMENTS, 3),
        "passwd": _one(PASSWD),
        "storage": _one(STORAGE),
        "systemd": _one(SYSTEMD),
    },
)
