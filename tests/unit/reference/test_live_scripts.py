"""Scripts of the live guest, run here with the places they read and write moved into a directory."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from harness.reference.build.recipe import GUEST, HERE

_LIVE = HERE / "live/guest"


def moved(script: Path, places: dict[str, Path], target: Path) -> Path:
    text = script.read_text()
    for old, new in places.items():
        assert old in text
        text = text.replace(old, str(new))
    target.write_text(text)
    target.chmod(0o755)
    return target


@pytest.mark.parametrize(
    ("keyfile", "network"),
    [
        ("[ipv4]\nmethod=auto\n", "[Match]\nName=en* eth*\n[Network]\nLinkLocalAddressing=no\nDHCP=ipv4\n"),
        (
            "[connection]\nid=a\ninterface-name=ens3\n[ipv4]\nmethod=manual\n"
            "address1=192.0.2.5/24,192.0.2.1\ndns=192.0.2.3;192.0.2.4;\n",
            "[Match]\nName=ens3\n[Network]\nLinkLocalAddressing=no\nAddress=192.0.2.5/24\n"
            "Gateway=192.0.2.1\nDNS=192.0.2.3\nDNS=192.0.2.4\n",
        ),
        (
            "[ethernet]\nmac-address=52:54:00:12:34:56\n[ipv4]\naddresses=192.0.2.5/24\n"
            "gateway=192.0.2.1\nmethod=manual\n[ipv6]\nmethod=auto\n",
            "[Match]\nMACAddress=52:54:00:12:34:56\n[Network]\nLinkLocalAddressing=no\n"
            "Address=192.0.2.5/24\nGateway=192.0.2.1\n",
        ),
    ],
)
def test_a_keyfile_becomes_a_file_of_networkd(keyfile: str, network: str, tmp_path: Path) -> None:
    keyfiles, networks = tmp_path / "keyfiles", tmp_path / "networks"
    keyfiles.mkdir()
    networks.mkdir()
    (keyfiles / "a.nmconnection").write_text(keyfile)
    places = {"/etc/nestos-firstboot-network": keyfiles, "/run/systemd/network": networks}
    script = moved(GUEST / "initramfs/scripts/keyfile-network", places, tmp_path / "script")
    subprocess.run([script], check=True)
    assert (networks / "10-keyfile-1.network").read_text() == network


def test_the_wizard_asks_what_nestos_asks_and_installs_what_was_typed(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("nestos-installer", "reboot"):
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/called\n')
        (programs / name).chmod(0o755)
    places = {
        "/etc/sysconfig/ignition.tmpl": _LIVE / "system/etc/sysconfig/ignition.tmpl",
        "/root/": tmp_path,
    }
    text = {old: Path(f"{new}/") if old.endswith("/") else new for old, new in places.items()}
    script = moved(_LIVE / "system/usr/bin/installnestos", text, tmp_path / "wizard")
    script.write_text(script.read_text().replace(f"{tmp_path}myign", f"{tmp_path}/myign"))
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(script, [str(script)], {"PATH": f"{programs}:{os.environ['PATH']}"})
    seen = b""
    answers = [(b"Username:", b"root\n"), (b"Password:", b"qwer1234\n"), (b"location(sda):", b"vda\n")]
    for prompt, answer in answers:
        while prompt not in seen.rpartition(b"\n")[2]:
            seen += os.read(terminal, 1024)
        os.write(terminal, answer)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert status == 0
    shown = seen.decode().replace("\r\n", "\n")
    assert shown.startswith(
        "Notice: The default installation location is /dev/sda\n"
        "Please Set Username,Password and installation location\n"
        "Username:"
    )
    assert "qwer1234" not in shown
    called = (tmp_path / "called").read_text().splitlines()
    assert called == [f"nestos-installer install /dev/vda --ignition-file {tmp_path}/myign.ign", "reboot "]
    (user,) = json.loads((tmp_path / "myign.ign").read_text())["passwd"]["users"]
    # The guide's own example, section 7.5.1.
    assert (user["name"], user["passwordHash"]) == ("root", "$1$root$CPjzNGH.NqmQ7rh26EeXv1")


def generated(tmp_path: Path, *, cmdline: str, result: str) -> tuple[Path, Path]:
    """Return the autologin generator's output: its units and the greeting."""
    units = tmp_path / "units"
    units.mkdir()
    files = {
        "/run/ostree-live": tmp_path / "live",
        "/proc/cmdline": tmp_path / "cmdline",
        "/etc/.ignition-result.json": tmp_path / "result",
        "/etc/motd": tmp_path / "motd",
    }
    files["/run/ostree-live"].write_text("1\n")
    files["/proc/cmdline"].write_text(f"{cmdline}\n")
    files["/etc/.ignition-result.json"].write_text(result)
    source = _LIVE / "system/usr/lib/systemd/system-generators/nestos-liveiso-autologin-generator"
    subprocess.run([moved(source, files, tmp_path / "generator"), units], check=True)
    return units, files["/etc/motd"]


def test_a_live_iso_without_config_logs_in_and_greets(tmp_path: Path) -> None:
    cmdline = "nestos.liveiso=nestos-1 console=tty1"
    units, motd = generated(tmp_path, cmdline=cmdline, result='{"userConfigProvided": false}')
    drop_in = (units / "serial-getty@.service.d/10-autologin.conf").read_text()
    assert "--autologin nest -o '-p -f nest' --keep-baud 115200,38400,9600 %I $TERM" in drop_in
    assert (units / "getty@.service.d/10-autologin.conf").exists()
    assert "Welcome to the NestOS live environment. This system is running completely\n" in motd.read_text()
    assert motd.read_text().splitlines()[0] == "#" * 75


@pytest.mark.parametrize(
    ("cmdline", "result"),
    [
        ("nestos.liveiso=nestos-1", '{\n  "userConfigProvided": true\n}'),
        ("nestos.live.rootfs_url=http://192.0.2.1/", '{"userConfigProvided": false}'),
    ],
)
def test_nobody_is_logged_in_unasked(cmdline: str, result: str, tmp_path: Path) -> None:
    units, motd = generated(tmp_path, cmdline=cmdline, result=result)
    assert not list(units.iterdir())
    assert not motd.exists()
