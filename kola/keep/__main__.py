"""The keeper's process: `python -m kola.keep`, with the order on standard input, as kola.keep.start says it.

Its news go to standard output, one JSON object a line, until the machines are there.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

from harness.errors import ConfigError, HarnessError
from harness.machine.boot import DiskImage
from harness.machine.machine import Machine
from harness.platform import templates
from harness.platform.base import Platform
from harness.platform.choose import choose_fleet
from harness.util.deadline import Deadline
from kola.keep.keeper import Keeper, Promise
from kola.keep.order import FORMAT, SpawnOrder
from kola.keep.record import Kept
from kola.keep.start import LET_GO
from kola.machines import MachinePool, MachineRequest


class Owner:
    """Implements kola.machines.pool.LeaseOwner for machines that are going to be kept."""

    def __init__(self, directory: Path, machines: list[Machine]) -> None:
        self.directory = directory
        self.deadline: Deadline | None = None
        self._machines = machines

    def publish(self, kind: str, **data: Any) -> None:
        if kind == "notice":
            _news(notice=str(data.get("text", "")))

    def started(self, machine: Machine) -> None:
        self._machines.append(machine)


def main() -> int:
    """Keep the ordered machines until they end. Nobody reads the exit status."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    order = FORMAT.load(sys.stdin.buffer.readline().decode())
    threading.Thread(target=_follow_leash, name="leash", daemon=True).start()
    plan = order.plan
    keeper = Keeper(choose_fleet(plan.platform, plan.arch, plan.hosts, network=plan.libvirt_network))
    begun: list[Machine] = []
    try:
        kept = _start(order, keeper, begun)
        _news(ready=[machine.model_dump(mode="json") for machine in kept])
        _close_news()
        keeper.wait()
    except HarnessError as error:
        _news(failed=str(error), wrong_input=isinstance(error, ConfigError))
    except OSError as error:
        _news(failed=f"the files of a kept machine cannot be written: {error}", wrong_input=False)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        for machine in begun:
            machine.close()
        keeper.close()
    return 0


def _start(order: SpawnOrder, keeper: Keeper, begun: list[Machine]) -> list[Kept]:
    request = order.request()
    host = keeper.host_for(request.spec, order.count)
    platform = host.platform
    promise = Promise(order.plan.build_id, order.plan.arch, request.spec, order.lifetime)
    platform.prepare(DiskImage(order.plan.image, order.plan.image_format), lambda text: _news(notice=text))
    machines = keeper.promise(order.count, promise, host=host)
    pool = MachinePool(order.plan, platform, host=host.name, failures=machines[0].home / "failed-boots")
    _foretell(request, pool, platform)
    give = pool.lease if order.wait else pool.start
    given = [give(request, Owner(kept.home, begun)) for kept in machines]
    if len(given) > 1:
        platform.private_network().connect(given)
    return [keeper.hold(kept, machine) for kept, machine in zip(machines, given, strict=True)]


def _foretell(request: MachineRequest, pool: MachinePool, platform: Platform) -> None:
    """Report the reason when the start takes longer than that of a clone."""
    if platform.note:
        _news(notice=f"accelerator: {platform.note}")
    why = "--cold" if request.boot == "cold" else platform.why_not_clone(request.spec)
    keys = pool.templates(request)
    if why:
        _news(notice=f"a cold boot: {why}")
    elif not all(templates.made(key) for key in keys):
        _news(
            notice="no such machine was booted before: it is booted and frozen now, and cloned from then on"
        )


def _follow_leash() -> None:
    """End with the process that ordered the machines, unless it let go of them."""
    if sys.stdin.buffer.readline() != LET_GO:
        os.kill(os.getpid(), signal.SIGTERM)


def _end(number: int, frame: object) -> NoReturn:
    raise SystemExit(0)


def _news(**content: Any) -> None:
    """Print a line of news. The reader may be gone."""
    try:
        print(json.dumps(content), flush=True)
    except OSError:
        _close_news()


def _close_news() -> None:
    """Close the streams, so that nobody waits for their end."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (1, 2):
        os.dup2(null, number)
    os.close(null)


if __name__ == "__main__":
    sys.exit(main())
