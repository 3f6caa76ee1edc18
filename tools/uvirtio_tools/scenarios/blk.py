"""Requests to a block device that are answered with an error, or with zeros. Nothing is written to a disk that is somebody's."""

from __future__ import annotations

import json

from uvirtio.errors import DeviceMisbehaved, NegotiationFailed, RequestFailed, RequestUnsupported
from uvirtio.spec.devices import device_spec
from uvirtio.spec.devices.blk import CONFIG_WCE, DISCARD, FLUSH, RO, WRITE_ZEROES, ZONED
from uvirtio.spec.features import Features
from uvirtio.spec.formats.blk import SECTOR, SEGMENT, RequestType
from uvirtio.spec.ids import DeviceType
from uvirtio_drivers.blk import Blk, Call

from ..judging import names
from ..judging.ends import Skip
from ..judging.stage import Stage
from . import scenario

__all__: list[str] = []

#: VIRTIO_BLK_T_ZONE_OPEN: a zone request without data.
_ZONE_OPEN = 18
_UNMAP, _UNDEFINED = 1, 2
#: Sectors that are written with zeroes, at least.
_SECTORS = 8
_WRITEBACK = next(field for field in device_spec(DeviceType.BLK).fields if field.name == "writeback")


def started(stage: Stage) -> Blk:
    """The driver of a running device. Raises :class:`Skip` where there is none."""
    stage.start(suspend=False)
    stage.traffic.need()
    driver = stage.bring_up.driver
    if not isinstance(driver, Blk):
        raise Skip("there is no driver for block devices")
    return driver


def _disposable(stage: Stage) -> None:
    if not stage.device.function.surroundings.disposable:
        raise Skip("the disk is somebody's, and this could write to it")


def _answered(stage: Stage, driver: Blk, what: str, call: Call) -> str:
    """Make a request. What it is answered with."""
    try:
        driver.carry_out([call], stage.deadline.limit(), what)
    except RequestUnsupported:
        return "UNSUPP"
    except RequestFailed:
        return "IOERR"
    except DeviceMisbehaved as error:
        return str(error)
    return "OK"


def _answer(stage: Stage, driver: Blk, what: str, call: Call) -> None:
    """Make a request, and read what it is answered with."""
    stage.read(f"{names.ANSWER}{what}", _answered(stage, driver, what, call))


def _ranges(stage: Stage, driver: Blk, accepted: Features) -> None:
    """Flags beside a range that is taken without them: devices may look at either first."""
    block = driver.requests.limits.unit
    before = driver.read(0, block)
    for feature, kind, odd in (
        (WRITE_ZEROES, RequestType.WRITE_ZEROES, ((names.ZEROES_FLAG, _UNDEFINED),)),
        (DISCARD, RequestType.DISCARD, ((names.DISCARD_FLAG, _UNDEFINED), (names.UNMAP, _UNMAP))),
    ):
        calls = {flags: Call(kind, 0, SEGMENT.pack(0, block // SECTOR, flags)) for flags in (0, _UNMAP, _UNDEFINED)}
        if feature not in accepted or _answered(stage, driver, "a range without flags", calls[0]) != "OK":
            continue
        with stage.device.deviating("5.2.6.1", "flags that are not defined have to be answered with UNSUPP"):
            for what, flags in odd:
                _answer(stage, driver, what, calls[flags])
    driver.write(0, before)


@scenario("write to a read-only disk", "BLK3", dialects=())
def read_only(stage: Stage) -> None:
    """What is there is read before and after."""
    if RO not in stage.device.offered:
        raise Skip("the device is not read-only")
    _disposable(stage)
    driver = started(stage)
    block = driver.requests.limits.unit
    before = driver.read(0, block)
    with stage.device.deviating("5.2.6.1", "a write to a read-only device has to fail"):
        _answer(stage, driver, names.READ_ONLY, Call(RequestType.OUT, 0, bytes(byte ^ 0xFF for byte in before)))
    stage.read(names.UNCHANGED, int(driver.read(0, block) == before))


@scenario("ask for what a disk does not know", "BLK4", "BLK5", "BLK7", dialects=())
def unknown(stage: Stage) -> None:
    """Flags that are not defined, unmap where it may not be, a zone request to a disk without zones."""
    driver = started(stage)
    assert stage.device.negotiated is not None, "the device was started"
    accepted = stage.device.negotiated.accepted
    if stage.device.function.surroundings.disposable and not driver.read_only:
        _ranges(stage, driver, accepted)
    if ZONED not in accepted:
        with stage.device.deviating("5.2.6.1", "what is not defined has to be answered with UNSUPP"):
            _answer(stage, driver, names.ZONE, Call(_ZONE_OPEN))


@scenario("write zeroes to a disk", "BLK6", dialects=())
def zeroes(stage: Stage) -> None:
    """A pattern is written, then zeroes without unmap and with it, and read each time."""
    _disposable(stage)
    if WRITE_ZEROES not in stage.device.offered:
        raise Skip("the device does not offer WRITE_ZEROES")
    driver = started(stage)
    if driver.read_only:
        raise Skip("the device is read-only")
    sectors = max(_SECTORS, driver.requests.limits.unit // SECTOR)
    kept = driver.read(0, sectors * SECTOR)
    for unmap in (False, True):
        driver.write(0, b"\xa5" * sectors * SECTOR)
        driver.write_zeroes(0, sectors, unmap=unmap)
        read = driver.read(0, sectors * SECTOR)
        stage.read(names.ZEROES, json.dumps([int(unmap), len(read) - read.count(0)]))
    driver.write(0, kept)


@scenario("start a disk without FLUSH", "BLK8", dialects=())
def cache_mode(stage: Stage) -> None:
    """The field writeback of a device that has just been started: with FLUSH, which is the control, and without."""
    device = stage.device
    if not {FLUSH, CONFIG_WCE} <= set(device.begin()):
        raise Skip("the device does not offer both FLUSH and CONFIG_WCE")
    found = []
    for without in (Features(), Features.of(FLUSH)):
        device.begin()
        stage.bring_up.forget()
        try:
            accepted = stage.bring_up.accept(suspend=False, without=without).accepted
        except NegotiationFailed as error:
            raise Skip(f"the device does not go without FLUSH: {error}") from error
        if CONFIG_WCE not in accepted or (FLUSH in accepted) == bool(without):
            raise Skip("FLUSH or CONFIG_WCE was not negotiated as it takes")
        stage.bring_up.set_up_queues()
        device.driver_ok()
        found.append(device.configuration.read(_WRITEBACK.offset, _WRITEBACK.size))
    stage.read(names.WRITEBACK, json.dumps(found))
