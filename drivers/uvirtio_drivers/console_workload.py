"""A stream of bytes whose contents follow from their positions, so that a gap, a repetition or a wrong byte has an address."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import ClassVar, Self
from zlib import crc32

from uvirtio.access.wait import YES, poll
from uvirtio.errors import DeviceTimeout, WorkloadFailed

from .console import Console
from .console_port import Port
from .workload import discard

__all__ = ["ConsoleWorkload", "stream"]

_BLOCK = 4096
#: Bytes of one buffer: from one to this many.
_LARGEST = 1500


def stream(start: int, count: int, seed: int = 1) -> bytes:
    """Bytes ``start`` to ``start + count`` of the stream."""
    first, last = start // _BLOCK, (start + count - 1) // _BLOCK
    blocks = b"".join(Random(seed << 40 | number).randbytes(_BLOCK) for number in range(first, last + 1))
    return blocks[start - first * _BLOCK :][:count]


#: Seconds that a peer may take to send a byte back.
_ECHO = 0.05


def _arrived(port: Port) -> bool:
    return bool(port.received())


class ConsoleWorkload:
    """Buffers of a byte stream through one port. With an echoing peer the stream has to come back, byte by byte in order."""

    OPTIONS: ClassVar[frozenset[str]] = frozenset({"peer"})

    def __init__(self, console: Console, port: Port, *, echoed: bool, seed: int = 1) -> None:
        self._console = console
        self._port = port
        self._random = Random(seed)
        #: Whether every byte has to come back.
        self.echoed = echoed
        #: Positions in the stream, and checksums (CRC-32) of what was sent and what has come back.
        self.bytes_sent = self.bytes_returned = 0
        self.sum_sent = self.sum_returned = 0
        self.foreign = 0
        self._flying: set[int] = set()
        self.submitted = 0
        self.completed = 0

    @classmethod
    def of(cls, driver: Console, *, peer: str | None = None) -> Self:
        """Over the first port; where the peer echoes, over the first that the host has open.

        ``peer``: ``echo`` where every byte comes back; None: what the bus knows. Raises :class:`CannotRun` when the
        device announces no such port in time.
        """
        echoed = peer == "echo" if peer else driver.device.function.surroundings.echoes
        port = driver.wait_for_port((lambda port: port.host_open) if echoed else (lambda _port: True))
        return cls(driver, port, echoed=echoed)

    @classmethod
    def harmless(cls, driver: Console) -> Self:
        """Over port 0: it needs nothing from the device to begin with, and expects nothing back.

        The device may throw the bytes away, as long as it has not added the port.
        """
        return cls(driver, driver.prepared_port(0), echoed=False)

    @property
    def outstanding(self) -> int:
        """Transmit buffers that the device has; receive buffers are owed nothing."""
        return len(self._flying)

    @property
    def room(self) -> int:
        """Idle transmit buffers that fit into the queue."""
        return self._port.sending.room

    def submit(self, count: int | None = None) -> int:
        """Make the next pieces of the stream available; one index store for all of them."""
        count = self.room if count is None else min(count, self.room)
        for _ in range(count):
            piece = stream(self.bytes_sent, self._random.randint(1, _LARGEST))
            self._flying.add(self._port.sending.put(piece))
            self.bytes_sent += len(piece)
            self.sum_sent = crc32(piece, self.sum_sent)
        if count:
            self._port.sending.publish(notify=False)
        self.submitted += count
        return count

    def kick(self) -> None:
        """Notify the transmit queue, if the device wants it."""
        self._port.sending.publish()

    def reap(self) -> int:
        """Take back transmit buffers, and compare what has come back. Raises :class:`WorkloadFailed`, :class:`DeviceMisbehaved`."""
        if not self.echoed:
            discard(self._console.device)
        self._console.service()
        done = len(self._port.sending.returned_of(self._flying))
        self.completed += done
        data = self._port.received()
        if data and self.echoed:
            self._compare(data)
        else:
            self.foreign += len(data)
        return done

    def _compare(self, data: bytes) -> None:
        at = self.bytes_returned
        expected = stream(at, len(data))
        if data != expected:
            wrong = next(i for i, (a, b) in enumerate(zip(data, expected, strict=True)) if a != b)
            raise WorkloadFailed(
                f"port {self._port.number}: byte {at + wrong} of the stream came back as {data[wrong]:#04x} instead of "
                f"{expected[wrong]:#04x}: bytes were lost, doubled or damaged there"
            )
        if at + len(data) > self.bytes_sent:
            raise WorkloadFailed(
                f"port {self._port.number}: {at + len(data)} bytes came back of {self.bytes_sent} that were sent"
            )
        self.bytes_returned += len(data)
        self.sum_returned = crc32(data, self.sum_returned)

    def _others(self) -> list[Port]:
        return [port for port in self._console.ports.values() if port is not self._port and port.host_open]

    def leave(self) -> int:
        """See :class:`~uvirtio_drivers.workload.Workload`: a byte for each other port that somebody has opened."""
        others = self._others()
        for port in others:
            if not port.sending.outstanding:
                port.sending.put(b"\0")
                port.sending.publish(False)
        return len(others)

    def visit(self) -> int:
        """See :class:`~uvirtio_drivers.workload.Workload`."""
        self.leave()
        others = self._others()
        for port in others:
            port.sending.queue.kick()
            port.flush()
            # What an echoing peer sends back is taken here: arriving later it would look like work of the device's own.
            poll(partial(_arrived, port), YES, self._console.device.clock, _ECHO)
        return len(others)

    def verify(self) -> None:
        """Every buffer is back; with an echoing peer, wait until every byte is, too, and compare the checksums."""
        if self.outstanding:
            raise WorkloadFailed(
                f"{self.submitted} buffers were submitted and {self.completed} came back; {self.outstanding} are missing"
            )
        if not self.echoed:
            return

        def returned() -> bool:
            self.reap()
            return self.bytes_returned >= self.bytes_sent

        try:
            self._console.device.wait_for(returned, doing="waiting for bytes from the echoing peer")
        except DeviceTimeout as error:
            raise WorkloadFailed(
                f"port {self._port.number}: {self.bytes_returned} of {self.bytes_sent} bytes came back from the echoing peer within "
                f"{error.seconds:.3g} s"
            ) from error
        if self.sum_returned != self.sum_sent:
            raise WorkloadFailed(
                f"port {self._port.number}: the checksum of {self.bytes_sent} bytes is {self.sum_sent:#010x} sent, "
                f"{self.sum_returned:#010x} returned"
            )

    def close(self) -> None:
        """Give the driver's buffers back, once the device has been reset."""
        self._console.close()

    def proves(self) -> str:
        """One sentence."""
        port = f"port {self._port.number}"
        if self.echoed:
            return (
                f"every transmit buffer of {port} came back exactly once, and every byte of the stream returned from the echoing peer, "
                "in order and undamaged"
            )
        closed = "" if self._port.host_open else " and the host has not opened the port"
        return (
            f"every transmit buffer of {port} came back exactly once; no peer that echoes is known here{closed}, so whether bytes "
            "arrive, and reception, were not tested"
        )
