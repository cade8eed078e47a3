"""Packing of tests that tolerate each other into as few machines as their conflicts allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from kola.cases.external.discover import ExternalTest
from kola.shell.need import SKIP_BASE_CHECKS

BUCKET = "non-exclusive-test-bucket-"

T = TypeVar("T")


def may_share(test: ExternalTest) -> bool:
    """Return True when the test can run on a shared machine."""
    metadata = test.metadata
    return not (
        metadata.exclusive
        or metadata.machine_options
        or metadata.allow_config_warnings
        or SKIP_BASE_CHECKS in test.info.tags
    )


def pack(tests: Sequence[tuple[ExternalTest, T]]) -> list[list[T]]:
    """Pack by first fit, in the given order: each test joins the first bucket without a conflict.

    A conflict that one test declares counts for both. The second element of each pair is returned unchanged.
    """
    buckets: list[list[tuple[ExternalTest, T]]] = []
    for test, token in tests:
        for bucket in buckets:
            if not any(_conflict(test, other) for other, _ in bucket):
                bucket.append((test, token))
                break
        else:
            buckets.append([(test, token)])
    return [[token for _, token in bucket] for bucket in buckets]


def _conflict(one: ExternalTest, other: ExternalTest) -> bool:
    return (
        one.info.name == other.info.name
        or other.info.name in one.metadata.conflicts
        or one.info.name in other.metadata.conflicts
    )
