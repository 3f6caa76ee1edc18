"""Commands on the control queue of a network device (virtio 1.4, 5.1.6.5)."""

from __future__ import annotations

from typing import NamedTuple

from uvirtio.access.dma import Dma
from uvirtio.device import Device
from uvirtio.errors import DeviceMisbehaved, RequestFailed
from uvirtio.queue import Queue
from uvirtio.spec.formats.net import ACK_ERR, ACK_OK, COMMAND

__all__ = ["Command", "ControlQueue"]

#: What the ack byte holds before the device gets it; no ack of the specification.
_UNTOUCHED = 0xA5


class Command(NamedTuple):
    """One that the device has: its token, its memory, the byte for the answer, and its name in words."""

    token: int
    block: Dma
    ack: memoryview
    words: str


class ControlQueue:
    """One command at a time: class, command, data; the device answers with one byte."""

    def __init__(self, device: Device, queue: Queue) -> None:
        self._device = device
        self._queue = queue
        self._done: dict[int, int] = {}

    def command(self, group: int, command: int, data: bytes, words: str, timeout: float | None = None) -> None:
        """Carry it out: :meth:`begin` and :meth:`finish`."""
        self.finish(self.begin(group, command, data, words), timeout)

    def begin(self, group: int, command: int, data: bytes, words: str, *, notify: bool = True) -> Command:
        """Give it to the device. ``words`` name it in messages. Raises :class:`SuspendedError`, :class:`QueueFull`."""
        block = self._device.dma.allocate(COMMAND.size + len(data) + 1)
        head = block.part(0, COMMAND.size)
        body = block.part(COMMAND.size, len(data))
        ack = block.part(COMMAND.size + len(data), 1)
        head.memory[:] = COMMAND.pack(group, command)
        body.memory[:] = data
        ack.memory[0] = _UNTOUCHED
        try:
            token = self._queue.add([head, body] if data else [head], [ack])
        except BaseException:
            block.free()
            raise
        self._queue.publish(notify)
        return Command(token, block, ack.memory, words)

    def kick(self) -> None:
        """Notify the device."""
        self._queue.kick()

    def finish(self, command: Command, timeout: float | None = None) -> None:
        """Wait for the answer.

        Raises :class:`RequestFailed` when the device answers with an error, :class:`DeviceMisbehaved` for a wrong
        answer, :class:`DeviceTimeout`.
        """
        where, words, token = f"{self._device.function.locator}: control queue", command.words, command.token

        def answered() -> bool:
            self._done.update(self._queue.completed())
            return token in self._done

        # On a timeout the memory stays with the device, which may still write to it.
        self._device.wait_for(answered, timeout, doing=words, queues=[self._queue])
        written, answer = self._done.pop(token), command.ack[0]
        command.block.free()
        if answer == _UNTOUCHED:
            raise DeviceMisbehaved(
                f"{where}: the device used the command to {words} without writing its ack; length {written}"
            )
        if answer == ACK_ERR:
            raise RequestFailed(f"{where}: the device refused to {words} (VIRTIO_NET_ERR)")
        if answer != ACK_OK:
            raise DeviceMisbehaved(
                f"{where}: the device answered the command to {words} with {answer:#04x}; there are 0 and 1 (virtio 1.4, 5.1.6.5)"
            )
