"""Metadata of an external test: `# kola: {…}`, a `## kola:` block, and the directory's `kola.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from harness.util.quote import quote
from harness.util.userfile import read_user_text
from kola.cases.dates import grace_end
from kola.cases.document import (
    Field,
    Reader,
    boolean,
    day,
    integer,
    integers,
    json_fields,
    string,
    strings,
    validate,
)
from kola.cases.external.inline import inline_fields
from kola.cases.model import ARCHITECTURES, PLATFORMS, Selector, TestInfo


@dataclass(frozen=True)
class Metadata:
    """The keys of kola's metadata table, under our names; memory in MiB, disks in GiB.

    Two keys are ours. With `skip_on_77` (`skipOn77`), exit status 77 is a skip, and its reason is the last
    line of output. `tokens` (`exclusiveTokens`) are names that no two running tests have at once.
    """

    architectures: Selector = field(default_factory=Selector)
    platforms: Selector = field(default_factory=Selector)
    distros: Selector = field(default_factory=Selector)
    tags: tuple[str, ...] = ()
    required_tag: str | None = None
    description: str = ""
    exclusive: bool = True
    conflicts: tuple[str, ...] = ()
    timeout_minutes: int | None = None
    additional_disks: tuple[str, ...] = ()
    primary_disk: str | None = None
    min_memory_mib: int | None = None
    min_disk_gib: int | None = None
    numa_nodes: bool = False
    additional_nics: int = 0
    append_kernel_args: str = ""
    append_firstboot_kernel_args: str = ""
    allow_config_warnings: bool = False
    inject_container: bool = False
    bind_mount_host_ro: tuple[tuple[str, str], ...] = ()
    boot_from: str = ""
    required_host_ports: tuple[int, ...] = ()
    no_instance_creds: bool = False
    instance_type: str | None = None
    creation_date: date | None = None
    skip_on_77: bool = False
    tokens: tuple[str, ...] = ()

    @property
    def machine_options(self) -> tuple[str, ...]:
        """The keys, as users write them, that request a machine of its own kind."""
        wanted = {
            "additionalDisks": self.additional_disks,
            "primaryDisk": self.primary_disk,
            "minMemory": self.min_memory_mib,
            "minDisk": self.min_disk_gib,
            "numaNodes": self.numa_nodes,
            "additionalNics": self.additional_nics,
            "appendKernelArgs": self.append_kernel_args,
            "appendFirstbootKernelArgs": self.append_firstboot_kernel_args,
            "injectContainer": self.inject_container,
            "bindMountHostRO": self.bind_mount_host_ro,
            "bootFrom": self.boot_from,
            "instanceType": self.instance_type,
        }
        return tuple(key for key, value in wanted.items() if value)

    def info(self, name: str, source: Path) -> TestInfo:
        """Return the test as selection sees it. Every external test is tagged `external`."""
        return TestInfo(
            name=name,
            description=self.description,
            tags=frozenset({"external", *self.tags}),
            required_tag=self.required_tag,
            platforms=self.platforms,
            architectures=self.architectures,
            distros=self.distros,
            exclusive=self.exclusive,
            conflicts=self.conflicts,
            tokens=self.tokens,
            host_ports=self.required_host_ports,
            minutes=self.timeout_minutes,
            grace_until=grace_end(self.creation_date).isoformat() if self.creation_date else None,
            source=source,
        )


def read_metadata(executable: Path, base: Mapping[str, object]) -> Metadata:
    """Return the test's metadata: its inline keys override those of `base`, the directory's `kola.json`.

    Raises ConfigError, with file and line, for any error in them.
    """
    own = validate(inline_fields(executable), _READERS, file=executable)
    values: dict[str, Any] = {_NAMES[key]: value for key, value in {**base, **own}.items()}
    return Metadata(**values)


def read_base(file: Path) -> dict[str, object]:
    """Return the keys of a `kola.json`, checked."""
    return validate(json_fields(read_user_text(file), file=file), _READERS, file=file)


def _selector(value: Field) -> Selector:
    return Selector.parse(string(value))


def _platforms(value: Field) -> Selector:
    return Selector.parse(string(value), known=PLATFORMS)


def _architectures(value: Field) -> Selector:
    return Selector.parse(string(value), known=ARCHITECTURES)


def _words(value: Field) -> tuple[str, ...]:
    return tuple(string(value).split())


def _tag(value: Field) -> str | None:
    return string(value).strip() or None


def _minutes(value: Field) -> int | None:
    return integer(value) or None


def _boot_from(value: Field) -> str:
    if value.value not in ("", "iso", "iso-as-disk"):
        raise ValueError(f'expected "iso" or "iso-as-disk", not {quote(value.value)}')
    return string(value)


def _ports(value: Field) -> tuple[int, ...]:
    ports = integers(value)
    for port in ports:
        if not 0 < port < 65536:
            raise ValueError(f"{port} is no port")
    return ports


def _binds(value: Field) -> tuple[tuple[str, str], ...]:
    binds = []
    for bind in strings(value):
        source, comma, target = bind.partition(",")
        if not (source and comma and target) or "," in target:
            raise ValueError(f'expected "SOURCE,TARGET", not {quote(bind)}')
        binds.append((source, target))
    return tuple(binds)


_SCHEMA: dict[str, tuple[str, Reader]] = {
    "architectures": ("architectures", _architectures),
    "platforms": ("platforms", _platforms),
    "distros": ("distros", _selector),
    "tags": ("tags", _words),
    "requiredTag": ("required_tag", _tag),
    "description": ("description", string),
    "exclusive": ("exclusive", boolean),
    "conflicts": ("conflicts", strings),
    "timeoutMin": ("timeout_minutes", _minutes),
    "additionalDisks": ("additional_disks", strings),
    "primaryDisk": ("primary_disk", string),
    "minMemory": ("min_memory_mib", integer),
    "minDisk": ("min_disk_gib", integer),
    "numaNodes": ("numa_nodes", boolean),
    "additionalNics": ("additional_nics", integer),
    "appendKernelArgs": ("append_kernel_args", string),
    "appendFirstbootKernelArgs": ("append_firstboot_kernel_args", string),
    "allowConfigWarnings": ("allow_config_warnings", boolean),
    "injectContainer": ("inject_container", boolean),
    "bindMountHostRO": ("bind_mount_host_ro", _binds),
    "bootFrom": ("boot_from", _boot_from),
    "requiredHostPorts": ("required_host_ports", _ports),
    "noInstanceCreds": ("no_instance_creds", boolean),
    "instanceType": ("instance_type", _tag),
    "creationDate": ("creation_date", day),
    "skipOn77": ("skip_on_77", boolean),
    "exclusiveTokens": ("tokens", strings),
}
_READERS = {key: reader for key, (_, reader) in _SCHEMA.items()}
_NAMES = {key: name for key, (name, _) in _SCHEMA.items()}
