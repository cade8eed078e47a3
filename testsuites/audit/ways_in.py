"""Rules for ways in: settings of each sshd, authorized keys, consoles."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.artifact import Distro
from testsuites.audit.finding import Finding
from testsuites.audit.items import SshPolicy
from testsuites.audit.record import Record
from testsuites.audit.secrets import PUBLIC_KEY

_REQUIRED = {
    "pubkeyauthentication": {"yes"},
    "passwordauthentication": {"no"},
    "kbdinteractiveauthentication": {"no"},
    "challengeresponseauthentication": {"no", ""},
    "permitemptypasswords": {"no"},
    "hostbasedauthentication": {"no"},
    "kerberosauthentication": {"no"},
    "permituserenvironment": {"no"},
    "strictmodes": {"yes"},
    "gatewayports": {"no"},
    "permittunnel": {"no"},
    "trustedusercakeys": {"none"},
    "authorizedprincipalscommand": {"none"},
    "forcecommand": {"none"},
    "usepam": {"yes"},
    "authenticationmethods": {"any", "publickey"},
    "authorizedprincipalsfile": {"none"},
    "chrootdirectory": {"none"},
    "disableforwarding": {"no"},
    "permituserrc": {"yes"},
    "permittty": {"yes"},
    "exposeauthinfo": {"no"},
    "loglevel": {"INFO", "VERBOSE"},
    "syslogfacility": {"AUTH", "AUTHPRIV"},
    "revokedkeys": {"none"},
}
"""Values that sshd may have for any user from any address; older versions do not print all of them."""
_NOT_PRINTED = {"challengeresponseauthentication", "kerberosauthentication"}
_LIMITS = ("allowusers", "denyusers", "allowgroups", "denygroups")
_ALGORITHMS = ("ciphers", "macs", "kexalgorithms", "hostkeyalgorithms", "pubkeyacceptedalgorithms")
_WEAK = re.compile(r"none|arcfour|3des|blowfish|cast128|hmac-md5|group1-sha1|ssh-dss|-cbc")
_SFTP = re.compile(r"(^internal-sftp|/sftp-server)\b")
_AUTOLOGIN = re.compile(r"\bagetty\b.*(--autologin|\s-a\s|--skip-login|\s-n\b|--login-program|\s-l\s)")
_AT_TERMINALS = {"agetty", "login", "getty", "mingetty", "sulogin"}
_HOST_KEY = re.compile(r"/etc/ssh/ssh_host_\w+_key\.pub")
_CONFIG = "/run/ignition.json"
"""Ignition's config, readable for root only. Keys in it are expected."""
_STARTS_LOGINS = re.compile(
    r"^Exec\w*=.*/(sshd|dropbear|in\.telnetd|telnetd|rlogind|rshd|socat|ncat|nc)(\s|$)"
)
_LOGIN_SERVERS = {"dropbear", "telnetd", "in.telnetd", "rlogind", "rshd", "xinetd", "inetd"}


def sshd_settings(record: Record, distro: Distro) -> list[Finding]:
    """Every setting that opens a way in beside keys, for any user, from any address, of any sshd."""
    found: dict[tuple[str, str, str, str], list[SshPolicy]] = {}
    for policy in record.policies:
        for rule, says in _opened(policy):
            found.setdefault((rule, policy.daemon, says, ""), []).append(policy)
        for says, field in _unusual(policy, distro):
            found.setdefault(("keys are where the build says", policy.daemon, says, field), []).append(policy)
        if (root := policy.value("permitrootlogin")) not in distro.sshd_root_login:
            rule = "root is not let in by more than keys"
            found.setdefault((rule, policy.daemon, f"permitrootlogin is {root}", ""), []).append(policy)
    return [
        Finding(rule, daemon, f"{says} for {_whom(policies)}", field)
        for (rule, daemon, says, field), policies in found.items()
    ]


_OF_THE_MACHINE = {"hostkey", "hostkeyagent", "port", "listenaddress", "pidfile", "addressfamily"}
"""Settings with rules of their own, or of the daemon's arguments."""


def sshd_as_shipped(record: Record) -> list[Finding]:
    """Return every setting that sshd has otherwise than by the build's /usr/etc/ssh."""
    shipped = record.settings("sshd-shipped")
    policy = next((one for one in record.policies if one.user == "nobody"), None)
    if len(shipped) < 10 or policy is None:
        return []
    return [
        Finding(
            "sshd is set as the build ships it",
            key,
            f"is {policy.value(key) or 'not set'}, not {next(iter(shipped.get(key, ())), 'set')}",
        )
        for key in sorted(shipped.keys() | policy.settings.keys())
        if shipped.get(key) != policy.settings.get(key) and key not in _OF_THE_MACHINE
    ]


def _unusual(policy: SshPolicy, distro: Distro) -> Iterable[tuple[str, str]]:
    """Yield each source of keys that the profile does not know, and the profile's field."""
    for key, allowed, field in (
        ("authorizedkeysfile", distro.authorized_keys_files, "authorized_keys_files"),
        ("authorizedkeyscommand", distro.authorized_keys_commands, "authorized_keys_commands"),
    ):
        if (value := policy.value(key)) not in allowed:
            yield f"{key} is {value}", field


def _whom(policies: Iterable[SshPolicy]) -> str:
    """Return users and addresses, as many as fit into a line."""
    users = list(dict.fromkeys(policy.user for policy in policies))
    addresses = list(dict.fromkeys(policy.address for policy in policies))
    shown = ", ".join(users[:5]) + (f" and {len(users) - 5} more" if len(users) > 5 else "")
    return f"{shown} from {', '.join(addresses)}"


def _opened(policy: SshPolicy) -> Iterable[tuple[str, str]]:
    if len(policy.settings) < 10:
        yield "sshd says what it takes", "`sshd -T -C` fails"
        return
    for key, allowed in _REQUIRED.items():
        value = policy.value(key)
        if value not in allowed and (value or key not in _NOT_PRINTED):
            yield "keys are the only way in", f"{key} is {value or 'not printed'}"
    for key in _LIMITS:
        if value := policy.value(key):
            yield "sshd takes the keys of all users", f"{key} is {value}"
    for key in _ALGORITHMS:
        if weak := [one for one in policy.value(key).split(",") if _WEAK.search(one)]:
            yield "sshd takes no broken algorithm", f"{key} has {', '.join(weak)}"
    for value in policy.settings.get("subsystem", ()):
        name, _, program = value.partition(" ")
        if name != "sftp" or not _SFTP.search(program):
            yield "sshd runs no other program", f"subsystem is {value}"
    if value := policy.value("setenv"):
        yield "sshd runs no other program", f"setenv is {value}"


def sshd_exceptions(record: Record) -> list[Finding]:
    """Every setting that sshd has otherwise for one user or address than for a stranger (`Match`)."""
    found = [
        Finding("sshd has no exceptions", line.file, f"says {line.text.strip()!r}")
        for line in record.file_lines("sshd-matches")
    ]
    for daemon in dict.fromkeys(policy.daemon for policy in record.policies):
        policies = [policy for policy in record.policies if policy.daemon == daemon]
        usual = next((policy for policy in policies if policy.user == "nobody"), policies[0])
        for policy in policies:
            keys = usual.settings.keys() | policy.settings.keys()
            changed = [key for key in sorted(keys) if usual.settings.get(key) != policy.settings.get(key)]
            if changed:
                says = ", ".join(f"{key} is {policy.value(key) or 'not set'}" for key in changed[:4])
                who = f"{policy.user} from {policy.address}"
                found.append(Finding("sshd has no exceptions", who, f"{says}, unlike for others"))
    return found


def authorized_keys(record: Record) -> list[Finding]:
    """Return every public key in /etc, /var, /run and homes except the harness's key of the default user."""
    ours = next(iter(record.lines("access")), "")
    user, _, blob = ours.partition(" ")
    homes = tuple(f"{account.home.rstrip('/')}/" for account in record.accounts if account.name == user)
    found = []
    for line in record.secrets:
        if not PUBLIC_KEY.search(line.text) or line.file.startswith(f"{record.canary}/"):
            continue
        if _HOST_KEY.fullmatch(line.file) or line.file.endswith("known_hosts") or line.file == _CONFIG:
            continue
        if "@cert-authority" in line.text or "@revoked" in line.text:  # of known_hosts, see trust.authorities
            continue
        mine = bool(blob) and blob in line.text and line.file.startswith(homes)
        if not mine:
            words = line.text.split()
            found.append(Finding("no key is shipped", line.file, f"lets in {' '.join(words[-1:])[:60]}"))
    return found


def key_types(record: Record, distro: Distro) -> list[Finding]:
    """Return every key type of the guide that sshd would refuse."""
    found = set()
    for policy in record.policies:
        accepted = policy.value("pubkeyacceptedalgorithms") or policy.value("pubkeyacceptedkeytypes")
        for kind in distro.key_types:
            if policy.settings and kind not in accepted.split(","):
                found.add(
                    Finding("the guide's key types are taken", kind, f"not by {policy.daemon}", "key_types")
                )
    return sorted(found)


def consoles(record: Record, terminals: Iterable[str]) -> list[Finding]:
    """Return findings unless each terminal has a login prompt, without automatic login or a debug shell."""
    found = []
    active = {unit.name for unit in record.units if unit.active == "active"}
    for terminal in terminals:
        if not any(f"getty@{terminal}.service" in name for name in active):
            found.append(Finding("consoles have a login", terminal, "no getty runs there", "consoles"))
    for line in record.lines("processes"):
        if _AUTOLOGIN.search(line):
            found.append(Finding("consoles ask who it is", line.split()[-1], " ".join(line.split()[3:])))
    # Once somebody is logged in, getty's process is the shell's.
    for shown in record.shown("gettys"):
        if _AUTOLOGIN.search(shown.get("ExecStart", "")):
            says = "logs somebody in without a password"
            found.append(Finding("consoles ask who it is", shown.get("Id", "?"), says))
    for process in record.cgroups.values():
        at_terminal = not process.terminal.startswith(("?", "-", "pts/"))
        if at_terminal and process.name not in _AT_TERMINALS:
            says = f"{process.name} has it, of {process.unit or 'no unit'}"
            found.append(Finding("consoles ask who it is", process.terminal, says))
    known = tuple(f"getty@{terminal}.service" for terminal in terminals)
    for name in sorted(active):
        if name == "debug-shell.service" or name.startswith(("emergency.", "rescue.")):
            found.append(Finding("consoles ask who it is", name, "is a root shell without a password"))
        elif "getty@" in name and not name.endswith(known):
            says = "is one more console"
            found.append(Finding("consoles are those of the build", name, says, "consoles"))
    return found


def sshd_sockets(record: Record) -> list[Finding]:
    """Return every port of an sshd other than 22, and every other login server that listens."""
    found = []
    for socket in record.sockets:
        where = f"{socket.protocol} {socket.address}:{socket.port}"
        if socket.process.startswith("sshd") and socket.port != 22:
            found.append(Finding("sshd listens on port 22", where, "is an sshd, too"))
        if socket.process in _LOGIN_SERVERS:
            found.append(Finding("sshd is the only server of logins", where, f"is {socket.process}"))
    for line in record.file_lines("unit-files"):
        if _STARTS_LOGINS.search(line.text) and not line.file.startswith("/usr/lib/"):
            says = f"says {line.text.strip()[:80]}"
            found.append(Finding("sshd is the only server of logins", line.file, says))
    return found
