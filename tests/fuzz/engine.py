"""Mutation without coverage: kept inputs, changed in small ways, for a while. What finds something is written down."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["CORPUS", "Found", "kept", "run"]

CORPUS = Path(__file__).parent / "corpus"
Target = Callable[[bytes], None]
_INTERESTING = (0, 1, 2, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 254, 255)
_LONGEST = 4096


class Found(AssertionError):
    """A target raised something that it must not; ``data`` shows it again."""

    def __init__(self, name: str, data: bytes) -> None:
        digest = hashlib.sha256(data).hexdigest()[:16]
        super().__init__(f"{name}: {data.hex()} (keep it as tests/fuzz/corpus/{name}/{digest})")
        self.data = data
        self.digest = digest


def kept(name: str) -> list[bytes]:
    """The inputs that are kept for a target, smallest first."""
    return sorted((path.read_bytes() for path in (CORPUS / name).glob("*")), key=len)


def _mutated(choose: random.Random, corpus: Sequence[bytes]) -> bytes:
    data = bytearray(choose.choice(corpus))
    for _ in range(choose.choice((1, 1, 2, 4, 16))):
        at = choose.randrange(len(data) + 1)
        how = choose.randrange(6)
        if how == 0:
            data[at:at] = choose.randbytes(choose.choice((1, 2, 4, 8, 64, 256)))
        elif how == 1:
            del data[at : at + choose.choice((1, 2, 4, 16, 64))]
        elif how == 2:
            other = choose.choice(corpus)
            data[at:] = other[choose.randrange(len(other) + 1) :]
        elif at < len(data):
            data[at] = (data[at] ^ 1 << choose.randrange(8), choose.choice(_INTERESTING), choose.randrange(256))[
                how - 3
            ]
    return bytes(data[:_LONGEST])


def attempt(name: str, target: Target, data: bytes) -> None:
    """One input. Raises :class:`Found` from what the target raised."""
    try:
        target(data)
    except Exception as error:
        raise Found(name, data) from error


def run(name: str, target: Target, seconds: float, seed: int) -> int:
    """All kept inputs, then mutations of them for so long; how many were tried. Raises :class:`Found`."""
    corpus = kept(name)
    for data in corpus:
        attempt(name, target, data)
    choose, ends, tried = random.Random(seed), time.monotonic() + seconds, len(corpus)
    grown = [*corpus, *(choose.randbytes(size) for size in (16, 64, 256, 1024))]
    while time.monotonic() < ends:
        data = _mutated(choose, grown)
        attempt(name, target, data)
        tried += 1
        if len(grown) < 256 and choose.random() < 0.1:
            grown.append(data)
    return tried
