"""Frames out of receive buffers: headers checked, frames over several buffers put together (virtio 1.4, 5.1.6.4)."""

from __future__ import annotations

from collections import deque
from struct import Struct

from uvirtio.errors import DeviceMisbehaved
from uvirtio.spec.formats.net import GsoType, HeaderFlag

__all__ = ["FrameReader"]


class FrameReader:
    """Turns buffer contents into frames, each behind a ``header``. ``merged``: MRG_RXBUF was negotiated.

    ``buffers``: how many buffers the device can have at once, which no frame can exceed.
    """

    def __init__(self, header: Struct, *, merged: bool, buffers: int, where: str) -> None:
        self.header = header
        self._merged = merged
        self._buffers = buffers
        self._where = where
        self._pieces: list[bytes] = []
        self._missing = 0
        self.frames: deque[bytes] = deque()
        #: flags, gso_type and, where the header has it, num_buffers of all frames so far: each combination once.
        self.heads: set[tuple[int, ...]] = set()

    def feed(self, contents: list[bytes]) -> None:
        """Take buffers in the order in which they were used; complete frames go to ``frames``.

        Raises :class:`DeviceMisbehaved` for a header that is cut off or promises what was not negotiated.
        """
        for data in contents:
            if not self._missing:
                self._missing = self._begin(data)
                data = data[self.header.size :]
            self._missing -= 1
            self._pieces.append(data)
            if not self._missing:
                self.frames.append(b"".join(self._pieces))
                self._pieces.clear()

    def _begin(self, data: bytes) -> int:
        """Check a frame's first buffer; how many buffers the frame has."""
        size = self.header.size
        if len(data) <= size:
            raise DeviceMisbehaved(
                f"{self._where}: the device used a receive buffer with length {len(data)}; the header alone has {size} "
                "bytes, and a frame follows it (virtio 1.4, 5.1.6.4)"
            )
        flags, segmentation, _, _, _, _, *count = self.header.unpack_from(data)
        self.heads.add((flags, segmentation, *count))
        if flags & HeaderFlag.NEEDS_CSUM:
            raise DeviceMisbehaved(
                f"{self._where}: a received frame's header says that its checksum is only partial (NEEDS_CSUM), but "
                "GUEST_CSUM was not negotiated (virtio 1.4, 5.1.6.4.1)",
                rule="received flags",
            )
        if segmentation != GsoType.NONE:
            raise DeviceMisbehaved(
                f"{self._where}: a received frame's header has gso_type {segmentation:#x}, but no large receive was "
                "negotiated (virtio 1.4, 5.1.6.4.1)",
                rule="received gso_type",
            )
        if not self._merged:
            # num_buffers is not to be relied upon here: devices are known that leave it at 0.
            return 1
        if not 1 <= count[0] <= self._buffers:
            raise DeviceMisbehaved(
                f"{self._where}: a received frame's header says num_buffers {count[0]}; 1 to {self._buffers} are possible"
            )
        return int(count[0])
