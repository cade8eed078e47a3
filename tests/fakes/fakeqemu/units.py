"""`systemctl` of the guest: units are names with a few properties."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakeqemu.reply import Reply

if TYPE_CHECKING:
    from fakeqemu.guest import Guest

_STATES = {"start": "active", "restart": "active", "stop": "inactive"}


def systemctl(guest: Guest, words: list[str]) -> Reply:
    names = [word for word in words if not word.startswith("-")]
    command, units = (names[0], names[1:]) if names else ("list-units", [])
    match command:
        case "show":
            wanted = words[words.index("-p") + 1]
            return Reply(stdout=_property(guest, units[-1], wanted) + "\n")
        case "is-enabled" | "is-active" | "is-failed":
            return _asked(guest, command, units[0])
        case "start" | "stop" | "restart":
            for unit in units:
                guest.units.setdefault(unit, {})["ActiveState"] = _STATES[command]
            return Reply()
        case "status":
            state = _property(guest, units[0], "ActiveState")
            failed = "Main process exited, code=exited, status=1/FAILURE\n" if state == "failed" else ""
            text = f"{units[0]}\n     Active: {state}\n{failed}"
            return Reply(status=0 if state == "active" else 3, stdout=text)
        case "is-system-running":
            return Reply(stdout=_system_state(guest) + "\n")
        case "reboot" | "poweroff":
            return Reply(then=command)
    return Reply()


def health(guest: Guest) -> Reply:
    """The sections harness.machine.health asks for in one go."""
    failed = [f"{unit} loaded failed failed A unit" for unit in _failed(guest)]
    restarting = [f"{unit} {count}" for unit, count in guest.plan.restarting_units.items()]
    sections = {
        "state": [_system_state(guest)],
        "failed": failed,
        "activating": restarting,
        "coredumps": list(guest.plan.core_dumps),
    }
    lines = [line for name, section in sections.items() for line in (f"@{name}", *section)]
    return Reply(stdout="\n".join(lines) + "\n")


def _failed(guest: Guest) -> list[str]:
    own = [name for name, properties in guest.units.items() if properties.get("ActiveState") == "failed"]
    return [*guest.plan.failed_units, *own]


def _system_state(guest: Guest) -> str:
    return guest.plan.state or ("degraded" if _failed(guest) else "running")


def _property(guest: Guest, unit: str, name: str) -> str:
    properties = guest.units.get(unit, {})
    if name == "ActiveState":
        return "failed" if unit in guest.plan.failed_units else properties.get(name, "inactive")
    return properties.get(name, "")


def _asked(guest: Guest, command: str, unit: str) -> Reply:
    if command == "is-enabled":
        state = guest.units.get(unit, {}).get("UnitFileState", "not-found")
        return Reply(status=0 if state in ("enabled", "static") else 1, stdout=f"{state}\n")
    state = _property(guest, unit, "ActiveState")
    good = state == ("active" if command == "is-active" else "failed")
    return Reply(status=0 if good else 3, stdout=f"{state}\n")
