"""`data:` URLs (RFC 2397), which carry file contents inside a config."""

from __future__ import annotations

import base64
import binascii
import gzip
import re
import zlib
from urllib.parse import quote, unquote_to_bytes

_UNRESERVED = "-_.!~*'()"
_COMPRESSION_KEY_COST = len("gzip")
_TOKEN = r"[!#$%&'*+.^_`{|}~0-9A-Za-z-]+"
_MEDIA = rf"(?:(?:text|image|audio|video|application|message|multipart)(?:{_TOKEN})?|[xX]-(?:{_TOKEN})?)"
_HEADER = re.compile(
    rf"data:(?:{_MEDIA}/{_TOKEN})?(?:;{_TOKEN}=(?:{_TOKEN}|\"(?:[^\"\\]|\\.)*\"))*(?P<base64>;base64)?,"
)
_URL_CHARACTERS = re.compile(r"[!$-;=?-Z_a-z~]*")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def encode(content: bytes, *, compress: bool = True) -> tuple[str, str]:
    """Return the shortest of percent, base64 and gzip-base64 encoding, and the `compression` it needs.

    `compression` is "" or "gzip". Write it even when empty; otherwise a merge could inherit another one.
    """
    url = percent_encode(content)
    plain = "data:;base64," + base64.b64encode(content).decode()
    if len(plain) < len(url):
        url = plain
    if compress:
        # No time stamp, so that equal input gives equal output.
        packed = "data:;base64," + base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()
        if len(packed) + _COMPRESSION_KEY_COST < len(url):
            return packed, "gzip"
    return url, ""


def decode(url: str) -> bytes:
    """Return the bytes of a data URL, still gzipped if they were. Raises ValueError."""
    header = _HEADER.match(url)
    if header is None:
        raise ValueError("invalid data URL")
    data = url[header.end() :]
    if header["base64"]:
        try:
            return base64.b64decode(data.replace("\n", ""), validate=True)
        except binascii.Error as wrong:
            raise ValueError(f"invalid base64 in data URL: {wrong}") from None
    if not _URL_CHARACTERS.fullmatch(data):
        raise ValueError("invalid character in data URL")
    if _BAD_PERCENT.search(data):
        raise ValueError("invalid percent escape in data URL")
    return unquote_to_bytes(data)


def unpack(url: str, compression: str | None) -> bytes:
    """Return the contents as the guest would see them. Raises ValueError when they cannot be decoded."""
    content = decode(url)
    if compression != "gzip":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as wrong:
        raise ValueError(f"invalid gzip data: {wrong}") from None


def percent_encode(content: bytes) -> str:
    """Encode with percent escapes whatever the size, as was done in the days of Ignition 3.0."""
    return "data:," + quote(content, safe=_UNRESERVED)
