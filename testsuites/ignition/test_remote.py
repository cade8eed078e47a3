"""Contents and configs that Ignition fetches over the network."""

from __future__ import annotations

import gzip
import hashlib
from typing import Any

import pytest

from harness.ignition import IgnitionConfig
from harness.services import Services
from testsuites.ignition.refusals import NewMachine, reason

pytestmark = pytest.mark.kola(tags=["ignition", "remote"])

PROGRAM = b"#!/bin/sh\necho fetched, unpacked and run\n"


def config(*files: dict[str, Any], **ignition: Any) -> dict[str, Any]:
    return {"ignition": {"version": "3.3.0", **ignition}, "storage": {"files": list(files)}}


def written(path: str, text: str) -> dict[str, Any]:
    return {"path": path, "contents": {"source": f"data:,{text}"}}


def sha512(content: bytes) -> dict[str, str]:
    return {"hash": f"sha512-{hashlib.sha512(content).hexdigest()}"}


@pytest.mark.kola(guide="7.4.3#remote-file")
def test_remote_files(services: Services, new_machine: NewMachine) -> None:
    """Files come over http (gzipped, with a sha512 hash), https with the config's own authority, and tftp."""
    http = services.http({"program.gz": gzip.compress(PROGRAM)})
    https = services.https({"secret": "over https\n"})
    tftp = services.tftp({"kola/file": "over tftp\n"})
    packed = {"source": http.url("program.gz"), "compression": "gzip", "verification": sha512(PROGRAM)}
    machine = new_machine(
        ignition=config(
            {"path": "/etc/kola/program", "mode": 0o555, "contents": packed},
            {
                "path": "/etc/kola/https",
                "contents": {"source": https.url("secret"), "verification": sha512(b"over https\n")},
            },
            {"path": "/etc/kola/tftp", "contents": {"source": tftp.url("kola/file")}},
            security=services.trust["ignition"]["security"],
        )
    )
    assert machine.run("/etc/kola/program").check().stdout == "fetched, unpacked and run\n"
    mode = machine.file("/etc/kola/program").mode
    assert mode == 0o555, f"/etc/kola/program has mode {mode:o}, not 555"
    assert machine.file("/etc/kola/https").text == "over https\n"
    assert machine.file("/etc/kola/tftp").text == "over tftp\n"
    assert [request.status for request in http.requests_for("program.gz")] == [200]
    assert "kola/file" in tftp.requests


@pytest.mark.kola()
def test_remote_configs(services: Services, new_machine: NewMachine, way_in: IgnitionConfig) -> None:
    """A config that is replaced by a remote one leaves nothing; one merged into it has the last word."""
    merged = config(written("/etc/kola/merged", "merged"), written("/etc/kola/both", "child"))
    http = services.http({"merged.ign": IgnitionConfig.from_dict(merged).to_json()})
    replacing = config(
        written("/etc/kola/replacing", "replacing"),
        written("/etc/kola/both", "parent"),
        config={"merge": [{"source": http.url("merged.ign")}]},
    )
    http.put("replacing.ign", IgnitionConfig.from_dict(replacing).merge(way_in).to_json())
    machine = new_machine(
        ignition=config(
            written("/etc/kola/replaced", "replaced"),
            config={"replace": {"source": http.url("replacing.ign")}},
        )
    )
    assert machine.file("/etc/kola/replacing").text == "replacing"
    assert machine.file("/etc/kola/merged").text == "merged"
    assert machine.file("/etc/kola/both").text == "child"
    replaced = machine.file("/etc/kola/replaced").exists
    assert not replaced, "a file of the config that was replaced is there"


@pytest.mark.kola(guide="7.4.3#wrong-hash")
def test_wrong_hash_of_remote_file(services: Services, new_machine: NewMachine) -> None:
    """A remote file that is not what its hash promises stops the boot, and the verdict says so."""
    http = services.http({"file": "not what was promised\n"})
    contents = {"source": http.url("file"), "verification": sha512(b"what was promised\n")}
    why = reason(new_machine, config({"path": "/etc/kola", "contents": contents}))
    assert "hash" in why.lower()
    assert http.requests_for("file"), "the file was fetched before it was refused"
