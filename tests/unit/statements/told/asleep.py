"""V3 and V4: what the device must leave alone while it is suspended."""

from __future__ import annotations

from ..scenes import (
    change_configuration,
    idle,
    in_flight,
    offered,
    prodded,
    quietly,
    reset_loaded,
    under_load,
    wakes_up,
    write_configuration,
)
from ..table import BROKEN, KEPT, MOOT, tells
from ..tale import HOLD, Tale

# -- V3 --------------------------------------------------------------------------------------------------------------


@tells("V3", KEPT, "ISR bit 0 stayed 0 for 0.2 s with 12 buffers waiting")
def nothing_is_notified_with_buffers_waiting(tale: Tale) -> None:
    under_load(tale)


@tells("V3", KEPT, "interrupts delivered all the same: 1; ISR says that they were not this device's")
def a_shared_line_is_raised_by_another_device(tale: Tale) -> None:
    under_load(tale, asleep=lambda t: t.interrupts(1), rounds=1)


@tells("V3", KEPT, "the host side sent traffic to the device while it was suspended")
def nothing_is_notified_although_the_host_side_sends_something(tale: Tale) -> None:
    offered(tale)


@tells("V3", KEPT, "send_traffic could not be had: no peer")
def the_host_side_could_not_send_anything(tale: Tale) -> None:
    offered(tale, trouble="no peer")


@tells("V3", KEPT, "with 12 buffers waiting")
def what_was_notified_up_to_the_first_look_was_notified_before(tale: Tale) -> None:
    under_load(tale, running=lambda t: t.isr(1))


@tells("V3", KEPT, "with 12 buffers waiting")
def ISR_answers_again_only_when_it_has_settled(tale: Tale) -> None:
    """Registers that read all-ones on the way to sleep: what ISR shows then was set before."""

    def answers_again(tale: Tale) -> None:
        tale.isr(0)

    in_flight(tale, asked=lambda t: t.isr(None), asleep=answers_again, hold=HOLD)
    under_load(tale)


@tells("V3", BROKEN, "ISR bit 0 was set once after the status had shown 0x1b")
def a_used_buffer_notification_comes_while_it_sleeps(tale: Tale) -> None:
    under_load(tale, asleep=lambda t: t.isr(1))


@tells("V3", BROKEN, "ISR bit 0 was set once")
def one_comes_right_before_the_last_look(tale: Tale) -> None:
    under_load(tale, reaped=lambda t: t.isr(1))


@tells("V3", BROKEN, "in its own scenarios: PASS")
def one_comes_in_a_suspend_that_is_for_something_else(tale: Tale) -> None:
    under_load(tale)
    idle(tale, asleep=lambda t: t.isr(1))


@tells("V3", BROKEN, "(seen in V15)")
def one_comes_before_it_is_reset(tale: Tale) -> None:
    reset_loaded(tale, asleep=lambda t: t.isr(1))


@tells("V3", BROKEN, "(seen in V5)")
def one_comes_for_a_change_of_the_configuration(tale: Tale) -> None:
    change_configuration(tale, changed=lambda t: t.isr(1))


@tells("V3", BROKEN, "interrupts delivered: 2")
def interrupts_come_with_them(tale: Tale) -> None:
    def notifies(tale: Tale) -> None:
        tale.isr(1)
        tale.interrupts(2)

    under_load(tale, asleep=notifies)


@tells("V3", BROKEN, "which of the two notifications it was cannot be told", breaks="V3 V6")
def both_bits_come_while_it_sleeps(tale: Tale) -> None:
    under_load(tale, asleep=lambda t: t.isr(3))


def notifies_and_does_not_answer(tale: Tale) -> None:
    """A bit is seen once, and then ISR reads all-ones."""
    tale.isr(1)
    tale.looks("again")
    tale.isr(None)


@tells("V3", BROKEN, "ISR bit 0 was set once")
def a_used_buffer_notification_comes_before_ISR_reads_all_ones(tale: Tale) -> None:
    under_load(tale, asleep=notifies_and_does_not_answer, rounds=1)


@tells("V3", MOOT, "nobody looked at ISR while the device was suspended")
def nobody_looked_once_it_slept(tale: Tale) -> None:
    tale.overlooked |= {"settled", "held", "last"}
    under_load(tale, rounds=1)


@tells("V3", MOOT, "reading ISR does not clear it", breaks="N6")
def its_ISR_is_sticky(tale: Tale) -> None:
    tale.sticky = True
    tale.isr(1)
    under_load(tale)


@tells("V3", MOOT, "traffic did not show as ISR bit 0 alone")
def its_ISR_never_shows_anything(tale: Tale) -> None:
    under_load(tale, used=False)


@tells("V3", MOOT, "traffic did not show as ISR bit 0 alone")
def its_ISR_shows_both_bits_for_everything(tale: Tale) -> None:
    under_load(tale, used=False, config=True)


@tells("V3", MOOT, "ISR reads all-ones while the device is suspended")
def its_ISR_reads_all_ones_while_it_sleeps(tale: Tale) -> None:
    under_load(tale, asleep=lambda t: t.isr(None), rounds=1)


@tells("V3", MOOT, "no buffer was left waiting, so there was nothing to notify")
def it_had_finished_everything(tale: Tale) -> None:
    under_load(tale, using=16, rounds=1)


@tells("V3", MOOT, "ISR bit 0 stayed 0, and was watched for 0.105 s only")
def it_was_watched_for_half_the_time(tale: Tale) -> None:
    under_load(tale, hold=HOLD / 2, rounds=1)


@tells("V3", MOOT, "the device failed while it was suspended, which it may")
def it_failed_while_it_slept(tale: Tale) -> None:
    under_load(tale, rested=lambda t: t.shows(0x5B), rounds=1)


@tells("V3", MOOT, "did not stay suspended, see V8", breaks="V8")
def it_fell_out_of_suspend(tale: Tale) -> None:
    under_load(tale, asleep=lambda t: t.shows(0x0F), rounds=1)


@tells("V3", MOOT, "at the last look its status read all-ones")
def whether_one_that_does_not_answer_still_slept_is_not_known(tale: Tale) -> None:
    under_load(tale, asleep=lambda t: t.shows(0xFF), rounds=1)


@tells("V3", MOOT, "did not stay suspended, see V8", breaks="V8")
def it_fell_out_of_suspend_and_notifies_as_a_running_device_does(tale: Tale) -> None:
    under_load(tale, asleep=wakes_up, rounds=1)


@tells("V3", BROKEN, "ISR bit 0 was set once", breaks="V3 V8")
def it_notified_before_it_fell_out_of_suspend(tale: Tale) -> None:
    def notifies_and_wakes_up(tale: Tale) -> None:
        tale.isr(1)
        tale.looks("again")
        wakes_up(tale)

    under_load(tale, asleep=notifies_and_wakes_up, rounds=1)


@tells("V3", BROKEN, "ISR bit 0 was set once")
def it_notifies_after_it_has_failed(tale: Tale) -> None:
    """It still says that it is suspended."""

    def fails(tale: Tale) -> None:
        tale.shows(0x5B)
        tale.isr(1)

    tale.answers(resume=0x5B)
    under_load(tale, asleep=fails)


@tells("V3", MOOT, "was not read")
def whether_it_still_slept_is_not_known(tale: Tale) -> None:
    def is_looked_at_in_haste(tale: Tale) -> None:
        tale.rests()
        tale.looks("held", status=False)
        tale.reaps()
        tale.gives_up()

    under_load(tale, asleep=is_looked_at_in_haste)


@tells("V3", MOOT, "refused to suspend")
def it_refused_to_suspend(tale: Tale) -> None:
    tale.answers(suspend=0x4F)
    under_load(tale)


@tells("V3", MOOT, "no driver for device type type 42")
def no_driver_can_leave_buffers_waiting(tale: Tale) -> None:
    under_load(tale.without_driver())


@tells("V3", MOOT, "so there was nothing to notify")
def it_notifies_after_a_kick_that_no_driver_may_give(tale: Tale) -> None:
    """What comes of a deliberate deviation is excused; only V4 asks about that one."""
    prodded(tale, asleep=lambda t: t.looks("again"), kicked=lambda t: t.isr(1))


# -- V4 --------------------------------------------------------------------------------------------------------------


@tells("V4", KEPT, "rings and buffers stayed unchanged with 12 buffers waiting, also after a kick")
def nothing_is_touched_not_even_after_a_kick(tale: Tale) -> None:
    prodded(tale)


@tells("V4", BROKEN, "the device used buffers while it said that it was suspended", breaks="V4 V10 V11")
def it_works_on(tale: Tale) -> None:
    under_load(tale, asleep=quietly)


@tells("V4", BROKEN, "queue 0: used index 12 -> 16", breaks="V3 V4 V10 V11")
def it_works_on_and_says_so(tale: Tale) -> None:
    under_load(tale, asleep=lambda t: t.uses(4))


@tells("V4", BROKEN, "(seen in V15)", breaks="V4 V10 V11")
def it_works_on_in_a_suspend_that_is_for_something_else(tale: Tale) -> None:
    prodded(tale)
    reset_loaded(tale, asleep=quietly)


@tells("V4", BROKEN, "the device wrote to memory while it said that it was suspended")
def it_writes_to_a_buffer_that_it_has_not_used(tale: Tale) -> None:
    under_load(tale, asleep=lambda t: t.scribbles("queue 0 buffer 20"))


@tells("V4", BROKEN, "changed: queue 0 rings")
def it_writes_to_a_ring(tale: Tale) -> None:
    under_load(tale, asleep=lambda t: t.scribbles("queue 0 rings"))


@tells("V4", BROKEN, "changed: queue 0 buffer 20")
def it_writes_to_a_buffer_after_the_driver_has_taken_what_was_used(tale: Tale) -> None:
    under_load(tale, reaped=lambda t: t.scribbles("queue 0 buffer 20"))


@tells("V4", BROKEN, "after a kick of queue 0")
def it_works_when_it_is_kicked(tale: Tale) -> None:
    prodded(tale, kicked=quietly)


@tells("V4", BROKEN, "after a kick of queue 0 at once after the status had shown it suspended")
def it_works_when_it_is_kicked_at_once(tale: Tale) -> None:
    prodded(tale, at_once=quietly)


@tells("V4", BROKEN, "queue 0: used index 12 -> 16", breaks="V4 V10 V11")
def it_works_before_it_is_kicked(tale: Tale) -> None:
    prodded(tale, asleep=quietly)


@tells("V4", MOOT, "no buffer was left waiting, so there was nothing to touch")
def there_was_nothing_to_touch(tale: Tale) -> None:
    under_load(tale, using=16, rounds=1)


@tells("V4", MOOT, "no kick was tried after a while")
def it_was_never_kicked(tale: Tale) -> None:
    under_load(tale)


@tells("V4", MOOT, "no kick was tried after a while")
def it_was_kicked_too_early(tale: Tale) -> None:
    prodded(tale, hold=0.01)


@tells("V4", MOOT, "the device failed while it was suspended")
def it_failed_before_it_was_kicked(tale: Tale) -> None:
    tale.answers(resume=0x5B)
    prodded(tale, asleep=lambda t: t.shows(0x5B))


@tells("V4", MOOT, "did not stay suspended, see V8", breaks="V8")
def it_woke_up_and_serves_as_a_running_device_does(tale: Tale) -> None:
    under_load(tale, asleep=wakes_up, rounds=1)


@tells("V4", MOOT, "refused to suspend")
def it_refused_to_suspend_with_buffers_waiting(tale: Tale) -> None:
    tale.answers(suspend=0x4F)
    prodded(tale)


@tells("V4", MOOT, "did not suspend within 10 s", breaks="V8")
def it_did_not_suspend_with_buffers_waiting(tale: Tale) -> None:
    tale.answers(suspend=0x0F)
    prodded(tale)


@tells("V4", MOOT, "no driver for device type type 42")
def no_driver_can_give_it_anything(tale: Tale) -> None:
    under_load(tale.without_driver())


@tells("V4", MOOT, "there was no occasion to see it")
def it_was_never_asked_to_suspend(tale: Tale) -> None:
    with tale.scenario("nothing"):
        tale.started()
        tale.control()


@tells("V4", MOOT, "was not read")
def what_it_does_after_a_write_that_no_driver_may_make_is_excused(tale: Tale) -> None:
    def is_written_to(tale: Tale) -> None:
        tale.writes_configuration(deviation="D5")
        tale.scribbles("queue 0 rings")

    write_configuration(tale, asleep=is_written_to)
