"""Who the device is, in reset: before anything is done to it, and in the end."""

from __future__ import annotations

import json

from uvirtio.device import Device
from uvirtio.errors import ConfigurationUnstable
from uvirtio.pci.header import read_identity
from uvirtio.rules import Offer, ids, padding
from uvirtio.spec.devices import fields_within
from uvirtio.spec.virtqueues import impossible_size

from ..driving.notified import of_queues
from ..judging import names
from ..judging.events import Portrayed
from ..judging.looks import read_configuration
from ..judging.stage import Stage
from . import LAST, scenario

__all__ = ["bars", "impossible_queues", "offer", "portray"]

_BARS = range(0x10, 0x28, 4)
#: Queues whose sizes are looked at.
_QUEUES = 64


def _sizes(device: Device) -> dict[int, int]:
    """What the first queues say of their sizes."""
    count = min(device.transport.queue_count(), _QUEUES)
    return {index: device.transport.queue_maximum(index) for index in range(count)}


def impossible_queues(device: Device) -> list[str]:
    """Queues whose size is none, for a report: only one that the driver uses is in its way."""
    return [f"queue {index} has {wrong}" for index, size in _sizes(device).items() if (wrong := impossible_size(size))]


def bars(device: Device) -> str:
    """The six BAR registers, as hex."""
    return " ".join(f"{device.function.config.u32[offset // 4]:#x}" for offset in _BARS)


def portray(stage: Stage, which: str) -> None:
    """Look at a device that is reset for it: everything as text, by what it is."""
    device = stage.device
    identity = read_identity(device.function.config, device.function.locator)
    offered = device.begin()
    try:
        config = read_configuration(device).hex()
    except ConfigurationUnstable:
        config = ""  # it never holds still: there is nothing to compare
    device.reset()
    lasting = {"identity": str(identity), "offered features": str(offered), "BARs": bars(device)}
    lasting["number of queues"] = str(device.transport.queue_count())
    lasting |= {f"largest size of queue {index}": str(size) for index, size in _sizes(device).items()}
    stage.history.add(Portrayed(stage.history.now(), which, lasting, config))


def offer(device: Device) -> Offer:
    """What a device that is at DRIVER offers; its fields are read only where an offered feature makes them valid (2.5.1)."""
    features, transport = device.offered, device.transport
    fields: dict[str, bytes] = {}
    for field in fields_within(device.identity.type, features, transport.config_length):
        if not field.negotiated_first:
            fields[field.name] = device.configuration.piece(field.offset, field.size)
    holes = [at for at in padding(device.identity.type, features) if at < transport.config_length]
    between = {at: device.configuration.read(at, 1) for at in holes}
    return Offer(device.identity.type, features, fields, transport.queue_count(), between)


@scenario("read what the device offers", *ids(), dialects=())
def own(stage: Stage) -> None:
    """Its features and the fields of its configuration, before anything is accepted."""
    stage.device.begin()
    found = offer(stage.device)
    fields = {name: data.hex() for name, data in found.fields.items()}
    said = {
        "features": found.features.mask,
        "fields": fields,
        "queues": found.queues,
        "padding": list(found.padding.items()),
    }
    stage.read(names.OFFER, json.dumps(said))


@scenario("the device in the end", "S2", "N1", dialects=(), order=LAST)
def last(stage: Stage) -> None:
    """As :func:`portray` saw it in the beginning?"""
    told = stage.device.notifications
    stage.read(names.ISR_SEEN, "config" if told.config else "used" if told.used else "nothing")
    stage.read(names.USED_SEEN, of_queues(stage.device))
    portray(stage, "last")
