"""Checks of URLs in a config, by the rules of Go's net/url and Ignition."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from harness.ignition import dataurl

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_AUTHORITY = re.compile(
    r"(?:[^@\s\[\]<>\"]*@)?(?:\[[0-9A-Fa-f:.%A-Za-z~_-]*\]|[^\s:\[\]<>\"%^`{}|\\]*)(?::\d*)?"
)
_SINCE = {"http": 0, "https": 0, "tftp": 0, "s3": 0, "data": 0, "gs": 2, "arn": 4}
_ARN_PARTS = 6


def scheme_of(url: str) -> str:
    """Return the scheme in lower case, "" if there is none. Raises ValueError when the URL does not parse."""
    if _CONTROL.search(url) or url.startswith(":"):
        raise ValueError("the URL cannot be parsed")
    match = _SCHEME.match(url)
    rest = url[match.end() :] if match else url
    if match and not rest.startswith("/"):
        return match[1].lower()
    if not match and ":" in rest.partition("/")[0]:
        raise ValueError("the URL cannot be parsed")
    if rest.startswith("//"):
        authority = re.split(r"[/?#]", rest[2:], maxsplit=1)[0]
        if not _AUTHORITY.fullmatch(authority):
            raise ValueError("the host of the URL cannot be parsed")
    if _BAD_PERCENT.search(rest.partition("?")[0]):
        raise ValueError("the URL has an invalid percent escape")
    return match[1].lower() if match else ""


def fault(url: str, minor: int) -> str | None:
    """Return the error in a resource URL under spec 3.`minor`, or None."""
    try:
        scheme = scheme_of(url)
        if scheme == "data":
            dataurl.decode(url)
    except ValueError as wrong:
        return str(wrong)
    since = _SINCE.get(scheme)
    if since is None or since > minor:
        allowed = ", ".join(name for name, first in _SINCE.items() if first <= minor)
        return f"the URL scheme {scheme!r} is not one of {allowed}"
    if scheme in ("s3", "arn"):
        return _s3_fault(url, scheme)
    return None


def _s3_fault(url: str, scheme: str) -> str | None:
    if scheme == "arn":
        name = url.partition("?")[0].partition("#")[0]
        parts = name.split(":", _ARN_PARTS - 1)
        needed = 2 if len(parts) == _ARN_PARTS and parts[5].startswith("accesspoint/") else 1
        if len(parts) != _ARN_PARTS or parts[2] != "s3" or name.count("/") < needed:
            return "the URL is not the ARN of an S3 object"
    versions = parse_qs(urlsplit(url).query, keep_blank_values=True).get("versionId")
    if versions is not None and not versions[0]:
        return "the S3 versionId is empty"
    return None
