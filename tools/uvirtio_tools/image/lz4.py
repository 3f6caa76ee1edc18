"""Unpacking LZ4, as kernels are packed with it: the legacy frame, which Python's library does not know."""

from __future__ import annotations

import struct

__all__ = ["MAGIC", "unpack"]

MAGIC = b"\x02\x21\x4c\x18"
_LARGEST = 8 << 20
"""Bytes of a block of the legacy frame, unpacked."""


def _block(data: bytes) -> bytearray:
    out = bytearray()
    at, end = 0, len(data)
    while at < end:
        token = data[at]
        at += 1
        length = token >> 4
        if length == 15:
            while True:
                length += data[at]
                at += 1
                if data[at - 1] != 255:
                    break
        out += data[at : at + length]
        at += length
        if at >= end:  # the last sequence has literals alone
            break
        back = data[at] | data[at + 1] << 8
        at += 2
        length = (token & 15) + 4
        if length == 19:
            while True:
                length += data[at]
                at += 1
                if data[at - 1] != 255:
                    break
        start = len(out) - back
        if not back or start < 0:
            raise ValueError("a match lies before the beginning")
        if back >= length:
            out += out[start : start + length]
        else:  # it overlaps what it makes: a pattern that goes on
            pattern = bytes(out[start:])
            out += (pattern * (length // back + 1))[:length]
    return out


def unpack(data: bytes) -> bytes:
    """What a legacy frame holds. Raises ValueError for what is none, or is cut off."""
    if not data.startswith(MAGIC):
        raise ValueError("this is no legacy frame of LZ4")
    out = bytearray()
    at = len(MAGIC)
    while at + 4 < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        at += 4
        if at + size > len(data):
            raise ValueError("a block is cut off")
        try:
            block = _block(data[at : at + size])
        except IndexError:
            raise ValueError("a block is cut off") from None
        out += block
        at += size
        if len(block) < _LARGEST:
            break  # what follows the last block is the kernel's own length
    return bytes(out)
