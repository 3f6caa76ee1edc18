"""Lines from somebody who does not stop sending: they cost what they are long, and the deadline is kept."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from itertools import count

import pytest

from uvirtio.bus import lines
from uvirtio.bus.lines import LineSocket


class Sender:
    """A socket that always has another piece."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces = pieces
        self.given = 0

    def settimeout(self, seconds: float) -> None:
        assert seconds >= 0

    def recv(self, size: int) -> bytes:
        self.given += 1
        assert self.given < 1000, "it is never given up"
        return next(self.pieces)


def test_a_line_that_never_ends_is_given_up_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = count()
    monkeypatch.setattr(lines.time, "monotonic", lambda: float(next(seconds)))
    sender = Sender(iter(lambda: b"x", None))
    with pytest.raises(TimeoutError):
        LineSocket(sender).receive(10)  # type: ignore[arg-type]
    assert sender.given <= 11


def test_a_line_longer_than_any_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_LONGEST", 1 << 20, raising=False)
    with pytest.raises(EOFError):
        LineSocket(Sender(iter(lambda: bytes(1 << 16), None))).receive(1e9)  # type: ignore[arg-type]


def test_lines_come_in_order_however_they_were_cut() -> None:
    here, there = socket.socketpair()
    with here, there:
        received = LineSocket(here)
        there.sendall(b"one\r\ntwo\nth")
        assert [received.receive(1) for _ in range(2)] == ["one", "two"]
        with pytest.raises(TimeoutError):
            received.receive(0)
        there.sendall(b"ree\n\nfive\n")
        assert [received.receive(1) for _ in range(3)] == ["three", "", "five"]
        there.close()
        with pytest.raises(EOFError):
            received.receive(1)
