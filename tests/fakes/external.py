"""External tests in a checkout, and the answers of a stand-in for kolet."""

from __future__ import annotations

from typing import Any

from fakes.checkout import Checkout, Ran
from harness.platform.parts.accel import SCALE_VARIABLE

SCRIPT = "#!/bin/sh\n## kola:\n{}true\n"
WELL = "end ActiveState=active Result=success ExecMainCode=1 ExecMainStatus=0\n"
SHORT = {SCALE_VARIABLE: "0.1"}
"""Every deadline is a tenth: a test of one minute has six seconds."""


def tree(checkout: Checkout, **tests: str) -> None:
    """Tests below `proj`, each with these lines of metadata."""
    top = checkout.root / "proj/tests/kola"
    top.mkdir(parents=True)
    for name, metadata in tests.items():
        (top / name).write_text(SCRIPT.format("".join(f"##   {line}\n" for line in metadata.splitlines())))
        (top / name).chmod(0o755)


def run(checkout: Checkout, *words: str, env: dict[str, str] | None = None) -> Ran:
    where = ("-E", str(checkout.root / "proj"), "--boot", "cold", "ext.proj.*")
    return checkout.run(*where, *words, env=env)


def kolet(name: str, stdout: str, *, action: str = "start", **keys: Any) -> dict[str, Any]:
    return {"match": rf"run-unit {action} \S+ kola-runext-{name} ", "stdout": stdout} | keys


def ended(output: str, *, result: str = "exit-code", code: int = 1, status: int = 0) -> str:
    return f"end ActiveState=failed Result={result} ExecMainCode={code} ExecMainStatus={status}\n{output}"


def entry(ran: Ran, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(test for test in ran.report["tests"] if test["name"] == name)
    return found
