"""Features of the system under test that a test may need and a distribution may lack."""

from __future__ import annotations

FEATURES = frozenset(
    {"boot-mirror", "luks", "multipath", "multipath-root", "network-kargs", "nfs", "raid", "selinux"}
)
"""The words allowed in `needs=[…]` of a test's marker and in `Distro.absent`."""
