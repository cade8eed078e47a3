"""`python3 -m rpmostree`, which `/usr/bin/rpm-ostree` runs."""

from __future__ import annotations

import sys

from .cli import main

sys.exit(main(sys.argv[1:]))
