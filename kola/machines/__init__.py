"""Machines for tests: requests, and the pool that fulfils them."""

from kola.machines.pool import MachinePool
from kola.machines.request import MachineRequest, request_from_markers

__all__ = ["MachinePool", "MachineRequest", "request_from_markers"]
