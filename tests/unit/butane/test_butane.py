"""Butane: what each version may say, how it is read, and how errors name their line."""

from __future__ import annotations

from pathlib import Path

import pytest
from butane_samples import contents_of, refused, result, run

from harness.butane import translate
from harness.errors import ConfigError
from harness.ignition import dataurl


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


def test_a_duplicate_is_named_where_it_stands() -> None:
    error = refused("storage:\n  files:\n    - path: /etc/a\n    - path: /etc/b\n    - path: /etc/a\n")
    assert str(error) == (
        "config.bu:7: $.storage.files.2: duplicate entry '/etc/a', first at $.storage.files.0"
    )


def test_binary_scalars_are_the_bytes_they_stand_for() -> None:
    text = "storage:\n  files:\n    - path: /etc/a\n      contents:\n        inline: !!binary {}\n"
    for encoded, content in (("aGVsbG8=", b"hello"), ("sv8=", b"\xb2\xff")):
        (file,) = result(text.format(encoded))["storage"]["files"]
        assert contents_of(file) == content
    assert "must be base64" in str(refused(text.format("'a?'")))
    assert "must be base64 of text" in str(refused("storage:\n  files:\n    - path: !!binary sv8=\n"))


def test_null_in_a_list_is_dropped() -> None:
    config = result("kernel_arguments:\n  should_exist: [quiet, ~, debug]\n")
    assert config["kernelArguments"] == {"shouldExist": ["quiet", "debug"]}


def test_merge_keys_work_at_any_depth() -> None:
    text = (
        "x-a: &a {mode: 0600}\nx-b: &b {<<: *a, path: /etc/b}\n"
        "storage:\n  files:\n    - <<: *b\n      path: /etc/c\n"
    )
    assert result(text)["storage"]["files"] == [{"path": "/etc/c", "mode": 0o600}]


def test_an_alias_bomb_ends_at_once() -> None:
    rows = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    assert "aliases multiply this" in str(refused(f"a0: &a0 x\n{rows}"))
