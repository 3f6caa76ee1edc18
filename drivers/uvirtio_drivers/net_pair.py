"""Queue pairs of a network device: a receive and a transmit queue with their buffers, and how many there are (virtio 1.4, 5.1.2)."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from uvirtio.device import Device
from uvirtio.errors import DeviceMisbehaved
from uvirtio.spec.devices import net as spec
from uvirtio.spec.formats.net import PAIRS_MAXIMUM

from .buffers import ReceiveBuffers, SendBuffers
from .fields import Fields
from .net_frames import FrameReader

__all__ = ["Layout", "Pair", "pairs_there"]


def pairs_there(device: Device) -> int:
    """How many queue pairs a negotiated device has; the control queue stands behind all of them, used or not.

    Raises :class:`DeviceMisbehaved` for a ``max_virtqueue_pairs`` that cannot be.
    """
    assert device.negotiated is not None, "queues are counted after negotiation"
    if spec.MQ not in device.negotiated.accepted:
        return 1
    pairs, there = Fields(device, spec.SPEC).number("max_virtqueue_pairs"), device.transport.queue_count()
    if not 1 <= pairs <= PAIRS_MAXIMUM or 2 * pairs + 1 > there:
        raise DeviceMisbehaved(
            f"{device.function.locator}: max_virtqueue_pairs says {pairs} with {there} virtqueues; 1 to {PAIRS_MAXIMUM:#x} pairs "
            "and a control queue behind them are possible (virtio 1.4, 5.1.2 and 5.1.4.1)",
            rule="max_virtqueue_pairs" if not 1 <= pairs <= PAIRS_MAXIMUM else "",
        )
    return pairs


class Layout(NamedTuple):
    """What buffers look like: ``header`` before each frame, ``size`` bytes in all, ``depth`` of them in each direction.

    ``head``: so many bytes are a descriptor of their own. ``merged``: a frame may span several receive buffers.
    """

    header: Struct
    size: int
    depth: int
    head: int
    merged: bool


class Pair:
    """Receive queue ``2 * number`` and transmit queue ``2 * number + 1``."""

    def __init__(self, device: Device, number: int, layout: Layout) -> None:
        receive, transmit = device.queue(2 * number), device.queue(2 * number + 1)
        size, depth, head = layout.size, layout.depth, layout.head
        self.receiving = ReceiveBuffers(device, receive, size, depth, head=head)
        self.sending = SendBuffers(device, transmit, size, depth, head=head)
        self._reader = FrameReader(
            layout.header, merged=layout.merged, buffers=self.receiving.count, where=device.function.locator
        )

    def receive(self) -> list[bytes]:
        """Frames that have arrived here; the buffers go back to the device while it is running.

        Raises :class:`DeviceMisbehaved` for a header that lies.
        """
        self._reader.feed(self.receiving.take())
        self.receiving.post()
        frames = list(self._reader.frames)
        self._reader.frames.clear()
        return frames

    @property
    def heads(self) -> frozenset[tuple[int, ...]]:
        """What the headers of received frames have said: flags, gso_type and, where there is one, num_buffers."""
        return frozenset(self._reader.heads)

    def close(self) -> None:
        """Give the buffers back, once the device has been reset."""
        self.receiving.close()
        self.sending.close()
