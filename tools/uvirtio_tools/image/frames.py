"""What a guest says on its console so that a host can cut it out of boot messages, and what it hears from there.

Each thing is a line that begins with ``[uvirtio]``:

| line | what it says |
|---|---|
| ``ready TEXT`` | the guest is up: versions, for people |
| ``run N WORDS`` | a command begins |
| ``begin N NAME plain`` (or ``gzip+base64``) | a result follows, line by line |
| ``end N NAME LENGTH CRC32`` | it was as long as that, unpacked, and has this sum |
| ``status N S`` | the command has ended with this exit status |
| ``event NAME JSON`` | the host is asked for something, and answers with a line ``[uvirtio] answer NAME STATUS TEXT`` |
| ``over S`` | all is done, this is the status of the whole, and the machine is about to go |
"""

from __future__ import annotations

import base64
import binascii
import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = [
    "MARK",
    "Asked",
    "Begun",
    "Damaged",
    "Ended",
    "Line",
    "Over",
    "Reader",
    "Ready",
    "Result",
    "Said",
    "packed",
    "plain",
]

MARK = "[uvirtio] "
_WIDTH = 76
#: Longest line that is kept, and longest result, in characters: a console may say anything.
_LINE, _RESULT = 1 << 16, 64 << 20


@dataclass(frozen=True, slots=True)
class Line:
    """What is no frame: of the kernel, of a command."""

    text: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The guest is up."""

    text: str


@dataclass(frozen=True, slots=True)
class Begun:
    """A command begins."""

    number: int
    words: str


@dataclass(frozen=True, slots=True)
class Result:
    """A result has come, as it was sent."""

    number: int
    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Damaged:
    """A result has not come as it was sent."""

    number: int
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A command has ended."""

    number: int
    status: int


@dataclass(frozen=True, slots=True)
class Asked:
    """The host is asked for an event."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Over:
    """All is done."""

    status: int


Said = Line | Ready | Begun | Result | Damaged | Ended | Asked | Over


def plain(number: int, name: str, data: bytes) -> Iterator[str]:
    """The lines of a result that people may want to read on the console."""
    yield f"{MARK}begin {number} {name} plain"
    yield from data.decode("utf-8", "replace").splitlines()
    yield _end(number, name, b"".join(line + b"\n" for line in data.splitlines()))


def packed(number: int, name: str, data: bytes) -> Iterator[str]:
    """The lines of a result that is long: a serial console is slow."""
    yield f"{MARK}begin {number} {name} gzip+base64"
    text = base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()
    for start in range(0, len(text), _WIDTH):
        yield text[start : start + _WIDTH]
    yield _end(number, name, data)


def _end(number: int, name: str, data: bytes) -> str:
    return f"{MARK}end {number} {name} {len(data)} {zlib.crc32(data):08x}"


_FRAMES = (
    (re.compile(r"ready (.*)"), lambda m: Ready(m[1])),
    (re.compile(r"run (\d{1,6}) (.*)"), lambda m: Begun(int(m[1]), m[2])),
    (re.compile(r"status (\d{1,6}) (\d{1,3})"), lambda m: Ended(int(m[1]), int(m[2]))),
    (re.compile(r"event ([A-Za-z0-9_-]{1,64}) (.*)"), lambda m: Asked(m[1], m[2])),
    (re.compile(r"over (\d{1,3})"), lambda m: Over(int(m[1]))),
)
_BEGIN = re.compile(r"begin (\d{1,6}) ([a-z.]{1,32}) (plain|gzip\+base64)")
_END = re.compile(r"end (\d{1,6}) ([a-z.]{1,32}) (\d{1,9}) ([0-9a-f]{8})")


class Reader:
    """Cuts a console's bytes, in whatever pieces they come, into what was said. What comes is as foreign as a console is."""

    def __init__(self) -> None:
        self._rest = b""
        self._inside: tuple[int, str, str] | None = None
        self._lines: list[bytes] = []
        self._length = 0

    def feed(self, data: bytes) -> Iterator[Said]:
        """What was said by now and was not told yet."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-_LINE:]
        for line in lines:
            yield from self._line(line.rstrip(b"\r"))

    def finish(self) -> Iterator[Said]:
        """What is left when nothing more comes."""
        if self._rest:
            yield from self._line(self._rest)
            self._rest = b""
        if self._inside is not None:
            yield Damaged(self._inside[0], self._inside[1], "it was cut off")
            self._inside = None

    def _line(self, line: bytes) -> Iterator[Said]:
        text = line.decode("utf-8", "replace")
        # A boot loader or a kernel may have begun the line.
        before, mark, frame = text.partition(MARK)
        if self._inside is not None:
            number, name, _how = self._inside
            end = _END.fullmatch(frame) if mark else None
            if end and (int(end[1]), end[2]) == (number, name):
                yield self._whole(before.encode(), int(end[3]), end[4])
            elif (length := self._length + len(line) + 1) <= _RESULT:
                self._length = length
                self._lines.append(line)
            return
        if not mark:
            yield Line(text)
            return
        if before.strip():
            yield Line(before)
        if begin := _BEGIN.fullmatch(frame):
            self._inside, self._lines, self._length = (int(begin[1]), begin[2], begin[3]), [], 0
            return
        for pattern, make in _FRAMES:
            if match := pattern.fullmatch(frame):
                yield make(match)
                return
        yield Line(text)

    def _whole(self, last: bytes, length: int, crc: str) -> Result | Damaged:
        assert self._inside is not None
        number, name, how = self._inside
        self._inside = None
        lines = [*self._lines, *([last] if last else [])]
        data = b"".join(line + b"\n" for line in lines)
        if how != "plain":
            try:
                unpacker = zlib.decompressobj(31)
                data = unpacker.decompress(base64.b64decode(data), _RESULT)
            except (binascii.Error, zlib.error, ValueError) as error:
                return Damaged(number, name, f"it cannot be unpacked: {error}")
        if (len(data), f"{zlib.crc32(data):08x}") != (length, crc):
            return Damaged(number, name, "something else was written to the console meanwhile")
        return Result(number, name, data)
