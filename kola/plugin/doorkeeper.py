"""Keeps a test from being set up that has not been given what it needs."""

from __future__ import annotations

import pytest

from harness.errors import InfrastructureError
from kola.plugin.admission import NO_ROOM
from kola.plugin.keys import CONTEXT


class Doorkeeper:
    """A plugin of its own: pytest's wrappers, kola's among them, must have begun what they will end."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        context = item.stash.get(CONTEXT, None)
        if context is not None and context.room is not None and context.room.refused:
            raise InfrastructureError(context.room.refused, cause=NO_ROOM)
