"""What the user guide promises, and how far tests have held it."""

from kola.promises.status import State, Status, statuses
from kola.promises.table import FILE, Promise, Promises

__all__ = ["FILE", "Promise", "Promises", "State", "Status", "statuses"]
