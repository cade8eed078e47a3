"""libvirt's errors as ours. A stand-in for the library raises them: nothing here needs libvirt."""

from __future__ import annotations

import pytest

from harness.platform.libvirt import library


class LibvirtError(Exception):
    """An error with libvirt's domain and code."""

    def __init__(self, text: str, *, domain: int, code: int) -> None:
        super().__init__(text)
        self._domain, self._code = domain, code

    def get_error_domain(self) -> int:
        return self._domain

    def get_error_code(self) -> int:
        return self._code


@pytest.mark.parametrize(
    ("text", "domain", "code", "gone"),
    [
        ("internal error: connection closed due to keepalive timeout", 7, 1, True),
        ("internal error: client socket is closed", 7, 1, True),
        ("Cannot recv data: Connection reset by peer", 7, 38, True),
        ("Cannot write data: Broken pipe", 7, 38, True),
        ("Cannot access storage file '/i' (as uid:1, gid:1): Permission denied", 18, 38, False),
        ("unable to write to '/l': No space left on device", 0, 38, False),
        ("internal error: process exited while connecting to monitor", 10, 1, False),
        ("Domain not found", 10, 42, False),
    ],
)
def test_a_daemon_is_gone_only_where_the_connection_failed(
    text: str, domain: int, code: int, gone: bool
) -> None:
    assert library.is_gone(LibvirtError(text, domain=domain, code=code)) is gone
