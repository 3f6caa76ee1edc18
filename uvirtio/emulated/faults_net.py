"""Faults of NET statements: network devices (5.1)."""

from __future__ import annotations

from typing import Any, ClassVar

from ..spec.formats.net import HEADER, CommandClass, GsoType, HeaderFlag, RxCommand
from .device import VirtioDevice
from .net import Net
from .ring import Chain

__all__ = ["FAULTS"]

#: VIRTIO_NET_F_CTRL_VQ (5.1.3).
_CTRL_VQ = 17
_REFUSED = 1


class _Shows(Net):
    """A field of the configuration that is not what it should be."""

    shown: ClassVar[tuple[str, int]]

    def __init__(self, *parts: Any, **more: Any) -> None:
        super().__init__(*parts, **more)
        self.put(*self.shown)


class NET1(_Shows, Net):
    """No queue pair at all."""

    shown = ("max_virtqueue_pairs", 0x8001)


class NET2(_Shows, Net):
    """An MTU that carries nothing."""

    shown = ("mtu", 67)


class NET3(_Shows, Net):
    """An MTU for IPv4 alone."""

    shown = ("mtu", 1279)


class NET4(_Shows, Net):
    """Short RSS keys."""

    shown = ("rss_max_key_size", 39)


class NET5(_Shows, Net):
    """Short indirection tables."""

    shown = ("rss_max_indirection_table_length", 127)


class NET6(_Shows, Net):
    """A speed that is none."""

    shown = ("speed", 0x8000_0000)


class NET7(_Shows, Net):
    """A third way of duplex."""

    shown = ("duplex", 2)


class NET8(VirtioDevice):
    """Offers what is asked for through the control queue, and not that queue."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.offered &= ~(1 << _CTRL_VQ)


class NET9(NET8):
    """The same."""


class NET10(Net):
    """Does not want to hear of multicast."""

    def _command(self, chain: Chain) -> int:
        if chain.read(0, 2) == bytes((CommandClass.RX, RxCommand.ALLMULTI)):
            return _REFUSED
        return super()._command(chain)


class NET11(Net):
    """Keeps what mac shows."""

    def _command(self, chain: Chain) -> int:
        before = self.get("mac")
        answer = super()._command(chain)
        self.put("mac", before)
        return answer


class NET12(Net):
    """Leaves num_buffers at 0."""

    HEAD = HEADER.pack(0, 0, 0, 0, 0, 0, 0)


class NET13(Net):
    """Has seen to the checksum of what comes in, and says so to a driver that does not care."""

    HEAD = HEADER.pack(HeaderFlag.DATA_VALID, 0, 0, 0, 0, 0, 1)


class NET14(Net):
    """Every frame is one of several that were put together."""

    HEAD = HEADER.pack(0, GsoType.TCPV4, 0, 0, 0, 0, 1)


#: Name -> what it changes.
FAULTS: dict[str, tuple[type, ...]] = {
    fault.__name__: (fault,)
    for fault in (NET1, NET2, NET3, NET4, NET5, NET6, NET7, NET8, NET9, NET10, NET11, NET12, NET13, NET14)
}
