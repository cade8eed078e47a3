"""Each rule of the audits finds its bad item, names it, and finds nothing on a sound system."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from audit_samples import CANARY, COMMIT, ENTRY, SECTIONS, UNITS, WANTS, bad, record

from harness.artifact.distro import NESTOS
from testsuites.audit import (
    accounts,
    booting,
    clock,
    files,
    names,
    programs,
    proofs,
    running,
    updates,
    ways_in,
)
from testsuites.audit.configured import Configured
from testsuites.audit.finding import Finding
from testsuites.audit.record import Record

NOTHING = Configured()
RULES: dict[str, Callable[[Record], list[Finding]]] = {
    "tools": proofs.broken_tools,
    "uids": lambda record: accounts.second_uid0(record, NESTOS),
    "added accounts": lambda record: accounts.added_accounts(record, NESTOS, NOTHING),
    "hosts": files.foreign_hosts,
    "passwords": accounts.passwords,
    "shells": lambda record: accounts.shells(record, NESTOS),
    "memberships": lambda record: accounts.memberships(record, NESTOS),
    "sudo": lambda record: accounts.sudo_rights(record, NESTOS),
    "polkit": accounts.polkit_rules,
    "subids": lambda record: accounts.subordinate_ids(record, NESTOS),
    "setuid": lambda record: accounts.setuid_files(record, NESTOS),
    "login stack": accounts.login_stack,
    "modes": files.world_writable,
    "jobs": files.planted_jobs,
    "secrets": files.secrets,
    "etc": lambda record: files.etc_differences(record, NESTOS, NOTHING),
    "sshd": lambda record: ways_in.sshd_settings(record, NESTOS),
    "sshd as shipped": ways_in.sshd_as_shipped,
    "programs": programs.shadowed,
    "unit files": lambda record: running.unit_files(record, NOTHING),
    "names": names.resolvers,
    "container names": names.of_containers,
    "clock": clock.keeps_time,
    "exceptions": ways_in.sshd_exceptions,
    "keys": ways_in.authorized_keys,
    "key types": lambda record: ways_in.key_types(record, NESTOS),
    "consoles": lambda record: ways_in.consoles(record, NESTOS.consoles),
    "sshd sockets": ways_in.sshd_sockets,
    "enabled": lambda record: running.enabled_units(record, NOTHING),
    "missing": lambda record: running.missing_units(record, NOTHING),
    "engines": lambda record: running.container_engines(record, NESTOS),
    "unwell": running.unwell_units,
    "online": running.waits_for_network,
    "listeners": lambda record: running.listeners(record, NESTOS),
    "cmdline": lambda record: booting.command_line(record, NESTOS),
    "entries": lambda record: booting.boot_entries(record, NESTOS),
    "mounts": booting.mounts,
    "sysctl": booting.kernel_settings,
    "journal": booting.journal_settings,
    "remotes": lambda record: updates.remotes(record, NESTOS),
    "origins": lambda record: updates.origins(record, NESTOS, commit=COMMIT),
    "os-release": lambda record: updates.os_release(record, NESTOS, "1.0"),
    "usr": files.committed,
    "commit": files.commit_is_whole,
    "commit's list": proofs.broken_commit,
}


@pytest.mark.parametrize("rule", RULES)
def test_a_sound_system_has_no_findings(rule: str) -> None:
    assert RULES[rule](record()) == []


@pytest.mark.parametrize(
    ("rule", "sample", "item"),
    [
        ("uids", bad("passwd", "toor:x:0:0::/root:/bin/sh"), "toor"),
        ("uids", bad("passwd", "twin:x:1000:1001::/:/sbin/nologin"), "1000"),
        ("uids", bad("passwd", "helper:x:998:0::/:/sbin/nologin"), "helper"),
        ("added accounts", bad("passwd", "ghost:x:1500:1500::/:/usr/sbin/nologin"), "ghost"),
        ("hosts", bad("hosts", "203.0.113.9 repo.openeuler.org"), "/etc/hosts"),
        ("sudo", bad("files", "f 644 0 0 9 /etc/sudo.conf\t"), "/etc/sudo.conf"),
        ("modes", bad("files", "f 644 1000 0 9 /etc/passwd\t"), "/etc/passwd"),
        ("modes", bad("files", "b 666 0 0 0 /dev/vda\t"), "/dev/vda"),
        ("modes", bad("files", "d 777 0 0 0 /run/drop\t"), "/run/drop"),
        ("enabled", bad("programs", "/proc/99 /var/tmp/miner"), "/var/tmp/miner"),
        ("passwords", bad("shadow", "guest::1::::::"), "guest"),
        ("passwords", bad("shadow", "guest:$6$salt$hash:1::::::"), "guest"),
        ("passwords", bad("passwd", "guest::1001:1001::/:/bin/sh"), "guest"),
        ("passwords", bad("passwd", "ghost:x:1001:1001::/:/bin/sh"), "ghost"),
        ("passwords", bad("gshadow", "staff:$6$salt$hash::"), "group staff"),
        ("shells", bad("passwd", "games:x:5:60::/:/bin/sh"), "games"),
        ("shells", bad("passwd", "games:x:5:60::/:"), "games"),
        ("memberships", bad("getent-group", "docker:x:996:nobody"), "nobody"),
        ("memberships", bad("passwd", "eve:x:1001:10::/:/sbin/nologin"), "eve"),
        ("sudo", bad("sudo", "nobody:     (ALL) NOPASSWD: ALL"), "nobody"),
        (
            "polkit",
            bad("polkit", "/etc/polkit-1/rules.d/1.rules:return polkit.Result.YES;"),
            "/etc/polkit-1/rules.d/1.rules",
        ),
        ("subids", record(instead={"subuid": []}), "/etc/subuid"),
        ("subids", bad("subgid", "eve:120000:65536"), "/etc/subgid"),
        ("setuid", bad("files", "f 4755 0 0 9 /var/lib/sh\t"), "/var/lib/sh"),
        ("setuid", bad("files", "f 2755 0 0 9 /usr/bin/vim\t"), "/usr/bin/vim"),
        ("setuid", bad("capabilities", "/usr/bin/tar cap_setuid=ep"), "/usr/bin/tar"),
        ("login stack", bad("pam", "/etc/pam.d/sshd:auth sufficient pam_permit.so"), "/etc/pam.d/sshd"),
        ("login stack", bad("files", "f 644 0 0 9 /etc/ld.so.preload\t"), "/etc/ld.so.preload"),
        ("login stack", bad("files", "f 644 0 0 9 /var/roothome/.shosts\t"), "/var/roothome/.shosts"),
        ("modes", bad("files", "f 666 0 0 9 /etc/motd\t"), "/etc/motd"),
        ("modes", bad("files", "d 777 0 0 9 /var/lib/drop\t"), "/var/lib/drop"),
        ("modes", bad("files", "b 660 0 0 9 /var/lib/sda\t"), "/var/lib/sda"),
        ("modes", bad("files", "f 644 4711 0 9 /var/lib/orphan\t"), "/var/lib/orphan"),
        ("modes", bad("files", "f 644 0 0 9 /etc/gshadow\t"), "/etc/gshadow"),
        ("jobs", bad("files", "f 644 0 0 9 /etc/cron.d/evil\t"), "/etc/cron.d/evil"),
        (
            "jobs",
            bad("files", "f 755 0 0 9 /etc/systemd/system-generators/evil\t"),
            "/etc/systemd/system-generators/evil",
        ),
        ("secrets", bad("secrets", "/etc/pki/key.pem:-----BEGIN RSA PRIVATE KEY-----"), "/etc/pki/key.pem"),
        ("secrets", bad("files", "f 600 0 0 9 /var/roothome/.netrc\t"), "/var/roothome/.netrc"),
        ("etc", bad("files", "f 644 0 0 9 /etc/added\t"), "/etc/added"),
        ("etc", bad("files", "f 644 0 0 9 /usr/etc/gone\t"), "/etc/gone"),
        (
            "etc",
            record(instead={"digests": [f"{'2' * 64}  /etc/profile", *SECTIONS["digests"][2:]]}),
            "/etc/profile",
        ),
        (
            "keys",
            bad("secrets", "/var/roothome/.ssh/authorized_keys:ssh-rsa AAAAB3vendor sales@vendor"),
            "/var/roothome/.ssh/authorized_keys",
        ),
        (
            "keys",
            bad("secrets", "/etc/ssh/keys/nest:ssh-ed25519 AAAAC3NzaC1lZDI1NTE5OURS kola"),
            "/etc/ssh/keys/nest",
        ),
        ("consoles", bad("processes", "8 root agetty /sbin/agetty --autologin root tty1"), "tty1"),
        (
            "consoles",
            bad("gettys", "Id=getty@tty1.service", "ExecStart={ argv[]=/sbin/agetty --autologin root %I }"),
            "getty@tty1.service",
        ),
        ("consoles", bad("units", "debug-shell.service loaded active running Shell"), "debug-shell.service"),
        ("consoles", record(instead={"units": SECTIONS["units"][:-1]}), "ttyS0"),
        (
            "sshd sockets",
            bad("sockets", 'tcp LISTEN 0 1 *:2222 *:* users:(("sshd",pid=1,fd=3))'),
            "tcp *:2222",
        ),
        (
            "enabled",
            bad("files", f"l 777 0 0 9 {WANTS}/docker.service\t{UNITS}/docker.service"),
            "docker.service",
        ),
        (
            "enabled",
            bad("files", f"l 777 0 0 9 /etc/systemd/system/alias.service\t{UNITS}/docker.service"),
            "docker.service",
        ),
        (
            "enabled",
            bad("files", "l 777 0 0 9 /run/systemd/system/timers.target.wants/x.timer\t/usr/lib/x.timer"),
            "x.timer",
        ),
        (
            "enabled",
            record(
                add={
                    "presets": ["/etc/systemd/system-preset/20-ignition.preset:enable evil.service"],
                    "files": [f"l 777 0 0 9 {WANTS}/evil.service\t/etc/systemd/system/evil.service"],
                }
            ),
            "evil.service",
        ),
        ("missing", bad("files", "l 777 0 0 9 /etc/systemd/system/sshd.service\t/dev/null"), "sshd.service"),
        (
            "missing",
            record(
                add={
                    "presets": ["/usr/lib/systemd/system-preset/10.preset:enable chronyd.service"],
                    "install": ["/usr/lib/systemd/system/chronyd.service:WantedBy=multi-user.target"],
                }
            ),
            "chronyd.service",
        ),
        ("engines", bad("processes", "77 root dockerd /usr/bin/dockerd"), "dockerd"),
        ("engines", bad("unix-sockets", "u_str LISTEN 0 1 /run/docker.sock 11 * 0"), "docker.sock"),
        ("online", record(instead={"wait-online": []}), "network-online.target"),
        (
            "online",
            record(
                instead={
                    "wait-online": [
                        line.replace("nm-online", "true") if line.startswith("ExecStart") else line
                        for line in SECTIONS["wait-online"]
                    ]
                }
            ),
            "NetworkManager-wait-online.service",
        ),
        ("unwell", bad("units", "bad.service loaded failed failed Bad"), "bad.service"),
        ("unwell", bad("user-units", "nest: bad.service loaded failed failed Bad"), "bad.service of nest"),
        ("unwell", bad("units", "slow.service loaded activating auto-restart Slow"), "slow.service"),
        ("unwell", bad("units", "never.service loaded activating start Never"), "never.service"),
        ("unwell", bad("jobs", "12 never.service start waiting"), "never.service"),
        ("unwell", bad("services", "Id=loop.service", "NRestarts=2"), "loop.service"),
        (
            "listeners",
            bad("sockets", 'tcp LISTEN 0 1 127.0.0.1:8080 *:* users:(("nc",pid=1,fd=3))'),
            "tcp 127.0.0.1:8080",
        ),
        (
            "listeners",
            bad("sockets", 'tcp LISTEN 0 1 [::]:22 *:* users:(("dropbear",pid=1,fd=3))'),
            "tcp :::22",
        ),
        ("listeners", bad("vsock", 'v_str LISTEN 0 1 *:22 *:* users:(("sshd",pid=1,fd=3))'), "vsock *:22"),
        ("cmdline", bad("cmdline", "mitigations=off"), "/proc/cmdline"),
        ("cmdline", bad("cmdline", "systemd.debug-shell"), "/proc/cmdline"),
        ("cmdline", record(instead={"cmdline": ["root=/dev/vda4 rw"]}), "/proc/cmdline"),
        (
            "entries",
            bad("entries", f"{ENTRY}:title NestOS 0", f"{ENTRY}:options root=/dev/vda4 rw"),
            "ostree-2-nestos.conf",
        ),
        ("mounts", bad("mounts", "9 1 254:4 /x /usr/bin/sudo rw - xfs /dev/vda4 rw"), "/usr/bin/sudo"),
        ("mounts", record(instead={"mounts": SECTIONS["mounts"][:-1]}), "/boot"),
        ("mounts", bad("mounts", "9 1 0:9 / /var rw - tmpfs tmpfs rw"), "/var"),
        ("mounts", bad("mounts", "9 1 254:3 / /boot rw - ext4 /dev/vda3 rw"), "/boot"),
        ("sysctl", bad("sysctl", "fs.protected_symlinks = 0"), "fs.protected_symlinks"),
        ("sysctl", bad("sysctl", "net.ipv4.ip_forward = 1"), "net.ipv4.ip_forward"),
        ("sysctl", bad("sysctl", "kernel.core_pattern = core"), "kernel.core_pattern"),
        (
            "journal",
            bad("journald", "/etc/systemd/journald.conf.d/99.conf:MaxLevelStore=warning"),
            "MaxLevelStore",
        ),
        ("remotes", bad("remotes", '/etc/ostree/remotes.d/x.conf:[remote "evil"]'), "evil"),
        (
            "remotes",
            record(
                instead={
                    "remotes": [
                        '/etc/ostree/remotes.d/o.conf:[remote "openEuler"]',
                        "/etc/ostree/remotes.d/o.conf:url=http://evil",
                        *SECTIONS["remotes"][2:],
                    ]
                }
            ),
            "openEuler",
        ),
        ("origins", bad("ostree-status", f"  nestos {'b' * 64}.0"), "ostree admin status"),
        ("origins", record(instead={"ostree-status": [f"* nestos {'b' * 64}.0"]}), "b" * 12),
        ("origins", bad("origins", "/ostree/deploy/nestos/deploy/x.0.origin:refspec=evil:x"), "x.0.origin"),
        ("origins", bad("ostree-status", "    Pinned: yes"), "ostree admin status"),
        (
            "os-release",
            record(instead={"os-release": ["OSTREE_VERSION=1.0", "ID=evil"]}),
            "ID and VARIANT_ID",
        ),
        ("usr", bad("files", "f 755 0 0 9 /usr/bin/evil\t"), "/usr/bin/evil"),
        ("usr", bad("committed", f"-00755 0 0 9 {'d' * 64} /usr/bin/gone"), "/usr/bin/gone"),
        ("usr", bad("files", "f 6755 0 0 200 /usr/bin/rpm\t"), "/usr/bin/rpm"),
        ("usr", bad("files", "f 755 0 0 201 /usr/bin/rpm\t"), "/usr/bin/rpm"),
        ("commit", record(instead={"commit": [f"{COMMIT} {'b' * 64}"]}), COMMIT[:12]),
        ("commit's list", record(instead={"committed": []}), "ostree"),
        ("tools", record(instead={"cgroups": []}), "ps"),
        (
            "exceptions",
            bad("sshd-matches", "/etc/ssh/sshd_config:Match Address 192.168.0.0/16"),
            "/etc/ssh/sshd_config",
        ),
        (
            "polkit",
            bad("files", "f 644 0 0 9 /etc/polkit-1/rules.d/0.rules\t"),
            "/etc/polkit-1/rules.d/0.rules",
        ),
        ("sudo", bad("files", "f 440 0 0 9 /etc/sudoers.d/evil\t"), "/etc/sudoers.d/evil"),
        ("login stack", bad("files", "f 644 0 0 9 /etc/pam.d/evil\t"), "/etc/pam.d/evil"),
        ("memberships", bad("getent-group", "tape:x:26:nest2", "root2:x:27:root"), "root"),
        ("subids", bad("subuid", "nest:1000:10"), "/etc/subuid"),
        ("jobs", bad("files", "f 755 0 0 9 /etc/udev/rules.d/99.rules\t"), "/etc/udev/rules.d/99.rules"),
        (
            "jobs",
            bad("files", "f 755 0 0 9 /etc/systemd/system-shutdown/evil\t"),
            "/etc/systemd/system-shutdown/evil",
        ),
        ("secrets", bad("files", "f 600 0 0 9 /var/roothome/.ssh/id_rsa\t"), "/var/roothome/.ssh/id_rsa"),
        ("secrets", bad("secrets", "/etc/token:ghp_0123456789"), "/etc/token"),
        ("consoles", bad("cgroups", "77 1 ttyS1 bash 0::/system.slice/evil.service"), "ttyS1"),
        (
            "enabled",
            bad("files", "l 777 0 0 9 /run/systemd/generator/multi-user.target.wants/evil.service\t/x"),
            "evil.service",
        ),
        (
            "enabled",
            bad("files", "l 777 0 0 9 /etc/systemd/user/default.target.wants/evil.service\t/x"),
            "evil.service",
        ),
        ("enabled", bad("files", "f 644 0 0 0 /var/lib/systemd/linger/nest\t"), "nest"),
        (
            "enabled",
            bad(
                "services", "Id=run-1.service", "ActiveState=active", "FragmentPath=/run/systemd/transient/x"
            ),
            "run-1.service",
        ),
        (
            "engines",
            bad("user-units", "nest: podman.socket loaded active listening x"),
            "podman.socket of nest",
        ),
        (
            "engines",
            bad("files", "f 644 0 0 9 /etc/containers/systemd/evil.container\t"),
            "/etc/containers/systemd/evil.container",
        ),
        (
            "engines",
            bad("unit-files", "/etc/systemd/system/evil.service:ExecStart=/usr/bin/dockerd"),
            "/etc/systemd/system/evil.service",
        ),
        (
            "listeners",
            record(
                add={
                    "services": [
                        "Id=evil.socket",
                        "FragmentPath=/etc/systemd/system/evil.socket",
                        "Listen=/run/evil (Stream)",
                    ],
                    "unix-sockets": ['u_str LISTEN 0 1 /run/evil 12 * 0 users:(("systemd",pid=1,fd=9))'],
                }
            ),
            "/run/evil",
        ),
        (
            "entries",
            record(
                add={
                    "ostree-status": [f"  nestos {'b' * 64}.0"],
                    "bootlinks": [f"/new /sysroot/ostree/deploy/nestos/deploy/{'b' * 64}.0"],
                    "entries": [
                        f"{ENTRY}:title NestOS 2 (ostree:0)",
                        f"{ENTRY}:version 2",
                        f"{ENTRY}:options root=/dev/vda4 rw ostree=/new",
                    ],
                }
            ),
            "ostree-2-nestos.conf",
        ),
        ("entries", bad("grubenv", "/boot/grub2/grubenv:kernelopts=init=/bin/sh"), "/boot/grub2/grubenv"),
        ("entries", bad("files", "f 644 0 0 9 /boot/grub2/custom.cfg\t"), "/boot/grub2/custom.cfg"),
        ("mounts", bad("mounts", "9 1 0:9 / /dev/shm rw - tmpfs tmpfs rw"), "/dev/shm"),
        ("sysctl", bad("sysctl", "kernel.tainted = 12288"), "kernel.tainted"),
        ("sysctl", bad("sysctl", "kernel.modprobe = /tmp/x"), "kernel.modprobe"),
        (
            "journal",
            bad("unit-files", "/etc/systemd/system/sshd.service.d/1.conf:LogLevelMax=err"),
            "/etc/systemd/system/sshd.service.d/1.conf",
        ),
        (
            "journal",
            bad("journald", "/etc/systemd/journald.conf.d/9.conf:RateLimitBurst=10"),
            "RateLimitBurst",
        ),
        ("os-release", record(instead={"os-release": ["OSTREE_VERSION=2.0"]}), "OSTREE_VERSION"),
        ("tools", record(instead={"files": SECTIONS["files"][5:]}), "find"),
        ("tools", record(instead={"secrets": []}), "grep"),
        ("tools", record(instead={"sockets": SECTIONS["sockets"][1:]}), "ss"),
        ("tools", record(instead={"sudo": []}), "sudo"),
        ("tools", record(instead={"units": []}), "systemctl"),
        ("tools", record(instead={"capabilities": []}), "getcap"),
        ("tools", record(instead={"packages": []}), "rpm"),
        ("tools", bad("globbed", "/etc/sudoers.d/.hidden"), "find"),
        ("tools", bad("cat-accounts", "toor:x:0:0::/:/bin/sh"), "cat"),
        (
            "tools",
            record(add={key: ["eve:x:1:1::/:/x"] for key in ("read-accounts", "cat-accounts")}),
            "getent",
        ),
        ("tools", record(instead={"digests": [f"{'0' * 64}  {CANARY}/secret"]}), "sha256sum"),
        ("tools", bad("read-sysctl", "fs/protected_symlinks = 0"), "sysctl"),
        ("tools", record(instead={"sshd-canary": ["passwordauthentication no"]}), "sshd"),
        ("tools", record(instead={"sudo": SECTIONS["sudo"][:3]}), "sudo"),
        ("tools", record(instead={"manager": ["u 1"]}), "systemctl"),
        ("tools", record(instead={"unix-sockets": []}), "ss"),
        ("sshd as shipped", record(sshd={"nobody": {"maxauthtries": "100"}}), "maxauthtries"),
        (
            "sshd sockets",
            bad("unit-files", "/etc/systemd/system/help@.service:ExecStart=-/usr/sbin/sshd -i -f /etc/x"),
            "/etc/systemd/system/help@.service",
        ),
        (
            "programs",
            bad("files", "f 755 0 0 9 /var/usrlocal/bin/sudo\t"),
            "/var/usrlocal/bin/sudo",
        ),
        (
            "programs",
            bad("files", "f 755 0 0 9 /var/usrlocal/lib/libc.so.6\t"),
            "/var/usrlocal/lib/libc.so.6",
        ),
        ("programs", bad("files", "f 644 0 0 9 /var/home/nest/.bashrc\t"), "/var/home/nest/.bashrc"),
        ("programs", bad("files", "f 644 0 0 9 /var/roothome/.ssh/rc\t"), "/var/roothome/.ssh/rc"),
        (
            "unit files",
            bad("files", "f 644 0 0 9 /etc/systemd/system/system.slice.d/10.conf\t"),
            "/etc/systemd/system/system.slice.d/10.conf",
        ),
        (
            "unit files",
            bad("files", "f 644 0 0 9 /run/systemd/system.conf.d/10.conf\t"),
            "/run/systemd/system.conf.d/10.conf",
        ),
        (
            "unit files",
            bad("files", "f 644 0 0 9 /var/home/nest/.config/systemd/user/x.service\t"),
            "/var/home/nest/.config/systemd/user/x.service",
        ),
        (
            "jobs",
            bad("files", "f 644 0 0 9 /var/usrlocal/share/dbus-1/system-services/x.service\t"),
            "/var/usrlocal/share/dbus-1/system-services/x.service",
        ),
        ("jobs", bad("files", "f 644 0 0 9 /etc/modules-load.d/x.conf\t"), "/etc/modules-load.d/x.conf"),
        (
            "enabled",
            bad(
                "files",
                "l 777 0 0 9 /etc/systemd/system/default.target\t/usr/lib/systemd/system/rescue.target",
                "l 777 0 0 9 /usr/etc/systemd/system/default.target\t/usr/lib/multi-user.target",
            ),
            "rescue.target",
        ),
        ("secrets", bad("passwords", "/etc/default/x:MQTT_PASSWORD=hunter2"), "/etc/default/x"),
        ("secrets", bad("passwords", "/etc/x.conf:proxy=http://me:secret@proxy/"), "/etc/x.conf"),
        ("modes", bad("files", "f 640 0 1000 9 /etc/shadow\t"), "/etc/shadow"),
        ("modes", bad("files", "f 644 0 0 9 /etc/ssh/ssh_host_rsa_key\t"), "/etc/ssh/ssh_host_rsa_key"),
        ("modes", bad("files", "d 775 1000 1000 9 /var/home/nest\t"), "/var/home/nest"),
        ("modes", bad("files", "d 700 0 0 9 /var/home/nest\t"), "/var/home/nest"),
        ("modes", bad("files", "b 660 0 1000 0 /dev/sda\t"), "/dev/sda"),
        ("programs", bad("files", "f 755 0 0 9 /var/lib/miner\t"), "/var/lib/miner"),
        ("cmdline", bad("cmdline", "systemd.journald.max_level_store=err"), "/proc/cmdline"),
        (
            "entries",
            bad("files", "f 644 0 0 11 /usr/lib/modules/6.6/vmlinuz\t"),
            "ostree-1-nestos.conf",
        ),
        ("hosts", bad("hosts", "127.0.0.1 repo.openeuler.org"), "/etc/hosts"),
        ("names", bad("names", "nameserver 192.0.2.53"), "/etc/resolv.conf"),
        ("names", bad("names", "search vendor.example"), "/etc/resolv.conf"),
        ("names", bad("names", "options attempts:1"), "/etc/resolv.conf"),
        ("names", record(instead={"names": ["# nothing"]}), "/etc/resolv.conf"),
        (
            "container names",
            bad("container-names", '/etc/containers/containers.conf:dns_servers = ["192.0.2.53"]'),
            "/etc/containers/containers.conf",
        ),
        (
            "clock",
            bad("clock-config", "/etc/chrony/conf.d/x.conf:local stratum 1"),
            "/etc/chrony/conf.d/x.conf",
        ),
        ("clock", record(instead={"clock-config": []}), "chronyd"),
        ("clock", record(instead={"clock": ["7F7F0101,,1,0,0,0,0,0,0,0"]}), "chronyd"),
        ("clock", bad("processes", "3 _chrony chronyd /usr/sbin/chronyd -x -F 1"), "chronyd"),
        ("clock", record(instead={"cgroups": []}), "time service"),
    ],
)
def test_a_bad_item_is_found_and_named(rule: str, sample: Record, item: str) -> None:
    assert item in {finding.item for finding in RULES[rule](sample)}
