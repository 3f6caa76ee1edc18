"""Register views: ``view[i]`` and ``view[i] = v``, one element access being one bus access of that width.

A :class:`Region` is a stretch of registers with its 8-, 16- and 32-bit views. Over a mapped BAR the views are casts
of one memoryview, so that driver code pays nothing for the seam; over anything else they call a function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..errors import DeviceMisbehaved

__all__ = ["CallView", "ReadFunction", "Region", "View", "WriteFunction"]


class View(Protocol):
    """Elements of one width, indexed from the start of a region."""

    def __getitem__(self, index: int, /) -> int: ...

    def __setitem__(self, index: int, value: int, /) -> None: ...


#: read(offset, width) -> value, and write(offset, width, value): one bus access each; offset and width in bytes.
ReadFunction = Callable[[int, int], int]
WriteFunction = Callable[[int, int, int], None]


class CallView:
    """A view that turns each element access into one call."""

    __slots__ = ("_base", "_read", "_width", "_write")

    def __init__(self, read: ReadFunction, write: WriteFunction, base: int, width: int) -> None:
        self._read = read
        self._write = write
        self._base = base
        self._width = width

    def __getitem__(self, index: int) -> int:
        return self._read(self._base + index * self._width, self._width)

    def __setitem__(self, index: int, value: int) -> None:
        self._write(self._base + index * self._width, self._width, value)


class Region:
    """A stretch of registers: ``u8``, ``u16``, ``u32`` views from its start, and its ``length`` in bytes."""

    __slots__ = ("_base", "_make", "length", "u8", "u16", "u32")

    def __init__(self, make: Callable[[int, int, int], View], base: int, length: int) -> None:
        """``make(base, length, width)`` builds the view of one width over bytes base..base+length."""
        self._make = make
        self._base = base
        self.length = length
        self.u8 = make(base, length, 1)
        self.u16 = make(base, length, 2)
        self.u32 = make(base, length, 4)

    @classmethod
    def mapped(cls, memory: memoryview) -> Region:
        """Over mapped memory (format B). The views are exports of it: release the region before unmapping."""

        def make(base: int, length: int, width: int) -> View:
            window = memory[base : base + length - length % width]
            return window if width == 1 else window.cast("H" if width == 2 else "I")

        return cls(make, 0, len(memory))

    @classmethod
    def calls(cls, read: ReadFunction, write: WriteFunction, length: int) -> Region:
        """Over a pair of functions, for everything that cannot be mapped."""
        return cls(lambda base, _length, width: CallView(read, write, base, width), 0, length)

    def window(self, offset: int, length: int) -> Region:
        """The part that starts at ``offset``. Raises :class:`DeviceMisbehaved` when it is not inside this region."""
        if offset < 0 or length < 0 or offset + length > self.length:
            raise DeviceMisbehaved(
                f"{length:#x} bytes at offset {offset:#x} do not fit a region of {self.length:#x} bytes"
            )
        return Region(self._make, self._base + offset, length)

    def view(self, width: int) -> View:
        """The view with elements of 1, 2 or 4 bytes."""
        return {1: self.u8, 2: self.u16, 4: self.u32}[width]

    def read(self, offset: int, width: int) -> int:
        """One access of ``width`` bytes at an aligned byte offset."""
        return self.view(width)[offset // width]

    def write(self, offset: int, width: int, value: int) -> None:
        """One access of ``width`` bytes at an aligned byte offset."""
        self.view(width)[offset // width] = value

    def release(self) -> None:
        """Give up the views (of mapped memory), so that it can be unmapped."""
        for view in (self.u32, self.u16, self.u8):
            if isinstance(view, memoryview):
                view.release()
