"""Suspends of a device: what is in flight and how, when it is notified, and how it is woken."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

from uvirtio.device import Device
from uvirtio.errors import CannotRun, DeviceError, DeviceGone
from uvirtio.spec.dialects import RFC
from uvirtio.spec.pci import Command, Header
from uvirtio.spec.registers import IsrBit

from ..driving.notified import isr_count, shows_in_isr
from ..judging import names
from ..judging.ends import NotResumed, Refused
from ..judging.looks import moved_indices, read_configuration, used_between
from ..judging.sleeper import Sleeper
from ..judging.stage import Stage
from . import scenario

__all__ = ["CYCLES", "cycle", "listen_after"]

#: Suspends in a row for the ring indices.
CYCLES = 3
#: Looks at the status of a suspended device during a hold.
LOOKS = 5
#: Most requests of each suspend with such in flight: a notification that is lost does not hide behind that of another one.
#: In the last they are kept in process for so long (s), where the host side can be asked for that.
ATTEMPTS: tuple[int | None, ...] = (None, 1, None, 1, None)
SLOW = 0.02


def _mastering(device: Device) -> bool:
    """Whether the device may reach memory, as its command register has it."""
    return bool(device.function.config.u16[Header.COMMAND // 2] & Command.BUS_MASTER)


def _note_configuration(stage: Stage, what: str) -> None:
    """The RFC has the configuration kept over a suspend."""
    if stage.dialect is RFC:
        stage.read(what, read_configuration(stage.device).hex())


def used_and_not_notified(stage: Stage) -> int:
    """Entries that were used between the last look before the write and the one at "done", and that ISR has not shown yet."""
    before, done = stage.history.latest_look("before"), stage.history.latest_look("done")
    if done.isr is None or done.isr & IsrBit.QUEUE or stage.device.notifications.used > done.queue_bits:
        return 0
    return used_between(before.states, done.states)


def _listen_over_resume(stage: Stage) -> int:
    """Resume, and leave what had waited in the rings until ISR shows it; how many requests had.

    Where none does, what was used before the device slept and not notified then has to be notified now.
    """
    traffic, sleeper, device = stage.traffic, stage.sleeper, stage.device
    reaped, due = traffic.reap(), used_and_not_notified(stage)
    since = isr_count(device)
    sleeper.resume()
    if traffic.control is None or not traffic.control.used or traffic.control.sticky:
        return reaped.owed
    if not reaped.owed:
        if due:
            sleeper.sleep(stage.options.hold)
            device.notifications.collect()
            traffic.heard("used", names.AROUND, due, isr_count(device) > since, stage.options.hold)
        return 0
    limit = stage.deadline.limit()
    shown = shows_in_isr(device, since, limit)
    if not shown:
        # A machine that is busy may be late with it.
        sleeper.sleep(stage.options.hold)
        device.notifications.collect()
        shown = isr_count(device) > since
    traffic.heard("used", names.WAITED, reaped.owed, shown, limit)
    return reaped.owed


def listen_after(stage: Stage, arrived: bool) -> None:
    """See whether a device that runs again still notifies: by ISR where fresh traffic did not show there, and on the line.

    ``arrived``: an interrupt did arrive before the suspend. What goes wrong is in the history.
    """
    traffic = stage.traffic
    try:
        after = traffic.run(names.AFTER)
        if traffic.control is not None and traffic.control.notified:
            if not after.notified:
                traffic.notified(names.WOKEN)
            if arrived:
                traffic.interrupted(names.WOKEN)
    except DeviceGone:
        raise
    except DeviceError as error:
        traffic.note(names.AFTER, error)


def cycle(stage: Stage, hold: float, arrived: bool, *, kick: bool = False) -> None:
    """Suspend with what is in flight, hold, resume, and let everything come back. What goes wrong is in the history.

    ``kick``: what was published is notified right before the write. ``arrived``: an interrupt did arrive before.
    """
    sleeper, traffic, device = stage.sleeper, stage.traffic, stage.device
    sleeper.suspend(kick=kick)
    sleeper.hold(hold)
    if traffic.workload is None:
        sleeper.resume()
        device.status.check_alive("ending the cycle")
        return
    waited = _listen_over_resume(stage)
    if not traffic.try_drain(names.OUTSTANDING):
        return
    if waited and kick:
        # The next cycle uses the rings again; what had waited has shown that data moves.
        if arrived:
            traffic.try_interrupted(names.WOKEN)
    else:
        # Twice, because a ring that went wrong may only show when it is used again.
        listen_after(stage, arrived)
    device.status.check_alive("ending the cycle")


@scenario("suspend under load", "V8", "V16", "V3", "C1", each_way=True)
def under_load(stage: Stage) -> None:
    """Three suspends, one half of the requests notified a while before and the other not at all."""
    stage.start()
    sleeper, traffic = stage.sleeper, stage.traffic
    moves = traffic.workload is not None
    arrived = moves and traffic.interrupted(names.BEFORE)
    if moves:
        traffic.load()
    sleeper.suspend(insist=True)
    for _ in range(LOOKS):
        sleeper.sleep(stage.options.hold / LOOKS)
        stage.device.status.read()
    sleeper.hold(0.0)
    if not moves:
        sleeper.resume()
        return
    _listen_over_resume(stage)
    if not traffic.try_drain(names.OUTSTANDING):
        return
    listen_after(stage, arrived)
    for _ in range(CYCLES - 1):
        if stage.history.went_wrong():
            return
        traffic.load()
        cycle(stage, sleeper.moment, arrived)


@scenario(
    "suspend an idle device", "V9", "C2", "R6",
    also=("D1", "D2", "D3", "D4", "D5", "D6", "D7", "R1", "R2", "I6", "I7", "S2"),
)  # fmt: skip
def idle(stage: Stage) -> None:
    """Nothing in flight; resumed by the specified byte alone, and by the other one only to see whether that works."""
    stage.start()
    sleeper, traffic, device = stage.sleeper, stage.traffic, stage.device
    moves = traffic.workload is not None
    arrived = moves and traffic.interrupted(names.BEFORE)
    stage.read(names.MASTERING, int(_mastering(device)))
    sleeper.suspend()
    try:
        _resume_as_specified(sleeper)
        if moves:
            listen_after(stage, arrived)
        device.status.read()
    finally:
        if not device.status.absent():
            stage.read(names.MASTERING, int(_mastering(device)))


def _resume_as_specified(sleeper: Sleeper) -> None:
    try:
        sleeper.resume(fallback=False)
    except NotResumed:
        if sleeper.dialect.fallback:
            sleeper.falls_back = True
            try:
                sleeper.resume()
            except (NotResumed, Refused):
                sleeper.falls_back = False
        raise


@scenario("suspend with requests in flight", "V3", "V4", "V10", "V11", "V12", "C3", "R7", each_way=True)
def in_flight(stage: Stage) -> None:
    """Everything is notified right before the SUSPEND write: at the device's own speed, and slowed down by the host side.

    Which completions of a fast device fall between the write and "suspended" is a matter of luck, so it is tried again.
    """
    for attempt, count in enumerate(ATTEMPTS):
        if attempt == len(ATTEMPTS) - 1 and not stage.traffic.delay(SLOW):
            return
        if attempt:
            stage.history.go_on()
        try:
            _one_in_flight(stage, count)
        except Refused:
            continue  # what was seen up to that is worth seeing again


def _one_in_flight(stage: Stage, count: int | None) -> None:
    stage.start()
    sleeper, traffic = stage.sleeper, stage.traffic
    traffic.need()
    for queue in stage.device.queues.values():
        queue.interrupts(True)
    _note_configuration(stage, names.CONFIGURATION_BEFORE)
    traffic.load(notified=False, count=count)
    sleeper.suspend(kick=True)
    sleeper.hold(stage.options.hold / 2)
    _note_configuration(stage, names.CONFIGURATION_ASLEEP)
    if used_and_not_notified(stage):
        sleeper.hold(stage.options.hold / 2, "held longer")
    due, owed = used_and_not_notified(stage), traffic.reap().owed
    if due and traffic.control is not None and traffic.control.used:
        _listen_for_the_late(stage, owed, due)
    else:
        sleeper.resume()
    traffic.try_drain(names.OUTSTANDING)


def _listen_for_the_late(stage: Stage, owed: int, used: int) -> None:
    """What was used and not notified before the device slept: does its notification come once it runs?"""
    device, since = stage.device, isr_count(stage.device)
    stage.sleeper.resume(kick=False)
    stage.sleeper.sleep(stage.options.hold)
    device.notifications.collect()
    # Where more requests were waiting, a bit may be theirs.
    stage.traffic.heard("used", names.AROUND, 0 if owed else used, isr_count(device) > since, stage.options.hold)
    stage.sleeper.suspender.kick_outstanding()


@scenario("suspend with nothing notified", "V3", "V4", "V10", "R7")
def nothing_notified(stage: Stage) -> None:
    """Requests stand in the rings, and the device was not told of any: an idle device, as far as it knows."""
    stage.start()
    sleeper, traffic = stage.sleeper, stage.traffic
    traffic.load(notified=False)
    before = sleeper.look("unnotified")
    sleeper.sleep(sleeper.moment)
    after = sleeper.look("unnotified, later")
    traffic.need().kick()
    traffic.drain("buffers that were published without a notification, notified now")
    stage.read(names.QUIET, int(not moved_indices(before, after)))
    _note_configuration(stage, names.CONFIGURATION_BEFORE)
    traffic.load(notified=False)
    sleeper.suspend()
    sleeper.hold()
    _note_configuration(stage, names.CONFIGURATION_ASLEEP)
    traffic.reap()
    sleeper.resume()
    traffic.try_drain(names.OUTSTANDING)


@scenario("prod a suspended device", "V4", "C3")
def prodded(stage: Stage) -> None:
    """Queues are notified while the device is suspended: after a while, and as soon as it has shown itself so."""
    # What a fast device leaves waiting is a matter of luck; one that was not told of anything leaves all of it.
    with suppress(Refused, NotResumed):
        if not _prod_later(stage, kick=True):
            stage.history.go_on()
            _prod_later(stage, kick=False)
    stage.history.go_on()
    stage.start()
    stage.traffic.load(notified=False)
    stage.sleeper.suspend(prod=True)
    stage.sleeper.hold(stage.options.hold / 2)
    stage.traffic.reap()
    stage.sleeper.resume()
    stage.traffic.try_drain(names.OUTSTANDING)


def _prod_later(stage: Stage, kick: bool) -> int:
    """Suspend, let the device sleep, and only then notify it; how many requests were left waiting."""
    stage.start()
    sleeper, traffic, device = stage.sleeper, stage.traffic, stage.device
    traffic.load(notified=False)
    sleeper.suspend(kick=kick)
    sleeper.hold()
    sleeper.prod()
    sleeper.hold(stage.options.hold / 2, "prodded")
    reaped = traffic.reap()
    since = isr_count(device)
    sleeper.resume()
    sleeper.sleep(stage.options.hold)
    device.notifications.collect()
    traffic.heard("used", names.AROUND, reaped.taken, isr_count(device) > since, stage.options.hold)
    return reaped.owed


@scenario("offer traffic to a suspended device", "V3", "V4")
def offered(stage: Stage) -> None:
    """The host side sends something to a network device or a console that is suspended."""
    if not stage.traffic.can("send_traffic"):
        return
    stage.start()
    stage.traffic.load(notified=False)
    stage.sleeper.suspend()
    with suppress(CannotRun):  # which is in the history
        stage.traffic.ask_host("send_traffic")
    stage.sleeper.hold()
    stage.traffic.reap()


@scenario("look around on a suspended device", "V8", "S3")
def look_around(stage: Stage) -> None:
    """What may be read of a suspended device is read, and none of it wakes it up; what was set up is as it was, then."""
    stage.start()
    device, sleeper = stage.device, stage.sleeper
    put_back = _unlike_the_default(stage)
    _note_set_up(stage, names.SET_UP_BEFORE)
    sleeper.suspend()
    looks: list[Callable[[], object]] = [
        device.transport.generation, device.transport.queue_count, device.transport.device_features,
        lambda: device.transport.set_up(device.queues),
    ]  # fmt: skip
    if device.configuration.length:
        looks.append(lambda: device.configuration.read(0, 1))
    for look in looks:
        look()
        device.status.read()
    sleeper.hold()
    sleeper.resume(kick=False)
    _note_set_up(stage, names.SET_UP_AFTER)
    put_back()
    if stage.traffic.workload is not None:
        stage.traffic.try_run(names.AFTER)


def _unlike_the_default(stage: Stage) -> Callable[[], None]:
    """Give the field that the driver may write a value that it does not have by itself; what gives it back its own."""
    device, driver = stage.device, stage.bring_up.driver_class
    writable = driver.WRITABLE if driver is not None else None
    if writable is None or device.negotiated is None or not writable.field.exists(device.negotiated.accepted):
        return lambda: None
    field, configuration = writable.field, device.configuration
    before = configuration.read(field.offset, field.width)
    configuration.write(field.offset, field.width, writable.other(before))
    return lambda: configuration.write(field.offset, field.width, before)


def _note_set_up(stage: Stage, what: str) -> None:
    device, driver = stage.device, stage.bring_up.driver_class
    held = device.transport.set_up(device.queues)
    writable = driver.WRITABLE if driver is not None else None
    if writable is not None and device.negotiated is not None and writable.field.exists(device.negotiated.accepted):
        field = writable.field
        held[f"the field {field.name}"] = device.configuration.read(field.offset, field.width)
    stage.read(what, json.dumps({name: f"{value:#x}" for name, value in held.items()}))


@scenario("resume without a notification", "I5", dialects=("1.4",))
def unkicked(stage: Stage) -> None:
    """Buffers are left waiting over a suspend; after the resume nobody notifies, for a while."""
    stage.start()
    sleeper, traffic, device = stage.sleeper, stage.traffic, stage.device
    traffic.load()
    sleeper.suspend()
    sleeper.sleep(sleeper.moment)
    if not traffic.reap().owed:
        return
    sleeper.resume(kick=False)
    workload = traffic.need()

    def served() -> bool:
        workload.reap()
        return not workload.outstanding

    limit = min(stage.deadline.limit(), max(stage.options.hold, 0.1))
    try:
        device.wait_for(served, limit, doing="waiting without a notification")
    except DeviceGone:
        raise
    except DeviceError:
        stage.read(names.LEFT, workload.outstanding)
        sleeper.suspender.kick_outstanding()
        traffic.try_drain("waiting after a notification")
    else:
        stage.read(names.LEFT, 0)
