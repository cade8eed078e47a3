"""The machine that an external test requests by its metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

from harness.butane import load_config
from harness.errors import ConfigError
from harness.ignition import IgnitionConfig
from harness.ignition.findings import Finding
from harness.installer.isoimage import IsoImage
from harness.machine.boot import DiskImage
from harness.machine.health import CHECKS
from harness.machine.signs import PATTERNS
from harness.machine.spec import Disk, HostDirectory, MachineSpec
from harness.util.process import run_tool
from harness.util.sizes import GIB, parse_size
from kola.cases.external.discover import ExternalTest
from kola.machines import MachineRequest
from kola.machines.media import live_iso
from kola.run.plan import RunPlan
from kola.schedule.need import Need

NEEDS_INTERNET = "needs-internet"
SKIP_BASE_CHECKS = "skip-base-checks"
_WITHOUT_EFFECT_ON_BOOT = frozenset({"injectContainer", "instanceType"})
_LIVE_MIB = 2048
"""Minimum memory of a machine that boots a live ISO."""
EVERY_CHECK = frozenset(CHECKS) | {pattern.cause for pattern in PATTERNS}


def request_for(test: ExternalTest, plan: RunPlan, *, alike: int = 1) -> MachineRequest:
    """Return the machine of one test.

    `alike` is the number of tests in this run that request such a machine. A test with machine options boots
    cold when it is the only one, because a template for it would cost more than the boot it saves. A test
    with a config runs Ignition itself in either case.

    Raises ConfigError, with the test's file, for an impossible machine.
    """
    try:
        spec = _spec(test, plan)
    except ConfigError as error:
        if error.file is not None:
            raise
        raise ConfigError(error.message, file=test.executable, hint=error.hint) from None
    boot = "cold" if unusual(test) and alike < 2 else "auto"
    return MachineRequest(spec, own_config(test), boot, opt_out(test))


def unusual(test: ExternalTest) -> bool:
    """Return True when the test requests a machine that the run's other tests do not get."""
    return bool(set(test.metadata.machine_options) - _WITHOUT_EFFECT_ON_BOOT)


def spec_for(test: ExternalTest, plan: RunPlan) -> MachineSpec | None:
    """Return the machine of one test; None for an impossible one, which the test itself will report."""
    try:
        return _spec(test, plan)
    except ConfigError:
        return None


def shared_request(tests: Iterable[ExternalTest], plan: RunPlan) -> MachineRequest:
    """Return a machine for a bucket: all configs merged, on the Internet when a member needs it."""
    members = list(tests)
    spec = replace(plan.base_spec(), internet=any(NEEDS_INTERNET in test.info.tags for test in members))
    directories = {test.directory: test for test in members}
    configs = [config for test in directories.values() if (config := own_config(test)) is not None]
    if not configs:
        return MachineRequest(spec)
    merged = configs[0].merge(*configs[1:])
    merged.check()
    return MachineRequest(spec, merged)


def need_of(tests: Iterable[ExternalTest], plan: RunPlan) -> Need:
    """Return the need of these tests on one machine, without reading their configs."""
    members = list(tests)
    spec = plan.base_spec()
    memory = max([spec.memory_mib, *(test.metadata.min_memory_mib or 0 for test in members)])
    return Need.of(
        replace(spec, memory_mib=memory),
        ports=[port for test in members for port in test.metadata.required_host_ports],
        tokens=[token for test in members for token in test.metadata.tokens],
    )


def opt_out(test: ExternalTest) -> frozenset[str]:
    """Return the health checks that do not apply to the test."""
    return EVERY_CHECK if SKIP_BASE_CHECKS in test.info.tags else frozenset()


def own_config(test: ExternalTest) -> IgnitionConfig | None:
    """Return the config of its directory. A warning about it is an error, unless the test allows that."""
    path = test.config
    if path is None:
        return None
    loaded = load_config(path)
    counted = [finding for finding in loaded.warnings if finding not in loaded.tolerated]
    if counted and not test.metadata.allow_config_warnings:
        raise _doubtful(counted, path)
    return loaded.config


def config_warnings(test: ExternalTest) -> list[str]:
    """Return the warnings about the test's config that do not fail it, each with the file's name."""
    if test.config is None:
        return []
    return [f"{test.config.name}: {finding}" for finding in load_config(test.config).warnings]


def _doubtful(warnings: list[Finding], path: Path) -> ConfigError:
    return ConfigError(
        "; ".join(f"{finding.path}: {finding.message}" for finding in warnings),
        file=path,
        line=warnings[0].line,
        hint="a warning fails the test; `allowConfigWarnings: true` in its metadata lets it pass",
    )


def archive_for(test: ExternalTest, plan: RunPlan) -> Path | None:
    """Return the build's OCI archive if the test wants it copied in.

    Raises ConfigError when there is none.
    """
    if not test.metadata.inject_container:
        return None
    build = plan.build()
    if build is None:
        raise ConfigError(
            "injectContainer: a bare image has no OCI archive",
            file=test.executable,
            hint="test a build directory: --workdir DIR",
        )
    if not build.has("ostree"):
        raise ConfigError(
            f"injectContainer: build {build.id} has no OCI archive (`ostree` in its meta.json)",
            file=test.executable,
            hint="make it with nosa build, or leave the test out with --denylist-test",
        )
    return build.artifact("ostree").ready()


def unavailable(test: ExternalTest, plan: RunPlan) -> str:
    """Return the reason why the test cannot run on this build; empty when it can."""
    if test.metadata.boot_from and _live_iso(plan) is None:
        return "boots the live ISO, and this build has none"
    return ""


def _live_iso(plan: RunPlan) -> Path | None:
    if plan.live.iso is not None:
        return plan.live.iso
    build = plan.build()
    return build.artifact("live-iso").ready() if build is not None and build.has("live-iso") else None


def _spec(test: ExternalTest, plan: RunPlan) -> MachineSpec:
    metadata = test.metadata
    spec = plan.base_spec()
    iso = _live_iso(plan) if metadata.boot_from else None
    if iso is not None:
        medium = live_iso(IsoImage(iso, plan.distro), plan.arch, as_disk=metadata.boot_from == "iso-as-disk")
        memory = max(spec.memory_mib, _LIVE_MIB)
        spec = replace(spec, primary=None, primary_size=None, medium=medium, memory_mib=memory)
    if metadata.primary_disk:
        spec = spec.with_primary(Disk.parse_primary(metadata.primary_disk))
    if metadata.min_disk_gib and isinstance(spec.primary, DiskImage):
        virtual = _virtual_size(spec.primary.path)
        spec = replace(spec, primary_size=_at_least(metadata.min_disk_gib, virtual, spec.primary_size))
    return replace(
        spec,
        memory_mib=max(spec.memory_mib, metadata.min_memory_mib or 0),
        disks=tuple(Disk.parse(text) for text in metadata.additional_disks),
        additional_nics=metadata.additional_nics,
        numa_nodes=metadata.numa_nodes,
        internet=NEEDS_INTERNET in metadata.tags,
        kernel_args=metadata.append_kernel_args,
        firstboot_kernel_args=metadata.append_firstboot_kernel_args,
        host_directories=(
            *spec.host_directories,
            *(_directory(test, source, target) for source, target in metadata.bind_mount_host_ro),
        ),
    )


def _directory(test: ExternalTest, source: str, target: str) -> HostDirectory:
    host = test.directory / source
    if not host.is_dir():
        raise ConfigError(f"bindMountHostRO: there is no directory {host}", file=test.executable)
    return HostDirectory(host, target)


def _at_least(gib: int, virtual: int, size: str | None) -> str | None:
    """Return `size`, or more if an image of `virtual` bytes would stay below `gib`: disks only grow."""
    if size is None:
        planned = virtual
    elif size.startswith("+"):
        planned = virtual + parse_size(size[1:])
    else:
        planned = parse_size(size)
    return f"{gib}G" if planned < gib * GIB else size


@cache
def _virtual_size(image: Path) -> int:
    answer = run_tool(["qemu-img", "info", "--force-share", "--output=json", str(image)])
    return int(json.loads(answer)["virtual-size"])
