"""Butane: mount units, boot devices, and what is found wrong with the result."""

from __future__ import annotations

from pathlib import Path

import pytest
from butane_samples import refused, result, run


def test_mount_units_follow_format_and_network() -> None:
    body = """\
    storage:
      luks:
        - name: data
          device: /dev/vdb
          clevis: {tang: [{url: "http://t", thumbprint: x}]}
      filesystems:
        - device: /dev/mapper/data
          path: /var/lib/da-ta
          format: xfs
          with_mount_unit: true
          mount_options: [ro]
        - {device: /dev/vdc, format: swap, with_mount_unit: true}
    """
    mount, swap = result(body)["systemd"]["units"]
    assert mount["name"] == r"var-lib-da\x2dta.mount" and mount["enabled"] is True
    for line in ("Where=/var/lib/da-ta", "What=/dev/mapper/data", "Type=xfs", "Options=ro,_netdev"):
        assert line in mount["contents"].splitlines()
    assert "RequiredBy=remote-fs.target" in mount["contents"]
    assert "Requires=systemd-fsck@dev-mapper-data.service" in mount["contents"]
    assert swap["name"] == "dev-vdc.swap" and "[Swap]\nWhat=/dev/vdc\n" in swap["contents"]


def test_the_users_own_unit_overrides_the_generated_one() -> None:
    body = """\
    storage: {filesystems: [{device: /dev/vdb, path: /var/d, format: ext4, with_mount_unit: true}]}
    systemd: {units: [{name: var-d.mount, enabled: false}]}
    """
    (unit,) = result(body)["systemd"]["units"]
    assert unit["enabled"] is False and "Where=/var/d" in unit["contents"]


LAYOUT_LABELS = {
    "x86_64": [("bios-1", 1), ("esp-1", 127), ("boot-1", 384), ("root-1", None)],
    "aarch64": [("reserved-1", 1), ("esp-1", 127), ("boot-1", 384), ("root-1", None)],
    "ppc64le": [("prep-1", 4), ("reserved-1", 1), ("boot-1", 384), ("root-1", None)],
}


@pytest.mark.parametrize("layout", LAYOUT_LABELS)
def test_a_mirror_has_the_partitions_of_its_layout(layout: str) -> None:
    body = f"boot_device: {{layout: {layout}, mirror: {{devices: [/dev/vda, /dev/vdb]}}}}"
    translation = run(body, "nestos 1.0.0")
    storage = translation.config.to_dict()["storage"]
    assert translation.warnings == ()
    first = storage["disks"][0]
    assert first["device"] == "/dev/vda" and first["wipeTable"] is True
    assert [(p["label"], p.get("sizeMiB")) for p in first["partitions"]] == LAYOUT_LABELS[layout]
    assert [raid["name"] for raid in storage["raid"]] == ["md-boot", "md-root"]
    assert storage["raid"][0]["options"] == ["--metadata=1.0"]
    devices = [filesystem["device"] for filesystem in storage["filesystems"]]
    esps = [f"/dev/disk/by-partlabel/esp-{n}" for n in (1, 2)] if layout != "ppc64le" else []
    assert devices == [*esps, "/dev/md/md-boot", "/dev/md/md-root"]


def test_luks_on_a_mirror_and_the_users_changes_to_it() -> None:
    body = """\
    boot_device:
      layout: x86_64
      luks: {tpm2: true, threshold: 1, discard: true}
      mirror: {devices: [/dev/vda, /dev/vdb]}
    storage:
      disks:
        - device: /dev/vda
          partitions: [{label: root-1, size_mib: 9000}, {label: var-1}]
      filesystems: [{device: /dev/mapper/root, format: btrfs, label: root}]
    """
    storage = result(body)["storage"]
    (luks,) = storage["luks"]
    assert luks["device"] == "/dev/md/md-root" and luks["discard"] is True
    assert luks["clevis"] == {"tpm2": True, "threshold": 1}
    labels = [(p["label"], p.get("sizeMiB")) for p in storage["disks"][0]["partitions"]]
    assert labels[3:] == [("root-1", 9000), ("var-1", None)]
    root = storage["filesystems"][-1]
    assert (root["device"], root["format"], root["wipeFilesystem"]) == ("/dev/mapper/root", "btrfs", True)


@pytest.mark.parametrize(
    ("layout", "device", "expected"),
    [
        ("s390x-eckd", "/dev/dasda", "/dev/dasda2"),
        ("s390x-zfcp", "/dev/sdb", "/dev/sdb4"),
        ("s390x-virt", "", "/dev/disk/by-partlabel/root"),
    ],
)
def test_s390x_layouts_have_their_own_root(layout: str, device: str, expected: str) -> None:
    given_device = f", device: {device}" if device else ""
    body = f"boot_device: {{layout: {layout}, luks: {{cex: {{enabled: true}}{given_device}}}}}"
    (luks,) = result(body, "fcos 1.6.0")["storage"]["luks"]
    assert luks["device"] == expected and luks["cex"] == {"enabled": True} and "clevis" not in luks


@pytest.mark.parametrize(
    ("boot_device", "path"),
    [
        ("{layout: sparc, luks: {tpm2: true}}", "$.boot_device.layout"),
        ("{layout: x86_64, mirror: {devices: [/dev/vda]}}", "$.boot_device.mirror.devices"),
        ("{layout: s390x-eckd, luks: {tpm2: true}}", "$.boot_device.layout"),
        ("{layout: s390x-virt, mirror: {devices: [/dev/a, /dev/b]}}", "$.boot_device.layout"),
        ("{layout: s390x-zfcp, luks: {tpm2: true, device: /dev/vda}}", "$.boot_device.luks.device"),
        ("{layout: x86_64, luks: {cex: {enabled: true}}}", "$.boot_device.luks.cex"),
        ("{layout: s390x-virt, luks: {cex: {enabled: true}, tpm2: true}}", "$.boot_device.luks"),
    ],
)
def test_boot_devices_that_cannot_be_are_refused(boot_device: str, path: str) -> None:
    assert f"{path}: " in str(refused(f"boot_device: {boot_device}", "fcos 1.6.0"))


def test_findings_about_the_result_name_their_place_in_the_document(tmp_path: Path) -> None:
    body = """\
    storage:
      disks:
        - device: /dev/vda
          partitions:
            - label: a:b
      filesystems:
        - {device: /dev/vdb, path: /var/d, format: ext4, with_mount_unit: true}
    systemd:
      units:
        - name: a.service
          enabled: true
          contents: |
            [Service]
            ExecStart=/bin/true
        - name: b.service
          contents: "[x"
    """
    error = str(refused(body))
    assert "error at $.storage.disks.0.partitions.0.label, line 7" in error
    assert "error at $.systemd.units.1.contents, line 18" in error
    (tmp_path / "bad").write_text("[x")
    local = "systemd:\n  units:\n    - name: a.service\n      contents_local: bad\n"
    assert str(refused(local, files=tmp_path)).startswith("config.bu:6: $.systemd.units.0.contents_local: ")


def test_a_missing_key_is_named_where_it_is_missing() -> None:
    error = refused("storage:\n  raid:\n    - name: a\n      devices: [/dev/vda]\n")
    assert str(error).startswith("config.bu:5: $.storage.raid.0.level: ")


def test_partitions_that_will_disappoint_are_warned_of() -> None:
    body = """\
    storage:
      disks:
        - device: /dev/disk/by-id/coreos-boot-disk
          partitions:
            - {number: 4, label: root, size_mib: 100}
            - {number: 5, label: boot, start_mib: 9000}
    """
    assert [finding.path for finding in run(body).warnings] == [
        "$.storage.disks.0.partitions.0.size_mib",
        "$.storage.disks.0.partitions.1.label",
    ]


def test_flatcar_has_no_clevis_and_no_boot_device() -> None:
    luks = "storage: {luks: [{name: a, device: /dev/vdb, clevis: {tpm2: true}}]}"
    assert "$.storage.luks.0.clevis" in str(refused(luks, "flatcar 1.1.0"))
    assert "flatcar does not have it" in run("boot_device: {}", "flatcar 1.1.0").warnings[0].message


def test_mounts_outside_etc_and_var_are_refused_since_fcos_1_6() -> None:
    body = "storage: {filesystems: [{device: /dev/vdb, path: /opt, format: ext4, with_mount_unit: true}]}"
    assert run(body, "fcos 1.5.0").warnings == ()
    assert "/etc and /var" in str(refused(body, "fcos 1.6.0"))
