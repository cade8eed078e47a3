"""The undocumented parts of pytest-xdist and execnet that kola relies on, checked before a run."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from types import CodeType, FunctionType

from harness.errors import ConfigError

SUPPORTED = ">=3.6,<4"
"""The versions that pyproject.toml allows."""


def require() -> None:
    """Raise ConfigError with the parts that the installed xdist lacks. Reads code objects, runs nothing."""
    from execnet.gateway_base import Popen2IO
    from execnet.multi import Group
    from xdist.dsession import DSession
    from xdist.remote import WorkerInteractor
    from xdist.workermanage import NodeManager, WorkerController

    expected = {
        WorkerInteractor.__init__: ("torun", "nextitem_index"),
        WorkerInteractor.pytest_runtestloop: ("torun", "nextitem_index", "run_one_test"),
        WorkerInteractor.run_one_test: (
            "item_index",
            "nextitem_index",
            "pytest_runtest_protocol",
            "sendevent",
        ),
        DSession.__init__: ("queue",),
        DSession.loop_once: ("queue",),
        DSession.handle_crashitem: ("pytest_handlecrashitem",),
        WorkerController.send_runtest_some: ("sendcommand",),
        Group.terminate: ("_io", "wait"),  # replaced for a worker that keeps machines
        # Replaced for workers that are forked: makegateway, and the streams that it gives to a gateway.
        DSession.pytest_sessionstart: ("nodemanager", "setup_nodes"),
        NodeManager.setup_nodes: ("pytest_xdist_setupnodes", "setup_node"),
        NodeManager.setup_node: ("group", "makegateway"),
        Group.makegateway: ("allocate_id", "bootstrap", "_register", "popen"),
        Popen2IO.__init__: ("outfile", "infile", "execmodel"),
    }
    missing = list(missing_names(expected))
    if missing:
        raise ConfigError(
            f"kola cannot use pytest-xdist {version('pytest-xdist')}, which lacks {', '.join(missing)}",
            hint=f"install pytest-xdist{SUPPORTED}",
        )


def missing_names(expected: dict[FunctionType, tuple[str, ...]]) -> Iterator[str]:
    """Yield `function: name` for each name that a function should use, but does not."""
    for function, names in expected.items():
        used = set(_used(function.__code__))
        yield from (f"{function.__qualname__}: {name}" for name in names if name not in used)


def _used(code: CodeType) -> Iterator[object]:
    """Yield names and constants of a function and of those defined in it."""
    yield from code.co_names
    yield from code.co_consts
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _used(constant)
