"""Features, registers, reset and configuration of any device, suspendable or not."""

from __future__ import annotations

import json

from uvirtio.device import Device
from uvirtio.errors import DeviceTimeout
from uvirtio.rules.offered import described, valid
from uvirtio.spec.devices import fields_within
from uvirtio.spec.features import Feature, Features
from uvirtio.spec.status import Status
from uvirtio.transport.common_registers import CommonRegisters

from ..judging import names
from ..judging.stage import Stage
from . import DANGEROUS, scenario
from .pci import registers_of

__all__: list[str] = []

#: Features that a device may insist on (6.2): a set without them is no test of it.
_INSISTED = Features.of(Feature.VERSION_1, Feature.ACCESS_PLATFORM, Feature.ORDER_PLATFORM)
#: Feature pages that are looked at one way and the other; those that no device should have bits in.
_NEAR, _FAR = (0, 1, 2, 3), (4, 0x0800_0000, 0x7FFF_FFFF, 0xFFFF_FFFF)
#: Bits that the specification has not given to anything.
_FREE = (*range(49, 64), 23, 22)
_QUEUES = 64


def _pages(stage: Stage, registers: CommonRegisters, pages: tuple[int, ...]) -> None:
    for page in (*pages, *reversed(pages)):
        kept = registers.select("device_feature_select", page)
        seen = [registers.get("device_feature"), registers.get("device_feature")]
        stage.read(names.PAGE, json.dumps([page, kept, *seen]))


@scenario("read the registers of an idle device", "B8", "B11", "B12", dialects=())
def registers(stage: Stage) -> None:
    """Feature pages in two orders, queues that are there and such as are not, all before anything is accepted."""
    device, common = stage.device, registers_of(stage)
    device.begin()
    _pages(stage, common, _NEAR)
    count = device.transport.queue_count()
    admin = common.get("admin_queue_num") if Feature.ADMIN_VQ in device.offered else 0
    for index in {count + admin, count + admin + 1, 0xFFFF}:
        kept = common.select("queue_select", index)
        stage.read(names.ABSENT, json.dumps([index, kept, common.get("queue_size")]))
    packed = Feature.RING_PACKED in device.offered
    if packed:
        device.begin()
        device.transport.set_driver_features(_set(device) - Features.of(Feature.RING_PACKED))
        device.status.add(Status.FEATURES_OK)
    for index in range(min(count, _QUEUES)):
        stage.read(f"{names.SIZE}{index}", device.transport.queue_maximum(index))


@scenario("select feature pages far out", "B8", dialects=(), order=DANGEROUS)
def far_pages(stage: Stage) -> None:
    """Pages in which no device has bits: late, since some device models do not survive it."""
    common = registers_of(stage)
    stage.device.begin()
    _pages(stage, common, _FAR)


def _set(device: Device) -> Features:
    """Everything that is offered and the specification describes."""
    return valid(device.identity.type, described(device.identity.type, device.offered))


def _accept(stage: Stage, features: Features) -> bool:
    """Offer a set to a device that is at DRIVER; whether it was accepted."""
    transport, status = stage.device.transport, stage.device.status
    transport.set_driver_features(features)
    before = transport.driver_features()
    status.add(Status.FEATURES_OK)
    accepted = bool(status.read() & Status.FEATURES_OK)
    after = transport.driver_features()
    seen = [features.mask, accepted, before.mask, after.mask, stage.device.offered.mask]
    stage.read(names.SET, json.dumps(seen))
    return accepted


@scenario("accept sets of features", "B2", "B4", "B7", "B9", "B14", also=("B5",), dialects=())
def sets(stage: Stage) -> None:
    """Everything described, three times; as little as possible; everything less each of its bits."""
    device = stage.device
    registers_of(stage)
    device.begin()
    everything = _set(device)
    _fields(stage, "before")
    if _accept(stage, everything):
        device.status.add(Status.DRIVER_OK)
        _fields(stage, "after")
    sets = [everything, everything, everything & _INSISTED]
    sets += [valid(device.identity.type, everything - Features.of(bit)) for bit in everything if bit not in _INSISTED]
    for each in sets:
        device.begin()
        _accept(stage, each)


def _fields(stage: Stage, when: str) -> None:
    """Each field of the configuration at its own width, and the halves of wide ones in both orders."""
    device, read = stage.device, stage.device.configuration.read
    stage.read(f"{names.GENERATION} {when}", device.transport.generation())
    for field in fields_within(device.identity.type, device.offered, device.configuration.length):
        if field.negotiated_first:
            continue
        width = min(field.width, 4)
        places = range(field.offset, field.offset + field.size, width)
        value = [read(at, width) for at in places]
        stage.read(f"{names.FIELD_READ}{field.name} {when}", json.dumps(value))
        if field.width == 8:
            other = [read(at, width) for at in reversed(places)]
            alone = [read(places[-1], width), read(places[-1], width)]
            stage.read(f"{names.HALVES}{field.name}", json.dumps([value, other[::-1], alone]))


@scenario("accept features that are not offered", "B3", dialects=())
def not_offered(stage: Stage) -> None:
    """One bit that nobody has defined is accepted beside all that is offered: the driver must not, and the device should refuse."""
    device = stage.device
    registers_of(stage)
    device.begin()
    bit = next(bit for bit in _FREE if bit not in device.offered)
    with device.deviating("2.2.1", "a feature that is not offered has to be refused"):
        device.transport.set_driver_features(_set(device) | Features.of(bit))
        device.status.add(Status.FEATURES_OK)
    status = device.status.read()
    shown = device.transport.driver_features()
    stage.read(names.REFUSED, json.dumps([bit, status, bit in shown]))


@scenario("reset a running device under load", "B6", "B10", "B5", also=("RNG1",), dialects=())
def reset(stage: Stage) -> None:
    """0 is written with requests in flight; then rings, buffers, ISR and registers are watched."""
    common = registers_of(stage)
    stage.start(suspend=False)
    stage.traffic.need()
    stage.traffic.load()
    device = stage.device
    queues = dict(stage.sleeper.watched_queues())
    try:
        device.reset(stage.deadline.limit())
    except DeviceTimeout:
        return  # the accesses show it
    # What is done between the write of 0 and the first read of it is allowed: this is what later looks are held against.
    stage.sleeper.look("just reset", status=True, queues=queues)
    for index in queues:
        common.put("queue_select", index)
        for name in ("queue_enable", "queue_reset"):
            if common.has(name):
                stage.read(f"{names.CLEARED}{name} of queue {index}", common.get(name))
    stage.sleeper.sleep(max(stage.options.hold, 2 * stage.sleeper.linger))
    stage.sleeper.look("reset for a while", status=True, queues=queues)
