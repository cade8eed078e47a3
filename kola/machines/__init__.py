"""Machines for tests: what a test asks for, and who gives it."""

from kola.machines.lessor import Lessor
from kola.machines.request import MachineRequest, request_from_markers

__all__ = ["Lessor", "MachineRequest", "request_from_markers"]
