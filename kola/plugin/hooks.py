"""pytest's hooks as kola answers them."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import pytest

from harness.errors import ConfigError
from kola.plugin import protocol
from kola.plugin.attach import to_allure
from kola.plugin.doorkeeper import Doorkeeper
from kola.plugin.items import identify
from kola.plugin.keys import CONTEXT, INFO, PLAN, STATE
from kola.plugin.needs import write_kinds
from kola.plugin.recorder import Recorder
from kola.plugin.state import WorkerState
from kola.plugin.termination import Termination
from kola.plugin.watchdog import phase, watch
from kola.plugin.worker import FIRST_WORKER, die_with_parent, run_without_prefetch
from kola.run.arguments import add_run_arguments
from kola.run.plan import RunPlan
from kola.run.resolve import resolve
from kola.select.catalog import own_root

_WATCH: pytest.StashKey[ExitStack] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("kola")
    group.addoption(
        "--kola",
        metavar="OPTIONS",
        default=None,
        help="options of `kola run` as one string, such as --kola '--qemu-image FILE'",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "kola(**keywords): what selection and reports know of a test")
    config.addinivalue_line("markers", "machine(**keywords): what machine a test needs")
    workerinput = getattr(config, "workerinput", None)
    if workerinput is not None:
        die_with_parent()
        if "kola" in workerinput:
            config.stash[PLAN] = RunPlan.from_json(workerinput["kola"])
            _know_external_tests(config)
        return
    handed = getattr(config.option, "kola_resolved", None)
    if handed is None and not _wanted(config):
        return
    if handed is None:
        try:
            typed = _parse(config.getoption("--kola") or "")
            handed = resolve(typed, tell=_tell, dry=config.option.collectonly)
        except ConfigError as error:
            raise pytest.UsageError(str(error)) from None
    config.stash[PLAN] = handed.plan
    if not handed.dry:
        config.pluginmanager.register(Recorder(config, handed), "kola-recorder")
        config.pluginmanager.register(Termination(), "kola-termination")
    _know_external_tests(config)


def _know_external_tests(config: pytest.Config) -> None:
    from kola.external.plugin import ExternalTests  # which builds on this package

    config.pluginmanager.register(ExternalTests(config.stash[PLAN]), "kola-external")


def _wanted(config: pytest.Config) -> bool:
    """Whether this session is about kola's tests: told so, or pointed at the suites."""
    if config.getoption("--kola") is not None:
        return True
    if config.option.help or config.option.version or config.option.collectonly:
        return False
    own = own_root()
    for argument in config.args:
        path = Path(argument.partition("::")[0]).absolute()
        if path == own or own in path.parents:
            return True
    return False


class _Parser(argparse.ArgumentParser):
    """Of the `--kola` string: a mistake in it is one of pytest's own arguments."""

    def error(self, message: str) -> NoReturn:
        raise pytest.UsageError(f"--kola: {message} (kola run --help lists what it takes)")


def _parse(text: str) -> argparse.Namespace:
    parser = _Parser(prog="pytest --kola", add_help=False)
    add_run_arguments(parser)
    try:
        return parser.parse_args(shlex.split(text))
    except ValueError as error:
        raise pytest.UsageError(f"--kola: {error}: {text}") from None


def _tell(message: str) -> None:
    print(message, file=sys.stderr)


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    plan = config.stash.get(PLAN, None)
    if plan is None or config.option.collectonly:
        return
    in_worker = hasattr(config, "workerinput")
    config.stash[STATE] = WorkerState(plan, scheduled=in_worker)
    config.pluginmanager.register(Doorkeeper(), "kola-doorkeeper")
    if in_worker:
        run_without_prefetch(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    state = config.stash.get(STATE, None)
    if state is not None:
        state.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`--multiply N`: every test N times, as kola numbers them."""
    plan = metafunc.config.stash.get(PLAN, None)
    if plan is None or plan.multiply <= 1 or not any(metafunc.definition.iter_markers("kola")):
        return
    metafunc.fixturenames.append("kola_copy")
    metafunc.parametrize("kola_copy", range(plan.multiply))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give every kola test its name; leave out what was not chosen."""
    plan = config.stash.get(PLAN, None)
    if plan is None:
        return
    chosen = frozenset(plan.tests)
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        info = identify(item)
        if info is None:
            kept.append(item)
            continue
        item.stash[INFO] = info
        item.extra_keyword_matches.add(info.name)
        (kept if _base_name(info.name) in chosen or info.name in chosen else left).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
    items[:] = kept


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """The first worker tells what tests need, before xdist tells that it has collected them."""
    config = session.config
    worker = getattr(config, "workerinput", {}).get("workerid")
    if worker == FIRST_WORKER and PLAN in config.stash:
        write_kinds(session.items, config.stash[PLAN], lambda: config.stash[STATE].lessor)


def _base_name(name: str) -> str:
    """The name without a parametrization's `[id]`: selection knows one test a function."""
    return name.partition("[")[0]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    if INFO not in item.stash:
        return None
    protocol.run(item)
    return True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    context = item.stash.get(CONTEXT, None)
    if context is None:
        return (yield)
    stack = ExitStack()
    item.stash[_WATCH] = stack
    with phase(context):
        stack.enter_context(watch(context))
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    context = item.stash.get(CONTEXT, None)
    if context is None:
        return (yield)
    plan = item.config.stash[STATE].plan
    opt_out = frozenset(
        name for mark in item.iter_markers("machine") for name in mark.kwargs.get("opt_out", ())
    )
    with phase(context):
        result = yield
        protocol.check_after(context, opt_out=opt_out, warnings_only=plan.console_warnings_only)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    context = item.stash.get(CONTEXT, None)
    if context is not None:
        item.stash[_WATCH].close()
    try:
        return (yield)
    finally:
        if context is not None:
            context.close_machines()
            to_allure(item.config, context)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    protocol.enrich(item, call)
    report = yield
    protocol.in_its_own_words(call, report)
    return report
