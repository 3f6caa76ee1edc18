"""A hostile guest: the ring of a served disk is refilled, by a second CPU, with requests that take long."""

from __future__ import annotations

import contextlib
import struct
import threading
from pathlib import Path
from types import TracebackType

from .served import GUEST, Client

_WRITE_ZEROES = 13
_SECTORS = 8192


class Flood:
    """Write-zeroes of 16 MiB each, in all the entries of a ring whose index never stops."""

    def __init__(self, folder: Path) -> None:
        self.client = Client(folder / "s")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_full, daemon=True)

    def __enter__(self) -> Flood:
        client = self.client
        client.hello()
        client.map_memory()
        client.bring_up(_WRITE_ZEROES + 1)
        memory, at = client.memory, 0x8000
        segments = struct.pack("<QII", 0, _SECTORS, 0) * 4
        memory[at : at + 16 + len(segments)] = struct.pack("<IIQ", _WRITE_ZEROES, 0, 0) + segments
        struct.pack_into("<QIHH", memory, 0, GUEST + at, 16 + len(segments), 1, 1)
        struct.pack_into("<QIHH", memory, 16, GUEST + 0x9000, 1, 2, 0)
        self._refill()
        self._thread.start()
        client.kick()
        return self

    def _refill(self) -> None:
        memory = self.client.memory
        used = int.from_bytes(memory[0x2002:0x2004], "little")
        struct.pack_into("<H", memory, 0x1002, used + 12 & 0xFFFF)

    def _keep_full(self) -> None:
        while not self._ended.wait(0.0001):
            self._refill()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        with contextlib.suppress(OSError):
            self.client.close()


def memory_of(pid: int) -> int:
    """Bytes of memory that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
