"""The machine that a test's metadata asks for."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from external_samples import made, plan
from isolab import live_iso, needs_xorriso

from harness.errors import ConfigError
from harness.machine.boot import LiveIso
from harness.machine.spec import SectorSize
from kola.run.plan import LiveMedia
from kola.shell.need import (
    EVERY_CHECK,
    archive_for,
    config_warnings,
    request_for,
    shared_request,
    unavailable,
)

IGNITION = '{"ignition": {"version": "3.0.0"}, "storage": {"files": [{"path": "%s", "mode": 420}]}}'
BUTANE = (
    "variant: nestos\nversion: 1.0.0\nstorage:\n  files:\n    - path: /etc/from-butane\n      mode: 0644\n"
)
UNUSED_KEY = '{"ignition": {"version": "3.0.0"}, "unknown": {}}'
DOUBTFUL = (
    '{"ignition": {"version": "3.0.0"}, "storage": {"files": [{"path": "/etc/a", "mode": 2541}]}}'  # setuid
)


def test_a_test_that_asks_for_nothing_may_be_a_clone(tmp_path: Path) -> None:
    request = request_for(made(tmp_path), plan(tmp_path))
    assert request.boot == "auto"
    assert request.ignition is None
    assert request.spec == plan(tmp_path).base_spec()
    assert request.opt_out == frozenset()


def test_every_wish_is_in_the_spec(tmp_path: Path) -> None:
    (tmp_path / "proj/tests/kola/dir-alpha/share").mkdir(parents=True)
    test = made(
        tmp_path,
        additionalDisks=["5G:4k"],
        primaryDisk="12G:mpath",
        minMemory=3072,
        numaNodes=True,
        additionalNics=2,
        appendKernelArgs="a=1 b",
        appendFirstbootKernelArgs="c",
        bindMountHostRO=["share,/var/mnt/share"],
        tags="needs-internet",
    )
    spec = request_for(test, plan(tmp_path)).spec
    assert spec.disks[0].size_gib == 5
    assert spec.disks[0].options.sectors is SectorSize.NATIVE_4K
    assert (spec.primary_disk.multipath, spec.primary_size) == (True, "12G")
    assert (spec.memory_mib, spec.numa_nodes, spec.additional_nics) == (3072, True, 2)
    assert (spec.kernel_args, spec.firstboot_kernel_args) == ("a=1 b", "c")
    assert spec.internet
    assert [(one.host.name, one.mount, one.writable) for one in spec.host_directories] == [
        ("share", "/var/mnt/share", False)
    ]


@pytest.mark.parametrize(
    "keys",
    [{"additionalDisks": ["1G"]}, {"additionalNics": 1}, {"appendKernelArgs": "x"}, {"minMemory": 2000}],
    ids=lambda keys: next(iter(keys)),
)
def test_a_machine_unlike_the_others_boots_cold_unless_several_tests_share_it(
    tmp_path: Path, keys: dict[str, object]
) -> None:
    test = made(tmp_path, **keys)
    assert request_for(test, plan(tmp_path)).boot == "cold"
    assert request_for(test, plan(tmp_path), alike=2).boot == "auto"


def test_memory_is_never_less_than_the_run_gives(tmp_path: Path) -> None:
    assert request_for(made(tmp_path, minMemory=512), plan(tmp_path)).spec.memory_mib == 1024


@pytest.mark.parametrize(("gib", "size"), [(1, None), (2, None), (20, "20G")])
def test_disks_only_grow(tmp_path: Path, gib: int, size: str | None) -> None:
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", tmp_path / "disk.qcow2", "2G"], check=True)
    assert request_for(made(tmp_path, minDisk=gib), plan(tmp_path)).spec.primary_size == size


def test_a_config_of_its_own_is_merged_and_may_go_on_from_a_template(tmp_path: Path) -> None:
    test = made(tmp_path, files={"config.bu": BUTANE})
    request = request_for(test, plan(tmp_path))
    assert request.boot == "auto"
    assert request.ignition is not None
    assert request.ignition.to_dict()["storage"]["files"][0]["path"] == "/etc/from-butane"


def test_a_config_warning_fails_the_test_unless_allowed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="allowConfigWarnings") as caught:
        request_for(made(tmp_path, "strict", files={"config.ign": DOUBTFUL}), plan(tmp_path))
    assert caught.value.file is not None
    assert caught.value.file.name == "config.ign"
    lenient = made(tmp_path, "lenient", files={"config.ign": DOUBTFUL}, allowConfigWarnings=True)
    assert request_for(lenient, plan(tmp_path)).ignition is not None


def test_an_unused_key_of_ignition_is_a_warning_as_in_ignition(tmp_path: Path) -> None:
    test = made(tmp_path, files={"config.ign": UNUSED_KEY})
    assert request_for(test, plan(tmp_path)).ignition is not None
    assert config_warnings(test) == ["config.ign: warning at $.unknown: unused key unknown"]


def test_what_no_machine_can_be_names_the_test(tmp_path: Path) -> None:
    test = made(tmp_path, additionalDisks=["huge"])
    with pytest.raises(ConfigError) as caught:
        request_for(test, plan(tmp_path))
    assert caught.value.file == test.executable


def test_skip_base_checks_opts_out_of_all(tmp_path: Path) -> None:
    assert request_for(made(tmp_path, tags="skip-base-checks"), plan(tmp_path)).opt_out == EVERY_CHECK
    assert "kernel-panic" in EVERY_CHECK
    assert "failed-unit" in EVERY_CHECK


def test_a_bucket_has_all_its_members_configs_and_internet_if_one_needs_it(tmp_path: Path) -> None:
    one = made(tmp_path, "one", exclusive=False, files={"config.ign": IGNITION % "/etc/one"})
    two = made(tmp_path, "two", exclusive=False, tags="needs-internet", files={"config.bu": BUTANE})
    three = made(tmp_path, "three", exclusive=False)
    request = shared_request([one, two, three], plan(tmp_path))
    assert request.ignition is not None
    paths = {file["path"] for file in request.ignition.to_dict()["storage"]["files"]}
    assert paths == {"/etc/one", "/etc/from-butane"}
    assert (request.boot, request.spec.internet) == ("auto", True)
    plain = shared_request([three], plan(tmp_path))
    assert (plain.boot, plain.ignition, plain.spec.internet) == ("auto", None, False)


def test_booting_the_iso_is_skipped_where_there_is_none(tmp_path: Path) -> None:
    assert "live ISO" in unavailable(made(tmp_path, bootFrom="iso"), plan(tmp_path))
    assert unavailable(made(tmp_path, "other"), plan(tmp_path)) == ""


@needs_xorriso
@pytest.mark.parametrize("boot_from", ["iso", "iso-as-disk"])
def test_booting_the_iso(tmp_path: Path, boot_from: str) -> None:
    iso = live_iso(tmp_path)
    spec = request_for(made(tmp_path, bootFrom=boot_from), plan(tmp_path, live=LiveMedia(iso=iso))).spec
    assert isinstance(spec.medium, LiveIso)
    assert (spec.medium.path, spec.medium.as_disk) == (iso, boot_from == "iso-as-disk")
    assert (spec.primary, spec.memory_mib) == (None, 2048)


def test_the_builds_archive_needs_no_boot_of_its_own(tmp_path: Path) -> None:
    test = made(tmp_path, injectContainer=True)
    built = plan(tmp_path, build_id="1.2", build_directory=build(tmp_path, images={"ostree": "x.ociarchive"}))
    assert archive_for(test, built) == tmp_path / "work/builds/1.2/x86_64/x.ociarchive"
    assert request_for(test, built).boot == "auto"
    assert archive_for(made(tmp_path, "other"), plan(tmp_path)) is None


def test_a_build_without_an_archive_is_named(tmp_path: Path) -> None:
    test = made(tmp_path, injectContainer=True)
    without = plan(tmp_path, build_id="1.2", build_directory=build(tmp_path, images={}))
    with pytest.raises(ConfigError, match=r"build 1\.2 has no OCI archive") as caught:
        archive_for(test, without)
    assert caught.value.file == test.executable
    with pytest.raises(ConfigError, match="bare image"):
        archive_for(test, plan(tmp_path))


def build(tmp_path: Path, *, images: dict[str, str]) -> Path:
    """The directory of a build 1.2 that has these images."""
    directory = tmp_path / "work/builds/1.2/x86_64"
    directory.mkdir(parents=True)
    for name in images.values():
        with tarfile.open(directory / name, "w") as tar:
            tar.add(__file__, "oci-layout")
    entries = {kind: {"path": name} for kind, name in images.items()}
    (directory / "meta.json").write_text(json.dumps({"buildid": "1.2", "name": "nestos", "images": entries}))
    index = {"schema-version": "1.0.0", "builds": [{"id": "1.2", "arches": ["x86_64"]}]}
    (tmp_path / "work/builds/builds.json").write_text(json.dumps(index))
    return directory
