"""Keys of the plugin's state in the stashes of pytest's objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kola.cases.model import TestInfo
    from kola.plugin.context import TestContext
    from kola.plugin.state import WorkerState
    from kola.run.plan import RunPlan

PLAN: pytest.StashKey[RunPlan] = pytest.StashKey()
STATE: pytest.StashKey[WorkerState] = pytest.StashKey()
INFO: pytest.StashKey[TestInfo] = pytest.StashKey()
CONTEXT: pytest.StashKey[TestContext] = pytest.StashKey()
