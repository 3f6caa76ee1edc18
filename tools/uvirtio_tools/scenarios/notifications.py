"""Notifications by a running device: wanted and unwanted, of its configuration, and on its interrupt line."""

from __future__ import annotations

import json
from functools import partial

from uvirtio.access.wait import YES, poll
from uvirtio.device import Device
from uvirtio.errors import ConfigurationUnstable
from uvirtio.spec.features import Feature, Features
from uvirtio.spec.pci import Header, PciStatus
from uvirtio.spec.registers import IsrBit

from ..driving.notified import SETTLE, isr_count, shows_on_the_line
from ..judging import names
from ..judging.ends import Skip
from ..judging.looks import read_configuration
from ..judging.stage import Stage
from . import scenario
from .configuration import Changer

__all__: list[str] = []

#: Changes of the configuration that are asked for: an even number, since some go to and fro, as a link that is down.
_CHANGES = 4


@scenario("use buffers that are not to be notified", "N2", also=("N1",), dialects=(), each_way=True)
def unwanted(stage: Stage) -> None:
    """A request whose notification the driver does not want, between two that it does: by flags, and by event index."""
    for without in (Features(), Features.of(Feature.EVENT_IDX)):
        if without and Feature.EVENT_IDX not in stage.device.offered:
            break
        stage.start(suspend=False, without=without)
        device, traffic, told = stage.device, stage.traffic, stage.device.notifications
        workload = traffic.need()
        if not traffic.notified(names.WANTED):
            return
        # What was notified last may have been notified twice, and the second is on its way.
        stage.sleeper.sleep(SETTLE)
        told.collect()
        since = isr_count(device)
        for queue in device.queues.values():
            queue.interrupts(False)
        workload.submit(1)
        workload.kick()
        traffic.drain(names.UNWANTED)
        stage.sleeper.sleep(SETTLE)
        told.collect()
        traffic.heard("used", names.UNWANTED, 0, isr_count(device) > since, SETTLE)
        for queue in device.queues.values():
            queue.interrupts(True)
        traffic.notified(names.WANTED)


def _need_isr(stage: Stage) -> None:
    if stage.device.messages is not None:
        raise Skip("the device is notified by messages of MSI-X, as asked for")


def _pending(device: Device) -> int:
    """The Interrupt Status bit. Raises :class:`Skip` where it says nothing."""
    if not device.identity.interrupt_pin:
        raise Skip("the function has no interrupt pin")
    return int(bool(device.function.config.u16[Header.STATUS // 2] & PciStatus.INTERRUPT))


@scenario("the interrupt status of a suspended device", "N5", dialects=("1.4", "chromium", "rfc"))
def status_asleep(stage: Stage) -> None:
    """What was notified right before the suspend stays pending until ISR is read."""
    _need_isr(stage)
    stage.start()
    device, traffic, told = stage.device, stage.traffic, stage.device.notifications
    traffic.need()
    _pending(device)
    told.collect()
    traffic.load()
    stage.sleeper.suspender.begin_suspend()
    if stage.sleeper.suspender.await_suspended().done:
        absent = told.all_ones
        row = [0, _pending(device), told.collect(), _pending(device), told.collect()]
        stage.sleeper.resume()
        if told.all_ones != absent:
            # Nothing says that ISR can be read while suspended; the status alone has to answer.
            raise Skip("ISR reads all-ones while the device is suspended")
        stage.read(names.LINE_STATUS, json.dumps(row))
        traffic.try_drain(names.OUTSTANDING)


@scenario("watch the interrupt status", "N5", "N6", "N7", dialects=())
def status(stage: Stage) -> None:
    """The Interrupt Status bit of the PCI header before and after ISR is read, a few times."""
    _need_isr(stage)
    stage.start(suspend=False)
    device, traffic, told = stage.device, stage.traffic, stage.device.notifications
    workload, pending = traffic.need(), partial(_pending, device)

    def used() -> bool:
        return any(queue.ready for queue in device.queues.values())

    for _ in range(_CHANGES):
        told.collect()
        quiet = pending()
        workload.submit(1)
        workload.kick()
        poll(used, YES, device.clock, stage.deadline.limit())
        stage.sleeper.sleep(SETTLE)
        during, bits = pending(), told.collect()
        stage.read(names.LINE_STATUS, json.dumps([quiet, during, bits, pending(), told.collect()]))
        traffic.drain(names.WANTED)
    traffic.interrupted(names.ON_THE_LINE)


@scenario("change the configuration of a running device", "N3", "N4", "N7", dialects=(), each_way=True)
def changed(stage: Stage) -> None:
    """The host side changes the configuration a few times: the fields, the generation, and the notification."""
    stage.start(suspend=False)
    device, changer = stage.device, Changer(stage)
    if not changer.name:
        raise Skip("the host side cannot be asked to change the configuration here (no trigger)")
    for _ in range(_CHANGES):
        try:
            device.notifications.collect()
            seen, before, old = device.notifications.config, read_configuration(device), device.transport.generation()
            changer.change()
            came = stage.traffic.config_notified(seen, names.CHANGE)
            after = read_configuration(device)
        except ConfigurationUnstable:
            raise Skip("the configuration keeps changing while the device runs") from None
        new = device.transport.generation()
        stage.read(names.CHANGE, json.dumps([int(before != after), old, new, int(came)]))
    if stage.traffic.workload is not None and stage.traffic.interrupted(names.ON_THE_LINE):
        limit = stage.deadline.limit()
        shown = shows_on_the_line(device, changer.change, limit)
        bit = device.notifications.collect() & IsrBit.CONFIG
        stage.traffic.heard("line", names.CHANGE, int(bool(bit)), shown, limit)
