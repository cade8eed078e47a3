"""The guest's shell: a table of the commands the harness and its tests use. All others succeed silently."""

from __future__ import annotations

import re
import shlex
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from fakeqemu.plan import Override
from fakeqemu.reply import Reply
from fakeqemu.units import health, systemctl

if TYPE_CHECKING:
    from fakeqemu.guest import Guest

BOOT_ID = "/proc/sys/kernel/random/boot_id"
ARRIVAL = re.compile(rf"cat {BOOT_ID}; date -s \S+ >/dev/null; head -c 64 >/dev/urandom; ")
"""The beginning of a clone's first command (harness.machine.arrival)."""
SEED_BYTES = 64


class Shell:
    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._used: Counter[Override] = Counter()
        self._table: dict[str, Callable[[list[str]], Reply]] = {
            "cat": self._cat,
            "date": lambda words: Reply(),
            "echo": lambda words: Reply(stdout=" ".join(words) + "\n"),
            "exit": lambda words: Reply(status=int(words[0]) if words else 0),
            "false": lambda words: Reply(status=1),
            "ls": self._ls,
            "poweroff": lambda words: Reply(then="poweroff"),
            "printf": lambda words: Reply(stdout="".join(words)),
            "reboot": lambda words: Reply(then="reboot"),
            "rm": self._rm,
            "sleep": lambda words: Reply(delay=float(words[0])),
            "ss": self._ss,
            "stat": self._stat,
            "systemctl": lambda words: systemctl(guest, words),
            "test": self._test,
            "touch": lambda words: self._write(words[-1], b""),
            "uname": lambda words: Reply(stdout="6.6.0-fake\n"),
        }

    def run(self, line: str, user: str, stdin: Callable[[], bytes]) -> Reply:
        """Answer one command line; `stdin` blocks until the caller has closed its end."""
        arrival = ARRIVAL.search(line)
        if arrival is not None:
            reply = self.run(line.replace(arrival[0], "", 1), user, lambda: stdin()[SEED_BYTES:])
            return replace(reply, stdout=f"{self._guest.boot_id}\n".encode() + reply.output)
        planned = self._planned(line)
        if planned is not None:
            return planned
        if "is-system-running" in line and "@state" in line:
            return health(self._guest)
        if line == "cat":
            return Reply(stdout=stdin())
        target = re.fullmatch(r"cat >\s*(\S+)", line)
        if target is not None:
            return self._write(shlex.split(target[1])[0], stdin())
        try:
            parts, words = _commands(line), shlex.split(line)
        except ValueError as error:
            return Reply(status=2, stderr=f"sh: {error}\n")
        if len(parts) > 1:
            return _joined([self.run(part, user, stdin) for part in parts])
        if words[:2] == ["sudo", "-n"]:
            inner = words[3:] if words[2:3] == ["--"] else words[2:]
            return self.run(inner[2] if inner[:2] == ["sh", "-c"] else shlex.join(inner), "root", stdin)
        if words[:1] and words[0] in ("whoami", "id"):
            return Reply(stdout=f"{user}\n")
        known = self._table.get(words[0]) if words else None
        return known(words[1:]) if known is not None else Reply()

    def _planned(self, line: str) -> Reply | None:
        for entry in self._guest.plan.commands:
            if re.search(entry.match, line) and self._used[entry] < entry.times:
                self._used[entry] += 1
                for text in entry.console:
                    self._guest.console.line(text)
                for text in entry.journal:
                    self._log(text)
                for text in entry.journal_late:
                    threading.Timer(1.0, self._log, [text]).start()
                return Reply(
                    status=entry.status,
                    stdout=entry.stdout,
                    stderr=entry.stderr,
                    delay=entry.delay,
                    size=entry.size,
                    hang=entry.hang,
                    then=entry.then,
                )
        return None

    def _log(self, text: str) -> None:
        daemon = re.match(r"(systemd(?:-\w+)?|sshd): ", text)
        message, identifier = (text[daemon.end() :], daemon[1]) if daemon else (text, "kernel")
        self._guest.log(message, identifier=identifier)

    def _cat(self, words: list[str]) -> Reply:
        if words == [BOOT_ID]:
            return Reply(stdout=self._guest.boot_id + "\n")
        content = b""
        for path in words:
            node = self._guest.files.get(path)
            if node is None:
                return Reply(status=1, stderr=f"cat: {path}: No such file or directory\n")
            content += node.content
        return Reply(stdout=content)

    def _write(self, path: str, content: bytes) -> Reply:
        try:
            self._guest.files.write(path, content)
        except OSError as error:
            return Reply(status=1, stderr=f"sh: write error: {error.strerror}\n")
        return Reply()

    def _rm(self, words: list[str]) -> Reply:
        for path in words:
            self._guest.files.remove(path)
        return Reply()

    def _ls(self, words: list[str]) -> Reply:
        paths = [word for word in words if not word.startswith("-")] or ["/"]
        names = self._guest.files.names(paths[0])
        return Reply(stdout="".join(f"{name}\n" for name in names))

    def _test(self, words: list[str]) -> Reply:
        files, path = self._guest.files, words[-1]
        there = files.get(path) is not None or files.is_directory(path)
        return Reply(status=0 if there else 1)

    def _stat(self, words: list[str]) -> Reply:
        node = self._guest.files.get(words[-1])
        if node is None:
            return Reply(status=1, stderr=f"stat: cannot statx '{words[-1]}': No such file or directory\n")
        user, _, group = node.owner.partition(":")
        text = words[words.index("-c") + 1]
        values = {"%a": f"{node.mode:o}", "%U": user, "%G": group, "%s": str(len(node.content))}
        for form, value in values.items():
            text = text.replace(form, value)
        return Reply(stdout=text + "\n")

    def _ss(self, words: list[str]) -> Reply:
        wanted = re.search(r"sport = :(\d+)", " ".join(words))
        ports = [port for port in self._guest.plan.open_ports if wanted is None or port == int(wanted[1])]
        return Reply(stdout="".join(f"LISTEN 0 128 0.0.0.0:{port} 0.0.0.0:*\n" for port in ports))


def _logged(text: str) -> tuple[str, str]:
    """The sender and text of a message: the kernel unless systemd or sshd is named."""
    daemon = re.match(r"(systemd(?:-\w+)?|sshd): ", text)
    return (daemon[1], text[daemon.end() :]) if daemon else ("kernel", text)


def _commands(line: str) -> list[str]:
    """The commands of a line, split at each `;` and newline that is not quoted."""
    lexer = shlex.shlex(line.replace("\n", ";"), posix=False, punctuation_chars=";")
    lexer.whitespace_split = True
    parts: list[list[str]] = [[]]
    for token in lexer:
        if set(token) == {";"}:
            parts.append([])
        else:
            parts[-1].append(token)
    return [" ".join(part) for part in parts if part]


def _joined(replies: list[Reply]) -> Reply:
    """The output of all, the status and consequences of the last."""
    return replace(
        replies[-1],
        stdout=b"".join(reply.output for reply in replies),
        stderr="".join(reply.stderr for reply in replies),
        delay=sum(reply.delay for reply in replies),
    )
