"""Kernel and first-boot arguments, written into the boot partition of a machine's own overlay.

An ostree system has one boot entry (Boot Loader Specification) per deployment; an image has one. Its
`options` are what the kernel gets. GRUB reads `ignition.firstboot` on the first boot only.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from harness.errors import ConfigError, InfrastructureError
from harness.platform.qemu import partition
from harness.platform.qemu.debugfs import EXT_MAGIC, EXT_MAGIC_AT, Ext
from harness.platform.qemu.guestfish import Guestfish
from harness.platform.qemu.disks import through_descriptor
