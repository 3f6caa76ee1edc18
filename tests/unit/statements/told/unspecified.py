"""I1 to I8: what virtio 1.4 leaves unspecified, told as it was seen."""

from __future__ import annotations

from uvirtio_tools.judging import names

from ..scenes import (
    early,
    failed_asleep,
    idle,
    not_negotiated,
    queue_reset,
    staged,
    together,
    twice,
    under_load,
    unkicked,
)
from ..table import MOOT, TOLD, tells
from ..tale import Tale


def skips(tale: Tale, name: str, shows: str, why: str) -> None:
    """The scenario cannot be had."""
    with tale.scenario(name, shows):
        tale.started()
        tale.ends("skip", why)


def moves_nothing(tale: Tale) -> None:
    """Requests do not come back."""
    tale.goes_wrong(names.ODD, "8 requests are still out", "DeviceTimeout")


# -- I1 --------------------------------------------------------------------------------------------------------------


@tells("I1", TOLD, "status reads 0x0f (ACKNOWLEDGE DRIVER DRIVER_OK FEATURES_OK); data moves")
def SUSPEND_is_ignored_without_its_feature(tale: Tale) -> None:
    not_negotiated(tale)


@tells("I1", TOLD, "status reads 0x1f (ACKNOWLEDGE DRIVER DRIVER_OK FEATURES_OK SUSPEND); data moves")
def SUSPEND_is_stored_without_its_feature(tale: Tale) -> None:
    tale.instead[f"{names.POKED}without the feature"] = [str(0x1F)]
    not_negotiated(tale)


@tells("I1", TOLD, "data does not move: 8 requests are still out")
def nothing_moves_after_SUSPEND_without_its_feature(tale: Tale) -> None:
    not_negotiated(tale, poked=moves_nothing, moves=False)


@tells("I1", TOLD, "there is no driver to move data with")
def nobody_can_say_whether_data_moves_then(tale: Tale) -> None:
    not_negotiated(tale.without_driver(), moves=False)


@tells("I1", MOOT, "cannot be had here")
def the_feature_cannot_be_left_out(tale: Tale) -> None:
    skips(tale, "SUSPEND without its feature", "I1", "cannot be had here: the feature cannot be left out")


# -- I2 --------------------------------------------------------------------------------------------------------------


@tells("I2", TOLD, "after 0x1b the status reads 0x1b (ACKNOWLEDGE DRIVER FEATURES_OK SUSPEND); resumed in 0.200 ms")
def a_second_SUSPEND_does_nothing(tale: Tale) -> None:
    twice(tale)


@tells("I2", TOLD, "0x1b resumed the device: status 0x0f")
def a_second_SUSPEND_resumes_it(tale: Tale) -> None:
    twice(tale, written=lambda t: t.shows(0x0F))


@tells("I2", TOLD, "resumed in 0.200 ms", breaks="")
def only_the_other_byte_resumes_it_after_that(tale: Tale) -> None:
    """Whether it resumes as it should is no question here: the second SUSPEND was a deviation."""
    tale.answers(resume=0x1B, fallback=0x0F)
    twice(tale)


@tells("I2", MOOT, "refused to suspend")
def it_refused_the_first(tale: Tale) -> None:
    tale.answers(suspend=0x4F)
    twice(tale)


@tells("I2", MOOT, "refused to resume")
def it_refused_to_resume_after_the_second(tale: Tale) -> None:
    tale.answers(resume=0x5B)
    twice(tale)


# -- I3 --------------------------------------------------------------------------------------------------------------


@tells("I3", TOLD, "status reads 0x0f (ACKNOWLEDGE DRIVER DRIVER_OK FEATURES_OK); data moves")
def it_starts_without_a_suspend(tale: Tale) -> None:
    together(tale)


@tells("I3", TOLD, "suspended at once: status 0x1b")
def it_starts_suspended(tale: Tale) -> None:
    together(tale, poked=lambda t: t.shows(0x1B), moves=False)


@tells("I3", TOLD, "data does not move: 8 requests are still out")
def it_starts_and_moves_nothing(tale: Tale) -> None:
    together(tale, poked=moves_nothing, moves=False)


@tells("I3", TOLD, "there is no driver to move data with")
def nobody_can_say_whether_it_has_started(tale: Tale) -> None:
    together(tale.without_driver(), moves=False)


@tells("I3", MOOT, "could not be had")
def it_was_not_started_so(tale: Tale) -> None:
    skips(tale, "SUSPEND together with the first DRIVER_OK", "I3", "could not be had")


# -- I4 --------------------------------------------------------------------------------------------------------------


@tells("I4", TOLD, "status reads 0x9b (ACKNOWLEDGE DRIVER FEATURES_OK SUSPEND FAILED)")
def FAILED_reads_back(tale: Tale) -> None:
    failed_asleep(tale)


@tells("I4", MOOT, "refused to suspend")
def it_refused_before_FAILED_was_written(tale: Tale) -> None:
    tale.answers(suspend=0x4F)
    failed_asleep(tale)


# -- I5 --------------------------------------------------------------------------------------------------------------


@tells("I5", TOLD, "all 12 waiting buffers were served without a new notification")
def it_needs_no_kick(tale: Tale) -> None:
    unkicked(tale)


@tells("I5", TOLD, "12 of 12 waiting buffers were served only after a new notification")
def it_needs_a_kick(tale: Tale) -> None:
    unkicked(tale, left=12)


@tells("I5", TOLD, "12 of 12 waiting buffers were not served after resume, not even after a notification", breaks="V16")
def a_kick_does_not_help(tale: Tale) -> None:
    unkicked(
        tale, left=12, woken=lambda t: t.goes_wrong("waiting after a notification", "12 are still out", "DeviceTimeout")
    )


@tells("I5", MOOT, "no buffer was left waiting over the suspend")
def nothing_was_left_waiting(tale: Tale) -> None:
    unkicked(tale, using=16)


@tells("I5", MOOT, "refused to suspend")
def it_refused_with_buffers_waiting(tale: Tale) -> None:
    tale.answers(suspend=0x4F)
    unkicked(tale)


# -- I6 and I7 -------------------------------------------------------------------------------------------------------


@tells(
    "I6", TOLD, "suspend 0.100 to 0.100 ms, median 0.100 ms (once); resume 0.200 to 0.200 ms, median 0.200 ms (once)"
)
def it_was_suspended_and_resumed_once(tale: Tale) -> None:
    idle(tale)


@tells("I6", TOLD, "(3 times)")
def it_was_suspended_and_resumed_in_several_scenarios(tale: Tale) -> None:
    under_load(tale, rounds=2)
    idle(tale)


@tells("I6", TOLD, "suspend 0.100 to 0.100 ms, median 0.100 ms (once)", breaks="V9")
def it_was_suspended_and_never_resumed(tale: Tale) -> None:
    tale.answers(resume=0x1B)
    idle(tale)


@tells("I6", MOOT, "no suspend came about in this run", breaks="V8")
def it_was_never_suspended(tale: Tale) -> None:
    tale.answers(suspend=0x0F)
    idle(tale)


@tells("I6", MOOT, "there was no occasion to see it")
def it_was_never_asked(tale: Tale) -> None:
    early(tale)


@tells("I7", TOLD, "suspend: 0x0f (ACKNOWLEDGE DRIVER DRIVER_OK FEATURES_OK); resume: nothing in between")
def it_shows_the_old_status_until_it_is_suspended(tale: Tale) -> None:
    idle(tale)


@tells("I7", TOLD, "suspend: 0x0f (ACKNOWLEDGE DRIVER DRIVER_OK FEATURES_OK), 0x1f")
def it_shows_SUSPEND_before_it_clears_DRIVER_OK(tale: Tale) -> None:
    def asks(tale: Tale) -> None:
        tale.writes_status(0x1F)
        for status in (0x1F, 0x0F, 0x1F, 0x1B):
            tale.reads_status(status)
        tale.gives_up()

    under_load(tale, running=asks)


@tells("I7", TOLD, "resume: 0x1b (ACKNOWLEDGE DRIVER FEATURES_OK SUSPEND)", breaks="V9")
def it_shows_itself_suspended_until_it_gives_up(tale: Tale) -> None:
    tale.answers(resume=0x1B)
    idle(tale)


@tells("I7", MOOT, "there was no occasion to see it")
def what_it_shows_after_a_SUSPEND_that_no_driver_may_write_is_not_told(tale: Tale) -> None:
    staged(tale)


# -- I8 --------------------------------------------------------------------------------------------------------------


@tells("I8", TOLD, "queue_reset reads 0 after 1.000 ms, queue_enable reads 0, status 0x1b")
def a_queue_is_reset_while_it_sleeps(tale: Tale) -> None:
    queue_reset(tale)


@tells("I8", TOLD, "queue_reset still reads 1, queue_enable reads 0, status 0x1b")
def a_queue_is_not_reset_while_it_sleeps(tale: Tale) -> None:
    queue_reset(tale, stuck=True)


@tells("I8", MOOT, "does not offer RING_RESET")
def queues_cannot_be_reset_alone(tale: Tale) -> None:
    skips(tale, "reset a queue of a suspended device", "I8", "the device does not offer RING_RESET")
