"""One port of a console device: a stream of bytes each way (virtio 1.4, 5.3.6)."""

from __future__ import annotations

from uvirtio.device import Device
from uvirtio.errors import DeviceMisbehaved
from uvirtio.queue import Queue

from .buffers import ReceiveBuffers, SendBuffers

__all__ = ["Port"]

#: Bytes of a buffer, and buffers of each direction.
SIZE, DEPTH = 4096, 16


class Port:
    """``write(data)``, ``read(count)``; ``name``, ``console``, ``host_open`` and ``size`` are what the device has said so far.

    Without MULTIPORT there is port 0 alone, and nobody says whether the host has it open: it counts as open.
    """

    def __init__(self, device: Device, number: int, receive: Queue, transmit: Queue, *, host_open: bool) -> None:
        self.number = number
        self.forget()
        #: The host has its side open.
        self.host_open = host_open
        self._device = device
        self.receiving = ReceiveBuffers(device, receive, SIZE, DEPTH)
        self.sending = SendBuffers(device, transmit, SIZE, DEPTH)
        self._pending = bytearray()

    def forget(self) -> None:
        """Forget what the device has said about the port."""
        self.name = ""
        #: The device nominated it as a console.
        self.console = False
        self.host_open = False
        #: Columns and rows, None where nothing was said.
        self.size: tuple[int, int] | None = None

    def __repr__(self) -> str:
        return f"<port {self.number}{f' {self.name!r}' if self.name else ''}>"

    def post(self) -> None:
        """Give idle receive buffers to the device, if it is running."""
        self.receiving.post()

    def write(self, data: bytes, timeout: float | None = None) -> None:
        """Send bytes, and wait until the device has given all buffers back.

        It may still have thrown them away, where the host has its side closed. Raises :class:`DeviceTimeout`,
        :class:`SuspendedError`.
        """
        position = 0

        def written() -> bool:
            nonlocal position
            self.sending.reap()
            while position < len(data) and self.sending.room:
                self.sending.put(data[position : position + SIZE])
                position += SIZE
            self.sending.publish()
            return position >= len(data) and not self.sending.outstanding

        self._device.wait_for(written, timeout, doing=f"writing {len(data)} bytes to console port {self.number}")

    def flush(self, timeout: float | None = None) -> None:
        """Wait until the device has given back all that it was sent. Raises :class:`DeviceTimeout`."""

        def returned() -> bool:
            self.sending.reap()
            return not self.sending.outstanding

        self._device.wait_for(returned, timeout, doing=f"waiting for what was sent to console port {self.number}")

    def received(self) -> bytes:
        """What has arrived, without waiting. Raises :class:`DeviceMisbehaved` for an empty buffer."""
        self._collect()
        data = bytes(self._pending)
        self._pending.clear()
        return data

    def read(self, count: int, timeout: float | None = None) -> bytes:
        """Exactly ``count`` bytes. Raises :class:`DeviceTimeout` (what came so far stays), :class:`DeviceMisbehaved`."""

        def arrived() -> bool:
            self._collect()
            return len(self._pending) >= count

        self._device.wait_for(arrived, timeout, doing=f"reading {count} bytes from console port {self.number}")
        data = bytes(self._pending[:count])
        del self._pending[:count]
        return data

    def _collect(self) -> None:
        for data in self.receiving.take():
            if not data:
                raise DeviceMisbehaved(
                    f"{self._device.function.locator}: console port {self.number}: the device used a receive buffer with length 0; "
                    "a buffer is used for bytes that have arrived (virtio 1.4, 5.3.6)"
                )
            self._pending += data
        self.receiving.post()

    def close(self) -> None:
        """Give the buffers back, once the device has been reset."""
        self.receiving.close()
        self.sending.close()
