"""Checks of everything that is fetched: resources, hashes, headers, proxies, tang servers."""

from __future__ import annotations

import json
from collections.abc import Iterator

from harness.ignition import urls
from harness.ignition.findings import Finding, Path, error, warning
from harness.ignition.schema import Object
from harness.ignition.version import SpecVersion

_HASH_DIGITS = {"sha512": 128, "sha256": 64}


def resource(entry: Object, at: Path, version: SpecVersion) -> Iterator[Finding]:
    source = entry.get("source", "")
    if entry.get("compression", "") not in ("", "gzip"):
        yield error((*at, "compression"), f"{entry['compression']!r} is not a compression; only gzip is")
    if "hash" in entry.get("verification", {}) and "source" not in entry:
        yield error((*at, "verification", "hash"), "a hash needs a source to verify")
    if source:
        fault = urls.fault(source, version.minor)
        if fault:
            yield error((*at, "source"), fault)
            return
    if entry.get("httpHeaders") and (not source or urls.scheme_of(source) not in ("http", "https")):
        yield error((*at, "httpHeaders"), "headers need an http or https source")


def references(config: Object, at: Path, version: SpecVersion) -> Iterator[Finding]:
    """Report configs to merge and certificate authorities without a source."""
    head = config.get("ignition", {})
    if version.minor > 0:
        for index, entry in enumerate(head.get("config", {}).get("merge", [])):
            if not entry.get("source"):
                yield error((*at, "ignition", "config", "merge", index), "a source is required")
    authorities = head.get("security", {}).get("tls", {}).get("certificateAuthorities", [])
    for index, entry in enumerate(authorities):
        if not entry.get("source"):
            here = (*at, "ignition", "security", "tls", "certificateAuthorities", index)
            yield error(here, "a source is required")


def verification(entry: Object, at: Path, version: SpecVersion) -> Iterator[Finding]:
    if "hash" not in entry:
        return
    function, dash, digits = entry["hash"].partition("-")
    known = {"sha512": _HASH_DIGITS["sha512"]} if version.minor == 0 else _HASH_DIGITS
    here = (*at, "hash")
    if not dash:
        yield error(here, "a hash has the form sha512-HEX")
    elif function not in known:
        yield error(here, f"the hash function {function!r} is not one of {', '.join(known)}")
    elif len(digits) != known[function]:
        yield error(here, f"a {function} hash has {known[function]} hexadecimal digits, not {len(digits)}")


def header(entry: Object, at: Path, _: SpecVersion) -> Iterator[Finding]:
    if not entry.get("name"):
        yield error((*at, "name"), "a header needs a name")
    if entry.get("value") == "":
        yield error((*at, "value"), "a header's value is not empty; leave it out to remove the header")


def proxy(entry: Object, at: Path, _: SpecVersion) -> Iterator[Finding]:
    for key in ("httpProxy", "httpsProxy"):
        if key not in entry:
            continue
        try:
            scheme = urls.scheme_of(entry[key])
        except ValueError as wrong:
            yield error((*at, key), str(wrong))
            continue
        if scheme not in ("http", "https"):
            yield error((*at, key), "a proxy has an http or https URL")
        elif scheme == "http" and key == "httpsProxy":
            yield warning((*at, key), "the proxy for https is reached in plain text")


def tang(entry: Object, at: Path, _: SpecVersion) -> Iterator[Finding]:
    try:
        if urls.scheme_of(entry.get("url", "")) not in ("http", "https"):
            yield error((*at, "url"), "a tang server has an http or https URL")
    except ValueError as wrong:
        yield error((*at, "url"), str(wrong))
    if not entry.get("thumbprint"):
        yield error((*at, "thumbprint"), "a tang server needs a thumbprint")
    if entry.get("advertisement"):
        try:
            json.loads(entry["advertisement"])
        except (ValueError, RecursionError):
            yield error((*at, "advertisement"), "the advertisement is not JSON")
