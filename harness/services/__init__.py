"""Services of this host that a restricted guest may need. docs/services.md describes them for test
authors.
"""

from harness.services.content import Reply
from harness.services.dns import NameServer
from harness.services.http import HttpServer, Request
from harness.services.registry import Registry, RegistryRequest
from harness.services.repository import RpmRepository
from harness.services.rpms import Rpm, RpmFile
from harness.services.services import Services
from harness.services.tftp import TftpDirectory

__all__ = [
    "HttpServer",
    "NameServer",
    "Registry",
    "RegistryRequest",
    "Reply",
    "Request",
    "Rpm",
    "RpmFile",
    "RpmRepository",
    "Services",
    "TftpDirectory",
]
