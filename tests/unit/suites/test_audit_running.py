"""Rules about what runs and boots: each finds its bad item and names it."""

from __future__ import annotations

import pytest
from audit_rules import items
from audit_samples import ENTRY, SECTIONS, UNITS, WANTS, bad, record

from testsuites.audit.record import Record

DISK = "/sys/block/vda"
DOCKERS = "/etc/systemd/system/docker.service.d/http-proxy.conf"


@pytest.mark.parametrize(
    ("rule", "sample", "item"),
    [
        ("mounts", bad("mounts", "5 1 254:4 /x/var /var rw - ext4 /dev/vda4 rw"), "/var"),
        ("mounts", bad("mounts", "5 1 254:4 /x/var /var rw shared:1 - ext4 /dev/vda4 rw,nobarrier"), "/var"),
        (
            "mounts",
            bad("mounts", "9 1 0:22 / /proc rw,nosuid,nodev,noexec shared:1 - proc proc rw,hidepid=2"),
            "/proc",
        ),
        ("mounts", bad("mounts", "7 1 0:21 / /dev/shm rw shared:13 - tmpfs tmpfs rw,size=1024k"), "/dev/shm"),
        (
            "unit files",
            bad("presets", "/etc/systemd/system-preset/10-site.preset:enable *"),
            "/etc/systemd/system-preset/10-site.preset",
        ),
        (
            "unit files",
            bad("presets", "/etc/systemd/system-preset/20-ignition.preset:enable *"),
            "/etc/systemd/system-preset/20-ignition.preset",
        ),
        (
            "sysctl",
            bad("sysctl-config", "/etc/sysctl.d/60-ports.conf:vm.swappiness=1"),
            "/etc/sysctl.d/60-ports.conf",
        ),
        ("clock", bad("adjtime", "0.0 0 0.0", "0", "LOCAL"), "/etc/adjtime"),
        ("mounts", bad("mounts", "9 1 0:23 / /run rw shared:15 - tmpfs tmpfs rw,size=24576k"), "/run"),
        (
            "sysctl",
            bad("sysctl", "net.ipv4.ip_local_port_range = 60000\t60063"),
            "net.ipv4.ip_local_port_range",
        ),
        ("unit files", bad("environment", "LANG=C.UTF-8", "https_proxy=http://192.0.2.99"), "https_proxy"),
        ("sysctl", bad("sysctl", "user.max_user_namespaces = 0"), "user.max_user_namespaces"),
        (
            "unit files",
            bad(
                "files",
                "l 777 0 0 9 /etc/systemd/system/default.target\t/usr/lib/systemd/system/rescue.target",
            ),
            "/etc/systemd/system/default.target",
        ),
        ("network", record(instead={"loopback": ["1: lo    inet 127.0.0.1/8 scope host lo"]}), "lo"),
        ("network", bad("interfaces", "3: eth0@if3: <UP> mtu 1500 qdisc tbf state UP"), "eth0"),
        (
            "engines",
            bad("files", "f 600 0 0 9 /var/lib/containers/storage/libpod/bolt_state.db\t"),
            "/var/lib/containers/storage/",
        ),
        (
            "engines",
            bad("files", "f 600 0 0 9 /var/lib/docker/engine-id\t"),
            "/var/lib/docker/",
        ),
        ("enabled", bad("programs", "/proc/99 /var/tmp/miner"), "/var/tmp/miner"),
        (
            "enabled",
            record(
                add={
                    "programs": ["/proc/99 /usr/bin/bash"],
                    "cgroups": ["99 1 ? bash 0::/system.slice/chronyd.service"],
                }
            ),
            "/usr/bin/bash (process 99)",
        ),
        (
            "enabled",
            record(
                add={
                    "programs": ["/proc/99 /usr/bin/bash"],
                    "cgroups": ["99 1 ? bash 0::/user.slice/user-1000.slice/session-1.scope"],
                    "processes": ["99 nest bash [kworker/0:2-events] /run/.helper"],
                }
            ),
            "/usr/bin/bash (process 99)",
        ),
        (
            "enabled",
            record(add={"programs": ["/proc/99 /usr/bin/bash"], "cgroups": ["99 1 ? bash 0::/init.scope"]}),
            "/usr/bin/bash (process 99)",
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
            bad("sockets", 'udp UNCONN 0 0 0.0.0.0:323 *:* users:(("chronyd",pid=3,fd=3))'),
            "udp 0.0.0.0:323",
        ),
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
        (
            "sysctl",
            record(
                add={
                    "sysctl-config": ["/usr/local/lib/sysctl.d/99-zz.conf:fs.protected_symlinks = 0"],
                    "sysctl": ["fs.protected_symlinks = 0"],
                }
            ),
            "fs.protected_symlinks",
        ),
        ("sysctl", bad("sysctl", "net.ipv4.ip_forward = 1"), "net.ipv4.ip_forward"),
        ("sysctl", bad("sysctl", "kernel.core_pattern = core"), "kernel.core_pattern"),
        (
            "journal",
            bad("journald", "/etc/systemd/journald.conf.d/99.conf:MaxLevelStore=warning"),
            "MaxLevelStore",
        ),
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
            "enabled",
            bad(
                "files",
                "l 777 0 0 9 /etc/systemd/system/default.target\t/usr/lib/systemd/system/rescue.target",
                "l 777 0 0 9 /usr/etc/systemd/system/default.target\t/usr/lib/multi-user.target",
            ),
            "rescue.target",
        ),
        ("cmdline", bad("cmdline", "systemd.journald.max_level_store=err"), "/proc/cmdline"),
        (
            "entries",
            record(instead={"boot-files": SECTIONS["boot-files"][:1]}),
            "ostree-1-nestos.conf",
        ),
        ("limits of users", record(instead={"user-controllers": ["cpu pids"]}), "user@memory"),
        (
            "limits of users",
            bad("limits", "/etc/security/limits.d/90-build.conf:* hard nofile 1024"),
            "/etc/security/limits.d/90-build.conf",
        ),
        (
            "sysctl",
            record(
                instead={
                    "disk-caches": [
                        f"{DISK}/queue/write_cache:write through",
                        f"{DISK}/cache_type:write back",
                    ]
                }
            ),
            f"{DISK}/queue/write_cache",
        ),
        ("aged", bad("tmpfiles", "e /var/lib/docker - - - 7d"), "/var/lib/docker"),
        ("aged", bad("tmpfiles", "d /var 0755 - - 30d"), "/var"),
        ("proxies", bad("proxies", f"{DOCKERS}:Environment=HTTP_PROXY=http://proxy.example:3128"), DOCKERS),
        (
            "proxies",
            bad("proxies", '/etc/docker/daemon.json:"https-proxy": "p.example:80"'),
            "/etc/docker/daemon.json",
        ),
        (
            "proxies",
            bad("proxies", "/etc/yum.repos.d/x.repo:proxy=http://p.example"),
            "/etc/yum.repos.d/x.repo",
        ),
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
    assert item in items(rule, sample)


def test_a_service_that_ended_meanwhile_is_no_stray() -> None:
    """Its process was listed, and systemd was asked for its main process when it had none any more."""
    sample = record(
        add={
            "programs": ["/proc/98 /usr/lib/systemd/systemd-hostnamed"],
            "cgroups": ["98 1 ? systemd-hostnam 0::/system.slice/chronyd.service"],
        }
    )
    assert items("enabled", sample) == items("enabled", record())
