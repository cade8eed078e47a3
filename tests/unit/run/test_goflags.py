"""Flags of the Go kola: each is accepted, or refused by name with a way round."""

from __future__ import annotations

import pytest

from harness.errors import ConfigError
from kola.cli import commands
from kola.run.goflags import INSTEAD

OF_GO = {
    "run": (
        "--output-dir -p --platform -b --distro -j --parallel --tapfile --on-warn-failure-exit-77 --basename"
        " --debug-systemd-unit --denylist-test --denylist-stream --no-net --run-platform-independent --tag"
        " --sharding --ssh-on-test-failure --workdir --build --arch --append-butane --append-ignition"
        " --extend-timeout-percentage --oscontainer --log-level -v -d --qemu-firmware --qemu-image"
        " --qemu-size --qemu-memory --qemu-multipath --qemu-native-4k --qemu-512e --qemu-nvme --qemu-swtpm"
        " --qemu-bind-ro --qemu-drive-opts --qemu-nbd-socket --qemu-iso --qemu-iso-as-disk"
        " --inst-insecure --pxe-kargs -E --exttest --multiply --rerun"
    ),
    "run-upgrade": "--find-parent-image --qemu-image-dir",
    "list": "-E --json -p -b",
    "spawn": (
        "-c --nodecount -u --userdata -t --detach -s --shell --reconnect --idle -r --remove --qemu-options"
        " --json-info-fd -k --keys --key -x --ssh-command"
    ),
    "qemuexec": (
        "--firstbootkargs --kargs -U --usernet -n --numaNodes --add-ignition --hostname -m --memory --arch -D"
        " --add-disk --auto-cpus --ignition-direct --devshell -c --devshell-console -i --ignition -B --butane"
        " --bind-ro --bind-rw --inject-ignition --propagate-initramfs-failure --console-to-file"
        " --additional-nics -x --ssh-command --netboot --netboot-dir --usernet-addr --qemu-firmware"
        " --qemu-memory --qemu-size --qemu-native-4k --qemu-multipath --qemu-nvme --qemu-512e --qemu-swtpm"
    ),
    "http-server": "-P --port",
}
"""The flags that ../shared/spec/kola-behaviour.md lists for each command."""


@pytest.mark.parametrize(
    ("command", "flag"), [(command, flag) for command, flags in OF_GO.items() for flag in flags.split()]
)
def test_a_flag_of_the_go_kola_is_accepted_or_refused_by_name(command: str, flag: str) -> None:
    parser = commands.parser(command, commands.load(command))
    if flag in parser._option_string_actions:
        return
    assert flag in INSTEAD
    with pytest.raises(ConfigError) as refused:
        parser.parse([flag, "value"])
    assert refused.value.message == f"kola {command} does not have the Go kola's {flag}"
    assert refused.value.hint == INSTEAD[flag]
