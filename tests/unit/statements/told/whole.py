"""S1 and S2: what a run as a whole has to show."""

from __future__ import annotations

import json

from uvirtio_tools.judging import names

from ..scenes import first, idle, last, look_around, stress
from ..table import BROKEN, KEPT, MOOT, NOTED, TOLD, tells
from ..tale import Tale

# -- S1 --------------------------------------------------------------------------------------------------------------


@tells("S1", KEPT, "3 suspends at random points (seed 7), 20 requests: every request came back exactly once")
def nothing_is_lost_in_any_cycle(tale: Tale) -> None:
    stress(tale)


@tells("S1", KEPT, "3 suspends at random points (seed 7), 20 requests")
def each_run_is_counted_afresh(tale: Tale) -> None:
    stress(tale)
    stress(tale)


def _fails(tale: Tale, shortest: list[dict[str, str]]) -> None:
    tale.goes_wrong(names.CYCLE, "1 request never came back", "DeviceTimeout")
    tale.goes_on(f"{names.STRESS}, replayed", ())
    tale.started()
    tale.control()
    tale.goes_on(names.STRESS, ("S1",))
    tale.reads(names.SHORTEST, json.dumps(shortest))
    tale.gives_up()


@tells(
    "S1",
    BROKEN,
    "cycle 2 of 3 (seed 7) | 1 request never came back | the shortest sequence found that still fails has 1 cycle,",
)
def one_is_lost_in_a_cycle_that_fails_again(tale: Tale) -> None:
    stress(tale, cycled=lambda t: _fails(t, [{"moment": "before the kick"}]))


@tells("S1", BROKEN, "the shortest sequence found that still fails has 2 cycles")
def one_is_lost_in_cycles_that_fail_again(tale: Tale) -> None:
    stress(tale, cycled=lambda t: _fails(t, [{"moment": "before the kick"}] * 2))


@tells("S1", BROKEN, "replaying the 2 cycles did not fail again")
def one_is_lost_and_that_does_not_happen_again(tale: Tale) -> None:
    stress(tale, cycled=lambda t: _fails(t, []))


@tells("S1", NOTED, "after 1 good cycles of 3 (seed 7) the device refused to suspend")
def it_refuses_after_good_cycles(tale: Tale) -> None:
    def refuses(tale: Tale) -> None:
        tale.reads(names.REFUSED_LATER, "the device refused to suspend")
        tale.gives_up()

    stress(tale, cycled=refuses)


@tells("S1", MOOT, "refused to suspend")
def it_refuses_in_the_first_cycle(tale: Tale) -> None:
    tale.answers(suspend=0x4F)
    stress(tale)


@tells("S1", MOOT, "no driver for device type type 42")
def nobody_knows_how_to_move_data(tale: Tale) -> None:
    with tale.without_driver().scenario(names.STRESS, "S1"):
        tale.ends("skip", "no driver")


@tells("S1", MOOT, "there was no occasion to see it")
def other_suspends_are_no_stress(tale: Tale) -> None:
    idle(tale)


# -- S2 --------------------------------------------------------------------------------------------------------------


@tells("S2", KEPT, "3 properties and the configuration are as they were")
def it_is_the_same_as_before(tale: Tale) -> None:
    first(tale)
    idle(tale)
    last(tale)


@tells("S2", BROKEN, "BARs: 0xfe000000 -> 0x0")
def its_BARs_are_not_the_same(tale: Tale) -> None:
    first(tale)
    idle(tale)
    last(tale, BARs="0x0")


@tells("S2", BROKEN, "largest size of queue 1: none -> 64")
def it_has_more_than_before(tale: Tale) -> None:
    first(tale)
    idle(tale)
    last(tale, **{"largest size of queue 1": "64"})


@tells("S2", BROKEN, "identity: 1af4:1042 -> 1af4:1041")
def it_is_another_device_although_it_never_slept(tale: Tale) -> None:
    first(tale)
    last(tale, identity="1af4:1041")


@tells("S2", BROKEN, "the configuration changed and nobody was told")
def its_configuration_changed_silently(tale: Tale) -> None:
    first(tale)
    idle(tale)
    last(tale, isr="used", config="01ff")


@tells("S2", BROKEN, "2 -> 3 bytes")
def its_configuration_grew_silently(tale: Tale) -> None:
    first(tale)
    idle(tale)
    last(tale, isr="used", config="00ff00")


@tells("S2", TOLD, "and that was notified: capacity 0x0000000000000001 -> 0x0000000000000002")
def its_configuration_changed_and_that_was_told(tale: Tale) -> None:
    with tale.scenario("the device in the beginning"):
        tale.portrays("first", "0100000000000000")
    idle(tale)
    last(tale, config="0200000000000000")


@tells("S2", TOLD, "ISR shows nothing on this device, notified or not")
def its_configuration_changed_and_ISR_shows_nothing(tale: Tale) -> None:
    first(tale)
    idle(tale)
    last(tale, isr="nothing", config="01ff")


@tells("S2", MOOT, "the device is as it was, but was never suspended in this run")
def it_was_never_suspended(tale: Tale) -> None:
    first(tale)
    last(tale)


@tells("S2", MOOT, "there was no occasion to see it")
def it_was_not_looked_at_in_the_end(tale: Tale) -> None:
    first(tale)
    idle(tale)


# -- S3 --------------------------------------------------------------------------------------------------------------


@tells("S3", KEPT, "2 registers and fields read the same after the resume")
def it_comes_back_as_it_was_set_up(tale: Tale) -> None:
    look_around(tale)


@tells("S3", BROKEN, "what was set up is not the same after the resume | queue_size of queue 0: 0x10 -> 0x100")
def its_queue_has_another_size_after_the_resume(tale: Tale) -> None:
    look_around(tale, after=json.dumps({"queue_size of queue 0": "0x100", "queue_enable of queue 0": "0x1"}))


@tells("S3", MOOT, "refused to resume")
def it_was_not_looked_at_after_a_resume(tale: Tale) -> None:
    tale.answers(resume=0x5B)
    look_around(tale)
