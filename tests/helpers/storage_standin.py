"""A stand-in for libvirt's storage: one pool, which is also the connection to its daemon."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field


class LibvirtError(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(f"error {code}")
        self._code = code

    def get_error_code(self) -> int:
        return self._code

    def get_error_domain(self) -> int:
        return 18


@dataclass
class File:
    pool: Pool
    name: str
    xml: str
    data: bytes = b""

    def path(self) -> str:
        return f"/srv/{self.name}"

    def info(self) -> list[int]:
        return [0, len(self.data), len(self.data)]

    def upload(self, stream: Stream, offset: int, size: int, flags: int) -> None:
        stream.target = self

    def download(self, stream: Stream, offset: int, size: int, flags: int) -> None:
        stream.target = self

    def delete(self, flags: int) -> None:
        del self.pool.files[self.name]


@dataclass
class Pool:
    """A pool that is also the connection to its daemon."""

    files: dict[str, File] = field(default_factory=dict)
    made: str = ""
    on_send: Callable[[], None] = lambda: None

    def storagePoolLookupByName(self, name: str) -> Pool:
        if not self.made:
            raise LibvirtError(49)
        return self

    def storagePoolCreateXML(self, xml: str, flags: int) -> Pool:
        self.made = xml
        return self

    def createXML(self, xml: str, flags: int) -> File:
        name = re.findall("<name>(.*?)</name>", xml)[0]
        if name in self.files:
            raise LibvirtError(90)
        self.files[name] = File(self, name, xml)
        return self.files[name]

    def createXMLFrom(self, xml: str, source: File, flags: int) -> File:
        made = self.createXML(xml, flags)
        made.data = source.data
        return made

    def storageVolLookupByName(self, name: str) -> File:
        if name not in self.files:
            raise LibvirtError(50)
        return self.files[name]

    def listVolumes(self) -> list[str]:
        return list(self.files)

    def newStream(self, flags: int) -> Stream:
        return Stream(self)


@dataclass
class Stream:
    pool: Pool
    target: File | None = None

    def send(self, data: bytes) -> int:
        assert self.target is not None
        self.pool.on_send()
        self.target.data += data[:1000]
        return len(data[:1000])

    def recvAll(self, write: Callable[[Stream, bytes, None], object], _: None) -> None:
        assert self.target is not None
        write(self, self.target.data, None)

    def finish(self) -> None:
        pass

    def abort(self) -> None:
        pass
