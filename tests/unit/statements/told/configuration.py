"""V2, V5, V6 and V7: the configuration of a suspended device."""

from __future__ import annotations

from uvirtio_tools.judging import names

from ..scenes import change_configuration, idle, under_load, write_configuration
from ..table import BROKEN, KEPT, MOOT, TOLD, tells
from ..tale import HOLD, Tale

# -- V2 --------------------------------------------------------------------------------------------------------------


@tells("V2", KEPT, "writeback kept its value while suspended and after resume")
def a_write_has_no_effect(tale: Tale) -> None:
    write_configuration(tale)


@tells("V2", KEPT, "writeback kept its value")
def all_ones_while_it_sleeps_are_no_value(tale: Tale) -> None:
    tale.instead[names.WRITTEN] = ["255"]
    tale.instead[names.ASLEEP] = ["255"]
    write_configuration(tale)


@tells("V2", BROKEN, "writeback took a write while suspended")
def a_write_takes_at_once(tale: Tale) -> None:
    tale.instead[names.ASLEEP] = ["0"]
    write_configuration(tale, resumes=False)


@tells("V2", BROKEN, "a write to writeback while suspended took effect on resume")
def a_write_takes_on_the_resume(tale: Tale) -> None:
    tale.instead[names.AFTERWARDS] = ["0"]
    write_configuration(tale)


@tells("V2", BROKEN, "writeback took a write while suspended")
def a_write_takes_at_once_and_not_for_long(tale: Tale) -> None:
    tale.instead[names.ASLEEP] = ["0"]
    write_configuration(tale)


@tells("V2", MOOT, "writeback reads 0x7, which is neither what stood there nor what was written")
def something_else_stands_in_the_field_while_it_sleeps(tale: Tale) -> None:
    tale.instead[names.ASLEEP] = ["7"]
    write_configuration(tale)


@tells("V2", MOOT, "writeback reads 0x7, which is neither what stood there nor what was written")
def something_else_stands_in_the_field_after_the_resume(tale: Tale) -> None:
    tale.instead[names.AFTERWARDS] = ["7"]
    write_configuration(tale)


@tells("V2", MOOT, "refused to resume")
def all_ones_are_the_last_that_was_read_of_it(tale: Tale) -> None:
    tale.instead[names.WRITTEN] = ["255"]
    tale.instead[names.ASLEEP] = ["255"]
    tale.answers(resume=0x5B)
    write_configuration(tale)


@tells("V2", MOOT, "refused to resume")
def what_becomes_of_a_write_cannot_be_told(tale: Tale) -> None:
    tale.answers(resume=0x5B)
    write_configuration(tale)


@tells("V2", MOOT, "refused to suspend")
def it_refused_to_suspend_and_was_not_written_to(tale: Tale) -> None:
    tale.answers(suspend=0x4F)
    write_configuration(tale)


@tells("V2", MOOT, "no configuration field that may be written")
def it_has_no_field_that_takes_a_write(tale: Tale) -> None:
    with tale.scenario("write the configuration of a suspended device", "V2"):
        tale.ends("skip", "a rng device has no configuration field that may be written to see whether that takes")


# -- V5 --------------------------------------------------------------------------------------------------------------


@tells("V5", KEPT, "the fields stayed as they were, also when the host side was asked to change them")
def nothing_changes_although_the_host_side_was_asked(tale: Tale) -> None:
    change_configuration(tale)


@tells("V5", TOLD, "a change that the host side was asked for showed while suspended")
def the_change_of_the_host_side_shows(tale: Tale) -> None:
    tale.instead[names.CHANGED] = ["01ff"]
    change_configuration(tale)


@tells("V5", BROKEN, "configuration fields changed while suspended, and nobody had asked for it")
def a_field_changes_by_itself(tale: Tale) -> None:
    tale.instead[names.SUSPENDED] = ["00fe"]
    change_configuration(tale)


@tells("V5", BROKEN, "they read 00fe")
def a_field_changes_by_itself_and_nothing_could_change_it(tale: Tale) -> None:
    tale.instead[names.SUSPENDED] = ["00fe"]
    change_configuration(tale, trigger="")


@tells("V5", BROKEN, "the configuration changes while suspended")
def the_configuration_never_holds_still(tale: Tale) -> None:
    tale.instead[names.SUSPENDED] = [None]
    change_configuration(tale, held=lambda t: t.reads(names.UNSTABLE, "config_generation changed 100 times"))


@tells("V5", MOOT, "has no configuration of its own")
def it_has_no_configuration(tale: Tale) -> None:
    change_configuration(tale.without_configuration())


@tells("V5", MOOT, "refused to suspend")
def it_refused_to_suspend_and_keeps_its_configuration(tale: Tale) -> None:
    tale.answers(suspend=0x4F)
    change_configuration(tale)


@tells("V5", MOOT, "no snapshot of it is settled")
def it_changes_all_the_time_while_it_runs(tale: Tale) -> None:
    tale.instead[names.SETTLED] = [None]
    tale.instead[names.SUSPENDED] = ["00fe"]
    change_configuration(tale)


@tells("V5", MOOT, "the configuration was not read while the device was suspended")
def nobody_read_it(tale: Tale) -> None:
    tale.instead[names.SUSPENDED] = [None]
    change_configuration(tale)


@tells("V5", MOOT, "the configuration reads all-ones while suspended")
def it_reads_all_ones(tale: Tale) -> None:
    tale.instead[names.SUSPENDED] = tale.instead[names.CHANGED] = ["ffff", "ffff"]
    change_configuration(tale)


@tells("V5", MOOT, "nothing gave it a reason to change (no trigger)")
def nothing_can_change_it(tale: Tale) -> None:
    change_configuration(tale, trigger="")


@tells("V5", MOOT, "change_config did not change the configuration of the running device")
def what_the_host_side_does_never_shows(tale: Tale) -> None:
    tale.instead[names.SHOWS] = ["0"]
    change_configuration(tale)


@tells("V5", MOOT, "the host side did not change the configuration of the suspended device")
def the_host_side_cannot_change_it_now(tale: Tale) -> None:
    def cannot(tale: Tale) -> None:
        tale.fires("change_config", "busy")
        tale.ends("skip", "the host side was asked to change the configuration (change_config): busy")

    change_configuration(tale, held=cannot)


# -- V6 --------------------------------------------------------------------------------------------------------------


@tells("V6", KEPT, "change_config while suspended did not set ISR bit 1 within 0.2 s")
def a_change_is_not_notified_while_it_sleeps(tale: Tale) -> None:
    change_configuration(tale)


@tells("V6", KEPT, "did not set ISR bit 1")
def what_it_announced_before_it_slept_does_not_count(tale: Tale) -> None:
    tale.isr(2)
    change_configuration(tale)


@tells("V6", BROKEN, "ISR bit 1 was set once after the status had shown 0x1b")
def a_change_is_notified_while_it_sleeps(tale: Tale) -> None:
    change_configuration(tale, changed=lambda t: t.isr(2))


@tells("V6", BROKEN, "a configuration change notification was sent while suspended")
def one_is_notified_that_nobody_has_asked_for(tale: Tale) -> None:
    change_configuration(tale, trigger="", asleep=lambda t: t.isr(2))


@tells("V6", BROKEN, "(seen in V9)")
def one_is_notified_in_a_suspend_that_is_for_something_else(tale: Tale) -> None:
    change_configuration(tale)
    idle(tale, asleep=lambda t: t.isr(2))


@tells("V6", BROKEN, "this device sets both bits for either kind of notification")
def something_is_notified_by_a_device_that_sets_both_bits(tale: Tale) -> None:
    under_load(tale, used=False, config=True, asleep=lambda t: t.isr(2))


@tells("V6", MOOT, "the host side cannot be asked to change the configuration here (no trigger)")
def nothing_can_change_what_would_be_notified(tale: Tale) -> None:
    change_configuration(tale, trigger="")


@tells("V6", MOOT, "change_config did not set ISR bit 1 on the running device")
def a_change_is_never_notified(tale: Tale) -> None:
    tale.unheard.add(names.CONTROL_BIT)
    change_configuration(tale)


@tells("V6", MOOT, "the host side did not change the configuration of the suspended device")
def the_host_side_cannot_change_it_while_it_sleeps(tale: Tale) -> None:
    change_configuration(tale, held=lambda t: t.ends("skip", "busy"))


@tells("V6", MOOT, "ISR reads all-ones")
def its_ISR_reads_all_ones(tale: Tale) -> None:
    change_configuration(tale, changed=lambda t: t.isr(None))


@tells("V6", BROKEN, "ISR bit 1 was set once")
def a_change_is_notified_before_ISR_reads_all_ones(tale: Tale) -> None:
    def notifies_and_does_not_answer(tale: Tale) -> None:
        tale.isr(2)
        tale.looks("again")
        tale.isr(None)

    change_configuration(tale, changed=notifies_and_does_not_answer)


@tells("V6", MOOT, "nobody looked at ISR while the device was suspended")
def nobody_looked_after_the_change(tale: Tale) -> None:
    tale.overlooked |= {"settled", "held", "held after the change", "last"}
    change_configuration(tale)


@tells("V6", MOOT, "the device failed while it was suspended")
def its_notification_is_of_a_failure(tale: Tale) -> None:
    def fails(tale: Tale) -> None:
        tale.shows(0x5B)
        tale.isr(2)

    tale.answers(resume=0x5B)
    change_configuration(tale, changed=fails)


@tells("V6", MOOT, "did not stay suspended, see V8", breaks="V8")
def its_notification_is_of_a_device_that_woke_up(tale: Tale) -> None:
    def wakes(tale: Tale) -> None:
        tale.shows(0x0F)
        tale.isr(2)

    change_configuration(tale, changed=wakes)


@tells("V6", MOOT, "refused to suspend")
def it_refused_to_suspend_before_the_change(tale: Tale) -> None:
    tale.answers(suspend=0x4F)
    change_configuration(tale)


# -- V7 --------------------------------------------------------------------------------------------------------------


@tells("V7", KEPT, "change_config while suspended set ISR bit 1 after resume | config_generation changed")
def a_change_is_notified_on_the_resume(tale: Tale) -> None:
    change_configuration(tale)


@tells("V7", KEPT, "config_generation did not change over the suspend; a device may count it lazily")
def the_generation_is_counted_lazily(tale: Tale) -> None:
    tale.instead[names.GENERATION] = ["1", "1"]
    change_configuration(tale)


@tells("V7", BROKEN, "not within 10 s; the configuration did change")
def a_change_is_never_told(tale: Tale) -> None:
    tale.unheard.add(names.RESUMED_BIT)
    change_configuration(tale)


@tells("V7", BROKEN, "not within 10 s; the change itself is lost as well")
def a_change_is_lost_altogether(tale: Tale) -> None:
    tale.unheard.add(names.RESUMED_BIT)
    tale.instead[names.RESUMED] = ["00ff"]
    change_configuration(tale)


@tells(
    "V7",
    BROKEN,
    "the configuration change is lost | change_config while suspended set ISR bit 1 after resume, and the fields read as before",
)
def a_change_is_told_and_lost(tale: Tale) -> None:
    tale.instead[names.RESUMED] = ["00ff"]
    change_configuration(tale)


@tells(
    "V7",
    BROKEN,
    "between the SUSPEND write and the suspend set ISR bit 1 neither before the device had shown itself suspended nor",
)
def a_change_on_the_way_to_the_suspend_is_never_told(tale: Tale) -> None:
    tale.unheard.add(names.ON_THE_WAY_BIT)
    change_configuration(tale)


@tells("V7", MOOT, "no trigger")
def nothing_can_be_changed_that_would_be_notified_on_the_resume(tale: Tale) -> None:
    change_configuration(tale, trigger="")


@tells("V7", MOOT, "did not set ISR bit 1 on the running device")
def a_change_is_never_notified_on_the_running_device_either(tale: Tale) -> None:
    tale.unheard |= {names.CONTROL_BIT, names.RESUMED_BIT}
    change_configuration(tale)


@tells("V7", MOOT, "refused to suspend")
def it_refused_to_suspend_before_anything_changed(tale: Tale) -> None:
    tale.answers(suspend=0x4F)
    change_configuration(tale)


@tells("V7", MOOT, "did not stay suspended, see V8", breaks="V8")
def it_woke_up_and_told_of_the_change_then(tale: Tale) -> None:
    def wakes_up_and_tells(tale: Tale) -> None:
        tale.shows(0x0F)
        tale.isr(2)

    tale.unheard.add(names.RESUMED_BIT)
    change_configuration(tale, changed=wakes_up_and_tells)


@tells("V7", MOOT, "refused to resume")
def it_refused_to_resume_after_the_change(tale: Tale) -> None:
    tale.answers(resume=0x5B)
    change_configuration(tale)


@tells("V7", MOOT, "there was no occasion to see it")
def nobody_changed_anything(tale: Tale) -> None:
    under_load(tale, hold=HOLD)
