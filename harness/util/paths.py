"""Directories for files that outlive one command."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
from pathlib import Path

from harness.errors import ConfigError

_OFTEN_READ_ONLY = frozenset({"reference"})
_IN_USE = frozenset({"scratch"})
_ELSEWHERE = "set XDG_CACHE_HOME to a directory of yours"

_ANOTHER_STATE = "set XDG_STATE_HOME to a directory of yours"


def cache_root() -> Path:
    """Return `$XDG_CACHE_HOME/kola`, by default `~/.cache/kola` (XDG Base Directory Specification).

    A relative XDG_CACHE_HOME is ignored, as the specification requires. Raises ConfigError without a home.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if base.is_absolute():
        return base / "kola"
    try:
        return Path.home().absolute() / ".cache/kola"
    except RuntimeError:
        raise ConfigError("this user has no home directory for the cache", hint=_ELSEWHERE) from None


def state_root() -> Path:
    """Return `$XDG_STATE_HOME/kola`, by default `~/.local/state/kola`, for state that outlives a command.

    A relative XDG_STATE_HOME is ignored, as the specification requires. Raises ConfigError without a home.
    """
    base = Path(os.environ.get("XDG_STATE_HOME", ""))
    if base.is_absolute():
        return base / "kola"
    try:
        return Path.home().absolute() / ".local/state/kola"
    except RuntimeError:
        raise ConfigError(
            "this user has no home directory for kept machines",
            hint=_ANOTHER_STATE,
        ) from None


def require_state() -> Path:
    """Return the state directory, created if missing.

    Raises ConfigError when this user cannot write to it.
    """
    root = state_root()
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise unusable_state(root, error) from None
    if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        raise unusable_state(root, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    return root


def unusable_state(root: Path, error: OSError) -> ConfigError:
    """Return the error for a state directory in which this user cannot keep machines."""
    why = f"the state directory cannot be used: {error.strerror}"
    return ConfigError(why, file=root, hint=_ANOTHER_STATE)


def require_cache() -> Path:
    """Return the cache directory, created if missing.

    Raises ConfigError when this user cannot write to it.
    """
    root = cache_root()
    try:
        root.mkdir(parents=True, exist_ok=True)
        inside = [entry for entry in root.iterdir() if entry.is_dir() and entry.name not in _OFTEN_READ_ONLY]
    except OSError as error:
        blocked = Path(error.filename or root)
        raise _unusable(root, error.strerror or "no directory", blocked) from None
    for directory in (root, *inside):
        if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
            raise _unusable(root, "not writable", directory)
    return root


def give_back_to_sudo_user() -> None:
    """After work as root through sudo, give the cache in the user's home to that user."""
    user, group = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if os.geteuid() != 0 or not user.isdecimal() or not group.isdecimal() or int(user) == 0:
        return
    root = cache_root()
    if not any(_owner(parent) == int(user) for parent in root.parents):
        return
    made = [parent for parent in root.parents if parent.name == ".cache"]
    for directory, folders, files in os.walk(root):
        if Path(directory) == root:
            folders[:] = [name for name in folders if name not in _IN_USE]
        made += [Path(directory), *(Path(directory, name) for name in files)]
    for path in made:
        with contextlib.suppress(FileNotFoundError):
            if path.lstat().st_uid == 0:
                os.lchown(path, int(user), int(group))


def _unusable(root: Path, why: str, blocked: Path) -> ConfigError:
    owner = _owner(blocked)
    hint = _ELSEWHERE
    if owner is not None and owner != os.geteuid() and blocked.is_relative_to(root):
        mine = f"sudo chown -R {_name(os.geteuid())} {root}"
        hint = f"{blocked} belongs to {_name(owner)}: {mine}, or {_ELSEWHERE}"
    return ConfigError(f"the cache directory cannot be used: {why}", file=root, hint=hint)


def _owner(path: Path) -> int | None:
    try:
        return path.lstat().st_uid
    except OSError:
        return None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
