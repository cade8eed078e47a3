"""Resources that QEMU inherits beside its sockets to us: disks, config, firmware variables, helpers'
sockets.
"""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack

from harness.machine.channels import Channel
from harness.machine.spec import MachineSpec
from harness.platform.parts import firmware, hostdirs, media, tpm
from harness.platform.parts.firmware import FirmwareFiles
from harness.platform.parts.specdisks import SpecDisks
from harness.platform.parts.storage import Storage
from harness.platform.qemu.argv import Descriptors


class QemuResources:
    """The opener of a spec's resources.

    Descriptors live on `handed_over`, which is closed once QEMU has them; helper processes live on `owned`.
    """

    def __init__(
        self,
        spec: MachineSpec,
        *,
        storage: Storage,
        handed_over: ExitStack,
        owned: ExitStack,
    ) -> None:
        self._spec = spec
        self._storage = storage
        self._handed_over = handed_over
        self._owned = owned

    def open(
        self,
        qmp: socket.socket,
        channels: tuple[tuple[Channel, socket.socket], ...],
        config: bytes | None,
        files: FirmwareFiles | None,
    ) -> Descriptors:
        """Open everything.

        `channels` are QEMU's ends. Raises ConfigError for what host or image lack, InfrastructureError.
        """
        spec = self._spec
        opener = SpecDisks(spec, self._storage, self._handed_over)
        return Descriptors(
            qmp=qmp.fileno(),
            channels=tuple((channel, end.fileno()) for channel, end in channels),
            primary=opener.primary(),
            disks=opener.additional(),
            medium=media.open_medium(spec, self._storage, self._handed_over),
            ignition=None if config is None else self._memory_file("ignition", config),
            efi_variables=self._keep(firmware.private_variables(files)) if files else None,
            tpm=self._socket(tpm.start(self._owned)) if spec.swtpm else None,
            host_directories=tuple(
                self._socket(hostdirs.start(directory, self._owned)) for directory in spec.host_directories
            ),
        )

    def _memory_file(self, name: str, content: bytes) -> int:
        descriptor = self._keep(os.memfd_create(name))
        os.write(descriptor, content)
        return descriptor

    def _keep(self, descriptor: int) -> int:
        self._handed_over.callback(os.close, descriptor)
        return descriptor

    def _socket(self, end: socket.socket) -> int:
        return self._handed_over.enter_context(end).fileno()
