"""V15, V14 and R5: reset of a suspended device, the notification of a failure, status writes of the RFC."""

from __future__ import annotations

from uvirtio_tools.judging import names

from ..scenes import failed_asleep, fails, idle, reset_loaded
from ..table import BROKEN, KEPT, MOOT, NOTED, tells
from ..tale import Tale

# -- V15 -------------------------------------------------------------------------------------------------------------


@tells("V15", KEPT, "reset in 1.000 ms, initialised again with the same features, data moves")
def it_is_reset_and_starts_anew(tale: Tale) -> None:
    reset_loaded(tale)


@tells("V15", KEPT, "driver_feature reads 0x0000000800000001 after the reset")
def driver_feature_reads_as_before(tale: Tale) -> None:
    tale.instead[names.DRIVER_FEATURE] = ["0x0000000800000001"]
    reset_loaded(tale)


@tells("V15", BROKEN, "status 0x1b (ACKNOWLEDGE DRIVER FEATURES_OK SUSPEND)")
def it_ignores_the_reset(tale: Tale) -> None:
    def waits_in_vain(tale: Tale) -> None:
        tale.looks("before the reset")
        tale.writes_status(0)
        tale.rests(10)
        tale.reads_status()
        tale.reads(names.NO_RESET, 0x1B)
        tale.gives_up()

    reset_loaded(tale, asleep=waits_in_vain)


@tells("V15", BROKEN, "queue 0: queue_enable still reads 1")
def a_queue_stays_enabled(tale: Tale) -> None:
    tale.instead[f"{names.ENABLED}0"] = ["1"]
    reset_loaded(tale)


@tells("V15", BROKEN, "queue 0: used index 12 -> 14")
def what_waits_is_served_after_the_reset(tale: Tale) -> None:
    reset_loaded(tale, reset=lambda t: t.uses(2, notified=False))


@tells("V15", BROKEN, "queue 0 buffer 20 changed over the reset")
def a_buffer_is_written_to_after_the_reset(tale: Tale) -> None:
    reset_loaded(tale, reset=lambda t: t.scribbles("queue 0 buffer 20"))


@tells("V15", BROKEN, "ISR showed bits after the reset (0x1)")
def something_is_notified_after_the_reset(tale: Tale) -> None:
    reset_loaded(tale, reset=lambda t: t.isr(1))


@tells("V15", BROKEN, "ISR showed bits after the reset (0x2)")
def a_change_is_notified_after_the_reset(tale: Tale) -> None:
    reset_loaded(tale, reset=lambda t: t.isr(2))


@tells("V15", BROKEN, "ISR showed bits after the reset (0x3)")
def both_bits_come_after_the_reset(tale: Tale) -> None:
    reset_loaded(tale, reset=lambda t: t.isr(3))


@tells("V15", BROKEN, "the device does not work after the reset")
def it_does_not_work_any_more(tale: Tale) -> None:
    def does_not_work(tale: Tale) -> None:
        tale.goes_wrong(names.AGAIN, "8 requests are still out", "NotWorking")
        tale.gives_up()

    reset_loaded(tale, again=does_not_work)


@tells("V15", NOTED, "the same features do not negotiate again after the reset")
def it_takes_its_features_no_more(tale: Tale) -> None:
    def refuses(tale: Tale) -> None:
        tale.goes_wrong(names.AGAIN, "FEATURES_OK does not stay set", "NegotiationFailed")
        tale.gives_up()

    reset_loaded(tale, again=refuses)


@tells("V15", NOTED, "other features than before were negotiated after the reset")
def it_takes_other_features(tale: Tale) -> None:
    tale.instead[names.ACCEPTED] = ["43, 32", "32"]
    reset_loaded(tale)


@tells("V15", MOOT, "refused to suspend")
def it_refused_to_suspend(tale: Tale) -> None:
    tale.answers(suspend=0x4F)
    reset_loaded(tale)


@tells("V15", MOOT, "nobody looked at the device both before its reset and after it")
def nobody_looked_after_the_reset(tale: Tale) -> None:
    tale.overlooked.add("after the reset")
    reset_loaded(tale)


@tells("V15", MOOT, "the device was not initialised again after its reset")
def it_was_not_initialised_again(tale: Tale) -> None:
    reset_loaded(tale, again=lambda t: t.gives_up())


@tells("V15", MOOT, "there was no occasion to see it")
def the_end_of_another_scenario_is_not_looked_at(tale: Tale) -> None:
    idle(tale)


# -- V14 -------------------------------------------------------------------------------------------------------------


@tells("V14", KEPT, "status 0x4f (ACKNOWLEDGE DRIVER DRIVER_OK FEATURES_OK DEVICE_NEEDS_RESET), and ISR bit 1 came")
def a_failure_is_notified(tale: Tale) -> None:
    fails(tale)


@tells("V14", BROKEN, "DEVICE_NEEDS_RESET was set without a configuration change notification")
def a_failure_is_not_notified(tale: Tale) -> None:
    tale.unheard.add(names.TOLD)
    fails(tale)


@tells("V14", MOOT, "has DRIVER_OK=0, so no notification was owed")
def it_failed_without_DRIVER_OK(tale: Tale) -> None:
    fails(tale, status=0x5B)


@tells("V14", MOOT, "the device did not set DEVICE_NEEDS_RESET")
def it_does_not_fail(tale: Tale) -> None:
    with tale.scenario("make the device fail", "V14"):
        tale.started()
        tale.control()
        tale.ends("skip", "the device did not set DEVICE_NEEDS_RESET, not even for an impossible address")


# -- R5 --------------------------------------------------------------------------------------------------------------


@tells("R5", KEPT, "FAILED read back (0x9b (ACKNOWLEDGE DRIVER FEATURES_OK SUSPEND FAILED)), and 0 reset the device")
def FAILED_and_0_are_taken(tale: Tale) -> None:
    failed_asleep(tale.speaks("rfc"))


@tells("R5", BROKEN, "FAILED was written, status reads 0x1f")
def FAILED_is_not_taken(tale: Tale) -> None:
    failed_asleep(tale.speaks("rfc"), written=lambda t: t.shows(0x1F))


@tells("R5", BROKEN, "0 was written, status reads 0x9b")
def the_reset_is_not_taken(tale: Tale) -> None:
    tale.instead[names.RESET] = [None]

    def is_not_reset(tale: Tale) -> None:
        tale.reads(names.NO_RESET, 0x9B)

    failed_asleep(tale.speaks("rfc"), written=is_not_reset)


@tells("R5", MOOT, "refused to suspend")
def it_refused_to_suspend_and_was_not_written_to(tale: Tale) -> None:
    tale.answers(suspend=0x5F)
    failed_asleep(tale.speaks("rfc"))
