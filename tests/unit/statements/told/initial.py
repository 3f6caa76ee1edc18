"""V1, R3, R4 and V13: before a device is initialised completely."""

from __future__ import annotations

from uvirtio_tools.judging import names

from ..scenes import early, not_negotiated, staged
from ..table import BROKEN, KEPT, MOOT, tells
from ..tale import HOLD, Tale


def skips(tale: Tale, name: str, shows: str) -> None:
    """The scenario cannot be had."""
    with tale.scenario(name, shows):
        tale.ends("skip", "no driver for device type type 42, so nothing can be moved")


# -- V1 and R3 -------------------------------------------------------------------------------------------------------


@tells("V1", KEPT, "SUSPEND was ignored at 5 stages of the initialisation, which finished and moved data")
def SUSPEND_is_ignored_at_every_stage(tale: Tale) -> None:
    staged(tale)


@tells("R3", KEPT, "SUSPEND was ignored at 3 stages")
def SUSPEND_is_ignored_up_to_FEATURES_OK(tale: Tale) -> None:
    staged(tale.speaks("rfc"))


@tells("V1", KEPT, "at 5 stages")
def a_status_of_all_ones_says_nothing(tale: Tale) -> None:
    tale.instead[f"{names.POKED}after ACKNOWLEDGE"] = ["255"]
    staged(tale)


@tells("V1", BROKEN, "after DRIVER: status reads 0x13")
def the_byte_is_stored(tale: Tale) -> None:
    tale.instead[f"{names.POKED}after DRIVER"] = [str(0x13)]
    staged(tale)


@tells("R3", BROKEN, "after reset: status reads 0x10")
def the_byte_is_stored_before_FEATURES_OK(tale: Tale) -> None:
    tale.instead[f"{names.POKED}after reset"] = [str(0x10)]
    staged(tale.speaks("rfc"))


@tells("V1", BROKEN, "after traffic: status reads 0x1b")
def it_suspends_once_it_is_initialised(tale: Tale) -> None:
    tale.instead[f"{names.POKED}after traffic"] = [str(0x1B)]
    staged(tale)


@tells("V1", BROKEN, "after FEATURES_OK: the device set DEVICE_NEEDS_RESET: 0x4b")
def it_fails_over_an_early_SUSPEND(tale: Tale) -> None:
    tale.instead[f"{names.POKED}after FEATURES_OK"] = [str(0x4B)]
    staged(tale)


@tells("V1", BROKEN, "the initialisation did not finish, or no data moved: 8 requests are still out")
def it_works_no_more_after_an_early_SUSPEND(tale: Tale) -> None:
    staged(tale, finished=lambda t: t.goes_wrong(names.FINISHED, "8 requests are still out"), moves=False)


@tells("V1", MOOT, "no driver for device type")
def whether_the_initialisation_works_cannot_be_seen(tale: Tale) -> None:
    skips(tale, "SUSPEND at every stage of the initialisation", "V1")


@tells("R3", MOOT, "no driver for device type")
def whether_the_initialisation_works_cannot_be_seen_either(tale: Tale) -> None:
    skips(tale.speaks("rfc"), "SUSPEND at every stage of the initialisation", "R3")


@tells("V1", MOOT, "there was no occasion to see it")
def SUSPEND_on_a_running_device_is_another_matter(tale: Tale) -> None:
    not_negotiated(tale, poked=lambda t: t.shows(0x1F))


# -- R4 --------------------------------------------------------------------------------------------------------------


@tells("R4", KEPT, "SUSPEND did not read back, and traffic went on")
def SUSPEND_is_ignored_without_its_feature(tale: Tale) -> None:
    not_negotiated(tale.speaks("rfc"))


@tells("R4", BROKEN, "without the feature: status reads 0x1f")
def the_byte_is_stored_without_the_feature(tale: Tale) -> None:
    tale.instead[f"{names.POKED}without the feature"] = [str(0x1F)]
    not_negotiated(tale.speaks("rfc"))


@tells("R4", BROKEN, "the device set DEVICE_NEEDS_RESET")
def it_fails_over_SUSPEND_without_the_feature(tale: Tale) -> None:
    tale.instead[f"{names.POKED}without the feature"] = [str(0x4F)]
    not_negotiated(tale.speaks("rfc"))


@tells("R4", BROKEN, "8 requests are still out")
def it_works_no_more_after_SUSPEND_without_the_feature(tale: Tale) -> None:
    not_negotiated(tale.speaks("rfc"), poked=lambda t: t.goes_wrong(names.ODD, "8 requests are still out"), moves=False)


@tells("R4", MOOT, "no driver for device type")
def whether_traffic_goes_on_cannot_be_seen(tale: Tale) -> None:
    skips(tale.speaks("rfc"), "SUSPEND without its feature", "R4")


# -- V13 -------------------------------------------------------------------------------------------------------------


@tells("V13", KEPT, "16 buffers stayed untouched for 0.1 s before DRIVER_OK, and were served after it")
def buffers_wait_for_DRIVER_OK(tale: Tale) -> None:
    early(tale)


@tells("V13", KEPT, "16 buffers stayed untouched")
def it_prepares_its_side_of_a_ring(tale: Tale) -> None:
    early(tale, published=lambda t: t.scribbles("queue 0 rings"))


@tells("V13", KEPT, "16 buffers stayed untouched")
def it_announces_a_change_of_its_configuration(tale: Tale) -> None:
    early(tale, published=lambda t: t.isr(2))


@tells("V13", BROKEN, "queue 0: used index 0 -> 4")
def buffers_are_used_before_DRIVER_OK(tale: Tale) -> None:
    early(tale, published=lambda t: t.uses(4, notified=False))


@tells("V13", BROKEN, "; ISR bit 0 was set")
def buffers_are_used_and_notified_before_DRIVER_OK(tale: Tale) -> None:
    def polls(tale: Tale) -> None:
        tale.loads(notified=0)
        tale.uses(4)

    early(tale, published=polls)


@tells("V13", BROKEN, "queue 0 buffer 3")
def a_buffer_is_written_to_before_DRIVER_OK(tale: Tale) -> None:
    early(tale, published=lambda t: t.scribbles("queue 0 buffer 3"))


@tells("V13", BROKEN, "ISR bit 0 was set")
def something_is_notified_before_DRIVER_OK(tale: Tale) -> None:
    early(tale, published=lambda t: t.isr(1))


@tells("V13", MOOT, "were not served after DRIVER_OK either: 16 requests are still out")
def buffers_are_not_served_afterwards(tale: Tale) -> None:
    def forgets(tale: Tale) -> None:
        tale.holds(HOLD / 2, "before DRIVER_OK")
        tale.steps_to(0x0F)
        tale.goes_wrong(names.EARLY, "16 requests are still out")
        tale.gives_up()

    early(tale, published=forgets)


@tells("V13", MOOT, "no driver for device type")
def nothing_can_be_published_before_DRIVER_OK(tale: Tale) -> None:
    skips(tale, "publish buffers before DRIVER_OK", "V13")
