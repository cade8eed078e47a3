"""Every file format that kola reads, from 50 hostile files in each batch."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from harness.artifact import Artifact, BuildRoot
from harness.butane import load_butane, load_ignition
from hostile.grammar import json_bytes, scratched, text, value, yaml_bytes
from hostile.judge import fault_of
from kola.cases.external import discover, find_roots
from kola.cases.marker import KEYWORDS, info_from_marker
from kola.cases.model import TestInfo
from kola.cli.check_console import check
from kola.facts.approvals import load_approvals
from kola.report.rerun import failed_names
from kola.select import Selection, select
from kola.select.manifest import read_variables

FILES = 50
TESTS = [TestInfo("ext.config.a"), TestInfo("podman.workflow")]

DENYLIST = [
    {"pattern": "ext.*", "tracker": "https://example.org/1", "arches": ["x86_64"], "snooze": "2026-01-01"},
    {
        "pattern": "podman.*",
        "streams": ["stable"],
        "platforms": ["qemu"],
        "osversion": ["24.03"],
        "warn": True,
    },
]
METADATA = {
    "architectures": "! s390x ppc64le",
    "platforms": "qemu aws",
    "distros": "!rhcos",
    "tags": "a b",
    "requiredTag": "c",
    "description": "one",
    "exclusive": False,
    "conflicts": ["ext.x"],
    "timeoutMin": 15,
    "additionalDisks": ["5G:mpath", "1G"],
    "primaryDisk": ":mpath",
    "minMemory": 2048,
    "minDisk": 20,
    "additionalNics": 2,
    "bindMountHostRO": ["/usr,/mnt/usr"],
    "bootFrom": "iso",
    "requiredHostPorts": [2049],
    "creationDate": "2026-03-01",
    "exclusiveTokens": ["t"],
}
_FILE = {
    "path": "/etc/a",
    "mode": 420,
    "overwrite": True,
    "user": {"name": "core"},
    "contents": {"source": "data:,a", "compression": "gzip", "verification": {"hash": "sha512-00"}},
}
IGNITION = {
    "ignition": {
        "version": "3.4.0",
        "config": {"merge": [{"source": "https://example.org/a.ign"}]},
        "security": {"tls": {"certificateAuthorities": [{"source": "data:,x"}]}},
        "proxy": {"httpProxy": "http://proxy", "noProxy": ["a"]},
        "timeouts": {"httpTotal": 5},
    },
    "kernelArguments": {"shouldExist": ["quiet"], "shouldNotExist": ["debug"]},
    "passwd": {"users": [{"name": "core", "uid": 1, "sshAuthorizedKeys": ["ssh-ed25519 AAAA"]}]},
    "storage": {
        "files": [_FILE],
        "directories": [{"path": "/var/d", "mode": 493}],
        "links": [{"path": "/etc/l", "target": "/etc/a", "hard": False}],
        "disks": [{"device": "/dev/vda", "partitions": [{"number": 1, "label": "root", "sizeMiB": 10}]}],
        "filesystems": [{"device": "/dev/vda1", "format": "xfs", "path": "/var/x", "mountOptions": ["ro"]}],
        "raid": [{"name": "r", "level": "raid1", "devices": ["/dev/a", "/dev/b"]}],
        "luks": [{"name": "l", "device": "/dev/c", "clevis": {"tpm2": True, "threshold": 1}}],
    },
    "systemd": {"units": [{"name": "a.service", "enabled": True, "contents": "[Unit]\nA=b\n"}]},
}
BUTANE = {
    "variant": "fcos",
    "version": "1.5.0",
    "kernel_arguments": {"should_exist": ["quiet"]},
    "passwd": {"users": [{"name": "core", "ssh_authorized_keys": ["k"], "ssh_authorized_keys_local": ["k"]}]},
    "storage": {
        "files": [
            {"path": "/etc/a", "mode": 420, "contents": {"inline": "x"}},
            {"path": "/b", "contents": {"local": "b"}},
        ],
        "trees": [{"local": "tree", "path": "/etc/t"}],
        "filesystems": [{"device": "/dev/vda1", "format": "xfs", "path": "/var/x", "with_mount_unit": True}],
        "disks": [{"device": "/dev/vda", "wipe_table": True, "partitions": [{"number": 1, "size_mib": 5}]}],
        "luks": [
            {"name": "l", "device": "/dev/c", "clevis": {"tang": [{"url": "http://t", "thumbprint": "x"}]}}
        ],
    },
    "systemd": {"units": [{"name": "a.service", "contents": "[Unit]", "dropins": [{"name": "b.conf"}]}]},
    "boot_device": {"layout": "x86_64", "mirror": {"devices": ["/dev/a", "/dev/b"]}, "luks": {"tpm2": True}},
    "grub": {"users": [{"name": "root", "password_hash": "grub.pbkdf2"}]},
}
META = {
    "buildid": "1",
    "name": "nestos",
    "coreos-assembler.basearch": "x86_64",
    "ostree-commit": "0" * 64,
    "images": {"qemu": {"path": "disk.qcow2", "sha256": "0" * 64, "size": 4, "uncompressed-size": 4}},
}
INDEX = {"schema-version": "1.0.0", "builds": [{"id": "1", "arches": ["x86_64"]}, {"id": "0", "arches": []}]}
MANIFEST = {"variables": {"stream": "stable", "osversion": "24.03"}, "packages": ["a"], "include": ["b.yaml"]}
VARIANT = {"coreos-assembler.config-variant": "rt"}
REPORT = {"result": "FAIL", "tests": [{"name": "a", "result": "FAIL", "subtests": ["b"], "duration": 1}]}

Reads = Callable[[Random, Path], Callable[[], object]]
FORMATS: dict[str, Reads] = {}


def hostile(name: str) -> Callable[[Reads], Reads]:
    """Register a format: a function that writes a file into a directory and returns how to read it."""

    def register(reads: Reads) -> Reads:
        FORMATS[name] = reads
        return reads

    return register


@pytest.mark.parametrize(
    "name",
    [
        "denylist",
        "test-yaml",
        "test-json",
        "kola.json",
        "butane",
        "ignition",
        "meta.json",
        "builds.json",
        "commitmeta.json",
        "manifest.yaml",
        "kola-facts.yaml",
        "config.json",
        "disk",
        "compressed",
        "marker",
        "pattern",
        "console",
        "report.json",
    ],
)
def test_hostile_files_are_taken_or_refused_in_a_sentence(name: str, seed: int, tmp_path: Path) -> None:
    random = Random(f"{name} {seed}")
    faults = []
    for number in range(FILES):
        directory = tmp_path / str(number)
        directory.mkdir()
        fault = fault_of(FORMATS[name](random, directory))
        if fault:
            faults.append(f"{directory}: {fault}")
    assert not faults, "\n".join(faults[:3])


def test_every_format_is_tried() -> None:
    (mark,) = test_hostile_files_are_taken_or_refused_in_a_sentence.pytestmark
    assert set(mark.args[1]) == set(FORMATS)


@hostile("denylist")
def _denylist(random: Random, directory: Path) -> Callable[[], object]:
    file = directory / "kola-denylist.yaml"
    file.write_bytes(yaml_bytes(random, DENYLIST, ["pattern", "warn", "<<"]))
    return lambda: select(TESTS, Selection(denylist=file, denylist_tests=(text(random),)))


@hostile("test-yaml")
def _test_yaml(random: Random, directory: Path) -> Callable[[], object]:
    block = yaml_bytes(random, METADATA, ["<<", "tags"])
    lines = b"".join(b"## " + line + b"\n" for line in block.split(b"\n"))
    return _external(directory, scratched(random, b"#!/bin/sh\n## kola:\n" + lines + b"true\n"))


@hostile("test-json")
def _test_json(random: Random, directory: Path) -> Callable[[], object]:
    written = json_bytes(random, METADATA, ["tags"]).replace(b"\n", b" ")
    return _external(directory, b"#!/bin/sh\n# kola: " + written + b"\ntrue\n")


@hostile("kola.json")
def _base(random: Random, directory: Path) -> Callable[[], object]:
    found = _external(directory, b"#!/bin/sh\ntrue\n")
    (directory / "p/tests/kola/kola.json").write_bytes(json_bytes(random, METADATA, ["tags"]))
    return found


def _external(directory: Path, script: bytes) -> Callable[[], object]:
    """Discovery never refuses: each error is a broken test, whose message is judged like any other."""
    test = directory / "p/tests/kola/t"
    test.parent.mkdir(parents=True)
    test.write_bytes(script)
    test.chmod(0o755)

    def read() -> None:
        for broken in discover(find_roots([directory / "p"], installed=directory / "none")).broken:
            raise broken.error

    return read


@hostile("butane")
def _butane(random: Random, directory: Path) -> Callable[[], object]:
    (directory / "b").write_bytes(random.choice((b"x", b"\xff", b"")))
    (directory / "tree").mkdir()
    (directory / "tree/f").write_bytes(b"x")
    file = directory / "a.bu"
    file.write_bytes(yaml_bytes(random, BUTANE, ["<<", "files", "local", "inline"]))
    return lambda: load_butane(file).config.to_bytes()


@hostile("ignition")
def _ignition(random: Random, directory: Path) -> Callable[[], object]:
    file = directory / "a.ign"
    file.write_bytes(json_bytes(random, IGNITION, ["files", "source", "mode"]))

    def read() -> None:
        config = load_ignition(file).config
        merged = config.merge(config.lifted("3.6.0"))
        merged.redact().to_json(pretty=True)
        merged.to_bytes()

    return read


@hostile("meta.json")
def _meta(random: Random, directory: Path) -> Callable[[], object]:
    return _build(directory, meta=json_bytes(random, META, ["images", "path"]))


@hostile("builds.json")
def _index(random: Random, directory: Path) -> Callable[[], object]:
    wanted = random.choice(("latest", "-1", "-9", "1", text(random).replace("\0", "")))
    return _build(directory, index=json_bytes(random, INDEX, ["builds", "id"]), wanted=wanted)


@hostile("commitmeta.json")
def _commit(random: Random, directory: Path) -> Callable[[], object]:
    return _build(directory, commit=json_bytes(random, {"fedora-coreos.stream": "stable"}))


def _build(
    directory: Path, *, meta: bytes = b"", index: bytes = b"", commit: bytes = b"{}", wanted: str = "latest"
) -> Callable[[], object]:
    build = directory / "builds/1/x86_64"
    build.mkdir(parents=True)
    (build / "meta.json").write_bytes(meta or json.dumps(META).encode())
    (build / "commitmeta.json").write_bytes(commit)
    (build / "disk.qcow2").write_bytes(b"QFI\xfb")
    (directory / "builds/builds.json").write_bytes(index or json.dumps(INDEX).encode())

    def read() -> None:
        root = BuildRoot(directory)
        found = root.find(wanted, "x86_64")
        found.artifact("qemu").identity()
        root.before(found, "-1")

    return read


@hostile("manifest.yaml")
def _manifest(random: Random, directory: Path) -> Callable[[], object]:
    (directory / "src/config").mkdir(parents=True)
    (directory / "src/config/manifest.yaml").write_bytes(yaml_bytes(random, MANIFEST, ["<<", "variables"]))
    return lambda: read_variables(directory)


@hostile("kola-facts.yaml")
def _facts(random: Random, directory: Path) -> Callable[[], object]:
    file = directory / "kola-facts.yaml"
    approved = [{"category": "units", "item": "a*", "reason": "new", "approved": "2026-01-01"}]
    file.write_bytes(yaml_bytes(random, approved, ["item", "<<"]))
    return lambda: load_approvals(file)


@hostile("config.json")
def _config(random: Random, directory: Path) -> Callable[[], object]:
    (directory / "src").mkdir()
    (directory / "src/config.json").write_bytes(json_bytes(random, VARIANT))
    return lambda: read_variables(directory)


@hostile("disk")
def _disk(random: Random, directory: Path) -> Callable[[], object]:
    """A qcow2 header (QEMU's docs/interop/qcow2.rst) with wild fields, cut or scratched."""
    numbers = [
        random.choice((0, 1, 2, 3, 16, 512, 65536, 2**31, 2**32 - 1, random.randrange(2**32)))
        for _ in range(26)
    ]
    header = b"QFI\xfb" + struct.pack(">26I", random.choice((2, 3, numbers[0])), *numbers[1:])
    file = directory / random.choice(("disk.qcow2", "disk.img", "disk.raw", "disk"))
    file.write_bytes(scratched(random, header + bytes(random.choice((0, 500, 70_000, 1 << 20)))))
    return lambda: Artifact.from_file(file).ready(directory / "cache")


@hostile("compressed")
def _compressed(random: Random, directory: Path) -> Callable[[], object]:
    file = directory / f"disk.qcow2{random.choice(('.gz', '.xz', '.zst'))}"
    file.write_bytes(
        scratched(random, gzip.compress(b"QFI\xfb\0\0\0\3" + bytes(random.choice((0, 100_000)))))
    )
    return lambda: Artifact.from_file(file).ready(directory / "cache")


@hostile("marker")
def _marker(random: Random, directory: Path) -> Callable[[], object]:
    words = {random.choice((*KEYWORDS, text(random))): value(random) for _ in range(random.randint(1, 5))}
    return lambda: info_from_marker(words, suite="s", module="m", function="f", path=directory, line=1)


@hostile("pattern")
def _pattern(random: Random, _: Path) -> Callable[[], object]:
    pattern = "".join(
        random.choice(("*", "?", "a", "[a-z]", "[", "]", "\\", "/", "^", "文", "-")) for _ in range(60)
    )
    names = [TestInfo("a" * 200), TestInfo("a/" * 60)]
    return lambda: select(names, Selection(patterns=(pattern[: random.randint(1, 60)],)))


@hostile("console")
def _console(random: Random, directory: Path) -> Callable[[], object]:
    file = directory / "console.txt"
    lines = (b"[    3.1] Kernel panic - not syncing: x", b"Call Trace:", b"\x1b[0m", b"x" * 100_000, b"BUG: ")
    file.write_bytes(scratched(random, b"\n".join(random.choice(lines) for _ in range(20))))

    def read() -> None:
        with file.open("rb") as stream:
            check(stream, name="console.txt")

    return read


@hostile("report.json")
def _report(random: Random, directory: Path) -> Callable[[], object]:
    file = directory / "report.json"
    file.write_bytes(json_bytes(random, REPORT, ["tests", "name"]))
    return lambda: failed_names(file)
