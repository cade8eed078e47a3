"""Rules for secrets in files: private keys, passwords, credentials."""

from __future__ import annotations

import re

from testsuites.audit.finding import Finding
from testsuites.audit.record import Record

_NO_PASSWORD = re.compile(
    r"[=:]\s*[\"']?(pass:|file:|files\b|none\b|yes\b|no\b|true\b|false\b|null\b|ask\b|\d+[\"']?$)", re.I
)
_CREDENTIAL_FILES = {
    ".netrc", ".git-credentials", ".pgpass", "credentials.json", ".npmrc", ".pypirc", ".vault-token",
    "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_ecdsa_sk", "id_ed25519_sk",
}  # fmt: skip
_CREDENTIAL_PATHS = (
    ".docker/config.json",
    ".aws/credentials",
    ".kube/config",
    ".p12",
    ".pfx",
    ".jks",
    ".kdbx",
)
PUBLIC_KEY = re.compile(r"(ssh|ecdsa|sk)-\S+ AAAA")
HOST_KEY = re.compile(r"/etc/ssh/ssh_host_\w+_key(\.pub)?")


def key_of(line: str) -> str:
    """Say what a line with a key or a credential holds: a public key by its comment, nothing of others."""
    if PUBLIC_KEY.search(line):
        return line.split()[-1]
    return "a private key" if "PRIVATE KEY-----" in line else "a credential"


def secrets(record: Record) -> list[Finding]:
    """Return private keys and credentials anywhere in /etc, /var, /run and /boot, except sshd's host keys."""
    found = []
    for line in record.secrets:
        if line.file.startswith(f"{record.canary}/") or HOST_KEY.fullmatch(line.file):
            continue
        if not PUBLIC_KEY.search(line.text):
            found.append(Finding("no secret is shipped", line.file, f"holds {key_of(line.text)}"))
    for line in record.file_lines("passwords"):
        if line.file.startswith(f"{record.canary}/") or line.file.endswith("/nsswitch.conf"):
            continue
        if line.file == "/etc/shadow" or _NO_PASSWORD.search(line.text):
            continue
        key = line.text.strip().partition("=")[0].partition(":")[0][:40]
        found.append(Finding("no password is shipped", line.file, f"has a value for {key!r}"))
    for file in record.files:
        if file.kind == "f" and (file.name in _CREDENTIAL_FILES or file.path.endswith(_CREDENTIAL_PATHS)):
            found.append(Finding("no secret is shipped", file.path, "is a file of credentials"))
    return found
