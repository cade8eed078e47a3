"""A small record of a system on which every audit passes, and ways to put one bad item into it."""

from __future__ import annotations

import hashlib

from testsuites.audit.record import Record

CANARY = "/var/tmp/kola-audit.abcdef"
COMMIT = "a" * 64
UNITS = "/usr/lib/systemd/system"
WANTS = "/etc/systemd/system/multi-user.target.wants"
ENTRY = "/boot/loader/entries/ostree-2-nestos.conf"
OURS = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5OURS"
_OPTIONS = "root=/dev/vda4 rw mitigations=auto,nosmt"

SECTIONS: dict[str, list[str]] = {
    "access": [f"nest {OURS}"],
    "canary": [CANARY],
    "passwd": [
        "root:x:0:0:root:/root:/bin/bash",
        "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin",
        "nest:x:1000:1000:NestOS Admin:/var/home/nest:/bin/bash",
    ],
    "getent-group": ["root:x:0:", "wheel:x:10:nest", "nest:x:1000:", "nogroup:x:65534:"],
    "shadow": ["root:*:1::::::", "nobody:*:1::::::", "nest:!:1::::::"],
    "gshadow": ["root:*::", "wheel:!::nest"],
    "subuid": ["nest:100000:65536"],
    "subgid": ["nest:100000:65536"],
    "files": [
        f"f 4755 0 0 0 {CANARY}/setuid\t",
        f"f 666 0 0 0 {CANARY}/open\t",
        f"d 777 0 0 0 {CANARY}/open.d\t",
        f"c 600 0 0 0 {CANARY}/device\t",
        f"f 644 54321 54321 0 {CANARY}/orphan\t",
        f"f 2755 0 0 0 {CANARY}/.hidden\t",
        "f 4755 0 0 100 /usr/bin/sudo\t",
        "f 755 0 0 200 /usr/bin/rpm\t",
        "f 755 0 0 300 /usr/bin/bash\t",
        *(f"f 644 0 0 1 /usr/share/file{number}\t" for number in range(100)),
        "d 1777 0 0 0 /tmp\t",
        "f 640 0 0 10 /etc/shadow\t",
        "f 644 0 0 10 /etc/profile\t",
        "f 644 0 0 10 /usr/etc/profile\t",
        "l 777 0 0 10 /etc/systemd/system/multi-user.target.wants/sshd.service\t/usr/lib/sshd.service",
        "f 644 0 0 10 /boot/ostree/vmlinuz\t",
        "f 644 0 0 10 /boot/ostree/initramfs\t",
    ],
    "capabilities": [f"{CANARY}/capable cap_net_raw=ep", "/usr/bin/ping cap_net_raw=ep"],
    "attributes": [f"----i---------e------- {CANARY}/fixed"],
    "access-lists": [
        f"-rw-rw-rw- 1 0 0 0 Nov 30 04:00 {CANARY}/open",
        "/var/log/journal/x/user-1000.journal",
    ],
    "space": [
        "Mounted on 1B-blocks Avail IFree",
        "/ 10000 5000 5000",
        "/boot 400 300 200",
        "/var 10000 5000 -",
    ],
    "digests": [
        f"{hashlib.sha256(b'-----BEGIN CANARY PRIVATE KEY-----' + bytes([10])).hexdigest()}  {CANARY}/secret",
        f"{'1' * 64}  /etc/profile",
        f"{'1' * 64}  /usr/etc/profile",
    ],
    "secrets": [
        f"{CANARY}/secret:-----BEGIN CANARY PRIVATE KEY-----",
        f"{CANARY}/public:ssh-ed25519 AAAAcanary canary",
        "/etc/ssh/ssh_host_ed25519_key:-----BEGIN OPENSSH PRIVATE KEY-----",
        "/etc/ssh/ssh_host_ed25519_key.pub:ssh-ed25519 AAAAhost",
        f"/var/home/nest/.ssh/authorized_keys.d/ignition:{OURS} kola",
    ],
    "sudo": [
        "root: User root may run the following commands on localhost:",
        "root:     (ALL : ALL) ALL",
        "nobody: User nobody may run the following commands on localhost:",
        "nobody:     (root) /bin/kola-audit-canary",
        "nest:     (ALL) NOPASSWD: ALL",
    ],
    "processes": ["1 root systemd /usr/lib/systemd/systemd", "9 root agetty /sbin/agetty -o - ttyS0"],
    "cgroups": [
        "1 0 ? systemd 0::/init.scope",
        "2 1 ? dbus-daemon 0::/system.slice/dbus.service",
        "3 1 ? chronyd 0::/system.slice/chronyd.service",
        "4 3 ? chronyd 0::/system.slice/chronyd.service",
        "9 1 ttyS0 agetty 0::/system.slice/system-serial\\x2dgetty.slice/serial-getty@ttyS0.service",
        *(f"{number} 1 ? worker 0::/system.slice/unit{number}.service" for number in range(100, 120)),
    ],
    "programs": [
        "/proc/1 /usr/lib/systemd/systemd",
        "/proc/3 /usr/sbin/chronyd",
        "/proc/4 /usr/sbin/chronyd",
    ],
    "processes-later": [f"/proc/{number}" for number in (1, 3, 4, 9, 99)],
    "hostname": ["machine"],
    "names": ["nameserver 10.0.2.3"],
    "given-names": ["10.0.2.3"],
    "engine-settings": [
        '/etc/docker/daemon.json:{"storage-driver": "overlay2"}',
        '/etc/containers/registries.conf:unqualified-search-registries = ["hub.example"]',
        "/etc/containers/registries.conf.d/shortnames.conf:[aliases]",
        '/etc/containers/registries.conf.d/shortnames.conf:"alpine" = "docker.io/library/alpine"',
    ],
    "engine-options": [],
    "authorities": [f"{CANARY}/authority.crt\tCANARY", "known\t3"],
    "packet-rules-canary": ["planted", "*nat", ":PREROUTING ACCEPT [0:0]", ":KOLA-AUDIT - [0:0]", "COMMIT"],
    "interfaces": [
        "1: lo: <LOOPBACK,UP> mtu 65536 qdisc noqueue\\    link/loopback 00:00:00:00:00:00 promiscuity 0",
        "2: ens3: <UP> mtu 1500 qdisc pfifo_fast\\    link/ether 52:54:00:12:34:56\\    altname enp0s3",
        "3: gretap0@NONE: <BROADCAST> mtu 1476\\    link/ether 00:00:00:00:00:00\\    gretap remote any",
    ],
    "read-interfaces": ["/sys/class/net/ens3/", "/sys/class/net/gretap0/", "/sys/class/net/lo/"],
    "traffic": ["qdisc noqueue 0: dev lo root refcnt 2", "qdisc fq_codel 0: dev ens3 root refcnt 2"],
    "routing-rules": [
        "0:\tfrom all lookup local",
        "32766:\tfrom all lookup main",
        "32767:\tfrom all lookup default",
    ],
    "routes": [
        "default via 10.0.2.2 dev ens3 proto dhcp src 10.0.2.15 metric 100",
        "10.0.2.0/24 dev ens3 proto kernel scope link src 10.0.2.15 metric 100",
        "local 127.0.0.1 dev lo table local proto kernel scope host src 127.0.0.1",
        "multicast ff00::/8 dev ens3 table local proto kernel metric 256 pref medium",
        "unreachable default dev lo proto kernel metric 4294967295 error -101",
    ],
    "other-etc": [
        f"{'7' * 64}  {'c' * 64}.0 etc/same",
        f"{'7' * 64}  {'c' * 64}.0 usr/etc/same",
        f"{'1' * 64}  {'c' * 64}.0 etc/profile",
        f"{'6' * 64}  {'c' * 64}.0 etc/resolv.conf",
    ],
    "clock": ["00000000,,0,0.000000000,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,1.0"],
    "clock-config": ["/etc/chrony/chrony.conf:pool 2.pool.ntp.org iburst"],
    "globbed": ["/etc/shadow", "/etc/profile", "/var/opt/*"],
    "read-accounts": ["root:x:0:0:root:/root:/bin/bash", "wheel:x:10:nest"],
    "cat-accounts": ["root:x:0:0:root:/root:/bin/bash", "wheel:x:10:nest"],
    "read-sysctl": ["fs/protected_symlinks = 1"],
    "manager": ["u 0"],
    "proc-unix": [
        "0000000000000000: 00000002 00000000 00010000 0001 01 11 /run/dbus/system_bus_socket",
        "0000000000000000: 00000002 00000000 00000000 0002 01 12 /run/systemd/notify",
    ],
    "sshd-canary": [
        "passwordauthentication yes",
        "kbdinteractiveauthentication yes",
        "permitrootlogin yes",
        "permitemptypasswords yes",
        "hostbasedauthentication yes",
        "authorizedkeysfile /canary",
    ],
    "hosts": ["127.0.0.1 localhost", "10.0.2.100 http.kola.test", "# comment"],
    "shipped-accounts": [
        "root:x:0:0:root:/root:/bin/bash",
        "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin",
    ],
    "commit": [f"{COMMIT} {COMMIT}  -"],
    "committed": [
        f"-04755 0 0    100 {'c' * 64} /usr/bin/sudo",
        f"-00755 0 0    200 {'c' * 64} /usr/bin/rpm",
        f"-00755 0 0    300 {'c' * 64} /usr/bin/bash",
        *(f"-00644 0 0      1 {'c' * 64} /usr/share/file{number}" for number in range(100)),
        f"-00644 0 0     10 {'c' * 64} /usr/etc/profile",
    ],
    "retimed": [f"{CANARY}/secret"],
    "sockets": [
        'tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=243,fd=3))',
        'udp UNCONN 0 0 127.0.0.1:323 0.0.0.0:* users:(("chronyd",pid=271,fd=5))',
    ],
    "unix-sockets": [
        'u_str LISTEN 0 4096 /run/dbus/system_bus_socket 11 * 0 users:(("dbus-daemon",pid=2,fd=3))'
    ],
    "proc-net": [
        "/proc/net/tcp:  sl  local_address rem_address   st",
        "/proc/net/tcp:   0: 00000000:0016 00000000:0000 0A",
        "/proc/net/udp:   0: 0100007F:0143 00000000:0000 07",
    ],
    "units": [
        *(f"unit{number}.service loaded active running A Unit" for number in range(50)),
        "multi-user.target loaded active active Multi-User System",
        "getty@tty1.service loaded active running Getty",
        "serial-getty@ttyS0.service loaded active running Getty",
    ],
    "services": [
        "Id=sshd.service",
        "ActiveState=active",
        "NRestarts=0",
        "FragmentPath=/usr/lib/systemd/system/sshd.service",
        "MainPID=243",
        "ControlPID=0",
        "Id=chronyd.service",
        "ActiveState=active",
        "NRestarts=0",
        "FragmentPath=/usr/lib/systemd/system/chronyd.service",
        "MainPID=3",
        "ControlPID=0",
    ],
    "engines": [
        "Id=docker.service",
        "LoadState=loaded",
        "ActiveState=inactive",
        "UnitFileState=disabled",
        "TriggeredBy=docker.socket",
        "WantedBy=",
        "RequiredBy=",
        "Id=docker.socket",
        "LoadState=loaded",
        "ActiveState=inactive",
        "UnitFileState=disabled",
        "TriggeredBy=",
        "WantedBy=",
        "RequiredBy=docker.service",
    ],
    "install": ["/usr/lib/systemd/system/sshd.service:WantedBy=multi-user.target"],
    "wait-online": [
        "Id=NetworkManager-wait-online.service",
        "LoadState=loaded",
        "ActiveState=inactive",
        "UnitFileState=enabled",
        "ExecStart={ path=/usr/bin/nm-online ; argv[]=/usr/bin/nm-online -s -q }",
        "Before=network-online.target shutdown.target",
    ],
    "presets": [
        "/usr/lib/systemd/system-preset/80-nestos.preset:enable sshd.service",
        "/usr/lib/systemd/system-preset/80-nestos.preset:disable *",
    ],
    "cmdline": [f"BOOT_IMAGE=/vmlinuz ostree=/ostree/boot.1/nestos/x/0 {_OPTIONS}"],
    "mounts": [
        "1 0 254:4 /ostree/deploy/x / rw shared:1 - xfs /dev/vda4 rw",
        "2 1 254:4 /ostree/deploy/x/usr /usr ro shared:1 - xfs /dev/vda4 rw",
        "3 1 254:4 /ostree/deploy/x/etc /etc rw shared:1 - xfs /dev/vda4 rw",
        "4 1 254:4 / /sysroot ro - xfs /dev/vda4 rw",
        "5 1 254:4 /ostree/deploy/nestos/var /var rw shared:1 - xfs /dev/vda4 rw",
        "6 1 254:3 / /boot ro,nosuid,nodev shared:1 - ext4 /dev/vda3 rw",
    ],
    "user-controllers": ["cpuset cpu io memory pids"],
    "disk-caches": ["/sys/block/vda/queue/write_cache:write back", "/sys/block/vda/cache_type:write back"],
    "variables": [],
    "proxies": ["/etc/containers/containers.conf:http_proxy = true"],
    "limits": ["/etc/security/limits.conf:* hard core 0", "/etc/security/limits.conf:* hard nofile 524288"],
    "host-authorities": [],
    "bus-names": ["org.kola.Audit: Call failed: it is not allowed to own the service"],
    "swaps": ["Filename Type Size Used Priority", "/dev/zram0 partition 1 0 100"],
    "tmpfiles": [
        "# /usr/lib/tmpfiles.d/tmp.conf",
        "q /tmp 1777 root root 10d",
        "d /var/log 0755 - - -",
        "d /run/passing 0755 root root -",
        "z /var/log 0750 root wheel - -",
        "d /var/run/other 0755 root root -",
        "# /etc/tmpfiles.d/foreign.conf",
        "z /var/home/nest 0777 root root",
    ],
    "loopback": ["1: lo    inet 127.0.0.1/8 scope host lo", "1: lo    inet6 ::1/128 scope host"],
    "sysctl": [
        "net.ipv6.conf.lo.disable_ipv6 = 0",
        "fs.protected_symlinks = 1",
        "kernel.core_pattern = |/usr/lib/systemd/systemd-coredump %P",
    ],
    "sysctl-config": ["/usr/lib/sysctl.d/50-x.conf:fs.protected_symlinks = 1"],
    "entries": [
        "/boot/loader/entries/ostree-1-nestos.conf:title NestOS 1 (ostree:0)",
        "/boot/loader/entries/ostree-1-nestos.conf:version 1",
        f"/boot/loader/entries/ostree-1-nestos.conf:options {_OPTIONS} ostree=/ostree/boot.1/nestos/x/0",
        "/boot/loader/entries/ostree-1-nestos.conf:linux /ostree/vmlinuz",
        "/boot/loader/entries/ostree-1-nestos.conf:initrd /ostree/initramfs",
    ],
    "bootlinks": [f"/ostree/boot.1/nestos/x/0 /sysroot/ostree/deploy/nestos/deploy/{COMMIT}.0"],
    "boot-files": [
        "/boot/loader/entries/ostree-1-nestos.conf linux",
        "/boot/loader/entries/ostree-1-nestos.conf initrd",
    ],
    "ostree-status": [f"* nestos {COMMIT}.0", "    Version: 1.0"],
    "bound-refs": ["['nestos/x86_64/reference']"],
    "remotes": [
        '/etc/ostree/remotes.d/openEuler.conf:[remote "openEuler"]',
        "/etc/ostree/remotes.d/openEuler.conf:url=https://nestos.example.invalid/ostree",
        '/usr/etc/ostree/remotes.d/openEuler.conf:[remote "openEuler"]',
        "/usr/etc/ostree/remotes.d/openEuler.conf:url=https://nestos.example.invalid/ostree",
    ],
    "origins": ["/ostree/deploy/nestos/deploy/x.0.origin:refspec=openEuler:nestos/x86_64/reference"],
    "os-release": ['OSTREE_VERSION="1.0"', "ID=nestos", "VARIANT_ID=container", 'PRETTY_NAME="NestOS 1.0"'],
    "packages": ["bash 0:5.2-1.x86_64"],
    "journald": ["/usr/lib/systemd/journald.conf.d/10.conf:Storage=persistent"],
    "end": [],
}

POLICY = {
    "pubkeyauthentication": "yes",
    "passwordauthentication": "no",
    "kbdinteractiveauthentication": "no",
    "permitemptypasswords": "no",
    "hostbasedauthentication": "no",
    "permituserenvironment": "no",
    "strictmodes": "yes",
    "gatewayports": "no",
    "permittunnel": "no",
    "trustedusercakeys": "none",
    "authorizedprincipalscommand": "none",
    "forcecommand": "none",
    "usepam": "yes",
    "authenticationmethods": "any",
    "authorizedprincipalsfile": "none",
    "chrootdirectory": "none",
    "disableforwarding": "no",
    "permituserrc": "yes",
    "permittty": "yes",
    "exposeauthinfo": "no",
    "loglevel": "INFO",
    "syslogfacility": "AUTH",
    "revokedkeys": "none",
    "permitrootlogin": "prohibit-password",
    "authorizedkeysfile": ".ssh/authorized_keys",
    "authorizedkeyscommand": "none",
    "pubkeyacceptedalgorithms": "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256",
    **{f"other{number}": "x" for number in range(30)},
}


def record(
    *,
    add: dict[str, list[str]] | None = None,
    instead: dict[str, list[str]] | None = None,
    sshd: dict[str, dict[str, str]] | None = None,
) -> Record:
    """The sample with lines added to sections, sections replaced, or settings of sshd changed for users."""
    sections = {name: [*lines, *(add or {}).get(name, ())] for name, lines in SECTIONS.items()}
    sections |= {name: lines for name, lines in (add or {}).items() if name not in sections}
    sections |= instead or {}
    parts = []
    for user in ("root", "nest", "nobody"):
        settings = POLICY | (sshd or {}).get(user, {})
        body = [f"{key} {value}" for key, value in settings.items()]
        parts.append("\n".join([f"@@ sshd {user} 203.0.113.7 /usr/sbin/sshd -D", *body]))
    parts += ["\n".join(["@@ sshd-shipped", *(f"{key} {value}" for key, value in POLICY.items())])]
    parts += ["\n".join([f"@@ {name}", *lines]) for name, lines in sections.items()]
    return Record("\n\n".join(parts) + "\n")


def bad(section: str, *lines: str) -> Record:
    """Return the record of a sound system with these lines added to a section."""
    return record(add={section: list(lines)})
