"""kola's implementation of pytest's hooks."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError
from harness.util.language import localized
from kola.cases.catalog import own_root
from kola.plugin import protocol, tables
from kola.plugin.allure import take_over
from kola.plugin.items import identify, multiply
from kola.plugin.keys import CONTEXT, INFO, PLAN, STATE
from kola.plugin.needs import write_kinds
from kola.plugin.recorder import Recorder
from kola.plugin.refusals import refuse_test
from kola.plugin.reservation_check import ReservationCheck
from kola.plugin.state import WorkerState
from kola.plugin.termination import Termination
from kola.plugin.watchdog import phase, watch
from kola.plugin.xdist import internals
from kola.plugin.xdist.worker import (
    CONTROLLER,
    FIRST_WORKER,
    STAYS,
    die_with_parent,
    run_without_prefetch,
)
from kola.run.options import RunOptions, parse
from kola.run.plan import RunPlan
from kola.run.resolve import resolve

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
            take_over(config)
            config.stash[PLAN] = RunPlan.from_json(json.loads(workerinput["kola"]))
            _know_tests(config)
            _end_by_signals(config, Termination([signal.SIGINT], tell=False))
        return
    handed = getattr(config.option, "kola_resolved", None)
    if handed is None and not _wanted(config):
        return
    if handed is None:
        try:
            handed = resolve(_options(config), tell=_tell, dry=config.option.collectonly)
        except ConfigError as error:
            raise pytest.UsageError(str(error)) from None
    config.stash[PLAN] = handed.plan
    if not handed.dry:
        require_xdist_internals(config)
        config.pluginmanager.register(Recorder(config, handed), "kola-recorder")
        _end_by_signals(config, Termination())
    _know_tests(config)


def _end_by_signals(config: pytest.Config, termination: Termination) -> None:
    config.pluginmanager.register(termination, "kola-termination")
    config.add_cleanup(termination.restore)


def require_xdist_internals(config: pytest.Config) -> None:
    """Raise UsageError when tests would run under an xdist that kola does not know."""
    if not config.pluginmanager.has_plugin("xdist"):
        return
    try:
        internals.require()
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from None


def _know_tests(config: pytest.Config) -> None:
    from kola.plugin.external.collection import ExternalTests  # imports this package
    from kola.plugin.modules import PythonTests

    config.pluginmanager.register(PythonTests(config.stash[PLAN]), "kola-python")
    config.pluginmanager.register(ExternalTests(config.stash[PLAN]), "kola-external")


def _wanted(config: pytest.Config) -> bool:
    """Return True when this session runs kola's tests: by `--kola`, or because it was given the suites."""
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


def _options(config: pytest.Config) -> RunOptions:
    text = config.getoption("--kola") or ""
    try:
        options = parse(shlex.split(text))
    except ConfigError as error:
        raise pytest.UsageError(f"--kola: {error.message} (kola run --help lists what it takes)") from None
    except ValueError as error:
        raise pytest.UsageError(f"--kola: {error}: {text}") from None
    if options.keep_on_failure or options.ssh_on_test_failure:
        raise pytest.UsageError("--kola: pytest keeps no machines; use kola run, or pytest --pdb")
    return options


def _tell(message: str) -> None:
    print(localized(message), file=sys.stderr)


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    plan = config.stash.get(PLAN, None)
    if plan is None or config.option.collectonly:
        return
    workerinput = getattr(config, "workerinput", None)
    config.stash[STATE] = WorkerState(plan, scheduler=workerinput[CONTROLLER] if workerinput else 0)
    config.pluginmanager.register(ReservationCheck(), "kola-reservation-check")
    if workerinput is not None:
        run_without_prefetch(config)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell whoever waits for this worker that it stays, before telling that its tests have ended."""
    config = session.config
    state = config.stash.get(STATE, None)
    output = getattr(config, "workeroutput", None)
    if state is not None and output is not None and state.failed_machines.names:
        state.failed_machines.outlive_parent()
        output[STAYS] = state.failed_machines.names


def pytest_unconfigure(config: pytest.Config) -> None:
    state = config.stash.get(STATE, None)
    if state is None:
        return
    state.close()
    if STAYS in getattr(config, "workeroutput", {}):
        state.failed_machines.stay()
    else:
        state.failed_machines.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test for each row of a table; with `--multiply N` make N copies of every test."""
    tables.generate(metafunc)
    plan = metafunc.config.stash.get(PLAN, None)
    if plan is None or plan.multiply <= 1 or not any(metafunc.definition.iter_markers("kola")):
        return
    multiply(metafunc, plan.multiply)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give every kola test its name, and deselect tests that were not chosen."""
    plan = config.stash.get(PLAN, None)
    if plan is None:
        return
    chosen = set(plan.tests)
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        try:
            info = identify(item)
        except ConfigError as error:
            raise pytest.UsageError(str(error)) from None
        if info is None:
            kept.append(item)
            continue
        item.stash[INFO] = info
        item.extra_keyword_matches.add(info.name)
        (kept if info.name in chosen else left).append(item)
        chosen.discard(info.name)  # the catalog has reported a second test of this name as broken
    if left:
        config.hook.pytest_deselected(items=left)
    items[:] = kept


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Write the needs of all tests, in the first worker, before xdist reports that it has collected them."""
    config = session.config
    worker = getattr(config, "workerinput", {}).get("workerid")
    if worker == FIRST_WORKER and PLAN in config.stash:
        write_kinds(
            session.items,
            config.stash[PLAN],
            lambda: config.stash[STATE].pool,
            lambda: config.stash[STATE].fleet,
        )


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
        state = item.config.stash[STATE]
        refuse_test(item, state.plan, state.platform)
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
            state = item.config.stash[STATE]
            if state.plan.keep_failed and context.kind is not None:
                state.failed_machines.keep(context)
            else:
                state.failed_machines.release(context.kept)  # to a debugger, until now
            context.close_machines()


@pytest.hookimpl(tryfirst=True)
def pytest_exception_interact(node: pytest.Item | pytest.Collector) -> None:
    """Before pytest's debugger starts: stop the clock, and say how to get into the machines."""
    context = node.stash.get(CONTEXT, None)
    if context is None or not node.config.getoption("usepdb"):
        return
    node.stash[_WATCH].close()
    node.config.stash[STATE].failed_machines.keep(context)
    for kept in context.kept:
        _tell(f"\nthe machine stays while you debug; in another terminal: kola ssh {kept.name}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    protocol.enrich(item, call)
    report = yield
    protocol.in_its_own_words(call, report)
    return report
