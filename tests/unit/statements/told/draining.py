"""V10, V11, V12 and R7: what the device should have done before it presents itself as suspended."""

from __future__ import annotations

from uvirtio_tools.judging import names

from ..scenes import in_flight, loses, nothing_notified, quietly, under_load, wakes_up
from ..table import BROKEN, KEPT, MOOT, tells
from ..tale import HOLD, Tale

# -- V10 -------------------------------------------------------------------------------------------------------------


@tells("V10", KEPT, "16 buffers were left waiting, and stayed so")
def buffers_that_were_not_notified_are_left_alone(tale: Tale) -> None:
    nothing_notified(tale)


@tells("V10", KEPT, "12 buffers were left waiting, and stayed so")
def a_device_that_polls_stops_in_the_middle(tale: Tale) -> None:
    tale.instead[names.QUIET] = ["0"]
    nothing_notified(tale, using=4)


@tells("V10", BROKEN, "4 buffers that nobody had notified were consumed between the SUSPEND write and 0x1b")
def it_takes_what_waits_on_the_way_to_sleep(tale: Tale) -> None:
    nothing_notified(tale, using=4)


@tells(
    "V10", BROKEN, "buffers were consumed after the status had shown the device suspended",
    breaks="V4 V10 V11", verdict="FAIL",
)  # fmt: skip
def it_goes_on_consuming_while_it_sleeps(tale: Tale) -> None:
    nothing_notified(tale, asleep=quietly)


@tells("V10", BROKEN, "this breaks V4 as well", breaks="V4 V10 V11", verdict="FAIL")
def it_goes_on_consuming_in_a_suspend_that_is_for_something_else(tale: Tale) -> None:
    nothing_notified(tale)
    under_load(tale, asleep=quietly)


@tells("V10", MOOT, "takes buffers without a notification, and had used all of them")
def a_device_that_polls_has_used_everything(tale: Tale) -> None:
    tale.instead[names.QUIET] = ["0"]
    nothing_notified(tale, using=16)


@tells("V10", MOOT, "the device failed while it was suspended")
def it_failed_while_buffers_waited(tale: Tale) -> None:
    tale.answers(resume=0x5B)
    nothing_notified(tale, asleep=lambda t: t.shows(0x5B))


@tells("V10", MOOT, "did not stay suspended, see V8", breaks="V8")
def it_fell_out_of_suspend_while_buffers_waited(tale: Tale) -> None:
    nothing_notified(tale, asleep=lambda t: t.shows(0x0F))


@tells("V10", MOOT, "did not stay suspended, see V8", breaks="V8")
def it_woke_up_and_consumes_as_a_running_device_does(tale: Tale) -> None:
    nothing_notified(tale, asleep=wakes_up)


@tells("V10", MOOT, "refused to suspend")
def it_refused_to_suspend(tale: Tale) -> None:
    tale.answers(suspend=0x4F)
    nothing_notified(tale)


@tells("V10", MOOT, "no driver for device type type 42")
def no_driver_can_give_it_buffers(tale: Tale) -> None:
    under_load(tale.without_driver())


# -- V11 -------------------------------------------------------------------------------------------------------------


@tells("V11", KEPT, "4 were finished first and 12 left untouched")
def each_is_finished_first_or_left_untouched(tale: Tale) -> None:
    in_flight(tale)


@tells("V11", KEPT, "16 were finished first and 0 left untouched")
def all_are_finished_first(tale: Tale) -> None:
    in_flight(tale, asked=lambda t: t.uses(16))


@tells("V11", KEPT, "0 were finished first and 16 left untouched")
def all_are_left_untouched(tale: Tale) -> None:
    in_flight(tale, asked=lambda t: t.uses(0))


@tells(
    "V11", BROKEN, "requests were finished after the status had shown the device suspended",
    breaks="V4 V10 V11", verdict="FAIL",
)  # fmt: skip
def it_finishes_while_it_sleeps(tale: Tale) -> None:
    in_flight(tale, asleep=quietly)


@tells("V11", BROKEN, "not used, but written to: queue 0 buffer 20")
def it_leaves_one_half_done(tale: Tale) -> None:
    in_flight(tale, asked=lambda t: t.scribbles("queue 0 buffer 20"))


@tells("V11", BROKEN, "1 request never came back", breaks="V11 V16")
def one_that_was_in_process_is_lost(tale: Tale) -> None:
    in_flight(tale, woken=loses)


@tells("V11", MOOT, "nothing was in flight at the SUSPEND write")
def it_answers_within_the_notification(tale: Tale) -> None:
    in_flight(tale, kicked=lambda t: t.uses(16))


@tells("V11", MOOT, "nothing was in flight at the SUSPEND write")
def it_keeps_its_buffers_until_something_comes_in(tale: Tale) -> None:
    tale.answering = ()
    in_flight(tale)


@tells("V11", MOOT, "the device failed while it was suspended")
def it_failed_with_requests_left(tale: Tale) -> None:
    tale.answers(resume=0x5B)
    in_flight(tale, asleep=lambda t: t.shows(0x5B))


@tells("V11", MOOT, "did not stay suspended, see V8", breaks="V8")
def it_woke_up_and_finishes_as_a_running_device_does(tale: Tale) -> None:
    in_flight(tale, asleep=wakes_up)


@tells("V11", MOOT, "the device did not resume, so whether the requests come back cannot be told")
def it_refused_to_resume(tale: Tale) -> None:
    tale.answers(resume=0x5B)
    in_flight(tale)


@tells("V11", MOOT, "refused to suspend")
def it_refused_to_suspend_with_requests_in_process(tale: Tale) -> None:
    tale.answers(suspend=0x4F)
    in_flight(tale)


@tells("V11", MOOT, "there was no occasion to see it")
def nothing_was_notified_right_before_the_write(tale: Tale) -> None:
    under_load(tale)


# -- V12 -------------------------------------------------------------------------------------------------------------


@tells("V12", KEPT, "4 buffers were used meanwhile, and ISR bit 0 was set by then")
def what_is_used_on_the_way_is_notified_by_then(tale: Tale) -> None:
    in_flight(tale)


@tells("V12", KEPT, "8 buffers were used meanwhile")
def they_are_counted_over_the_end_of_a_packed_ring(tale: Tale) -> None:
    tale.packed = True

    def has_nearly_filled_the_ring(tale: Tale) -> None:
        tale.drains("everything so far")
        for count in (20, 12, 10):
            tale.traffic(count=count)
        tale.loads(notified=0)

    in_flight(tale, running=has_nearly_filled_the_ring, asked=lambda t: t.uses(8))


def all_silently(tale: Tale) -> None:
    """All are used on the way to sleep, and not notified."""
    tale.uses(16, notified=False)


@tells("V12", BROKEN, "4 buffers were used since ISR was read last, and ISR reads 0x0; it was set after resume")
def the_notification_comes_after_the_resume(tale: Tale) -> None:
    in_flight(tale, asked=quietly, woken=lambda t: t.hears("used", names.AROUND, 4, HOLD))


@tells("V12", MOOT, "a message came a moment after the status had shown the device suspended")
def its_message_is_on_its_way(tale: Tale) -> None:
    tale.history.way = "MSI-X, messages into memory"
    tale.late = True
    in_flight(tale, asked=quietly)


@tells("V12", BROKEN, "it was set later, while suspended", breaks="V3 V12", verdict="FAIL")
def the_notification_comes_while_it_sleeps(tale: Tale) -> None:
    in_flight(tale, asked=quietly, asleep=lambda t: t.isr(1))


@tells("V12", BROKEN, "it was set later, while suspended", breaks="V3 V6 V12", verdict="FAIL")
def both_bits_come_while_it_sleeps(tale: Tale) -> None:
    in_flight(tale, asked=quietly, asleep=lambda t: t.isr(3))


@tells("V12", BROKEN, "ISR reads 0x2", breaks="V12")
def a_configuration_change_is_all_that_ISR_shows(tale: Tale) -> None:
    def announces(tale: Tale) -> None:
        quietly(tale)
        tale.isr(2)

    in_flight(tale, asked=announces)


@tells("V12", BROKEN, "the notification is lost", breaks="V9 V12 V16", verdict="FAIL")
def the_notification_never_comes(tale: Tale) -> None:
    tale.unheard.add(names.AROUND)
    in_flight(tale, asked=all_silently, woken=lambda t: t.hears("used", names.AROUND, 16, HOLD))


@tells("V12", BROKEN, "whether that was made good cannot be told, since more requests were waiting")
def whether_the_notification_ever_comes_cannot_be_told(tale: Tale) -> None:
    tale.unheard.add(names.AROUND)
    in_flight(tale, asked=quietly, woken=lambda t: t.hears("used", names.AROUND, 0, HOLD))


@tells("V12", BROKEN, "what became of it was not seen")
def it_fails_on_the_resume_with_a_notification_owed(tale: Tale) -> None:
    tale.answers(resume=0x5B)
    in_flight(tale, asked=quietly)


@tells("V12", MOOT, "ISR bit 0 alone")
def its_ISR_shows_nothing(tale: Tale) -> None:
    in_flight(tale, used=False)


@tells("V12", MOOT, "reading ISR does not clear it", breaks="N6")
def its_ISR_is_not_cleared_by_reading(tale: Tale) -> None:
    tale.sticky = True
    in_flight(tale)


@tells("V12", MOOT, "no request was finished between the SUSPEND write and the first read")
def nothing_was_used_on_the_way(tale: Tale) -> None:
    in_flight(tale, asked=lambda t: t.uses(0))


@tells("V12", MOOT, "no request was finished between the SUSPEND write and the first read")
def what_was_used_may_have_been_used_before_the_write(tale: Tale) -> None:
    in_flight(tale, kicked=lambda t: t.uses(2))


@tells("V12", MOOT, "no request was finished between the SUSPEND write and the first read")
def nobody_looked_before_the_write(tale: Tale) -> None:
    tale.overlooked.add("before")
    in_flight(tale)


@tells("V12", MOOT, "ISR reads all-ones")
def its_ISR_reads_all_ones_then(tale: Tale) -> None:
    def answers_all_ones(tale: Tale) -> None:
        tale.uses(4)
        tale.isr(None)

    in_flight(tale, asked=answers_all_ones)


@tells("V12", MOOT, "ISR showed both bits at once")
def its_ISR_shows_both_bits_then(tale: Tale) -> None:
    def announces(tale: Tale) -> None:
        tale.uses(4)
        tale.isr(2)

    in_flight(tale, asked=announces)


@tells("V12", MOOT, "the device was finishing requests all the time up to the SUSPEND write")
def the_driver_did_not_keep_up(tale: Tale) -> None:
    in_flight(tale, running=lambda t: t.uses(2))


@tells("V12", MOOT, "nothing was in flight at the SUSPEND write")
def it_had_answered_within_the_notification(tale: Tale) -> None:
    in_flight(tale, kicked=lambda t: t.uses(16))


@tells("V12", MOOT, "refused to suspend")
def it_refused_with_requests_in_process(tale: Tale) -> None:
    tale.answers(suspend=0x4F)
    in_flight(tale)


# -- R7 --------------------------------------------------------------------------------------------------------------


@tells("R7", KEPT, "4 buffers were returned first, 12 left waiting and served after resume")
def it_stops_returns_and_keeps(tale: Tale) -> None:
    in_flight(tale.speaks("rfc"))


@tells("R7", KEPT, "0 buffers were returned first, 16 left waiting")
def it_leaves_alone_what_was_not_notified(tale: Tale) -> None:
    nothing_notified(tale.speaks("rfc"))


@tells("R7", BROKEN, "buffers were used after SUSPEND had shown")
def it_consumes_while_it_shows_SUSPEND(tale: Tale) -> None:
    in_flight(tale.speaks("rfc"), asleep=quietly)


@tells("R7", BROKEN, "memory was written to after SUSPEND had shown")
def it_writes_to_a_buffer_while_it_shows_SUSPEND(tale: Tale) -> None:
    in_flight(tale.speaks("rfc"), asleep=lambda t: t.scribbles("queue 0 buffer 20"))


@tells("R7", BROKEN, "00ff -> 01ff")
def its_configuration_changes_over_the_suspend(tale: Tale) -> None:
    tale.instead[names.CONFIGURATION_ASLEEP] = ["01ff"]
    in_flight(tale.speaks("rfc"))


@tells("R7", BROKEN, "requests were lost, doubled or damaged")
def it_does_not_return_one(tale: Tale) -> None:
    in_flight(tale.speaks("rfc"), woken=loses)


@tells("R7", MOOT, "did not stay suspended")
def it_woke_up_and_works_as_a_running_device_does(tale: Tale) -> None:
    in_flight(tale.speaks("rfc"), asleep=wakes_up)


@tells("R7", MOOT, "failed while it was suspended")
def it_failed_while_it_showed_SUSPEND(tale: Tale) -> None:
    in_flight(tale.speaks("rfc"), asleep=lambda t: t.shows(0x5F))


@tells("R7", MOOT, "refused to suspend")
def it_refused_to_suspend_as_the_rfc_has_it(tale: Tale) -> None:
    tale.answers(suspend=0x5F)
    in_flight(tale.speaks("rfc"))


@tells("R7", MOOT, "no driver for device type type 42")
def no_driver_can_give_it_requests(tale: Tale) -> None:
    under_load(tale.speaks("rfc").without_driver())


@tells("R7", MOOT, "no buffer was left waiting, so there was nothing to consume")
def there_was_nothing_to_consume(tale: Tale) -> None:
    in_flight(tale.speaks("rfc"), asked=lambda t: t.uses(16))


@tells("R7", MOOT, "the device was not resumed")
def it_refused_to_resume_as_the_rfc_has_it(tale: Tale) -> None:
    tale.answers(resume=0x5F)
    in_flight(tale.speaks("rfc"))
