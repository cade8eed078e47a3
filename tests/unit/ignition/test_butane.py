"""Butane: what each piece of sugar becomes, what each version may say, and how errors name their line."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.ignition import dataurl
from harness.ignition.butane import Translation, translate


def run(
    body: str, head: str = "fcos 1.5.0", *, files: Path | None = None, strict: bool = False
) -> Translation:
    variant, version = head.split()
    text = f"variant: {variant}\nversion: {version}\n{textwrap.dedent(body)}"
    return translate(text, files_dir=files, strict=strict, source=Path("config.bu"))


def result(body: str, head: str = "fcos 1.5.0", *, files: Path | None = None) -> dict[str, Any]:
    return run(body, head, files=files).config.to_dict()


def refused(
    body: str, head: str = "fcos 1.5.0", *, files: Path | None = None, strict: bool = False
) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        run(body, head, files=files, strict=strict)
    return caught.value


@pytest.mark.parametrize(
    ("head", "version"),
    [
        ("nestos 1.0.0", "3.3.0"),
        ("nestos 1.1.0", "3.4.0"),
        ("fcos 1.0.0", "3.0.0"),
        ("fcos 1.1.0", "3.1.0"),
        ("fcos 1.2.0", "3.2.0"),
        ("fcos 1.3.0", "3.2.0"),
        ("fcos 1.4.0", "3.3.0"),
        ("fcos 1.5.0", "3.4.0"),
        ("fcos 1.6.0", "3.5.0"),
        ("flatcar 1.0.0", "3.3.0"),
        ("flatcar 1.1.0", "3.4.0"),
    ],
)
def test_each_version_has_its_ignition(head: str, version: str) -> None:
    assert result("", head) == {"ignition": {"version": version}}


@pytest.mark.parametrize(
    ("text", "expected", "line"),
    [
        ("", "empty", None),
        ("# nothing\n", "empty", None),
        ("- a\n", "a mapping", 1),
        ("version: 1.4.0\n", "a variant is required", None),
        ("variant: fcos\n", "a version is required", None),
        ("variant: fcos\nversion: 1.9.0\n", "fcos 1.9.0 is not a version", 2),
        ("variant: fcos\nversion: 1.4\n", "fcos 1.4 is not a version", 2),
        ("\nvariant: openshift\nversion: 4.14.0\n", "openshift configs are not translated", 2),
        ("variant: r4e\nversion: 1.0.0\n", "r4e configs are not translated", 1),
        ("variant: fiot\nversion: 1.0.0\n", "fiot configs are not translated", 1),
        ("variant: suse\nversion: 1.0.0\n", "'suse' is not a Butane variant", 1),
        ("variant: [fcos]\nversion: 1.4.0\n", "a variant is required", 1),
        ("variant: fcos\nversion: 1.4.0\na: b: c\n", "not YAML", 3),
        ("variant: fcos\nversion: 1.4.0\n\tx: 1\n", "not YAML", 3),
        ("variant: fcos\nversion: 1.4.0\nx: *nowhere\n", "not YAML", 3),
        ("variant: fcos\nversion: 1.4.0\nx: \x00\n", "not YAML", 3),
        ("variant: fcos\nversion: 1.4.0\nstorage: []\n", "$.storage: must be a mapping, not a list", 3),
        ("variant: fcos\nversion: 1.4.0\nstorage:\n  files: 7\n", "must be a list, not '7'", 4),
        ("variant: fcos\nversion: 1.4.0\nstorage: {}\nstorage: {}\n", "given before, in line 3", 4),
    ],
)
def test_bad_input_is_one_clear_error(text: str, expected: str, line: int | None) -> None:
    with pytest.raises(ConfigError) as caught:
        translate(text, files_dir=None, source=Path("config.bu"))
    assert expected in str(caught.value)
    assert caught.value.line == line
    assert str(caught.value).startswith("config.bu")


def test_a_wrong_type_names_path_and_line() -> None:
    error = refused("storage:\n  files:\n    - path: /f\n      mode: rw\n")
    assert str(error) == "config.bu:6: $.storage.files.0.mode: must be a whole number, not 'rw'"


def test_several_errors_are_all_named() -> None:
    error = refused("storage:\n  files:\n    - path: f\n    - path: g\n")
    assert "error at $.storage.files.0.path, line 5" in str(error)
    assert "error at $.storage.files.1.path, line 6" in str(error)
    assert error.line == 5


def test_an_unknown_key_is_a_warning_and_strict_makes_it_an_error() -> None:
    (finding,) = run("storag:\n  files: []\n").warnings
    assert str(finding) == "warning at $.storag, line 3: unused key storag"
    assert refused("storag: 1\n", strict=True).line == 3


@pytest.mark.parametrize(
    ("head", "body", "needs"),
    [
        ("fcos 1.2.0", "kernel_arguments: {should_exist: [a]}", "fcos 1.4.0"),
        ("fcos 1.2.0", "boot_device: {luks: {tpm2: true}}", "fcos 1.3.0"),
        ("fcos 1.4.0", "grub: {users: [{name: a, password_hash: b}]}", "fcos 1.5.0"),
        ("fcos 1.4.0", "boot_device: {luks: {tpm2: true, discard: true}}", "fcos 1.5.0"),
        ("fcos 1.5.0", "boot_device: {layout: s390x-virt, luks: {cex: {enabled: true}}}", "fcos 1.6.0"),
        ("fcos 1.4.0", "systemd: {units: [{name: a.service, contents_local: x}]}", "fcos 1.5.0"),
        ("nestos 1.0.0", "passwd: {users: [{name: a, ssh_authorized_keys_local: [x]}]}", "nestos 1.1.0"),
        ("fcos 1.0.0", "storage: {trees: [{local: x}]}", "fcos 1.1.0"),
        ("fcos 1.0.0", "storage: {files: [{path: /f, contents: {local: x}}]}", "fcos 1.1.0"),
        ("fcos 1.1.0", "storage: {luks: [{name: a}]}", "fcos 1.2.0"),
    ],
)
def test_a_key_of_a_later_version_is_an_error_naming_it(head: str, body: str, needs: str) -> None:
    assert f"needs {needs}, this is {head}" in str(refused(body, head))


def test_nestos_1_0_0_may_use_grub_users_with_a_warning() -> None:
    translation = run("grub: {users: [{name: root, password_hash: grub.pbkdf2.x}]}", "nestos 1.0.0")
    assert translation.tolerated == translation.warnings != ()
    assert translation.config.version == "3.3.0"
    storage = translation.config.to_dict()["storage"]
    assert storage["filesystems"] == [
        {"device": "/dev/disk/by-label/boot", "format": "ext4", "path": "/boot"}
    ]
    (file,) = storage["files"]
    assert file["path"] == "/boot/grub2/user.cfg"
    (appended,) = file["append"]
    text = dataurl.unpack(appended["source"], appended["compression"]).decode()
    assert text.splitlines()[-2:] == ['set superusers="root"', "password_pbkdf2 root grub.pbkdf2.x"]


def test_nestos_1_0_0_with_arn_urls_becomes_ignition_3_4() -> None:
    body = 'storage: {files: [{path: /f, contents: {source: "arn:aws:s3:::b/k"}}]}'
    assert run(body, "nestos 1.0.0").config.version == "3.4.0"
    assert "arn" in str(refused(body, "fcos 1.4.0"))


def test_scalars_are_read_as_butane_reads_them() -> None:
    user = result("passwd: {users: [{name: 123, gecos: yes, uid: 0x10, system: yes, password_hash: ~}]}")
    assert user["passwd"]["users"] == [{"name": "123", "gecos": "yes", "uid": 16, "system": True}]
    (file,) = result("storage: {files: [{path: /f, mode: 0644}]}")["storage"]["files"]
    assert file["mode"] == 0o644
    (file,) = result("storage: {files: [{path: /f, mode: 0o755}]}")["storage"]["files"]
    assert file["mode"] == 0o755


def test_anchors_and_merge_keys_work() -> None:
    body = """\
    storage:
      files:
        - &base {path: /a, mode: 0600}
        - {<<: *base, path: /b}
    """
    assert result(body)["storage"]["files"] == [{"path": "/a", "mode": 0o600}, {"path": "/b", "mode": 0o600}]


@pytest.mark.parametrize(("mode", "warned"), [("644", True), ("0644", False), ("420", False), ("755", True)])
def test_a_mode_that_looks_decimal_is_a_warning(mode: str, warned: bool) -> None:
    found = run(f"storage:\n  files:\n    - path: /f\n      mode: {mode}\n").warnings
    decimal = [str(finding) for finding in found if "decimal" in finding.message]
    expected = f"warning at $.storage.files.0.mode, line 6: {mode} is decimal; 0{mode} was probably meant"
    assert decimal == ([expected] if warned else [])


def contents_of(file: dict[str, Any]) -> bytes:
    return dataurl.unpack(file["contents"]["source"], file["contents"].get("compression"))


def test_inline_and_local_contents_are_embedded(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 5000)
    body = """\
    storage:
      files:
        - path: /inline
          contents: {inline: hello}
        - path: /local
          contents: {local: big}
        - path: /packed
          contents: {local: big, compression: gzip}
    """
    inline, local, packed = result(body, files=tmp_path)["storage"]["files"]
    assert inline["contents"] == {"source": "data:,hello", "compression": ""}
    assert local["contents"]["compression"] == "gzip" and contents_of(local) == b"x" * 5000
    assert packed["contents"]["compression"] == "gzip"
    assert dataurl.decode(packed["contents"]["source"]) == b"x" * 5000


def test_fcos_1_0_0_compresses_nothing() -> None:
    (file,) = result(f"storage: {{files: [{{path: /f, contents: {{inline: {'a' * 900}}}}}]}}", "fcos 1.0.0")[
        "storage"
    ]["files"]
    assert file["contents"] == {"source": f"data:,{'a' * 900}"}


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=30), st.integers(1, 40))
def test_inline_text_round_trips(text: str, times: int) -> None:
    quoted = '"' + (text * times).replace("\\", "\\\\").replace('"', '\\"') + '"'
    (file,) = result(f"storage: {{files: [{{path: /f, contents: {{inline: {quoted}}}}}]}}")["storage"][
        "files"
    ]
    assert contents_of(file).decode() == text * times


@pytest.mark.parametrize(
    ("name", "expected"),
    [("../secret", "leads out"), ("none", "No such file"), (".", "directory"), ('"a\\0b"', "file name")],
)
def test_local_files_stay_inside_their_directory(tmp_path: Path, name: str, expected: str) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (tmp_path / "secret").write_text("x")
    error = refused(
        f"storage:\n  files:\n    - path: /f\n      contents:\n        local: {name}\n", files=base
    )
    assert expected in str(error)
    assert "$.storage.files.0.contents.local" in str(error) and error.line == 7


def test_local_needs_a_files_directory() -> None:
    assert "--files-dir" in str(refused("storage: {files: [{path: /f, contents: {local: x}}]}"))


def test_only_one_source_may_be_given() -> None:
    error = refused("storage: {files: [{path: /f, contents: {inline: x, source: 'data:,'}}]}")
    assert "only one of inline, local, source" in str(error)


def test_units_keys_and_configs_can_be_local(tmp_path: Path) -> None:
    (tmp_path / "a.service").write_text("[Service]\nExecStart=/bin/true\n")
    (tmp_path / "keys").write_text("ssh-a\r\n\nssh-b\n")
    (tmp_path / "more.ign").write_text('{"ignition": {"version": "3.4.0"}}')
    body = """\
    ignition: {config: {merge: [{local: more.ign}]}}
    passwd: {users: [{name: core, ssh_authorized_keys: [ssh-0], ssh_authorized_keys_local: [keys]}]}
    systemd:
      units:
        - name: a.service
          contents_local: a.service
          dropins: [{name: b.conf, contents_local: a.service}]
    """
    config = result(body, files=tmp_path)
    assert config["passwd"]["users"][0]["sshAuthorizedKeys"] == ["ssh-0", "ssh-a", "ssh-b"]
    (unit,) = config["systemd"]["units"]
    assert unit["contents"] == unit["dropins"][0]["contents"] == "[Service]\nExecStart=/bin/true\n"
    assert config["ignition"]["config"]["merge"][0]["source"].startswith("data:")


def test_an_embedded_config_is_checked() -> None:
    inner = '{"ignition": {"version": "3.4.0"}, "storage": {"files": [{}]}}'
    broken = f"ignition: {{config: {{replace: {{inline: '{inner}'}}}}}}"
    assert "$.ignition.config.replace.inline" in str(refused(broken))
    later = """ignition: {config: {replace: {inline: '{"ignition": {"version": "3.99.0"}}'}}}"""
    assert "not checked" in run(later).warnings[0].message


def test_trees_keep_modes_links_and_the_configs_own_word(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/tool").write_text("#!/bin/sh\n")
    (tree / "usr/bin/tool").chmod(0o755)
    (tree / "plain").write_text("x")
    (tree / "link").symlink_to("usr/bin/tool")
    body = """\
    storage:
      trees: [{local: tree, path: /opt}]
      files: [{path: /opt/plain, mode: 0600, user: {name: nest}}]
    """
    storage = result(body, files=tmp_path)["storage"]
    plain, tool = storage["files"]
    assert (plain["path"], plain["mode"], contents_of(plain)) == ("/opt/plain", 0o600, b"x")
    assert (tool["path"], tool["mode"]) == ("/opt/usr/bin/tool", 0o755)
    assert storage["links"] == [{"path": "/opt/link", "target": "usr/bin/tool"}]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("files: [{path: /f, contents: {inline: x}}]", "contents already"),
        ("directories: [{path: /f}]", "something else"),
        ("trees: [{local: tree}, {local: tree}]", "contents already"),
        ("trees: [{local: tree/f}]", "not a directory"),
        ("trees: [{local: none}]", "does not exist"),
        ("trees: [{path: /x}]", "needs local"),
    ],
)
def test_trees_that_clash_are_refused(tmp_path: Path, entry: str, expected: str) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/f").write_text("x")
    trees = "" if entry.startswith("trees") else "trees: [{local: tree}], "
    error = refused(f"storage: {{{trees}{entry}}}", files=tmp_path)
    assert expected in str(error) and "$.storage.trees." in str(error)


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
