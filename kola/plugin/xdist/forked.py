"""xdist workers that a ForkServer starts, in place of new Python processes."""

from __future__ import annotations

import os
from typing import Any

import pytest
from execnet.gateway_base import Popen2IO
from execnet.gateway_bootstrap import bootstrap

from kola.plugin.xdist.forkserver import Forked, ForkServer


class ForkedWorkers:
    """A pytest plugin that has xdist fork its workers."""

    def __init__(self, server: ForkServer) -> None:
        self._server = server

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, config: pytest.Config) -> None:
        session: Any = config.pluginmanager.get_plugin("dsession")
        group = session.nodemanager.group
        ordinary = group.makegateway

        def makegateway(spec: Any) -> Any:
            """As execnet.Group.makegateway."""
            if not spec.popen or spec.python or spec.chdir or spec.nice or spec.env:
                return ordinary(spec)
            group.allocate_id(spec)
            try:
                streams = _ForkedIO(self._server, group.execmodel)
            except OSError:
                return ordinary(spec)
            gateway = bootstrap(streams, spec)
            gateway.spec = spec
            group._register(gateway)
            return gateway

        group.makegateway = makegateway


class _ForkedIO(Popen2IO):
    """The streams of a forked worker, with the methods of execnet.gateway_io.Popen2IOMaster."""

    def __init__(self, server: ForkServer, execmodel: Any) -> None:
        stdin, ours_out = os.pipe()
        ours_in, stdout = os.pipe()
        try:
            self._process: Forked = server.fork(stdin, stdout)
        finally:
            os.close(stdin)
            os.close(stdout)
        super().__init__(os.fdopen(ours_out, "wb"), os.fdopen(ours_in, "rb"), execmodel=execmodel)

    def wait(self) -> int | None:
        self._process.wait()
        return None

    def kill(self) -> None:
        self._process.kill()
