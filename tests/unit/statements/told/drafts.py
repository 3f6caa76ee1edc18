"""C1, C2 and C3: the Chromium draft's."""

from __future__ import annotations

from uvirtio_tools.judging import names

from ..scenes import idle, in_flight, prodded, quietly, under_load, wakes_up
from ..table import BROKEN, KEPT, MOOT, tells
from ..tale import HOLD, Tale

#: Queues run on in this dialect, so a device differs from virtio 1.4 in these.
DIFFERS = "V4 V8 V10 V11"


# -- C1 --------------------------------------------------------------------------------------------------------------


@tells("C1", KEPT, "status 0x1f (ACKNOWLEDGE DRIVER DRIVER_OK FEATURES_OK SUSPEND)", breaks="V8")
def DRIVER_OK_stays(tale: Tale) -> None:
    under_load(tale.speaks("chromium"))


@tells("C1", KEPT, "refused: status 0x4f")
def it_refuses(tale: Tale) -> None:
    tale.answers(suspend=0x4F)
    under_load(tale.speaks("chromium"))


@tells("C1", BROKEN, "not within 10 s", breaks="C1 V8")
def it_does_not_show_SUSPEND(tale: Tale) -> None:
    tale.answers(suspend=0x0F)
    under_load(tale.speaks("chromium"))


@tells("C1", BROKEN, "status 0x1b", breaks="C1 V8")
def DRIVER_OK_goes(tale: Tale) -> None:
    tale.answers(suspend=0x1B)
    under_load(tale.speaks("chromium"))


@tells("C1", MOOT, "went away", verdict="ERROR")
def it_goes_away(tale: Tale) -> None:
    tale.answers(suspend=0xFF)
    under_load(tale.speaks("chromium"))


@tells("C1", MOOT, "cannot be had here")
def it_was_not_asked(tale: Tale) -> None:
    under_load(tale.speaks("chromium"), running=lambda t: t.ends("skip", "cannot be had here"))


# -- C2 --------------------------------------------------------------------------------------------------------------


@tells("C2", KEPT, "running after 0x0f, requests are served", breaks="V8")
def clearing_SUSPEND_resumes(tale: Tale) -> None:
    idle(tale.speaks("chromium"))


@tells("C2", KEPT, "refused: status 0x4f", breaks="V8")
def it_fails_when_it_is_asked_to_resume(tale: Tale) -> None:
    tale.answers(resume=0x4F)
    idle(tale.speaks("chromium"))


@tells("C2", BROKEN, "not within 10 s", breaks="C2 V8")
def clearing_SUSPEND_does_not_resume(tale: Tale) -> None:
    tale.answers(resume=0x1F)
    idle(tale.speaks("chromium"))


@tells("C2", BROKEN, "8 requests are still out", breaks="C2 V8")
def nothing_is_served_any_more(tale: Tale) -> None:
    def serves_nothing(tale: Tale) -> None:
        tale.goes_wrong(names.AFTER, "8 requests are still out")
        tale.gives_up()

    idle(tale.speaks("chromium"), woken=serves_nothing)


@tells("C2", MOOT, "was not suspended any more when it was asked to resume", breaks="V8")
def it_had_woken_up_before_it_was_asked_to_resume(tale: Tale) -> None:
    idle(tale.speaks("chromium"), asleep=lambda t: t.shows(0x0F))


@tells("C2", MOOT, "refused to suspend")
def it_refuses_to_suspend(tale: Tale) -> None:
    tale.answers(suspend=0x4F)
    idle(tale.speaks("chromium"))


@tells("C2", MOOT, "did not suspend within 10 s", breaks="C1 V8")
def it_did_not_suspend(tale: Tale) -> None:
    tale.answers(suspend=0x0F)
    idle(tale.speaks("chromium"))


@tells("C2", MOOT, "no driver for device type type 42", breaks="V8")
def nobody_knows_how_to_move_data(tale: Tale) -> None:
    idle(tale.speaks("chromium").without_driver())


# -- C3 --------------------------------------------------------------------------------------------------------------


@tells("C3", KEPT, "ISR stayed 0 while buffers were used, and bit 0 was set after resume", breaks=DIFFERS)
def notifications_are_held_back_and_arrive(tale: Tale) -> None:
    in_flight(tale.speaks("chromium"), asleep=quietly, woken=lambda t: t.hears("used", names.AROUND, 4, HOLD))


@tells("C3", KEPT, "bit 0 was set after resume", breaks=DIFFERS)
def what_arrives_may_be_for_what_had_waited(tale: Tale) -> None:
    under_load(tale.speaks("chromium"), asleep=quietly)


@tells("C3", KEPT, "bit 0 was set after resume", breaks="V4 V8")
def a_kick_is_lawful_here(tale: Tale) -> None:
    prodded(tale.speaks("chromium"), kicked=quietly)


@tells("C3", BROKEN, "ISR was set once; interrupts delivered: 1", breaks=f"C3 V3 {DIFFERS}")
def an_interrupt_comes_while_it_sleeps(tale: Tale) -> None:
    def interrupts(tale: Tale) -> None:
        tale.uses(4)
        tale.interrupts(1)

    in_flight(tale.speaks("chromium"), asleep=interrupts)


@tells("C3", BROKEN, "ISR was set once", breaks="C3 V3 V6 V8")
def both_bits_come_while_it_sleeps(tale: Tale) -> None:
    under_load(tale.speaks("chromium"), asleep=lambda t: t.isr(3))


@tells("C3", BROKEN, "ISR was set once", breaks=f"C3 V3 {DIFFERS}")
def an_interrupt_comes_before_it_fails(tale: Tale) -> None:
    def interrupts_and_fails(tale: Tale) -> None:
        tale.uses(4)
        tale.looks("again")
        tale.shows(0x5F)

    in_flight(tale.speaks("chromium"), asleep=interrupts_and_fails)


@tells("C3", BROKEN, "ISR was set once", breaks="C3 V3 V6 V8")
def an_interrupt_comes_from_one_that_sets_both_bits_for_everything(tale: Tale) -> None:
    in_flight(tale.speaks("chromium"), used=False, config=True, asleep=lambda t: t.isr(3))


@tells("C3", MOOT, "reading ISR does not clear it", breaks="V8 N6")
def its_ISR_is_sticky(tale: Tale) -> None:
    tale.sticky = True
    tale.isr(1)
    in_flight(tale.speaks("chromium"))


@tells("C3", BROKEN, "ISR was set once", breaks="C3 V6 V8")
def a_change_is_notified_while_it_sleeps(tale: Tale) -> None:
    under_load(tale.speaks("chromium"), asleep=lambda t: t.isr(2))


@tells("C3", BROKEN, "ISR stayed 0 for 0.2 s", breaks=f"C3 V16 {DIFFERS}")
def what_was_held_back_never_arrives(tale: Tale) -> None:
    tale.unheard.add(names.AROUND)
    in_flight(tale.speaks("chromium"), asleep=quietly, woken=lambda t: t.hears("used", names.AROUND, 4, HOLD))


@tells("C3", MOOT, "nothing was finished while suspended", breaks="V8")
def nothing_was_finished_while_it_slept(tale: Tale) -> None:
    in_flight(tale.speaks("chromium"))


@tells("C3", MOOT, "whether what was held back arrives after resume was not seen", breaks=DIFFERS)
def nobody_listened_after_the_resume(tale: Tale) -> None:
    in_flight(tale.speaks("chromium"), asleep=quietly)


@tells("C3", MOOT, "whether what was held back arrives after resume was not seen", breaks=f"V16 {DIFFERS}")
def what_had_waited_was_not_notified_either(tale: Tale) -> None:
    tale.unheard.add(names.WAITED)
    under_load(tale.speaks("chromium"), asleep=quietly)


@tells("C3", MOOT, "ISR bit 0 alone", breaks=DIFFERS)
def its_ISR_shows_nothing(tale: Tale) -> None:
    in_flight(tale.speaks("chromium"), asleep=quietly, used=False)


@tells("C3", MOOT, "did not stay suspended", breaks="V8")
def it_woke_up_and_notifies_as_a_running_device_does(tale: Tale) -> None:
    in_flight(tale.speaks("chromium"), asleep=wakes_up)


@tells("C3", MOOT, "failed while it was suspended", breaks="V8")
def its_interrupt_is_of_a_failure(tale: Tale) -> None:
    def fails(tale: Tale) -> None:
        tale.shows(0x5F)
        tale.isr(2)

    in_flight(tale.speaks("chromium"), asleep=fails)


@tells("C3", MOOT, "ISR reads all-ones", breaks="V8")
def its_ISR_reads_all_ones(tale: Tale) -> None:
    in_flight(tale.speaks("chromium"), asleep=lambda t: t.isr(None))


@tells("C3", MOOT, "ISR reads all-ones", breaks="V8")
def its_ISR_reads_all_ones_from_the_first_look_on(tale: Tale) -> None:
    in_flight(tale.speaks("chromium"), asked=lambda t: t.isr(None))


@tells("C3", BROKEN, "ISR was set once", breaks="C3 V3 V8")
def an_interrupt_comes_before_ISR_reads_all_ones(tale: Tale) -> None:
    def interrupts_and_does_not_answer(tale: Tale) -> None:
        tale.isr(1)
        tale.looks("again")
        tale.isr(None)

    in_flight(tale.speaks("chromium"), asleep=interrupts_and_does_not_answer)


@tells("C3", MOOT, "refused to suspend")
def it_refuses_to_suspend_with_requests_in_flight(tale: Tale) -> None:
    tale.answers(suspend=0x4F)
    in_flight(tale.speaks("chromium"))
