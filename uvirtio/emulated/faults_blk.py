"""Faults of BLK statements: block devices (5.2)."""

from __future__ import annotations

from typing import Any

from ..spec.formats.blk import SEGMENT, RequestType
from .blk import Blk
from .device import VirtioDevice
from .ring import Chain

__all__ = ["FAULTS"]

#: VIRTIO_BLK_F_FLUSH, _CONFIG_WCE (5.2.3), and the first zone request (5.2.6).
_FLUSH, _CONFIG_WCE, _ZONES = 9, 11, 15


class BLK1(VirtioDevice):
    """Offers neither FLUSH nor a switch for the cache."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.offered &= ~(1 << _FLUSH | 1 << _CONFIG_WCE)


class BLK2(VirtioDevice):
    """Offers a switch for the cache, and no flush."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.offered &= ~(1 << _FLUSH)


class BLK3(Blk):
    """Writes to a read-only disk."""

    def _writable(self) -> None:
        """See :class:`Blk`."""


class _Deaf(Blk):
    """Takes no notice of flags."""

    deaf_to: tuple[int, int] = (0, 0)

    def _clear(self, kind: int, data: bytes) -> None:
        of_kind, flags = self.deaf_to
        if kind == of_kind:
            data = b"".join(
                SEGMENT.pack(sector, count, found & ~flags) for sector, count, found in SEGMENT.iter_unpack(data)
            )
        super()._clear(kind, data)


class BLK4(_Deaf, Blk):
    """Takes no notice of the second flag of write zeroes."""

    deaf_to = (RequestType.WRITE_ZEROES, 2)


class BLK5(_Deaf, Blk):
    """Discards with unmap, too."""

    deaf_to = (RequestType.DISCARD, 1)


class BLK6(Blk):
    """Takes a request for zeroes for one to do nothing."""

    def _clear(self, kind: int, data: bytes) -> None:
        if kind != RequestType.WRITE_ZEROES or any(flags & ~1 for _, _, flags in SEGMENT.iter_unpack(data)):
            super()._clear(kind, data)


class BLK7(Blk):
    """Answers zone requests as if it had zones."""

    def _carry_out(self, kind: int, sector: int, chain: Chain, room: int) -> int:
        return 0 if kind >= _ZONES else super()._carry_out(kind, sector, chain, room)


class BLK8(Blk):
    """Leaves its cache on when FLUSH was not accepted."""

    def live(self) -> None:
        """See :class:`Blk`."""


class BLK10(Blk):
    """Has something in the byte before num_queues."""

    def __init__(self, *parts: Any, **more: Any) -> None:
        super().__init__(*parts, **more)
        self.config[33] = 0xA5


#: Name -> what it changes.
FAULTS: dict[str, tuple[type, ...]] = {
    fault.__name__: (fault,) for fault in (BLK1, BLK2, BLK3, BLK4, BLK5, BLK6, BLK7, BLK8, BLK10)
}
