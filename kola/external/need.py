"""What machine an external test asks for by its metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

from harness.errors import ConfigError
from harness.ignition import IgnitionConfig
from harness.ignition.butane import translate
from harness.ignition.findings import Finding
from harness.machine.badness import PATTERNS
from harness.machine.health import CHECKS
from harness.machine.spec import Disk, HostDirectory, MachineSpec
from harness.util.process import run_tool
from harness.util.sizes import GIB, parse_size
from kola.external.discover import ExternalTest
from kola.machines import MachineRequest
from kola.run.plan import RunPlan
from kola.schedule.need import Need

NEEDS_INTERNET = "needs-internet"
SKIP_BASE_CHECKS = "skip-base-checks"
_WITHOUT_EFFECT_ON_BOOT = frozenset({"injectContainer", "instanceType"})
EVERY_CHECK = frozenset(CHECKS) | {pattern.slug for pattern in PATTERNS}


def request_for(test: ExternalTest, plan: RunPlan) -> MachineRequest:
    """The machine of one test; cold where what it asks for shows on the first boot only.

    Raises ConfigError, naming the test's file, for what no machine can be.
    """
    try:
        spec = _spec(test, plan)
    except ConfigError as error:
        if error.file is not None:
            raise
        raise ConfigError(error.message, file=test.executable, hint=error.hint) from None
    ignition = own_config(test)
    differs = ignition is not None or bool(set(test.metadata.machine_options) - _WITHOUT_EFFECT_ON_BOOT)
    return MachineRequest(spec, ignition, "cold" if differs else "auto", opt_out(test))


def shared_request(tests: Iterable[ExternalTest], plan: RunPlan) -> MachineRequest:
    """One machine for a bucket: all their configs merged, on the Internet when one of them needs it."""
    members = list(tests)
    spec = replace(plan.base_spec(), internet=any(NEEDS_INTERNET in test.info.tags for test in members))
    directories = {test.directory: test for test in members}
    configs = [config for test in directories.values() if (config := own_config(test)) is not None]
    if not configs:
        return MachineRequest(spec)
    merged = configs[0].merge(*configs[1:])
    merged.check()
    return MachineRequest(spec, merged, "cold")


def need_of(tests: Iterable[ExternalTest], plan: RunPlan) -> Need:
    """What these take of the host, on one machine; nothing of their config is read."""
    members = list(tests)
    spec = plan.base_spec()
    memory = max([spec.memory_mib, *(test.metadata.min_memory_mib or 0 for test in members)])
    return Need.of(
        replace(spec, memory_mib=memory),
        ports=[port for test in members for port in test.metadata.required_host_ports],
        tokens=[token for test in members for token in test.metadata.tokens],
    )


def opt_out(test: ExternalTest) -> frozenset[str]:
    """The health checks that do not apply to the test."""
    return EVERY_CHECK if SKIP_BASE_CHECKS in test.info.tags else frozenset()


def own_config(test: ExternalTest) -> IgnitionConfig | None:
    """The config of its directory. A warning about it is an error, unless the test allows that."""
    path = test.config
    if path is None:
        return None
    if path.suffix == ".bu":
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot be read: {error}", file=path) from error
        translation = translate(text, files_dir=path.parent, source=path)
        config = translation.config
        warnings = [finding for finding in translation.warnings if finding not in translation.tolerated]
    else:
        config = IgnitionConfig.load(path)
        warnings = list(config.check(file=path))
    if warnings and not test.metadata.allow_config_warnings:
        raise _doubtful(warnings, path)
    return config


def _doubtful(warnings: list[Finding], path: Path) -> ConfigError:
    return ConfigError(
        "; ".join(f"{finding.path}: {finding.message}" for finding in warnings),
        file=path,
        line=warnings[0].line,
        hint="a warning fails the test; `allowConfigWarnings: true` in its metadata lets it pass",
    )


def archive_for(test: ExternalTest, plan: RunPlan) -> Path | None:
    """The build's OCI archive where the test wants it copied in. Raises ConfigError when there is none."""
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
    """Why the test cannot be tried on this build; empty when it can."""
    if test.metadata.boot_from:
        build = plan.build()
        if build is None or not build.has("live-iso"):
            return "boots the live ISO, and this build has none"
    return ""


def _spec(test: ExternalTest, plan: RunPlan) -> MachineSpec:
    metadata = test.metadata
    spec = plan.base_spec()
    if metadata.boot_from:
        raise ConfigError(f"bootFrom: {metadata.boot_from} cannot be run yet", hint="use kola testiso")
    if metadata.primary_disk:
        spec = spec.with_primary(Disk.parse_primary(metadata.primary_disk))
    if metadata.min_disk_gib:
        spec = replace(spec, primary_size=_at_least(metadata.min_disk_gib, spec))
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


def _at_least(gib: int, spec: MachineSpec) -> str | None:
    """The size to give the primary disk so that it has `gib`; disks only grow."""
    virtual = _virtual_size(spec.image)
    size = spec.primary_size
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
