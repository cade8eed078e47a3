"""Rules for trust in others: in commands to container engines, in registries, in certificate authorities."""

from __future__ import annotations

import base64
import binascii
import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from typing import Any

from cryptography import x509

from testsuites.audit.configured import Configured
from testsuites.audit.finding import Finding
from testsuites.audit.record import Record

_ENGINES = ("docker", "isula", "podman")
_TCP = re.compile(
    r"(?:-H|--host)[=\s\"']*(tcp://[^\s\"'\\]+)|\bpodman\b.*\bsystem\s+service\b.*?(tcp:[^\s\"'\\]+)"
)
_PROVED = re.compile(r"--tlsverify(?!=false)")
_LISTENS = re.compile(r"ListenStream=\s*([^/@%\s]\S*)")
_INSECURE = re.compile(r"--insecure-registry[=\s\"']+([^\s\"'\\]+)")
_PLAIN = re.compile(r"--registry-mirror[=\s\"']+(http://[^\s\"'\\]+)")
_PROXY = re.compile(
    r"(?:(?:https?|all)[_-]?proxy|^\s*proxy)[\"']?\s*[=:]\s*[\"']?"
    r"(?:[a-z0-9]+://(?:[^\s\"'@]*@)?([^\s\"'/]+)|([\w.-]+:\d+))",
    re.IGNORECASE,
)
"""A proxy's host and port, without the name and password by which one logs in there."""
_HERE = re.compile(r"(https?://)?(localhost|127\.|\[?::1)")
_PACKAGE = "ca-certificates"
SHOWN = 5
"""Certificates of one file that are named."""


def engine_commands(record: Record, configured: Configured) -> list[Finding]:
    """Return every address of the network at which an engine would obey whoever connects."""
    return _findings("engines obey nobody from the network", _commands(record), configured)


def _findings(rule: str, found: Iterable[tuple[str, str]], configured: Configured) -> list[Finding]:
    """Return a finding for each file and what it says, once, but for files of the run's config."""
    return [Finding(rule, file, says) for file, says in dict.fromkeys(found) if not configured.wrote(file)]


def _commands(record: Record) -> Iterator[tuple[str, str]]:
    daemons = _daemons(record)
    options = [line for line in record.file_lines("engine-options") if _engine(line.file)]
    proved = {_engine(file) for file, settings in daemons.items() if settings.get("tlsverify") is True}
    proved |= {_engine(line.file) for line in options if _PROVED.search(line.text)}
    for file, settings in daemons.items():
        for address in _words(settings.get("hosts")):
            if address.startswith("tcp:") and _engine(file) not in proved:
                yield file, f"takes commands at {address} without tlsverify"
    for line in options:
        for match in () if _engine(line.file) in proved else _TCP.finditer(line.text):
            yield line.file, f"takes commands at {match.group(1) or match.group(2)} without tlsverify"
        listens = _LISTENS.match(line.text)
        if listens and _engine(line.file) not in proved:
            yield line.file, f"takes commands at {listens.group(1)} without tlsverify"


def registries(record: Record, configured: Configured) -> list[Finding]:
    """Return every registry or mirror whose images are taken without TLS, or without a proof of its name."""
    return _findings("images come from where their names say", _unproved(record), configured)


def _unproved(record: Record) -> Iterator[tuple[str, str]]:
    for file, text in _texts(record).items():
        if file.endswith(".json"):
            continue
        try:
            yield from ((file, says) for says in _of_containers(tomllib.loads(text)))
        except tomllib.TOMLDecodeError as error:
            yield file, f"cannot be read: {error}"
    for file, settings in _daemons(record).items():
        if "" in settings:
            yield file, f"cannot be read: {settings['']}"
        for name in _others(_words(settings.get("insecure-registries"))):
            yield file, f"images of {name} are taken without TLS"
        for mirror in _others(_words(settings.get("registry-mirrors"))):
            if mirror.startswith("http:"):
                yield file, f"images are taken from the mirror {mirror} without TLS"
    for line in record.file_lines("engine-options"):
        for name in _others(_INSECURE.findall(line.text)):
            yield line.file, f"images of {name} are taken without TLS"
        for mirror in _others(_PLAIN.findall(line.text)):
            yield line.file, f"images are taken from the mirror {mirror} without TLS"


def _of_containers(settings: dict[str, Any]) -> Iterator[str]:
    """Yield what settings of containers-registries.conf(5), second version or first, leave unproved."""
    for registry in _tables(settings.get("registry")):
        location = registry.get("location") or registry.get("prefix") or "?"
        name = registry.get("prefix") or location
        if registry.get("insecure") is True:
            yield from (f"images of {name} are taken from {one} without TLS" for one in _others([location]))
        for mirror in _tables(registry.get("mirror")):
            if mirror.get("insecure") is True:
                for one in _others([mirror.get("location", "?")]):
                    yield f"images of {name} are taken from the mirror {one} without TLS"
    first = settings.get("registries")
    insecure = first.get("insecure") if isinstance(first, dict) else None
    if isinstance(insecure, dict):
        yield from (
            f"images of {one} are taken without TLS" for one in _others(_words(insecure.get("registries")))
        )


def authorities(record: Record, configured: Configured) -> list[Finding]:
    """Return every trusted certificate that the package ca-certificates does not have."""
    rule = "certificate authorities are the package's"
    rows = [line.partition("\t") for line in record.lines("authorities")]
    known = sum(int(value) for name, _, value in rows if name == "known" and value.isdigit())
    strange: dict[str, list[str]] = {}
    for file, _, body in rows:
        ours = file.startswith(f"{record.canary}/") or configured.wrote(file)
        if file.startswith("/") and not ours:
            strange.setdefault(file, []).append(_subject(body))
    if strange and not known:
        return [Finding(rule, _PACKAGE, "has no certificate to hold the trusted ones against")]
    found = []
    for file, names in sorted(strange.items()):
        shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        found.append(Finding(rule, file, f"trusts {shown}, which the package {_PACKAGE} does not have"))
    hosts = (
        (line.file, f"has ssh trust {_whose(line.text)}") for line in record.file_lines("host-authorities")
    )
    return [*found, *_findings("no authority vouches for hosts", hosts, configured)]


def _whose(line: str) -> str:
    """Return the comment of the key, and the hosts, of a line of @cert-authority (sshd(8))."""
    fields = line.split()
    return f"{' '.join(fields[4:]) or 'an authority'} for {fields[1] if len(fields) > 1 else '?'}"


def proxies(record: Record, configured: Configured) -> list[Finding]:
    """Return every proxy through which programs, services or engines would reach others."""
    found = (
        (line.file, f"goes through the proxy {match.group(1) or match.group(2)}")
        for line in record.file_lines("proxies")
        if (match := _PROXY.search(line.text))
    )
    return _findings("nothing goes through a proxy", found, configured)


def _subject(body: str) -> str:
    try:
        return x509.load_der_x509_certificate(base64.b64decode(body)).subject.rfc4514_string() or "nobody"
    except (binascii.Error, ValueError):
        return f"an unreadable certificate {body[:20]}…"


def _texts(record: Record) -> dict[str, str]:
    """The engines' own files of settings, whole, by path."""
    found: dict[str, list[str]] = {}
    for line in record.file_lines("engine-settings"):
        found.setdefault(line.file, []).append(line.text)
    return {file: "\n".join(lines) for file, lines in found.items()}


def _daemons(record: Record) -> dict[str, dict[str, Any]]:
    """The settings of each daemon.json by path; of one that cannot be read, the error at the empty key."""
    found: dict[str, dict[str, Any]] = {}
    for file, text in _texts(record).items():
        if file.endswith(".json"):
            try:
                settings = json.loads(text)
            except ValueError as error:
                settings = {"": str(error)}
            found[file] = settings if isinstance(settings, dict) else {"": "it is no object"}
    return found


def _engine(file: str) -> str:
    return next((engine for engine in _ENGINES if engine in file.lower()), "")


def _tables(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _words(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _others(names: Iterable[str]) -> list[str]:
    """Return the names that are not the machine's own: those of the loopback are no way out of it."""
    return [name for name in names if not _HERE.match(name)]
