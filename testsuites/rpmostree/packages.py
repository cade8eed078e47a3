"""The packages that these tests install."""

from __future__ import annotations

from harness.services.rpms import Rpm, RpmFile

PROBE = Rpm(
    name="kola-probe",
    files={
        "/usr/bin/kola-probe": RpmFile("#!/bin/sh\necho probe\n", 0o755),
        "/etc/kola-probe.conf": "default\n",
    },
)
LIBRARY = Rpm(name="kola-library", files={"/usr/share/kola-library": "library\n"})
NEEDS_LIBRARY = Rpm(
    name="kola-needy",
    files={"/usr/bin/kola-needy": RpmFile("#!/bin/sh\ncat /usr/share/kola-library\n", 0o755)},
    requires=("kola-library >= 1", "bash"),
)
NEEDS_NOBODY = Rpm(name="kola-lonely", requires=("kola-that-nobody-provides",), files={"/usr/share/x": "x\n"})
ENEMY = Rpm(name="kola-enemy", conflicts=("bash",), files={"/usr/share/x": "x\n"})
THIEF = Rpm(name="kola-thief", files={"/usr/bin/bash": RpmFile("#!/bin/sh\n", 0o755)})
