"""Configs and what Ignition says of each: the table our validation and Ignition's own are held to."""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    name: str
    body: dict[str, Any]
    version: str = "3.3.0"
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    newer: bool = False
    """Ignition 2.14, as Debian 12 has it, does not say this yet."""

    @property
    def document(self) -> dict[str, Any]:
        head = {"version": self.version, **self.body.get("ignition", {})}
        return {**self.body, "ignition": head}


def _files(*files: dict[str, Any]) -> dict[str, Any]:
    return {"storage": {"files": list(files)}}


def _contents(**resource: Any) -> dict[str, Any]:
    return _files({"path": "/f", "contents": resource})


def _partitions(*partitions: dict[str, Any]) -> dict[str, Any]:
    return {"storage": {"disks": [{"device": "/dev/vda", "partitions": list(partitions)}]}}


def _filesystem(**entry: Any) -> dict[str, Any]:
    return {"storage": {"filesystems": [{"device": "/dev/vda1", **entry}]}}


def _luks(**entry: Any) -> dict[str, Any]:
    return {"storage": {"luks": [{"name": "data", "device": "/dev/vda1", **entry}]}}


def _raid(**entry: Any) -> dict[str, Any]:
    return {"storage": {"raid": [{"name": "md", "devices": ["/dev/vda", "/dev/vdb"], **entry}]}}


def _unit(**entry: Any) -> dict[str, Any]:
    return {"systemd": {"units": [{"name": "a.service", **entry}]}}


_HASH = "sha512-" + "0" * 128
_F0, _SOURCE = "$.storage.files.0", "$.storage.files.0.contents.source"
_P1, _FS, _UNIT = "$.storage.disks.0.partitions.1", "$.storage.filesystems.0", "$.systemd.units.0"
_PACKED = "data:;base64," + base64.b64encode(gzip.compress(b"x", mtime=0)).decode()

CASES = [
    Case("empty", {}),
    *(Case(f"version {minor}", {}, version=f"3.{minor}.0") for minor in range(7)),
    Case("file", _files({"path": "/f", "mode": 420, "overwrite": True, "contents": {"source": "data:,a"}})),
    Case("file without path", _files({"mode": 420}), errors=(f"{_F0}.path",)),
    Case("relative path", _files({"path": "f"}), errors=(f"{_F0}.path",)),
    Case("untidy path", _files({"path": "/a//f"}), errors=(f"{_F0}.path",)),
    Case("double slash path", _files({"path": "//f"}), errors=(f"{_F0}.path",)),
    Case("path going up", _files({"path": "/a/../f"}), errors=(f"{_F0}.path",)),
    Case("slash at the end", _files({"path": "/f/"}), errors=(f"{_F0}.path",)),
    Case("mode too high", _files({"path": "/f", "mode": 4096}), errors=(f"{_F0}.mode",)),
    Case("negative mode", _files({"path": "/f", "mode": -1}), errors=(f"{_F0}.mode",)),
    Case("setuid at 3.6", _files({"path": "/f", "mode": 0o4755}), version="3.6.0"),
    Case("overwrite nothing", _files({"path": "/f", "overwrite": True}), errors=(f"{_F0}.overwrite",)),
    Case("owner twice", _files({"path": "/f", "user": {"id": 0, "name": "root"}}), errors=(f"{_F0}.user",)),
    Case("same file twice", _files({"path": "/f"}, {"path": "/f"}), errors=("$.storage.files.1",)),
    Case(
        "file and directory",
        {"storage": {"files": [{"path": "/f"}], "directories": [{"path": "/f"}]}},
        errors=("$.storage.files.0",),
    ),
    Case("append", _files({"path": "/f", "append": [{"source": "data:,a"}, {"source": "data:,a"}]})),
    Case(
        "link",
        {"storage": {"links": [{"path": "/l", "target": "/f"}], "files": [{"path": "/f"}]}},
    ),
    Case(
        "link without target", {"storage": {"links": [{"path": "/l"}]}}, errors=("$.storage.links.0.target",)
    ),
    Case("link without target in 3.2", {"storage": {"links": [{"path": "/l"}]}}, version="3.2.0"),
    Case(
        "file behind a link",
        {"storage": {"links": [{"path": "/l", "target": "/x"}], "files": [{"path": "/l/f"}]}},
        errors=(f"{_F0}",),
    ),
    Case(
        "hard link to a directory",
        {
            "storage": {
                "links": [{"path": "/l", "target": "/d", "hard": True}],
                "directories": [{"path": "/d"}],
            }
        },
        errors=("$.storage.links.0",),
    ),
    Case(
        "owner of a hard link",
        newer=True,
        body={"storage": {"links": [{"path": "/l", "target": "/f", "hard": True, "user": {"id": 1}}]}},
        warnings=("$.storage.links.0.user.id",),
    ),
    Case("http", _contents(source="http://example.com/a%20b?x=%zz")),
    Case("tftp", _contents(source="tftp://10.0.2.2/f")),
    Case("ipv6", _contents(source="http://[fe80::1]:80/")),
    Case("no scheme", _contents(source="/f"), errors=(_SOURCE,)),
    Case("ftp", _contents(source="ftp://h/f"), errors=(_SOURCE,)),
    Case("upper case scheme", _contents(source="HTTP://h/f")),
    Case("bad port", _contents(source="http://h:x/"), errors=(_SOURCE,)),
    Case("bad escape", _contents(source="http://h/%zz"), errors=(_SOURCE,)),
    Case("blank in the host", _contents(source="http://a b/"), errors=(_SOURCE,)),
    Case("blank in the path", _contents(source="http://a/b c")),
    Case("colon first", _contents(source=":x"), errors=(_SOURCE,)),
    Case("newline in URL", _contents(source="http://h/\n"), errors=(_SOURCE,)),
    Case("s3", _contents(source="s3://bucket/key?versionId=aVersion")),
    Case("s3 empty version", _contents(source="s3://bucket/key?versionId="), errors=(_SOURCE,)),
    Case("gs", _contents(source="gs://bucket/key")),
    Case("gs in 3.1", _contents(source="gs://bucket/key"), version="3.1.0", errors=(_SOURCE,)),
    Case("arn in 3.3", _contents(source="arn:aws:s3:::b/k"), errors=(_SOURCE,)),
    Case("arn in 3.4", _contents(source="arn:aws:s3:::b/k"), version="3.4.0"),
    Case("arn of ec2", _contents(source="arn:aws:ec2:::b/k"), version="3.4.0", errors=(_SOURCE,)),
    Case("data", _contents(source="data:text/plain;charset=utf-8;base64,YQ==")),
    Case("data with quotes", _contents(source='data:text/plain;a="b\\"c",x')),
    Case("data empty", _contents(source="data:,")),
    Case("data without comma", _contents(source="data:abc"), errors=(_SOURCE,)),
    Case("data bad base64", _contents(source="data:;base64,YQ"), errors=(_SOURCE,)),
    Case("data bad escape", _contents(source="data:,%zz"), errors=(_SOURCE,)),
    Case("data bad character", _contents(source="data:,a b"), errors=(_SOURCE,)),
    Case("data fragment", _contents(source="data:,a#b"), errors=(_SOURCE,)),
    Case("data media type", _contents(source="data:foo/bar,a"), errors=(_SOURCE,)),
    Case("data x- media type", _contents(source="data:x-foo/bar,a")),
    Case("data upper case base64", _contents(source="data:;BASE64,YQ=="), errors=(_SOURCE,)),
    Case("gzip", _contents(source=_PACKED, compression="gzip")),
    Case("xz", _contents(source="data:,a", compression="xz"), errors=(f"{_F0}.contents.compression",)),
    Case("hash", _contents(source="data:,a", verification={"hash": _HASH})),
    Case("hash sha256", _contents(source="data:,a", verification={"hash": "sha256-" + "0" * 64})),
    Case(
        "hash sha256 in 3.0",
        _contents(source="data:,a", verification={"hash": "sha256-" + "0" * 64}),
        version="3.0.0",
        errors=(f"{_F0}.contents.verification.hash",),
    ),
    *(
        Case(f"hash {text}", _contents(source="data:,a", verification={"hash": text}), errors=(path,))
        for path in (f"{_F0}.contents.verification.hash",)
        for text in ("x", "md5-00", "sha512-00", "")
    ),
    Case(
        "hash of nothing",
        _contents(verification={"hash": _HASH}),
        errors=(f"{_F0}.contents.verification.hash",),
    ),
    Case("header", _contents(source="http://h/", httpHeaders=[{"name": "A", "value": "b"}])),
    Case(
        "header on data",
        _contents(source="data:,", httpHeaders=[{"name": "A", "value": "b"}]),
        errors=(f"{_F0}.contents.httpHeaders",),
    ),
    Case(
        "header without name",
        _contents(source="http://h/", httpHeaders=[{"value": "b"}]),
        errors=(f"{_F0}.contents.httpHeaders.0.name",),
    ),
    Case(
        "header with empty value",
        _contents(source="http://h/", httpHeaders=[{"name": "A", "value": ""}]),
        errors=(f"{_F0}.contents.httpHeaders.0.value",),
    ),
    Case(
        "header twice",
        _contents(source="http://h/", httpHeaders=[{"name": "A", "value": "b"}, {"name": "A", "value": "c"}]),
        errors=(f"{_F0}.contents.httpHeaders.1",),
    ),
    Case("merge", {"ignition": {"config": {"merge": [{"source": "http://h/"}]}}}),
    Case(
        "merge nothing",
        {"ignition": {"config": {"merge": [{}]}}},
        errors=("$.ignition.config.merge.0",),
    ),
    Case("merge nothing in 3.0", {"ignition": {"config": {"merge": [{}]}}}, version="3.0.0"),
    Case(
        "authority without source",
        {"ignition": {"security": {"tls": {"certificateAuthorities": [{}]}}}},
        errors=("$.ignition.security.tls.certificateAuthorities.0",),
    ),
    Case("proxy", {"ignition": {"proxy": {"httpProxy": "http://p", "httpsProxy": "https://p"}}}),
    Case(
        "insecure proxy",
        {"ignition": {"proxy": {"httpsProxy": "http://p"}}},
        warnings=("$.ignition.proxy.httpsProxy",),
    ),
    Case(
        "odd proxy", {"ignition": {"proxy": {"httpProxy": "ftp://p"}}}, errors=("$.ignition.proxy.httpProxy",)
    ),
    Case("partition", _partitions({"number": 1, "label": "a", "sizeMiB": 1, "startMiB": 1}, {"label": "b"})),
    Case("partition nameless", _partitions({"number": 1}, {"sizeMiB": 1}), errors=(_P1,)),
    Case("partition number twice", _partitions({"number": 1}, {"number": 1}), errors=(_P1, _P1)),
    Case("partition label twice", _partitions({"label": "a"}, {"label": "a"}), errors=(_P1, _P1)),
    Case(
        "partition overlap",
        _partitions({"number": 1, "startMiB": 1, "sizeMiB": 9}, {"number": 2, "startMiB": 9, "sizeMiB": 9}),
        errors=(_P1,),
    ),
    Case(
        "partition no overlap",
        _partitions({"number": 1, "startMiB": 1, "sizeMiB": 8}, {"number": 2, "startMiB": 9, "sizeMiB": 0}),
    ),
    Case("partition long label", _partitions({"number": 1}, {"label": "a" * 37}), errors=(f"{_P1}.label",)),
    Case("partition colon", _partitions({"number": 1}, {"label": "a:b"}), errors=(f"{_P1}.label",)),
    Case("partition guid", _partitions({"number": 1}, {"number": 2, "guid": "1"}), errors=(f"{_P1}.guid",)),
    Case(
        "partition removed",
        _partitions({"number": 1, "shouldExist": False}, {"number": 2, "shouldExist": False, "label": "a"}),
        errors=(_P1,),
    ),
    Case("disk without device", {"storage": {"disks": [{}]}}, errors=("$.storage.disks.0.device",)),
    Case("filesystem", _filesystem(format="ext4", label="a" * 16, path="/var", mountOptions=["ro"])),
    Case("filesystem without format", _filesystem(path="/var"), errors=(f"{_FS}.format",)),
    Case("filesystem bare", _filesystem()),
    Case("filesystem format", _filesystem(format="zfs"), errors=(f"{_FS}.format",)),
    Case("filesystem none", _filesystem(format="none")),
    Case("filesystem none in 3.2", _filesystem(format="none"), version="3.2.0", errors=(f"{_FS}.format",)),
    Case("filesystem label", _filesystem(format="xfs", label="a" * 13), errors=(f"{_FS}.label",)),
    Case("filesystem path", _filesystem(format="xfs", path="var"), errors=(f"{_FS}.path",)),
    Case(
        "filesystem on a partitioned disk",
        newer=True,
        body={
            "storage": {
                "disks": [{"device": "/dev/vda", "partitions": [{"number": 1}]}],
                "filesystems": [{"device": "/dev/vda", "format": "xfs"}],
            }
        },
        warnings=(f"{_FS}.device",),
    ),
    Case(
        "filesystem wiped with its disk",
        newer=True,
        body={
            "storage": {
                "disks": [{"device": "/dev/vda", "wipeTable": True}],
                "filesystems": [{"device": "/dev/vda", "format": "xfs"}],
            }
        },
        warnings=(f"{_FS}.device",),
    ),
    *(Case(f"raid {level}", _raid(level=level)) for level in ("0", "raid1", "mirror", "raid10", "linear")),
    Case("raid without level", _raid(), errors=("$.storage.raid.0.level",)),
    Case("raid odd level", _raid(level="raid7"), errors=("$.storage.raid.0.level",)),
    Case("raid spares", _raid(level="stripe", spares=1), errors=("$.storage.raid.0.level",)),
    Case(
        "raid without devices",
        {"storage": {"raid": [{"name": "md", "level": "1"}]}},
        errors=("$.storage.raid.0.devices",),
    ),
    Case("luks", _luks(clevis={"tpm2": True}, label="a" * 47)),
    Case("luks label", _luks(label="a" * 48), errors=("$.storage.luks.0.label",)),
    Case("luks name", _luks(name="a/b"), errors=("$.storage.luks.0.name",)),
    Case("luks without device", {"storage": {"luks": [{"name": "a"}]}}, errors=("$.storage.luks.0.device",)),
    Case(
        "luks custom and tpm2",
        _luks(clevis={"tpm2": True, "custom": {"pin": "tang", "config": "{}"}}),
        errors=("$.storage.luks.0.clevis",),
    ),
    Case(
        "luks odd pin",
        _luks(clevis={"custom": {"pin": "pkcs11", "config": "{}"}}),
        errors=("$.storage.luks.0.clevis.custom.pin",),
    ),
    Case("luks odd pin in 3.6", _luks(clevis={"custom": {"pin": "pkcs11", "config": "{}"}}), version="3.6.0"),
    Case(
        "luks custom without config",
        _luks(clevis={"custom": {"pin": "tang"}}),
        errors=("$.storage.luks.0.clevis.custom.config",),
    ),
    Case(
        "luks tang without thumbprint",
        _luks(clevis={"tang": [{"url": "http://t"}]}),
        errors=("$.storage.luks.0.clevis.tang.0.thumbprint",),
    ),
    Case(
        "luks tang url",
        _luks(clevis={"tang": [{"url": "t", "thumbprint": "x"}]}),
        errors=("$.storage.luks.0.clevis.tang.0.url",),
    ),
    Case(
        "luks cex and key",
        _luks(cex={"enabled": True}, keyFile={"source": "data:,k"}),
        version="3.5.0",
        errors=("$.storage.luks.0.cex",),
    ),
    Case("unit", _unit(enabled=True, contents="[Unit]\nA=b\n[Install]\nWantedBy=x.target\n")),
    Case(
        "unit without install", _unit(enabled=True, contents="[Unit]\nA=b\n"), warnings=(f"{_UNIT}.contents",)
    ),
    Case("unit enabled bare", _unit(enabled=True)),
    Case("unit continuation", _unit(contents="[Service]\nExecStart=a \\\n  b\n# c \\\nd\nE=f")),
    Case("unit junk first", _unit(contents="junk\n[Unit]\nA=b\n")),
    Case("unit open section", _unit(contents="[Unit"), errors=(f"{_UNIT}.contents",)),
    Case("unit garbage after section", _unit(contents="[Unit] x\n"), errors=(f"{_UNIT}.contents",)),
    Case("unit line without value", _unit(contents="[Unit]\nfoo\n"), errors=(f"{_UNIT}.contents",)),
    Case("unit name", _unit(name="a"), errors=(f"{_UNIT}.name",)),
    Case("unit long line", _unit(contents="[Unit]\nA=" + "b" * 5000), errors=(f"{_UNIT}.contents",)),
    Case("dropin", _unit(dropins=[{"name": "a.conf", "contents": "[Unit]\nA=b"}])),
    Case("dropin name", _unit(dropins=[{"name": "a", "contents": ""}]), errors=(f"{_UNIT}.dropins.0.name",)),
    Case(
        "dropin contents",
        _unit(dropins=[{"name": "a.conf", "contents": "[x"}]),
        errors=(f"{_UNIT}.dropins.0.contents",),
    ),
    Case(
        "unit twice",
        {"systemd": {"units": [{"name": "a.service"}, {"name": "a.service"}]}},
        errors=("$.systemd.units.1",),
    ),
    Case(
        "unit and file",
        newer=True,
        body={
            **_unit(contents="[Unit]\nA=b\n"),
            **_files({"path": "/etc/systemd/system/a.service"}),
        },
        errors=(f"{_F0}.path",),
    ),
    Case("users", {"passwd": {"users": [{"name": "nest", "groups": ["wheel"], "uid": 1000}]}}),
    Case(
        "key twice",
        {"passwd": {"users": [{"name": "nest", "sshAuthorizedKeys": ["k", "k"]}]}},
        errors=("$.passwd.users.0.sshAuthorizedKeys.1",),
    ),
    Case(
        "kernel argument both ways",
        {"kernelArguments": {"shouldExist": ["a"], "shouldNotExist": ["a"]}},
        errors=("$.kernelArguments.shouldNotExist.0",),
    ),
    Case(
        "kernel arguments in 3.2",
        {"kernelArguments": {"shouldExist": ["a"]}},
        version="3.2.0",
        warnings=("$.kernelArguments",),
    ),
    Case("unknown key", {"foo": 1}, warnings=("$.foo",)),
    Case("null is absent", {"storage": {"files": None}}),
]
