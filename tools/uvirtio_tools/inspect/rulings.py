"""What a description breaks of the rules that ``check`` goes by, in sentences that say how binding each is."""

from __future__ import annotations

from collections.abc import Iterator

from uvirtio.pci.capabilities import BarLength, Capability
from uvirtio.pci.header import Identity
from uvirtio.rules import Offer, Ruling, padding, rulings
from uvirtio.rules import structures as placed
from uvirtio.spec.features import Feature, Features
from uvirtio.spec.pci import Header
from uvirtio.spec.statements import STATEMENTS

from .model import Description

__all__ = ["broken_rules"]

#: Rules whose breaches a description tells by itself, beside the capability that they are about.
_TOLD = ("P5", "P7", "P9")


def broken_rules(
    description: Description, identity: Identity, capabilities: list[Capability], bar_length: BarLength
) -> Iterator[str]:
    """Sentences such as ``revision 0 (P3, SHOULD)``; none for a device with the legacy interface alone,
    nor where nobody but root may see the capabilities.
    """
    if description.interface == "legacy" or not capabilities:
        return
    offered = _offered(description)
    found = [*_of_layout(description, identity, capabilities, bar_length, offered)]
    if offered is not None:
        found += _of_type(description, offered)
    for queue in description.queues:
        if offered is not None and Feature.RING_PACKED not in offered and queue.num & queue.num - 1:
            found.append(Ruling("B12", True, f"queue {queue.index}: queue_size is {queue.num}"))
    for ruling in found:
        if ruling.broken and ruling.id not in _TOLD:
            yield f"{ruling.text} ({ruling.id}, {STATEMENTS[ruling.id].level.value})"


def _offered(description: Description) -> Features | None:
    """None where the registers were not read."""
    known = [row for row in description.features if row.offered is not None]
    return Features.of(*(row.bit for row in known if row.offered)) if known else None


def _of_layout(
    description: Description,
    identity: Identity,
    capabilities: list[Capability],
    bar_length: BarLength,
    offered: Features | None,
) -> Iterator[Ruling]:
    legacy = any(bar.number == 0 and bar.kind == "I/O" for bar in description.bars)
    offsets = {queue.index: queue.notify_off for queue in description.queues if queue.notify_off is not None}
    yield from placed.rulings(
        placed.Layout(
            identity,
            tuple(capabilities),
            {number: bar_length(number) for number in range(Header.BARS)},
            legacy,
            offered=offered,
            notify_offsets=offsets if description.queues else None,
        )
    )


def _of_type(description: Description, offered: Features) -> Iterator[Ruling]:
    fields = {
        field.name: field.value.to_bytes(8, "little")
        for field in description.config
        if field.valid and isinstance(field.value, int)
    }
    raw = bytes.fromhex(description.config_raw)
    between = {at: raw[at] for at in padding(description.type, offered) if at < len(raw)}
    yield from rulings(Offer(description.type, offered, fields, len(description.queues), between))
