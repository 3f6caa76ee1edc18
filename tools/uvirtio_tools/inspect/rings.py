"""Ring memory put into words: descriptors, available and used entries of a split or packed virtqueue (2.7, 2.8)."""

from __future__ import annotations

from dataclasses import dataclass

from uvirtio.spec import packed, split

__all__ = ["RingImage", "Slot", "decode_ring"]


@dataclass(frozen=True, slots=True)
class Slot:
    """One descriptor: bus address, length in bytes, flags in words, and what comes next (split) or its id (packed)."""

    index: int
    address: int
    length: int
    flags: str
    link: str


@dataclass(frozen=True, slots=True)
class RingImage:
    """A ring at one moment. ``available`` and ``used`` are the ring's entries in words, the newest last."""

    format: str
    slots: tuple[Slot, ...]
    available: tuple[str, ...]
    used: tuple[str, ...]


def decode_ring(format: str, size: int, raw: bytes, *, limit: int = 64) -> RingImage:
    """Decode ``Queue.ring_bytes()`` of a queue of ``size`` descriptors; at most ``limit`` entries of either ring."""
    if format == "packed":
        return _packed(size, raw)
    table = split.DESC_SIZE * size
    avail, used = raw[table:], raw[table + split.avail_size(size) :]
    return RingImage(
        "split",
        tuple(_split_slot(raw, index) for index in range(size)),
        tuple(_available(avail, size, limit)),
        tuple(_used(used, size, limit)),
    )


def _le(raw: bytes, at: int, width: int) -> int:
    return int.from_bytes(raw[at : at + width], "little")


def _flags(value: int, names: dict[int, str]) -> str:
    words = [name for bit, name in names.items() if value & bit]
    rest = value & ~sum(names)
    return " ".join([*words, *([f"{rest:#x}"] if rest else [])]) or "-"


def _split_slot(raw: bytes, index: int) -> Slot:
    at = split.DESC_SIZE * index
    flags = _le(raw, at + 12, 2)
    names = {split.DESC_F_NEXT: "NEXT", split.DESC_F_WRITE: "WRITE", split.DESC_F_INDIRECT: "INDIRECT"}
    link = f"next {_le(raw, at + 14, 2)}" if flags & split.DESC_F_NEXT else "-"
    return Slot(index, _le(raw, at, 8), _le(raw, at + 8, 4), _flags(flags, names), link)


def _recent(index: int, size: int, limit: int) -> range:
    """Running numbers of the newest entries; as many as were ever made, the ring holds, and fit."""
    return range(max(0, index - min(size, limit)), index)


def _available(raw: bytes, size: int, limit: int) -> list[str]:
    index = _le(raw, split.AVAIL_IDX, 2)
    return [
        f"[{number % size}] head {_le(raw, split.AVAIL_RING + 2 * (number % size), 2)}"
        for number in _recent(index, size, limit)
    ]


def _used(raw: bytes, size: int, limit: int) -> list[str]:
    index = _le(raw, split.USED_IDX, 2)
    entries = []
    for number in _recent(index, size, limit):
        at = split.USED_RING + split.USED_ELEMENT_SIZE * (number % size)
        entries.append(f"[{number % size}] id {_le(raw, at, 4)}, {_le(raw, at + 4, 4)} bytes")
    return entries


def _packed(size: int, raw: bytes) -> RingImage:
    names = {
        packed.DESC_F_NEXT: "NEXT",
        packed.DESC_F_WRITE: "WRITE",
        packed.DESC_F_INDIRECT: "INDIRECT",
        packed.DESC_F_AVAIL: "AVAIL",
        packed.DESC_F_USED: "USED",
    }
    slots = []
    for index in range(size):
        at = packed.DESC_SIZE * index
        flags = _flags(_le(raw, at + 14, 2), names)
        slots.append(Slot(index, _le(raw, at, 8), _le(raw, at + 8, 4), flags, f"id {_le(raw, at + 12, 2)}"))
    return RingImage("packed", tuple(slots), (), ())
