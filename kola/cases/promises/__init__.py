"""The promises of the user guide, and the test results that confirm or refute them."""

from kola.cases.promises.status import State, Status, statuses
from kola.cases.promises.table import FILE, Promise, Promises

__all__ = ["FILE", "Promise", "Promises", "State", "Status", "statuses"]
