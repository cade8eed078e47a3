"""A check that no test is set up without its need being met."""

from __future__ import annotations

import pytest

from harness.errors import InfrastructureError
from kola.plugin.keys import CONTEXT


class ReservationCheck:
    """A plugin of its own: pytest's wrappers, kola's among them, must have begun what they will end."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        context = item.stash.get(CONTEXT, None)
        if context is not None and context.reservation is not None and context.reservation.refused:
            raise InfrastructureError(context.reservation.refused, cause=context.reservation.cause)
