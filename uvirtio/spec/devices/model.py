"""The shape of a device type's table: feature bits, configuration fields, queues."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..features import Features

__all__ = ["DeviceSpec", "FeatureBit", "Field", "QueueName"]


class FeatureBit(NamedTuple):
    """One feature bit of a device type.

    ``name`` is the specification's without ``VIRTIO_``. ``requires`` must all be there too, of ``requires_any`` at
    least one. Of a device's offer alone: ``offer_with`` must, ``offer_should`` should be offered too, and
    ``excludes`` should not. ``origin``: ``spec``, ``legacy`` (the legacy interface only), ``draft`` or ``linux``
    (in use, but not in the specification).
    """

    number: int
    name: str
    meaning: str
    requires: tuple[int, ...] = ()
    requires_any: tuple[int, ...] = ()
    offer_with: tuple[int, ...] = ()
    offer_should: tuple[int, ...] = ()
    excludes: tuple[int, ...] = ()
    origin: str = "spec"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the device-specific configuration.

    ``offset`` and ``width`` in bytes; ``width`` is that of one element and 1, 2, 4 or 8; ``count`` elements. Values
    are little-endian on the modern interface (2.5.3). ``features``: bits of which at least one makes the field
    exist; empty: it always does. ``kind``: ``number``, ``hex``, ``text`` (UTF-8, NUL-padded), ``mac``, ``bytes``.
    ``values`` names single values, ``flags`` names bit numbers.
    """

    name: str
    offset: int
    width: int
    count: int = 1
    unit: str = ""
    writable: bool = False
    features: tuple[int, ...] = ()
    kind: str = "number"
    values: tuple[tuple[int, str], ...] = ()
    flags: tuple[tuple[int, str], ...] = ()
    #: The driver must not read it before FEATURES_OK.
    negotiated_first: bool = False
    #: Name of a field before it that says how many elements there are; ``count`` is then the least.
    counted_by: str = ""

    @property
    def size(self) -> int:
        """Bytes of the whole field."""
        return self.width * self.count

    def exists(self, features: Features) -> bool:
        """Whether a device with these features has the field."""
        return not self.features or any(bit in features for bit in self.features)

    def decode(self, data: bytes) -> tuple[int | str, str]:
        """What ``data``, the field's bytes, holds: a value, and the same in words."""
        if self.kind == "mac":
            text = data.hex(":")
            return text, text
        if self.kind == "text":
            text = data.partition(b"\0")[0].decode("utf-8", "replace")
            return text, repr(text)
        if self.kind == "bytes" or self.count > 1:
            shown = data.rstrip(b"\0")
            return data.hex(), (shown.hex(" ") or "all zero")
        value = int.from_bytes(data, "little")
        words = [f"{value:#x}" if self.kind == "hex" else str(value)]
        named = dict(self.values).get(value)
        if named is not None:
            words.append(f"({named})")
        elif self.unit:
            words.append(self.unit)
        flags = [name for bit, name in self.flags if value >> bit & 1]
        rest = value & ~sum(1 << bit for bit, _ in self.flags)
        if self.flags and rest:
            flags.append(f"unknown {rest:#x}")
        if flags:
            words.append(f"({' '.join(flags)})")
        return value, " ".join(words)


@dataclass(frozen=True, slots=True)
class QueueName:
    """One virtqueue, or with ``step`` a row of them.

    ``index`` is the first one's; ``{n}`` in the name counts from ``base``. ``last``: it is the last queue, behind a
    row whose length the device decides (with ``last_with``: only with one of these features; else at ``index``).
    ``answered``: a buffer put into it is a request that the device owes an
    answer; buffers of other queues may wait for ever. ``features``: bits of which one makes it exist.
    """

    name: str
    index: int
    answered: bool
    step: int = 0
    base: int = 1
    last: bool = False
    last_with: tuple[int, ...] = ()
    features: tuple[int, ...] = ()

    def exists(self, features: Features) -> bool:
        """Whether a device with these features has the queue."""
        return not self.features or any(bit in features for bit in self.features)


class DeviceSpec(NamedTuple):
    """Everything that the specification fixes for one device type.

    ``title`` as in chapter 5, ``section`` its section there, empty where the type is only reserved.
    """

    number: int
    title: str
    section: str = ""
    features: tuple[FeatureBit, ...] = ()
    fields: tuple[Field, ...] = ()
    queues: tuple[QueueName, ...] = ()

    @property
    def config_size(self) -> int:
        """Bytes of the configuration with all its fields, 0 where the type has none."""
        return max((field.offset + field.size for field in self.fields), default=0)

    def sized(self, read: Callable[[Field], int]) -> DeviceSpec:
        """The same for one device, whose fields of variable length have the number of elements that ``read`` finds."""
        if not any(field.counted_by for field in self.fields):
            return self
        by_name = {field.name: field for field in self.fields}
        fields = (
            replace(field, count=read(by_name[field.counted_by])) if field.counted_by else field
            for field in self.fields
        )
        return self._replace(fields=tuple(fields))

    @property
    def dependencies(self) -> dict[int, tuple[int, ...]]:
        """bit -> bits that it requires, all of them; what :func:`uvirtio.negotiation.choose` takes."""
        return {bit.number: bit.requires for bit in self.features if bit.requires}
