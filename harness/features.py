"""What a test may need of the system under test, and a distribution may lack."""

from __future__ import annotations

FEATURES = frozenset({"boot-mirror", "luks", "multipath", "network-kargs", "nfs", "raid", "selinux"})
"""Words of `needs=[…]` in a test's marker, and of `Distro.absent`."""
