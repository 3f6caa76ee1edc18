"""The scenarios as a conforming device goes through them, with moments at which a test lets something else happen.

Each is one that the tools have (``uvirtio_tools.scenarios``), without the device.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from uvirtio.spec.status import Status
from uvirtio_tools.judging import names

from .tale import HOLD, SETTLE, Tale, Twist, nothing

__all__ = [
    "LIFE", "Scene", "change_configuration", "cycles", "early", "failed_asleep", "fails", "fails_at_work", "first", "idle",
    "in_flight", "last", "live", "look_around", "loses", "not_negotiated", "nothing_notified", "offered", "prodded", "queue_reset", "quietly",
    "reset_loaded", "serves_nothing", "staged", "stress", "together", "twice", "under_load", "unkicked", "wakes_up",
    "write_configuration",
]  # fmt: skip

Scene = Callable[[Tale], None]

#: The configuration of the device, and what the host side makes of it.
SETTLED, CHANGED = "00ff", "01ff"


# -- what a test may let happen ------------------------------------------------------------------------------------


def quietly(tale: Tale) -> None:
    """The device uses buffers, and notifies nothing."""
    tale.uses(4, notified=False)


def wakes_up(tale: Tale) -> None:
    """The device runs again without having been asked, and does what a running device does."""
    tale.shows(0x0F)
    tale.uses(4)


def loses(tale: Tale) -> None:
    """A request that was outstanding does not come back."""
    tale.goes_wrong(names.OUTSTANDING, "1 request never came back", "DeviceTimeout")
    tale.gives_up()


def serves_nothing(tale: Tale) -> None:
    """No fresh request comes back."""
    tale.goes_wrong(names.AFTER, "8 requests are still out", "DeviceTimeout")
    tale.gives_up()


def fails_at_work(tale: Tale) -> None:
    """DEVICE_NEEDS_RESET while the driver waits for its requests."""
    tale.shows(0x4F)
    tale.reads_status()
    tale.goes_wrong(names.OUTSTANDING, "the device set DEVICE_NEEDS_RESET", "DeviceNeedsReset")
    tale.gives_up()


# -- suspends --------------------------------------------------------------------------------------------------------


def under_load(
    tale: Tale,
    *,
    running: Twist = nothing,
    asleep: Twist = nothing,
    rested: Twist = nothing,
    reaped: Twist = nothing,
    woken: Twist = nothing,
    served: Twist = nothing,
    rounds: int = 3,
    hold: float = HOLD,
    using: int = 4,
    used: bool = True,
    config: bool = False,
) -> None:
    """Suspends with one half of the requests notified a while before. What a test lets happen, happens in the first of them.

    ``running``: before it; ``asleep``: once it has settled; ``rested``: after the hold, before the look; ``reaped``: when what
    was used has been taken; ``woken``: when the status shows it running; ``served``: when what had waited has come back.
    ``used`` and ``config``: what the control shows of ISR.
    """
    with tale.scenario("suspend under load", "V8", "V16", "V3", "C1"):
        tale.started()
        tale.control(used=used, config=config)
        for number in range(rounds):
            moments = (nothing,) * 6 if number else (running, asleep, rested, reaped, woken, served)
            _one_under_load(tale, moments, hold, using)


def _one_under_load(tale: Tale, moments: tuple[Twist, ...], hold: float, using: int) -> None:
    running, asleep, rested, reaped, woken, served = moments
    if not tale.setting.unmoved:
        tale.loads()
    running(tale)
    tale.suspends(using=using)
    asleep(tale)
    for _ in range(5):
        tale.rests(hold / 5)
        tale.reads_status()
    rested(tale)
    tale.looks("held")
    if tale.setting.unmoved:
        tale.resumes()
        return
    _comes_back(tale, woken, reaped)
    served(tale)
    tale.traffic()
    tale.hears("line", names.WOKEN)
    tale.reads_status()


def _comes_back(tale: Tale, woken: Twist, reaped: Twist = nothing) -> None:
    """What had waited is served after the resume, and that is notified."""
    tale.reaps()
    reaped(tale)
    owed = tale.available - tale.reaped
    tale.resumes()
    woken(tale)
    tale.uses(owed)
    if owed:
        tale.hears("used", names.WAITED, owed)
    tale.drains()


def cycles(
    tale: Tale,
    *,
    asked: Twist | None = None,
    asleep: Twist = nothing,
    woken: Twist = nothing,
    hold: float = HOLD,
    count: int = 3,
) -> None:
    """What the command ``suspend`` does: a window for each, of one life."""
    shows = ("V3", "V6", "V8", "V9", "V11", "V12", "V16", "C1", "C2", "R6", "I6", "I7")
    with tale.scenario("requests before the first suspend", *shows):
        tale.started()
        tale.control()
        for number in range(count):
            tale.goes_on("suspend under load", shows)
            tale.loads(notified=0)
            tale.suspends(kick=True, using=4, asked=None if number else asked)
            (nothing if number else asleep)(tale)
            tale.holds(hold)
            _comes_back(tale, nothing if number else woken)
            tale.reads_status()


def idle(tale: Tale, *, asleep: Twist = nothing, woken: Twist = nothing, served: Twist = nothing) -> None:
    """Nothing is in flight."""
    with tale.scenario("suspend an idle device", "V9", "C2", "R6"):
        tale.started()
        tale.control()
        tale.reads(names.MASTERING, 1)
        tale.suspends()
        asleep(tale)
        tale.resumes(fallback=False)
        woken(tale)
        if not tale.setting.unmoved:
            tale.traffic()
            tale.hears("used", names.WOKEN)
            tale.hears("line", names.WOKEN)
        served(tale)
        tale.reads_status()
        tale.reads(names.MASTERING, 1)


def look_around(tale: Tale, *, asleep: Twist = nothing, after: str | None = None) -> None:
    """What may be read of a suspended device is read; ``after``: what was set up reads so after the resume."""
    before = json.dumps({"queue_size of queue 0": "0x10", "queue_enable of queue 0": "0x1"})
    with tale.scenario("look around on a suspended device", "V8", "S3"):
        tale.started()
        tale.control()
        tale.reads(names.SET_UP_BEFORE, before)
        tale.suspends()
        asleep(tale)
        tale.reads_status()
        tale.holds()
        tale.resumes(kick=False)
        tale.reads(names.SET_UP_AFTER, before if after is None else after)
        if not tale.setting.unmoved:
            tale.traffic()


def in_flight(
    tale: Tale,
    *,
    running: Twist = nothing,
    kicked: Twist = nothing,
    asked: Twist | None = None,
    asleep: Twist = nothing,
    woken: Twist = nothing,
    served: Twist = nothing,
    hold: float = HOLD / 2,
    attempts: int = 1,
    used: bool = True,
    config: bool = False,
) -> None:
    """Everything is notified right before the SUSPEND write; each attempt is a life of its own.

    ``kicked``: right after that notification; ``asked``: between the write and the first read that shows it suspended, where by
    default four buffers are used and notified.
    """
    with tale.scenario("suspend with requests in flight", "V3", "V4", "V10", "V11", "V12", "C3", "R7"):
        for attempt in range(attempts):
            if attempt:
                tale.goes_on()
            tale.started()
            tale.control(used=used, config=config)
            _keeps_configuration(tale, names.CONFIGURATION_BEFORE)
            tale.loads(notified=0)
            running(tale)
            tale.suspends(kick=True, using=4, asked=asked, kicked=kicked)
            asleep(tale)
            tale.holds(hold)
            _keeps_configuration(tale, names.CONFIGURATION_ASLEEP)
            tale.reaps()
            tale.resumes()
            woken(tale)
            tale.drains()
            served(tale)


def _keeps_configuration(tale: Tale, what: str) -> None:
    if tale.setting.dialect == "rfc":
        tale.reads(what, SETTLED)


def nothing_notified(
    tale: Tale, *, asleep: Twist = nothing, woken: Twist = nothing, hold: float = HOLD, using: int = 0
) -> None:
    """Requests stand in the rings, and the device was told of none."""
    with tale.scenario("suspend with nothing notified", "V3", "V4", "V10", "R7"):
        tale.started()
        tale.control()
        tale.loads(notified=0)
        tale.looks("unnotified", status=False)
        tale.rests(0.05)
        tale.looks("unnotified, later", status=False)
        tale.notifies()
        tale.drains("buffers that were published without a notification, notified now")
        tale.reads(names.QUIET, 1)
        _keeps_configuration(tale, names.CONFIGURATION_BEFORE)
        tale.loads(notified=0)
        tale.suspends(using=using)
        asleep(tale)
        tale.holds(hold)
        _keeps_configuration(tale, names.CONFIGURATION_ASLEEP)
        tale.reaps()
        tale.resumes()
        woken(tale)
        tale.drains()


def prodded(
    tale: Tale, *, asleep: Twist = nothing, kicked: Twist = nothing, at_once: Twist = nothing, hold: float = HOLD
) -> None:
    """Queues are notified while the device is suspended: after a while, and in another life at once."""
    with tale.scenario("prod a suspended device", "V4", "C3"):
        tale.started()
        tale.control()
        tale.loads(notified=0)
        tale.suspends(kick=True, using=4)
        asleep(tale)
        tale.holds(hold)
        tale.prods()
        kicked(tale)
        tale.holds(hold / 2, "prodded")
        tale.reaps()
        tale.resumes()
        tale.rests()
        tale.hears("used", names.AROUND, 4, HOLD)
        tale.goes_on()
        tale.started()
        tale.control()
        tale.loads(notified=0)
        tale.suspends(prod=True)
        at_once(tale)
        tale.holds(hold / 2)
        tale.reaps()
        tale.resumes()
        tale.drains()


def offered(tale: Tale, *, trouble: str = "", asleep: Twist = nothing) -> None:
    """The host side sends something to the suspended device."""
    with tale.scenario("offer traffic to a suspended device", "V3", "V4"):
        tale.started()
        tale.control()
        tale.loads(notified=0)
        tale.suspends()
        tale.fires("send_traffic", trouble)
        asleep(tale)
        tale.holds()
        tale.reaps()


def unkicked(tale: Tale, *, left: int = 0, using: int = 4, woken: Twist = nothing) -> None:
    """Buffers are left waiting, and nobody notifies after the resume."""
    with tale.scenario("resume without a notification", "I5"):
        tale.started()
        tale.control()
        tale.loads()
        tale.suspends(using=using)
        tale.rests(0.05)
        tale.reaps()
        tale.resumes(kick=False)
        woken(tale)
        if not left:
            tale.drains("waiting without a notification")
        tale.reads(names.LEFT, left)


# -- the configuration -----------------------------------------------------------------------------------------------


def write_configuration(tale: Tale, *, resumes: bool = True, asleep: Twist = nothing) -> None:
    """A field that takes writes is written while suspended."""
    with tale.scenario("write the configuration of a suspended device", "V2"):
        tale.started()
        tale.control()
        tale.writes_configuration()
        tale.suspends()
        asleep(tale)
        tale.writes_configuration(deviation="D5")
        tale.reads(names.FIELD, "writeback")
        tale.reads(names.VALUE, 1)
        tale.reads(names.WRITTEN, 0)
        tale.reads(names.ASLEEP, 1)
        if resumes:
            tale.resumes(kick=False)
            tale.reads(names.AFTERWARDS, 1)


def change_configuration(
    tale: Tale,
    *,
    asleep: Twist = nothing,
    held: Twist = nothing,
    changed: Twist = nothing,
    woken: Twist = nothing,
    trigger: str = "change_config",
    hold: float = HOLD,
) -> None:
    """The host side changes the configuration while the device is suspended, after it has shown that this can be seen.

    ``held``: before the host side is asked; ``changed``: once it was.
    """
    with tale.scenario("change the configuration of a suspended device", "V5", "V6", "V7"):
        tale.started()
        tale.control()
        tale.reads(names.TRIGGER, trigger)
        if trigger:
            tale.fires(trigger)
            tale.isr(2)
            tale.reads_isr()
            tale.hears("config", names.CONTROL_BIT, 0)
            tale.reads(names.SHOWS, 1)
        if tale.setting.config_length:
            tale.reads(names.SETTLED, SETTLED)
            tale.reads(names.GENERATION, 1)
        tale.suspends()
        asleep(tale)
        tale.holds(hold)
        if tale.setting.config_length:
            tale.reads(names.SUSPENDED, SETTLED)
        if not trigger:
            return
        held(tale)
        tale.fires(trigger)
        changed(tale)
        tale.holds(hold, "held after the change")
        if tale.setting.config_length:
            tale.reads(names.CHANGED, SETTLED)
        tale.resumes(kick=False)
        woken(tale)
        tale.isr(2)
        tale.reads_isr()
        tale.hears("config", names.RESUMED_BIT, 0)
        if tale.setting.config_length:
            tale.reads(names.RESUMED, CHANGED)
            tale.reads(names.GENERATION, 2)
        tale.fires(trigger)
        tale.suspends()
        tale.holds(HOLD / 4)
        tale.resumes(kick=False)
        tale.isr(2)
        tale.reads_isr()
        tale.hears("config", names.ON_THE_WAY_BIT, 0)


# -- before it is initialised ----------------------------------------------------------------------------------------


def staged(tale: Tale, *, finished: Twist = nothing, moves: bool = True) -> None:
    """SUSPEND is written at every stage of the initialisation; in the RFC's dialect up to FEATURES_OK."""
    duty = "R1" if tale.setting.dialect == "rfc" else "D1"
    with tale.scenario("SUSPEND at every stage of the initialisation", "V1", "R3"):
        tale.started()
        tale.control()
        tale.resets()
        for status, when in ((0, "after reset"), (1, "after ACKNOWLEDGE"), (3, "after DRIVER")):
            if status:
                tale.steps_to(status)
            _poke(tale, duty, when)
        tale.accepts()
        if duty == "D1":
            _poke(tale, duty, "after FEATURES_OK")
            _poke(tale, duty, "with the queues enabled, before DRIVER_OK")
        tale.steps_to(0x0F)
        tale.reads(names.POKED + "after DRIVER_OK", tale.status)
        finished(tale)
        if moves:
            tale.traffic(names.FINISHED)
            tale.reads(names.POKED + "after traffic", tale.status)


def _poke(tale: Tale, duty: str, when: str) -> None:
    written = tale.written
    tale.writes_status(written | Status.SUSPEND, duty)
    tale.written = written
    tale.reads_status()
    tale.rests(SETTLE)
    tale.reads_status()
    tale.reads(names.POKED + when, tale.status)


def early(tale: Tale, *, empty: Twist = nothing, published: Twist = nothing, hold: float = HOLD / 2) -> None:
    """Buffers are published before the first DRIVER_OK, and not notified. ``published``: what happens then."""
    with tale.scenario("publish buffers before DRIVER_OK", "V13"):
        tale.started()
        tale.control()
        tale.resets()
        tale.negotiates()
        empty(tale)
        tale.looks("empty", status=False)
        tale.loads(notified=0)
        tale.looks("published", status=False)
        published(tale)
        tale.holds(hold, "before DRIVER_OK")
        tale.steps_to(0x0F)
        tale.notifies()
        tale.drains(names.EARLY)


def not_negotiated(tale: Tale, *, moves: bool = True, poked: Twist = nothing) -> None:
    """SUSPEND on a running device that was not given the feature."""
    with tale.scenario("SUSPEND without its feature", "I1", "R4"):
        tale.started(0)
        tale.control()
        _poke(tale, "D1", "without the feature")
        poked(tale)
        if moves:
            tale.traffic(names.ODD)


def together(tale: Tale, *, moves: bool = True, poked: Twist = nothing) -> None:
    """DRIVER_OK and SUSPEND by one write, the first of either."""
    with tale.scenario("SUSPEND together with the first DRIVER_OK", "I3"):
        tale.resets()
        tale.negotiates()
        tale.writes_status(0x1F, "D1")
        tale.status = 0x0F
        tale.rests(0.05)
        poked(tale)
        tale.reads_status()
        tale.reads(names.POKED + "with the first DRIVER_OK", tale.status)
        if moves:
            tale.traffic(names.ODD)


# -- resets and failures ---------------------------------------------------------------------------------------------


def reset_loaded(
    tale: Tale, *, asleep: Twist = nothing, reset: Twist = nothing, again: Twist = nothing, looked: bool = True
) -> None:
    """0 is written to a suspended device with buffers waiting. ``reset``: when its status reads 0."""
    with tale.scenario("reset a suspended device under load", "V15"):
        tale.started()
        tale.control()
        tale.loads()
        tale.reads(names.ACCEPTED, "43, 32")
        tale.suspends(using=4)
        asleep(tale)
        tale.looks("before the reset")
        tale.status = 0
        tale.writes_status(0)
        tale.reads_status()
        tale.reads(names.RESET, 1e-3)
        tale.reads(names.ENABLED + "0", 0)
        tale.reads(names.DRIVER_FEATURE, "0x0000000000000000")
        reset(tale)
        tale.rests(HOLD / 2)
        if looked:
            tale.looks("after the reset")
        tale.available = tale.used = tale.reaped = 0
        again(tale)
        tale.started(reset=False)
        tale.control()
        tale.reads(names.ACCEPTED, "43, 32")


def failed_asleep(tale: Tale, *, written: Twist = nothing) -> None:
    """FAILED is written to a suspended device, then 0."""
    with tale.scenario("FAILED while suspended", "I4", "R5"):
        tale.started()
        tale.control()
        tale.suspends()
        tale.reads_status()
        tale.writes_status(tale.status & ~Status.DRIVER_OK | Status.FAILED, "D7")
        tale.status = tale.written
        written(tale)
        tale.rests()
        tale.reads_status()
        tale.reads(names.WRITTEN_ASLEEP, tale.status)
        tale.resets()
        tale.reads(names.RESET, 1e-3)


def twice(tale: Tale, *, written: Twist = nothing) -> None:
    """SUSPEND once more while suspended, without DRIVER_OK in the byte."""
    with tale.scenario("SUSPEND a second time", "I2"):
        tale.started()
        tale.control()
        tale.suspends()
        tale.writes_status(tale.status | Status.SUSPEND, "D7")
        written(tale)
        tale.holds(0.05)
        tale.reads(names.SECOND, 0x1B)
        tale.reads(names.SECOND_STATUS, tale.status)
        if not tale.dialect.is_running(tale.status):
            tale.resumes()


def queue_reset(tale: Tale, *, stuck: bool = False) -> None:
    """queue_reset of a queue while suspended."""
    with tale.scenario("reset a queue of a suspended device", "I8"):
        tale.started()
        tale.control()
        tale.suspends()
        with tale.deviating("queue_reset"):
            tale.register("write", "queue_reset", 1)
        tale.reads(names.IN_RESET, int(stuck))
        tale.reads(names.RESETTING, 1e-3)
        tale.reads(names.ENABLE, 0)
        tale.reads(names.THEN, tale.status)


def fails(tale: Tale, *, status: int = 0x4F, told: Twist = nothing) -> None:
    """The device is given a buffer at an address where no memory is. ``status``: the first that shows what it makes of it."""
    with tale.scenario("make the device fail", "V14"):
        tale.started()
        tale.control()
        with tale.deviating("ring"):
            tale.publishes()
            tale.notifies()
        tale.status = status
        tale.reads_status()
        tale.reads(names.HOW, "given a buffer at an address where no memory is, the device failed")
        tale.reads(names.NEEDS_RESET, status)
        told(tale)
        if status & Status.DRIVER_OK:
            tale.isr(2)
            tale.reads_isr()
            tale.hears("config", names.TOLD, 0)


# -- the run as a whole ----------------------------------------------------------------------------------------------


def first(tale: Tale) -> None:
    """The device in the beginning."""
    with tale.scenario("the device in the beginning"):
        tale.portrays("first", SETTLED)


def last(tale: Tale, *, isr: str = "config", config: str = SETTLED, **lasting: str) -> None:
    """The device in the end. ``isr``: what ISR has shown in this run."""
    with tale.scenario("the device in the end", "S2"):
        tale.reads(names.ISR_SEEN, isr)
        tale.portrays("last", config, **lasting)


def stress(tale: Tale, *, cycled: Twist = nothing, count: int = 3) -> None:
    """Suspends at random points, a window for each. ``cycled``: at the end of the last but one."""
    with tale.scenario(names.STRESS, "S1"):
        tale.reads(names.SUM, json.dumps({"cycles": count, "seed": 7}))
        tale.started()
        tale.control()
        for number in range(count):
            if number:
                tale.goes_on()
            tale.reads(names.PLAN, json.dumps({"moment": "before the kick", "number": number}))
            tale.publishes(4)
            tale.suspends()
            tale.rests(0.01)
            tale.resumes()
            tale.drains()
            if number == count - 2:
                cycled(tale)
        tale.reads(names.PROVES, "every request came back exactly once")


#: A whole life of a conforming device of virtio 1.4.
LIFE: dict[str, Scene] = {
    "first": first,
    "under load": under_load,
    "idle": idle,
    "look around": look_around,
    "in flight": in_flight,
    "nothing notified": nothing_notified,
    "prodded": prodded,
    "offered": offered,
    "unkicked": unkicked,
    "write configuration": write_configuration,
    "change configuration": change_configuration,
    "staged": staged,
    "early": early,
    "not negotiated": not_negotiated,
    "together": together,
    "reset": reset_loaded,
    "twice": twice,
    "stress": stress,
    "failed": failed_asleep,
    "queue reset": queue_reset,
    "fails": fails,
    "last": last,
}


def live(tale: Tale, **otherwise: Scene) -> None:
    """A whole life, with other scenes than the conforming ones in it."""
    for name, scene in LIFE.items():
        otherwise.get(name.replace(" ", "_"), scene)(tale)
