"""D1 to D7, R1 and R2: the driver's own duties, which no device can show failing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..scenes import early, idle, live, not_negotiated, staged, together, twice, write_configuration
from ..table import BROKEN, KEPT, MOOT, tells
from ..tale import Tale


@contextmanager
def running(tale: Tale, feature: int | None = None) -> Iterator[None]:
    """A device that runs, and has moved data."""
    with tale.scenario("as a driver goes along"):
        tale.started(feature)
        tale.control()
        yield


def _kept(id_: str, said: str, dialect: str = "1.4") -> None:
    @tells(id_, KEPT, said)
    def a_whole_life_keeps_it(tale: Tale) -> None:
        if dialect == "1.4":
            live(tale)
        else:
            idle(tale.speaks(dialect))
            staged(tale)

    @tells(id_, MOOT, "there was no occasion to break it")
    def it_never_suspends_a_device(tale: Tale) -> None:
        early(tale.speaks(dialect))
        not_negotiated(tale)


for _id, _said in (
    ("D1", "21 suspends, each with DRIVER_OK set and the feature negotiated"),
    ("D2", "21 suspends, none resumed before the status had been read as suspended"),
    ("D3", "none while suspended"),
    ("D4", "none while suspended"),
    ("D5", "21 suspends, no configuration write in any of them"),
    ("D6", "nothing was done before the status had been read as running"),
    ("D7", "none cleared a bit other than by reset"),
):
    _kept(_id, _said)
_kept("R1", "1 suspends, each with FEATURES_OK set", "rfc")
_kept("R2", "1 suspends, none resumed before the status had been read with SUSPEND set", "rfc")


# -- D1 and R1 -------------------------------------------------------------------------------------------------------


@tells("D1", BROKEN, "SUSPEND was set without DRIVER_OK: status was 0x0b")
def it_suspends_before_DRIVER_OK(tale: Tale) -> None:
    with tale.scenario("in haste"):
        tale.resets()
        tale.negotiates()
        tale.writes_status(0x1B)
        tale.reads_status(0x1B)


@tells("D1", BROKEN, "SUSPEND was set without DRIVER_OK")
def it_suspends_with_the_first_DRIVER_OK(tale: Tale) -> None:
    with tale.scenario("in haste"):
        tale.resets()
        tale.negotiates()
        tale.writes_status(0x1F)
        tale.reads_status(0x0F)


@tells("D1", BROKEN, "SUSPEND was set without feature 43")
def it_suspends_without_the_feature(tale: Tale) -> None:
    with running(tale, 0):
        tale.suspends()


@tells("D1", BROKEN, "SUSPEND was set without feature 43")
def it_suspends_by_a_feature_that_a_reset_has_taken_back(tale: Tale) -> None:
    with running(tale):
        tale.resets()
        tale.negotiates(0)
        tale.steps_to(0x0F)
        tale.suspends()


@tells("D1", KEPT, "1 suspends")
def it_selects_features_that_there_are_not(tale: Tale) -> None:
    with running(tale):
        tale.register("write", "driver_feature_select", 0xFFFF_FFFF)
        tale.register("write", "driver_feature", 1)
        tale.suspends()


@tells("R1", BROKEN, "SUSPEND was set without FEATURES_OK: status was 0x03")
def it_suspends_before_FEATURES_OK(tale: Tale) -> None:
    with tale.speaks("rfc").scenario("in haste"):
        tale.resets()
        for status in (1, 3, 0x13):
            tale.steps_to(status)


# -- D2 and R2 -------------------------------------------------------------------------------------------------------


@tells("D2", BROKEN, "the device was resumed before its status had shown it suspended")
def it_resumes_what_was_never_read_as_suspended(tale: Tale) -> None:
    with running(tale):
        tale.writes_status(0x1F)
        tale.reads_status(0x0F)
        tale.writes_status(0x1F)
        tale.reads_status(0x0F)


@tells("D2", BROKEN, "the device was resumed before its status had shown it suspended")
def it_does_not_read_the_status_at_all(tale: Tale) -> None:
    with running(tale):
        tale.writes_status(0x1F)
        tale.writes_status(0x1F)


@tells("R2", BROKEN, "the device was resumed before its status had shown SUSPEND")
def it_does_not_wait_for_SUSPEND(tale: Tale) -> None:
    with running(tale.speaks("rfc")):
        tale.writes_status(0x1F)
        tale.reads_status(0x0F)
        tale.writes_status(0x1F)
        tale.reads_status(0x0F)


@tells("D2", KEPT, "2 suspends")
def giving_up_by_reset_is_no_resume(tale: Tale) -> None:
    with running(tale):
        tale.writes_status(0x1F)
        tale.reads_status(0x0F)
        tale.started()
        tale.suspends()


@tells("D2", KEPT, "1 suspends")
def a_device_that_failed_need_not_show_itself_suspended(tale: Tale) -> None:
    with running(tale):
        tale.writes_status(0x1F)
        tale.reads_status(0x4F)
        tale.writes_status(0x1F)
        tale.reads_status(0x4F)


# -- D3, D4 and D5 ---------------------------------------------------------------------------------------------------


def meanwhile(tale: Tale, does: Callable[[Tale], object]) -> None:
    """Something is done to a suspended device."""
    with running(tale):
        tale.suspends()
        does(tale)
        tale.resumes()


def on_the_way(tale: Tale, does: Callable[[Tale], object]) -> None:
    """Something is done to a device that has not shown itself suspended yet."""
    with running(tale):
        tale.suspends(asked=does)
        tale.resumes()


@tells("D3", BROKEN, "suspended: buffers were made available on queue 0")
def it_publishes_while_the_device_sleeps(tale: Tale) -> None:
    meanwhile(tale, lambda t: t.publishes())


@tells("D3", BROKEN, "asked to suspend: buffers were made available on queue 0")
def it_publishes_before_the_device_sleeps(tale: Tale) -> None:
    on_the_way(tale, lambda t: t.publishes())


@tells("D3", BROKEN, "broken 2 times")
def it_publishes_after_a_lawful_deviation(tale: Tale) -> None:
    """What was tagged is left out, and what was not is found all the same."""

    def both(tale: Tale) -> None:
        tale.publishes(deviation="D3")
        tale.publishes()
        tale.publishes()

    meanwhile(tale, both)


@tells("D4", BROKEN, "suspended: queue 0 was notified")
def it_notifies_while_the_device_sleeps(tale: Tale) -> None:
    meanwhile(tale, lambda t: t.notifies())


@tells("D4", BROKEN, "asked to suspend: queue 3 was notified")
def it_notifies_before_the_device_sleeps(tale: Tale) -> None:
    on_the_way(tale, lambda t: t.notifies(3))


@tells("D5", BROKEN, "suspended: configuration byte 0x20 was written")
def it_writes_the_configuration_while_the_device_sleeps(tale: Tale) -> None:
    meanwhile(tale, lambda t: t.writes_configuration())


@tells("D5", BROKEN, "asked to suspend: configuration byte 0x21 was written")
def it_writes_the_configuration_before_the_device_sleeps(tale: Tale) -> None:
    on_the_way(tale, lambda t: t.writes_configuration(0x21))


@tells("D5", KEPT, "no configuration write in any of them")
def a_write_on_purpose_is_not_its_own(tale: Tale) -> None:
    write_configuration(tale)


@tells("D4", KEPT, "none while suspended")
def a_kick_on_purpose_is_not_its_own(tale: Tale) -> None:
    meanwhile(tale, lambda t: t.notifies(deviation="D4"))


@tells("D3", BROKEN, "suspended: buffers were made available", breaks="D3")
def it_publishes_on_a_device_that_read_all_ones_meanwhile(tale: Tale) -> None:
    def busy(tale: Tale) -> None:
        tale.reads_status(0xFF)
        tale.publishes()

    meanwhile(tale, busy)


# -- D6 --------------------------------------------------------------------------------------------------------------


def waking(tale: Tale, does: Callable[[Tale], object]) -> None:
    """Something is done to a device that has been asked to resume and has not shown itself running."""
    with running(tale):
        tale.suspends()
        tale.writes_status(0x1F)
        tale.reads_status(0x1B)
        does(tale)
        tale.reads_status(0x0F)


@tells("D6", BROKEN, "asked to resume: buffers were made available on queue 0 before the status had shown")
def it_publishes_before_the_device_runs(tale: Tale) -> None:
    waking(tale, lambda t: t.publishes())


@tells("D6", BROKEN, "asked to resume: queue 0 was notified before")
def it_notifies_before_the_device_runs(tale: Tale) -> None:
    waking(tale, lambda t: t.notifies())


@tells("D6", BROKEN, "asked to resume: configuration byte 0x20 was written before")
def it_writes_the_configuration_before_the_device_runs(tale: Tale) -> None:
    waking(tale, lambda t: t.writes_configuration())


@tells("D6", BROKEN, "asked to resume: queue 0 was notified before")
def it_takes_DRIVER_OK_alone_for_running(tale: Tale) -> None:
    def half_awake(tale: Tale) -> None:
        tale.reads_status(0x1F)
        tale.notifies()

    waking(tale, half_awake)


# -- D7 --------------------------------------------------------------------------------------------------------------


@tells("D7", BROKEN, "0x0b was written where the status was 0x0f")
def it_clears_DRIVER_OK(tale: Tale) -> None:
    with running(tale):
        tale.writes_status(0x0B)
        tale.reads_status(0x0B)


@tells("D7", BROKEN, "0x0f was written where the status was 0x1b")
def it_resumes_by_clearing_SUSPEND(tale: Tale) -> None:
    with running(tale):
        tale.suspends()
        tale.writes_status(0x0F)
        tale.reads_status(0x0F)


@tells("D7", KEPT, "none cleared a bit other than by reset")
def a_bit_that_the_device_has_cleared_is_not_cleared_by_the_driver(tale: Tale) -> None:
    with running(tale):
        tale.suspends()
        tale.resumes()
        tale.suspends()


@tells("D7", KEPT, "none cleared a bit other than by reset")
def an_odd_byte_on_purpose_does_not_put_what_follows_in_the_wrong(tale: Tale) -> None:
    staged(tale)
    together(tale)
    twice(tale)
