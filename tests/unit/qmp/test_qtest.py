"""The qtest client against a scripted other end: answers, interrupts in between, silence, and interruption."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from uvirtio.bus.qemu.qtest import Qtest
from uvirtio.errors import CannotRun, DeviceTimeout, QemuDied


class Other:
    """Answers each command with the lines that ``answer`` gives for it; None closes the connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.commands: list[str] = []
        self.answer: Callable[[str], list[str | None]] = self.default
        self._connection = connection
        threading.Thread(target=self._serve, daemon=True).start()

    @staticmethod
    def default(command: str) -> list[str | None]:
        return ["OK little" if command == "endianness" else "OK 0x000000000000002a"]

    def say(self, line: str) -> None:
        self._connection.sendall(line.encode() + b"\n")

    def _serve(self) -> None:
        with self._connection.makefile("r") as lines:
            for line in lines:
                self.commands.append(line.rstrip("\n"))
                for reply in self.answer(self.commands[-1]):
                    if reply is None:
                        self._connection.shutdown(socket.SHUT_RDWR)
                        return
                    self.say(reply)


@pytest.fixture
def ends() -> Iterator[tuple[Qtest, Other]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Qtest(ours, lambda: QemuDied("QEMU died"), timeout=5.0), Other(theirs)


def test_each_access_is_one_command_of_its_width(ends: tuple[Qtest, Other]) -> None:
    qtest, other = ends
    assert qtest.read_memory(0x1_0000_0000, 4) == 0x2A
    qtest.write_memory(0x10, 2, 0xBEEF)
    assert qtest.read_port(0xCFC, 1) == 0x2A
    qtest.write_port(0xCF8, 4, 0x8000_0000)
    assert other.commands == ["readl 0x100000000", "writew 0x10 0xbeef", "inb 0xcfc", "outl 0xcf8 0x80000000"]


def test_interrupts_that_come_before_an_answer_are_noted_and_not_taken_for_it(ends: tuple[Qtest, Other]) -> None:
    qtest, other = ends
    other.answer = lambda _: ["IRQ raise 11", "IRQ lower 11", "IRQ raise 11", "IRQ raise 9", "OK 0x1"]
    assert qtest.read_memory(0, 1) == 1
    assert qtest.count({11, 16}) == 2
    assert qtest.wait({11}, 0.0)
    assert not qtest.wait({16}, 0.0)


def test_a_wait_ends_with_the_interrupt_and_not_with_another_line(ends: tuple[Qtest, Other]) -> None:
    qtest, other = ends
    threading.Timer(0.02, other.say, ("IRQ raise 4\nIRQ raise 11",)).start()
    assert qtest.wait({11}, 5.0)
    assert qtest.high == {4, 11}


def test_a_refused_command_shows_what_qemu_said(ends: tuple[Qtest, Other]) -> None:
    qtest, other = ends
    other.answer = lambda _: ["FAIL Unknown command 'readb'"]
    with pytest.raises(CannotRun, match="FAIL Unknown command"):
        qtest.read_memory(0, 1)
    assert not qtest.intercept("ioapic")


def test_the_end_of_the_connection_is_a_dead_qemu(ends: tuple[Qtest, Other]) -> None:
    qtest, other = ends
    other.answer = lambda _: [None]
    with pytest.raises(QemuDied):
        qtest.read_memory(0, 1)
    with pytest.raises(QemuDied):
        qtest.wait({11}, 1.0)
    with pytest.raises(QemuDied):
        qtest.write_memory(0, 1, 0)


def test_an_access_that_is_not_answered_is_given_up_and_none_is_tried_after_it() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        qtest = Qtest(ours, lambda: QemuDied("QEMU died"), timeout=0.05)
        with pytest.raises(DeviceTimeout, match="readb 0x7"):
            qtest.read_memory(7, 1)
        theirs.sendall(b"OK 0x1\n")  # the late answer must not become that of the next access
        with pytest.raises(DeviceTimeout):
            qtest.read_memory(8, 1)
        assert theirs.recv(1000) == b"readb 0x7\n"


def test_after_an_interrupted_access_its_late_answer_is_thrown_away(
    ends: tuple[Qtest, Other], monkeypatch: pytest.MonkeyPatch
) -> None:
    qtest, other = ends

    def interrupt(_text: str) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(qtest, "_answer", interrupt)
        with pytest.raises(KeyboardInterrupt):
            qtest.read_memory(1, 4)
    other.answer = lambda command: ["OK little"] if command == "endianness" else ["OK 0x55"]
    # The answer to the first access, 0x2a, still waits.
    assert qtest.read_memory(2, 4) == 0x55
    assert other.commands == ["readl 0x1", "endianness", "readl 0x2"]
