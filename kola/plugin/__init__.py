"""The pytest plugin: kola's tests as pytest items, with machines, verdicts and reports.

Loaded by `-p kola.plugin` (which `kola run` passes) or by the checkout's conftest.py. It stays out of
sessions that run no kola tests.
"""

from kola.plugin.builds import build, upgrade
from kola.plugin.fixtures import distro, machine, machines, new_machine, services, way_in
from kola.plugin.hooks import (
    pytest_addoption,
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_exception_interact,
    pytest_generate_tests,
    pytest_runtest_call,
    pytest_runtest_makereport,
    pytest_runtest_protocol,
    pytest_runtest_setup,
    pytest_runtest_teardown,
    pytest_sessionfinish,
    pytest_sessionstart,
    pytest_unconfigure,
)
from kola.plugin.xdist.node import (
    pytest_configure_node,
    pytest_handlecrashitem,
    pytest_testnodedown,
    pytest_xdist_make_scheduler,
)

__all__ = [
    "build",
    "distro",
    "machine",
    "machines",
    "new_machine",
    "pytest_addoption",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_configure_node",
    "pytest_exception_interact",
    "pytest_generate_tests",
    "pytest_handlecrashitem",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_runtest_protocol",
    "pytest_runtest_setup",
    "pytest_runtest_teardown",
    "pytest_sessionfinish",
    "pytest_sessionstart",
    "pytest_testnodedown",
    "pytest_unconfigure",
    "pytest_xdist_make_scheduler",
    "services",
    "upgrade",
    "way_in",
]
