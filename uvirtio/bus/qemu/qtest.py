"""The qtest protocol: register accesses and interrupt lines of a QEMU as lines of text on a socket.

One access is one command and one answer. Between answers come ``IRQ raise N`` and ``IRQ lower N`` of the lines that
were asked for.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Collection

from ...errors import CannotRun, DeviceDied, DeviceTimeout, QemuDied, UvirtioError
from ..lines import LineSocket

__all__ = ["Qtest"]

_LETTER = {1: "b", 2: "w", 4: "l"}
#: A command whose answer looks like no other's: what comes before it belongs to commands that were interrupted.
_MARKER, _MARKER_ANSWERS = "endianness", ("little", "big")


class Qtest:
    """The client. ``timeout`` in seconds bounds every answer; ``obituary`` makes the error for a QEMU that died.

    Raises :class:`QemuDied` or :class:`DeviceDied` at the end of the connection. When an access is not answered it raises
    what ``silence`` makes of the words for that, :class:`DeviceTimeout` where nobody knows more.
    """

    def __init__(
        self,
        connection: socket.socket,
        obituary: Callable[[], QemuDied | DeviceDied],
        timeout: float = 10.0,
        silence: Callable[[str], UvirtioError] = DeviceTimeout,
    ) -> None:
        self._lines = LineSocket(connection)
        self._obituary = obituary
        self._timeout = timeout
        self._silence = silence
        self._interrupted = False
        #: Why nothing more is asked; None while there are answers.
        self._silent: UvirtioError | None = None
        #: Interrupt lines that are high now, and how often each was raised.
        self.high: set[int] = set()
        self.raised: dict[int, int] = {}

    def become(self, other: Qtest) -> None:
        """Go on over the connection of another one, whose lines are those of the machine now."""
        self._lines = other._lines
        self._interrupted = other._interrupted
        self._silent = other._silent
        self.high = other.high
        for line, count in other.raised.items():
            self.raised[line] = self.raised.get(line, 0) + count

    # -- registers ---------------------------------------------------------------------------------------------

    def read_memory(self, address: int, width: int) -> int:
        """One read of 1, 2 or 4 bytes from the physical address space."""
        return int(self.command(f"read{_LETTER[width]} {address:#x}"), 16)

    def write_memory(self, address: int, width: int, value: int) -> None:
        """One write to the physical address space."""
        self.command(f"write{_LETTER[width]} {address:#x} {value:#x}")

    def read_port(self, port: int, width: int) -> int:
        """One read of 1, 2 or 4 bytes from the I/O space."""
        return int(self.command(f"in{_LETTER[width]} {port:#x}"), 16)

    def write_port(self, port: int, width: int, value: int) -> None:
        """One write to the I/O space."""
        self.command(f"out{_LETTER[width]} {port:#x} {value:#x}")

    # -- interrupts --------------------------------------------------------------------------------------------

    def intercept(self, path: str) -> bool:
        """Be told of the input lines of an interrupt controller (a QOM path); False where QEMU cannot."""
        try:
            self.command(f"irq_intercept_in {path}")
        except CannotRun as error:
            if isinstance(error, QemuDied):
                raise
            return False
        return True

    def wait(self, lines: Collection[int], seconds: float) -> bool:
        """Whether one of these lines is high; waits up to ``seconds`` for it to become so."""
        deadline = time.monotonic() + seconds
        while True:
            self._take_arrived()
            if not self.high.isdisjoint(lines):
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            try:
                self._take(self._lines.receive(left))
            except TimeoutError:
                return False
            except EOFError:
                raise self._obituary() from None

    def count(self, lines: Collection[int]) -> int:
        """How often these lines were raised so far."""
        self._take_arrived()
        return sum(self.raised.get(line, 0) for line in lines)

    def _take_arrived(self) -> None:
        while True:
            try:
                self._take(self._lines.receive(0.0))
            except TimeoutError:
                return
            except EOFError:
                raise self._obituary() from None

    def _take(self, line: str) -> bool:
        """Note an interrupt; False when the line is an answer."""
        if not line.startswith("IRQ "):
            return False
        _, verb, number = line.split()
        if verb == "raise":
            self.high.add(int(number))
            self.raised[int(number)] = self.raised.get(int(number), 0) + 1
        else:
            self.high.discard(int(number))
        return True

    # -- commands ----------------------------------------------------------------------------------------------

    def command(self, text: str) -> str:
        """Send one command and give what stands behind its OK. Raises :class:`CannotRun` with QEMU's words otherwise."""
        if self._silent is not None:
            raise self._silent
        if self._interrupted:
            self._synchronise()
        # Ctrl-C can fall between question and answer; the next command then first clears the line.
        self._interrupted = True
        answer = self._exchange(text)
        self._interrupted = False
        verdict, _, value = answer.partition(" ")
        if verdict != "OK":
            raise CannotRun(f"QEMU answers {answer!r} to the qtest command {text!r}")
        return value

    def _synchronise(self) -> None:
        answer = self._exchange(_MARKER)
        deadline = time.monotonic() + self._timeout
        while answer.partition(" ")[2] not in _MARKER_ANSWERS:
            if time.monotonic() > deadline:
                raise self._no_answer(_MARKER)
            answer = self._answer(_MARKER)

    def _exchange(self, text: str) -> str:
        try:
            self._lines.send(text, self._timeout)
        except EOFError:
            raise self._obituary() from None
        except TimeoutError:
            raise self._no_answer(text) from None
        return self._answer(text)

    def _answer(self, text: str) -> str:
        while True:
            try:
                line = self._lines.receive(self._timeout)
            except EOFError:
                raise self._obituary() from None
            except TimeoutError:
                raise self._no_answer(text) from None
            if not self._take(line):
                return line

    def _no_answer(self, text: str) -> UvirtioError:
        """The error of an access that is not answered; none is tried after it."""
        self._silent = self._silence(f"QEMU has not answered the access {text!r} within {self._timeout:g} s")
        return self._silent

    @property
    def silent(self) -> bool:
        """Whether an access was not answered, so that QEMU is not listened to any more."""
        return self._silent is not None

    def close(self) -> None:
        """Close the connection."""
        self._lines.close()
