"""libostree, through GObject introspection; imported only by commands that need it."""

from __future__ import annotations

import gi

gi.require_version("OSTree", "1.0")

from gi.repository import Gio, GLib, OSTree  # noqa: E402 - the version must be chosen first

__all__ = ["GLib", "Gio", "OSTree"]
