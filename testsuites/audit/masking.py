"""Messages and facts without secrets: reports go further than the machines that they are about."""

from __future__ import annotations

import re

_HIDDEN = "…"
_PLAIN = (
    r"(?:(?:pass|file):|(?:yes|no|none|true|false|null|files?|ask|\d+|prohibit-password|without-password)\b)"
)
_SECTIONS = {
    "shadow",
    "gshadow",
    "read-accounts",
    "cat-accounts",
    "secrets",
    "passwords",
    "engine-settings",
    "proxies",
}
_SECRETS = (
    # A name with a password in a URL, and a password after its key.
    (re.compile(r"(?<=://)[^\s/@:]+:[^\s/@]+(?=@)"), _HIDDEN),
    (
        re.compile(
            r"((?:\b|_)(?:pass(?:word|wd|phrase)?|secret|token|psk|api_?key|access_?key|client-key-data|auth|identitytoken)[\"']?\s*[=:]\s*[\"']?)"
            rf"(?!{_PLAIN}|/)(?:Basic |Bearer )?[^\s\"',;]+",
            re.IGNORECASE,
        ),
        rf"\1{_HIDDEN}",
    ),
    # Hashes of passwords (crypt(5)), and tokens that their first letters give away.
    (re.compile(r"\$(?:[0-9][a-z]?|y|gy|sm3)\$[./A-Za-z0-9$=,]{8,}"), _HIDDEN),
    (
        re.compile(
            r"\b(?:AKIA[0-9A-Z]{12,}|gh[pousr]_\w{20,}|glpat-[\w-]{16,}|AGE-SECRET-KEY-1\w*|eyJ[\w-]{8,}\.[\w.-]+)"
        ),
        _HIDDEN,
    ),
)


def masked(text: str) -> str:
    """Return the text with an ellipsis in the place of passwords, their hashes, and tokens."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def masked_record(text: str) -> str:
    """Return the text of a record with the sections masked that list credentials.

    What stands before the first colon of their lines is a file, or an account.
    """
    lines = []
    section = ""
    for line in text.splitlines(keepends=True):
        if line.startswith("@@ "):
            section = line.split()[1]
        elif section in _SECTIONS:
            file, colon, rest = line.partition(":")
            line = f"{file}{colon}{masked(rest)}"
        lines.append(line)
    return "".join(lines)
