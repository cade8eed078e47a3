"""A system follows a container image: rebase, upgrade, and the way back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.machine.machine import Machine
from harness.services.images import OciImage
from harness.services.registry import Registry
from harness.services.services import Services
from testsuites.rpm_ostree import booted, deployments

pytestmark = pytest.mark.kola(tags=["rpm-ostree", "container"])

NOTHING_NEW = 77
"""Exit status of `rpm-ostree upgrade --check` without an update."""
MARK = "/usr/share/kola-derived"


def derived(image: OciImage, text: str) -> OciImage:
    """Return the OS with one more file, and a default in /etc."""
    return image.derive({MARK: text, "/etc/kola-derived.conf": text}, labels={"version": text.strip()})


@pytest.mark.kola(name="container.rebase-upgrade", guide=["10.2.2#rebase", "10.2.2#upgrade"], timeout="20m")
def test_rebase_upgrade_and_rollback(os_image: OciImage, registry: Registry, trusting: Machine) -> None:
    """A derived image is booted; a new one under its tag is found and taken; rollback undoes that."""
    machine, before = trusting, booted(trusting)
    first, second = derived(os_image, "derived-1\n"), derived(os_image, "derived-2\n")
    reference = f"ostree-unverified-registry:{registry.push(first, 'os:stable')}"
    machine.run(f"rpm-ostree rebase {reference}", sudo=True, timeout=600).check()
    assert not machine.file(MARK).exists, "the running system was changed"
    machine.reboot()
    now = booted(machine)
    assert (now.source, now.digest) == (reference, first.digest)
    assert machine.file(MARK).text == machine.file("/etc/kola-derived.conf").text == "derived-1\n"
    assert [row.checksum for row in deployments(machine)][1:] == [before.checksum]

    assert machine.run("rpm-ostree upgrade --check", sudo=True).status == NOTHING_NEW
    registry.push(second, "os:stable")
    check = machine.run("rpm-ostree upgrade --check", sudo=True).check()
    assert second.digest in check.stdout
    machine.run("rpm-ostree upgrade", sudo=True, timeout=600).check()
    machine.reboot()
    assert booted(machine).digest == second.digest
    assert machine.file(MARK).text == "derived-2\n"

    machine.run("rpm-ostree rollback", sudo=True).check()
    machine.reboot()
    assert booted(machine).digest == first.digest
    assert machine.file(MARK).text == "derived-1\n"


@pytest.mark.kola(name="container.rebase-archive", guide="10.2.2#rebase", timeout="15m")
def test_rebase_to_an_archive(
    os_image: OciImage, services: Services, new_machine: Callable[..., Machine], tmp_path: Path
) -> None:
    """An OCI archive on the machine itself is deployed, and what it takes away is gone."""
    image = os_image.derive({MARK: "archive\n"}, removed=["/usr/bin/podman"])
    server = services.http({"os.ociarchive": image.write(tmp_path / "os.ociarchive")})
    machine = new_machine()
    fetch = f"curl -sSf -o /var/tmp/os.ociarchive {server.url('os.ociarchive')}"
    machine.run(fetch, sudo=True, timeout=300).check()
    reference = "ostree-unverified-image:oci-archive:/var/tmp/os.ociarchive"
    machine.run(f"rpm-ostree rebase {reference}", sudo=True, timeout=600).check()
    pending = deployments(machine)[0]
    assert (pending.source, pending.digest, pending.staged) == (reference, image.digest, True)
    assert machine.file(f"{pending.directory}{MARK}").text == "archive\n"
    programs = f"{pending.directory}/usr/bin"
    assert not machine.file(f"{programs}/podman").exists, "podman, which the image takes away, is deployed"
    assert machine.file(f"{programs}/crun").exists, "crun, which the image has, is not deployed"


def fails(machine: Machine, reference: str) -> str:
    """Run a rebase that must fail and change nothing; return its output."""
    before = deployments(machine)
    failed = machine.run(f"rpm-ostree rebase {reference}", sudo=True, timeout=300)
    assert failed.status == 1, failed
    assert deployments(machine) == before, "a rebase that failed changed the deployments"
    staged = machine.file("/run/ostree/staged-deployment").exists
    assert not staged, "a rebase that failed left a staged deployment"
    return failed.stderr


@pytest.mark.kola(name="container.rebase-fails", guide="10.2.2#rebase", timeout="15m")
def test_a_failed_rebase_changes_nothing(os_image: OciImage, registry: Registry, trusting: Machine) -> None:
    """No such tag, a damaged layer, a policy that forbids it, a registry that is down: all as it was."""
    machine, image = trusting, derived(os_image, "derived\n")
    name = f"ostree-unverified-registry:{registry.push(image, 'os:stable')}"
    assert "nowhere" in fails(machine, name.replace("stable", "nowhere"))

    layer = image.layers[-1][1]
    whole = registry.blob(layer.digest).read_bytes()
    registry.blob(layer.digest).write_bytes(whole[: len(whole) // 2])
    assert fails(machine, name)
    registry.blob(layer.digest).write_bytes(whole)

    policy = machine.file("/etc/containers/policy.json")
    kept = policy.text
    policy.write(json.dumps({"default": [{"type": "reject"}]}))
    assert "policy" in fails(machine, name)
    policy.write(kept)

    registry.stop()
    assert fails(machine, name)
