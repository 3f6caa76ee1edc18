"""Load on a served device: four rings at full speed, one of them hostile, further clients waiting.

``python -m tests.soak.load [SECONDS]`` prints what it measured; ten minutes without SECONDS.
"""

from __future__ import annotations

import contextlib
import socket
import statistics
import struct
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tests.emulated.flood import memory_of
from tests.emulated.served import GUEST, Client, served

_QUEUES = 4
_AREA = 0x4000
_REQUESTS = 0x20000
_WRITE_ZEROES = 13
#: Reads for three rings; zeroes over 16 MiB for the fourth.
_READ = struct.pack("<IIQ", 0, 0, 0)
_HOSTILE = struct.pack("<IIQ", _WRITE_ZEROES, 0, 0) + struct.pack("<QII", 0, 8192, 0) * 4


@dataclass(frozen=True)
class Measured:
    """``median`` and ``worst``: seconds of a register access; ``end``: until SIGTERM had ended the server; ``memory``:
    bytes at the first tenth and at the end; ``used``: requests of each ring."""

    median: float
    worst: float
    end: float
    memory: tuple[int, int]
    used: list[int]


class _Guest:
    """A client with four rings whose indices never stop."""

    def __init__(self, folder: Path) -> None:
        self.client = Client(folder / "s")
        self.client.hello()
        self.client.map_memory()
        self._set_up()
        self.used = [0] * _QUEUES
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_full, daemon=True)

    def _set_up(self) -> None:
        client = self.client
        client.bring_up(_WRITE_ZEROES + 1)
        client.write(4, 0x14, 1, 0)
        for status in (1, 3):
            client.write(4, 0x14, 1, status)
        for half, bits in enumerate((1 << _WRITE_ZEROES + 1 | 1 << 12, 1)):
            client.write(4, 0x08, 4, half)
            client.write(4, 0x0C, 4, bits)
        client.write(4, 0x14, 1, 0x0B)
        for queue in range(_QUEUES):
            self._ring(queue)
        client.write(4, 0x14, 1, 0x0F)

    def _ring(self, queue: int) -> None:
        client, base, data = self.client, _AREA * queue, _REQUESTS + _AREA * queue
        client.write(4, 0x16, 2, queue)
        client.write(4, 0x18, 2, 16)
        for register, offset in ((0x20, 0), (0x28, 0x1000), (0x30, 0x2000)):
            client.write(4, register, 4, (GUEST + base + offset) & 0xFFFFFFFF)
            client.write(4, register + 4, 4, (GUEST + base + offset) >> 32)
        request = _READ if queue else _HOSTILE
        client.memory[base : base + 0x3000] = bytes(0x3000)
        client.memory[data : data + len(request)] = request
        parts = [(data, len(request), 1), (data + 0x1000, 512, 3), (data + 0x2000, 1, 2)]
        if not queue:
            del parts[1]
        for place, (address, length, flags) in enumerate(parts):
            struct.pack_into("<QIHH", client.memory, base + 16 * place, GUEST + address, length, flags, place + 1)
        client.write(4, 0x1C, 2, 1)

    def _refill(self) -> None:
        memory = self.client.memory
        for queue in range(_QUEUES):
            base = _AREA * queue
            index = int.from_bytes(memory[base + 0x2002 : base + 0x2004], "little")
            self.used[queue] += (index - self.used[queue]) & 0xFFFF
            struct.pack_into("<H", memory, base + 0x1002, index + 12 & 0xFFFF)

    def _keep_full(self) -> None:
        while not self._ended.wait(0.0005):
            self._refill()

    def start(self) -> None:
        self._refill()
        self._thread.start()
        for queue in range(_QUEUES):
            self.client.write(4, 0x3000 + 4 * (queue + 1), 2, queue, posted=True)

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self.client.close()


def measure(folder: Path, seconds: float) -> Measured:
    """Load a server for so long, and end it."""
    took: list[float] = []
    memory: list[int] = []
    with served(folder, "blk", "--set", "queues=4", "--latency", "0.0001") as process, contextlib.ExitStack() as stack:
        guest = stack.enter_context(contextlib.closing(_Guest(folder)))
        for _ in range(3):
            stack.enter_context(socket.socket(socket.AF_UNIX)).connect(str(folder / "s"))
        guest.start()
        begun = time.monotonic()
        while (now := time.monotonic()) < begun + seconds:
            guest.client.read(4, 0x14, 1)
            took.append(time.monotonic() - now)
            if len(memory) < 10 * (now - begun) / seconds:
                memory.append(memory_of(process.pid))
            time.sleep(0.01)
        now = time.monotonic()
        process.terminate()
        process.wait(10)
        end = time.monotonic() - now
    return Measured(statistics.median(took), max(took), end, (memory[1], memory[-1]), guest.used)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(measure(Path(name), float(sys.argv[1]) if len(sys.argv) > 1 else 600.0))
