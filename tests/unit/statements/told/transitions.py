"""V8, V9, R6 and V16: whether the device suspends and resumes when it is asked to, and its rings go on."""

from __future__ import annotations

from uvirtio_tools.judging import names

from ..scenes import cycles, fails_at_work, idle, in_flight, loses, nothing_notified, serves_nothing, stress, under_load
from ..table import BROKEN, KEPT, MOOT, NOTED, TOLD, tells
from ..tale import HOLD, Tale

# -- V8 --------------------------------------------------------------------------------------------------------------


@tells("V8", KEPT, "suspended in 0.100 ms, status 0x1b")
def it_is_suspended_and_stays_so(tale: Tale) -> None:
    under_load(tale)


@tells("V8", KEPT, "status 0x13")
def it_is_suspended_without_FEATURES_OK(tale: Tale) -> None:
    tale.answers(suspend=0x13)
    under_load(tale, rounds=1)


@tells("V8", KEPT, "reserved-5")
def it_is_suspended_with_a_reserved_bit_set(tale: Tale) -> None:
    tale.answers(suspend=0x3B)
    under_load(tale, rounds=1)


@tells("V8", KEPT, "refused: status 0x4f")
def it_answers_with_DEVICE_NEEDS_RESET(tale: Tale) -> None:
    tale.answers(suspend=0x4F)
    under_load(tale)


@tells("V8", KEPT, "refused: status 0x5b")
def it_answers_with_DEVICE_NEEDS_RESET_and_SUSPEND(tale: Tale) -> None:
    tale.answers(suspend=0x5B)
    under_load(tale)


@tells("V8", KEPT, "suspended in")
def it_is_watched_for_long_enough_in_one_scenario_and_not_in_another(tale: Tale) -> None:
    idle(tale)
    under_load(tale)


@tells("V8", BROKEN, "status 0x0f")
def it_never_suspends(tale: Tale) -> None:
    tale.answers(suspend=0x0F)
    under_load(tale)


@tells("V8", BROKEN, "not within 10 s")
def it_only_stores_the_byte(tale: Tale) -> None:
    tale.answers(suspend=0x1F)
    under_load(tale)


@tells("V8", BROKEN, "not within 10 s")
def the_whole_status_becomes_0_instead(tale: Tale) -> None:
    tale.answers(suspend=0x00)
    under_load(tale)


@tells("V8", BROKEN, "did not stay suspended")
def it_falls_out_of_suspend_by_itself_without_doing_anything(tale: Tale) -> None:
    under_load(tale, asleep=lambda t: t.shows(0x0F), rounds=1)


@tells("V8", BROKEN, "not within 10 s")
def it_does_not_suspend_the_second_time_when_nothing_was_loaded(tale: Tale) -> None:
    idle(tale)
    tale.answers(suspend=0x0F)
    idle(tale)


@tells("V8", BROKEN, "DRIVER_OK stays set", verdict="INFO")
def it_speaks_the_chromium_draft(tale: Tale) -> None:
    under_load(tale.speaks("chromium"))


@tells("V8", NOTED, "failed by itself within 0.2 s")
def it_fails_while_it_is_suspended(tale: Tale) -> None:
    tale.answers(resume=0x5B)
    under_load(tale, asleep=lambda t: t.shows(0x5B))


@tells("V8", MOOT, "watched for 0.005 s only")
def it_is_resumed_at_once(tale: Tale) -> None:
    idle(tale)


@tells("V8", MOOT, "watched for 0.105 s only")
def it_is_watched_for_half_the_time(tale: Tale) -> None:
    under_load(tale, hold=HOLD / 2, rounds=1)


@tells("V8", MOOT, "its status was watched for 0.005 s only")
def its_status_is_read_at_first_and_not_in_the_end(tale: Tale) -> None:
    def is_looked_at_without_its_status(tale: Tale) -> None:
        tale.reads_status()
        tale.rests()
        tale.looks("held", status=False)
        tale.gives_up()

    under_load(tale, asleep=is_looked_at_without_its_status)


@tells("V8", MOOT, "its status was watched for 0.045 s only")
def its_status_soon_reads_all_ones(tale: Tale) -> None:
    def does_not_answer(tale: Tale) -> None:
        tale.rests(0.04)
        tale.reads_status()
        tale.shows(0xFF)

    under_load(tale, asleep=does_not_answer, rounds=1)


@tells("V8", KEPT, "suspended in")
def its_status_reads_all_ones_for_a_moment(tale: Tale) -> None:
    def does_not_answer(tale: Tale) -> None:
        tale.reads_status(0xFF)

    under_load(tale, asleep=does_not_answer)


@tells("V8", MOOT, "went away", verdict="ERROR")
def it_goes_away_instead(tale: Tale) -> None:
    tale.answers(suspend=0xFF)
    under_load(tale)


@tells("V8", MOOT, "nothing works here")
def the_scenario_does_not_get_that_far(tale: Tale) -> None:
    under_load(tale, running=lambda t: t.ends("skip", "nothing works here"))


# -- V9 and R6 -------------------------------------------------------------------------------------------------------


@tells("V9", KEPT, "running in 0.200 ms after 0x1f, requests are served")
def it_resumes_and_serves(tale: Tale) -> None:
    idle(tale)


@tells("R6", KEPT, "running in 0.200 ms after 0x1f, requests are served")
def it_resumes_as_the_rfc_has_it(tale: Tale) -> None:
    idle(tale.speaks("rfc"))


@tells("V9", KEPT, "requests are served")
def what_had_waited_is_served_and_nothing_else(tale: Tale) -> None:
    cycles(tale)


@tells("V9", KEPT, "refused: status 0x5b")
def it_fails_when_it_is_asked_to_resume(tale: Tale) -> None:
    tale.answers(resume=0x5B)
    idle(tale)


@tells("V9", KEPT, "refused: status 0x5b")
def it_reads_all_ones_before_it_fails_when_it_is_asked_to_resume(tale: Tale) -> None:
    tale.answers(resume=0x5B)
    idle(tale, asleep=lambda t: t.shows(0xFF))


@tells("V9", KEPT, "refused, after it had shown itself running: status 0x4f")
def it_fails_right_after_it_has_shown_itself_running(tale: Tale) -> None:
    idle(tale, woken=fails_at_work)


@tells("V9", BROKEN, "status 0x1b")
def it_never_resumes(tale: Tale) -> None:
    tale.answers(resume=0x1B)
    idle(tale)


@tells("R6", BROKEN, "not within 10 s")
def it_never_resumes_as_the_rfc_has_it(tale: Tale) -> None:
    tale.answers(resume=0x1F)
    idle(tale.speaks("rfc"))


@tells("V9", BROKEN, "0x0f, which clears SUSPEND and which no driver may write (D7), did resume it")
def it_resumes_by_a_byte_that_no_driver_may_write(tale: Tale) -> None:
    tale.answers(resume=0x1B, fallback=0x0F)
    under_load(tale, rounds=1)


@tells("V9", BROKEN, "0x0f does not resume it either")
def it_resumes_by_no_byte(tale: Tale) -> None:
    tale.answers(resume=0x1B, fallback=0x1B)
    under_load(tale, rounds=1)


@tells("V9", BROKEN, "not within 10 s")
def it_sets_DRIVER_OK_and_keeps_SUSPEND(tale: Tale) -> None:
    tale.answers(resume=0x1F)
    idle(tale)


@tells("V9", BROKEN, "Bus Master Enable reads 0")
def it_may_not_reach_memory_any_more(tale: Tale) -> None:
    tale.instead[names.MASTERING] = ["1", "0"]
    idle(tale)


@tells("V9", BROKEN, "8 requests are still out")
def it_shows_itself_running_and_serves_nothing(tale: Tale) -> None:
    idle(tale, woken=serves_nothing)


@tells("V9", BROKEN, "did not stay running")
def it_falls_back_to_suspended(tale: Tale) -> None:
    idle(tale, served=lambda t: t.shows(0x1B))


@tells("V9", BROKEN, "8 buffers were used after resume, and ISR showed none of them")
def it_notifies_nothing_any_more(tale: Tale) -> None:
    tale.unheard.add(f"used: {names.WOKEN}")
    idle(tale)


@tells("V9", BROKEN, "no interrupt arrives for them (INTx (by hand))")
def its_line_is_dead_after_the_resume(tale: Tale) -> None:
    tale.unheard.add(f"line: {names.WOKEN}")
    idle(tale)


@tells("V9", MOOT, "see V16", breaks="V16")
def what_was_outstanding_is_lost(tale: Tale) -> None:
    under_load(tale, woken=loses)


@tells("V9", MOOT, "failed while it was suspended, which it may")
def it_had_failed_before_it_was_asked_to_resume(tale: Tale) -> None:
    tale.answers(resume=0x5B)
    idle(tale, asleep=lambda t: t.shows(0x5B))


@tells("V9", MOOT, "was not suspended any more when it was asked to resume", breaks="V8")
def it_had_woken_up_before_it_was_asked_to_resume(tale: Tale) -> None:
    idle(tale, asleep=lambda t: t.shows(0x0F))


@tells("V9", MOOT, "was not suspended any more when it was asked to resume", breaks="V8")
def what_should_resume_it_suspends_a_device_that_had_woken_up(tale: Tale) -> None:
    """In virtio 1.4 both are one byte."""
    tale.answers(resume=0x1B)
    idle(tale, asleep=lambda t: t.shows(0x0F))


@tells("R6", MOOT, "was not suspended any more when it was asked to resume")
def it_had_woken_up_before_it_was_asked_as_the_rfc_has_it(tale: Tale) -> None:
    idle(tale.speaks("rfc"), asleep=lambda t: t.shows(0x0F))


@tells("V9", MOOT, "refused to suspend")
def it_refuses_to_suspend(tale: Tale) -> None:
    tale.answers(suspend=0x4F)
    idle(tale)


@tells("R6", MOOT, "refused to suspend")
def it_refuses_to_suspend_as_the_rfc_has_it(tale: Tale) -> None:
    tale.answers(suspend=0x4F)
    idle(tale.speaks("rfc"))


@tells("V9", MOOT, "did not suspend within 10 s", breaks="V8")
def it_was_never_suspended(tale: Tale) -> None:
    tale.answers(suspend=0x0F)
    idle(tale)


@tells("V9", MOOT, "no driver for this device type to move data with")
def nobody_knows_how_to_move_data(tale: Tale) -> None:
    idle(tale.without_driver())


@tells("V9", MOOT, "went away", verdict="ERROR")
def it_goes_away_when_it_is_asked_to_resume(tale: Tale) -> None:
    tale.answers(resume=0xFF)
    idle(tale)


@tells("V9", TOLD, "not comparable", breaks="V8")
def it_resumes_as_the_chromium_draft_has_it(tale: Tale) -> None:
    idle(tale.speaks("chromium"))


# -- V16 -------------------------------------------------------------------------------------------------------------


@tells("V16", KEPT, "3 suspends, 60 requests in all")
def three_suspends_lose_nothing(tale: Tale) -> None:
    under_load(tale)


@tells("V16", KEPT, "3 suspends, 36 requests in all")
def three_suspends_lose_nothing_in_a_window_each(tale: Tale) -> None:
    cycles(tale)


@tells("V16", KEPT, "3 suspends", breaks="V9")
def it_needs_the_other_byte_every_time_and_loses_nothing(tale: Tale) -> None:
    for _ in range(3):
        tale.answers(resume=0x1B, fallback=0x0F)
    under_load(tale)


@tells("V16", BROKEN, "suspend 1: requests were lost, doubled or damaged")
def a_request_is_lost_in_the_first(tale: Tale) -> None:
    under_load(tale, woken=loses)


@tells("V16", BROKEN, "suspend 1: requests were lost, doubled or damaged")
def a_request_comes_back_twice(tale: Tale) -> None:
    def doubles(tale: Tale) -> None:
        tale.goes_wrong(names.OUTSTANDING, "id 5 was used already", "DeviceMisbehaved", "twice")
        tale.gives_up()

    under_load(tale, woken=doubles)


@tells("V16", BROKEN, "of 12 buffers that had waited some were used after the resume, and ISR showed none")
def what_had_waited_is_served_and_not_notified(tale: Tale) -> None:
    tale.unheard.add(names.WAITED)
    under_load(tale)


@tells("V16", BROKEN, "used buffers are not notified any more", breaks="V9 V16")
def the_line_is_dead_after_the_first_under_load(tale: Tale) -> None:
    tale.unheard.add(names.WOKEN)
    under_load(tale)


@tells(
    "V16",
    BROKEN,
    "notified neither before the device showed itself suspended nor after its resume",
    breaks="V9 V12 V16",
)
def what_was_used_on_the_way_to_sleep_is_never_notified(tale: Tale) -> None:
    tale.unheard.add(names.AROUND)
    in_flight(tale, asked=lambda t: t.uses(16, notified=False), woken=lambda t: t.hears("used", names.AROUND, 16, HOLD))


@tells("V16", BROKEN, "suspend 2 was not like the one before", breaks="V8 V16")
def it_hangs_when_it_is_asked_to_suspend_again(tale: Tale) -> None:
    tale.answers(suspend=0x1B)
    tale.answers(suspend=0x0F)
    under_load(tale)


@tells("V16", BROKEN, "suspend 2 was not like the one before", breaks="V8 V16")
def it_hangs_when_it_is_asked_to_suspend_again_in_another_window(tale: Tale) -> None:
    tale.answers(suspend=0x1B)
    tale.answers(suspend=0x0F)
    cycles(tale)


@tells("V16", BROKEN, "within 10 s of writing 0x0f", breaks="V9 V16")
def it_hangs_when_it_is_asked_to_resume_again(tale: Tale) -> None:
    tale.answers(resume=0x0F)
    tale.answers(resume=0x1B, fallback=0x1B)
    under_load(tale)


@tells("V16", MOOT, "2 suspends in a row went well; 3 are needed")
def two_suspends_lose_nothing(tale: Tale) -> None:
    under_load(tale, rounds=2)


@tells("V16", MOOT, "2 suspends in a row went well; 3 are needed")
def a_suspend_in_each_of_two_runs_is_no_row(tale: Tale) -> None:
    under_load(tale, rounds=2)
    under_load(tale, rounds=2)


@tells("V16", MOOT, "2 suspends in a row went well", breaks="V8")
def it_did_not_sleep_through_one_of_three(tale: Tale) -> None:
    under_load(tale, asleep=lambda t: t.shows(0x0F))


@tells("V16", MOOT, "refused to suspend")
def it_refuses_to_suspend_under_load(tale: Tale) -> None:
    tale.answers(suspend=0x4F)
    under_load(tale)


@tells("V16", MOOT, "refused to resume")
def it_refuses_to_resume_under_load(tale: Tale) -> None:
    tale.answers(resume=0x5B)
    under_load(tale)


@tells("V16", MOOT, "failed while it was suspended, which it may")
def it_fails_while_it_is_suspended_under_load(tale: Tale) -> None:
    tale.answers(resume=0x5B)
    under_load(tale, rested=lambda t: t.shows(0x5B))


@tells("V16", MOOT, "did not suspend within 10 s", breaks="V8")
def it_hangs_in_the_first_suspend(tale: Tale) -> None:
    tale.answers(suspend=0x0F)
    under_load(tale)


@tells("V16", MOOT, "did not resume within 10 s", breaks="V9")
def it_hangs_in_the_first_resume(tale: Tale) -> None:
    tale.answers(resume=0x1B, fallback=0x1B)
    under_load(tale)


@tells("V16", MOOT, "no driver for device type type 42")
def there_is_nothing_that_could_be_lost(tale: Tale) -> None:
    under_load(tale.without_driver())


@tells("V16", MOOT, "there was no occasion to see it")
def it_was_suspended_idle_and_as_it_came_only(tale: Tale) -> None:
    idle(tale)
    stress(tale)


@tells("V16", MOOT, "1 suspends in a row went well")
def another_life_begins_after_one_suspend(tale: Tale) -> None:
    nothing_notified(tale)
