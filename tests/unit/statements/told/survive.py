"""U: what a device keeps over an event of its host."""

from __future__ import annotations

from dataclasses import replace

from uvirtio.queue import QueueState
from uvirtio_tools.judging import names
from uvirtio_tools.judging.events import Happened, Left, Stood

from ..table import BROKEN, KEPT, MOOT, TOLD, tells
from ..tale import TIMEOUT, Tale, Twist, nothing

#: What was written to the device: as it reads before an event and after it.
HELD = {
    "driver_feature": "0x1", "config_msix_vector": "0xffff", "queue_size of queue 0": "0x40", "queue_enable of queue 0": "0x1",
    "command": "0x7", "number of queues": "1",
}  # fmt: skip


def left(tale: Tale, when: str, notified: int = 0, waiting: int = 0, fresh: int = 0, **more: int) -> None:
    """What is out."""
    more = {"overtaken": 0, "returned": 0} | more
    tale.history.add(Left(tale.clock.now(), when, notified, waiting, fresh, **more))


def stands(tale: Tale, when: str, status: int = 0x0F, owed: bool = True, told: int | None = 99, **more: object) -> None:
    """Where the queue is; ``told``: its index when the device was last notified."""
    state: QueueState = replace(tale.state(), **more)  # type: ignore[arg-type]
    tale.history.add(Stood(tale.clock.now(), when, status, {0: state}, {} if told is None else {0: told}, owed))


def settles(tale: Tale) -> None:
    """Everything comes back."""
    left(tale, names.UNTOLD, 0, 4, returned=8)
    left(tale, names.KICKED, returned=4)
    left(tale, names.FRESHLY, returned=2)


def works(tale: Tale) -> None:
    """Requests go through as before, and are notified."""
    tale.hears("used", names.TOLD_AGAIN)
    tale.traffic(names.WORKING)
    tale.reads(names.CONTROL_BIT, 0)


def event(
    tale: Tale,
    *,
    name: str = "migrate",
    trouble: str = "",
    noticed: str = "",
    before: dict[str, object] | None = None,
    out: tuple[int, int] = (8, 4),
    after: dict[str, object] | None = None,
    pending: Twist = lambda tale: tale.hears("used", names.PENDING),
    held: dict[str, str] | None = None,
    config: str = "00ff",
    settled: Twist = settles,
    working: Twist = works,
    used: bool = True,
    msix: str = "",
) -> None:
    """An event of the host with buffers in every state."""
    with tale.scenario(names.ORDEAL, "U1"):
        tale.started()
        tale.control(used=used)
        usual = HELD | ({names.MSIX: msix} if msix else {})
        tale.portrays(names.BEFORE_EVENT, **usual)
        stands(tale, names.BEFORE_EVENT, **(before or {}))  # type: ignore[arg-type]
        tale.history.add(Happened(tale.clock.now(), name, not noticed, 0.25, trouble, noticed))
        if trouble:
            return
        stands(tale, names.AFTER_EVENT, **(after or {}))  # type: ignore[arg-type]
        pending(tale)
        left(tale, names.AFTER_EVENT, *out)
        tale.portrays(names.AFTER_EVENT, config, **(usual | (held or {})))
        settled(tale)
        working(tale)


def goes_wrong(kind: str, rule: str = "", text: str = "that cannot be") -> Twist:
    """What came back was wrong, and the scenario ends."""

    def wrong(tale: Tale) -> None:
        tale.goes_wrong(names.WORKING, text, kind, rule)
        tale.gives_up()

    return wrong


def stuck(**last: int) -> Twist:
    """Buffers stay out, whatever is done."""

    def never(tale: Tale) -> None:
        for when in (names.UNTOLD, names.KICKED, names.FRESHLY, names.FORCED):
            left(tale, when, **last)
        tale.gives_up()

    return never


def every(*ids: str) -> None:
    """What any of these says of an event that is none, and of one that goes well."""
    for id_ in ids:
        tells(id_, MOOT, "could not be had")(cannot_be_had)
        tells(id_, MOOT, "begins anew")(is_reset)
        tells(id_, KEPT, "")(goes_well if id_ not in ("U5", "U6", "U9") else goes_well_packed)


def cannot_be_had(tale: Tale) -> None:
    """The host refuses."""
    event(tale, trouble="this QEMU knows no such command")


def is_reset(tale: Tale) -> None:
    """The whole machine is."""
    event(tale, name="reset")


def goes_well(tale: Tale) -> None:
    """Nothing is lost."""
    event(tale)


def goes_well_packed(tale: Tale) -> None:
    """Nothing is lost: a packed ring, events, and messages."""
    tale.packed = True
    flags = {"device_event.desc": 0x8000, "device_event.flags": 2}
    event(tale, before={"flags": flags}, after={"flags": flags}, msix="0x8000")


every("U1", "U2", "U3", "U4", "U5", "U6", "U7", "U8", "U9", "U10", "U11", "U12", "U13", "U14", "U15")


# -- buffers -----------------------------------------------------------------------------------------------------------


@tells("U1", BROKEN, "later ones of the same queue came back")
def what_was_in_process_is_lost(tale: Tale) -> None:
    event(tale, settled=stuck(notified=4, overtaken=4))


@tells("U1", MOOT, "it does not show that any of them was in process", breaks="U2")
@tells("U2", BROKEN, "passed over 4 buffers")
def what_was_available_is_passed_over(tale: Tale) -> None:
    event(tale, settled=stuck(waiting=4))


@tells("U2", MOOT, "see U1", breaks="U1")
@tells("U4", MOOT, "buffers are out", breaks="U1")
@tells("U6", MOOT, "buffers are out", breaks="U1")
@tells("U7", MOOT, "no notification brings back", breaks="U1")
def taken_buffers_never_come_back(tale: Tale) -> None:
    flags = {"avail_event": 4}
    event(tale, before={"flags": flags}, after={"flags": flags}, settled=stuck(notified=4, overtaken=4))


@tells("U2", BROKEN, "takes nothing from its queues")
def a_split_ring_is_dead(tale: Tale) -> None:
    event(tale, settled=stuck(notified=8, waiting=4, fresh=2))


@tells("U2", MOOT, "see U5", breaks="U5")
@tells("U5", BROKEN, "a packed ring is dead")
def a_packed_ring_is_dead(tale: Tale) -> None:
    tale.packed = True
    event(tale, settled=stuck(notified=8, waiting=4, fresh=2))


@tells("U1", MOOT, "nothing was in process")
@tells("U2", MOOT, "nothing was available")
@tells("U7", MOOT, "nothing that had been notified was out")
@tells("U6", MOOT, "EVENT_IDX was not negotiated")
def an_idle_device_is_moved(tale: Tale) -> None:
    event(
        tale, before={"owed": False, "told": None}, out=(0, 0), pending=nothing,
        settled=lambda t: [left(t, when, returned=n) for n, when in enumerate((names.UNTOLD, names.FRESHLY))] and None,
    )  # fmt: skip


@tells("U3", BROKEN, "used twice", breaks="U3 Q6")
@tells("U1", MOOT, "something else went wrong", breaks="U3 Q6")
@tells("U2", MOOT, "something else went wrong", breaks="U3 Q6")
@tells("U4", MOOT, "something else went wrong", breaks="U3 Q6")
@tells("U7", MOOT, "something else went wrong", breaks="U3 Q6")
@tells("U15", MOOT, "something else went wrong", breaks="U3 Q6")
def a_buffer_comes_back_twice(tale: Tale) -> None:
    event(tale, settled=goes_wrong("DeviceMisbehaved", "used id", "id 3 is not in flight"))


@tells("U3", BROKEN, "4 further", breaks="U3 Q6")
def more_are_used_than_are_out(tale: Tale) -> None:
    def wrong(tale: Tale) -> None:
        tale.goes_wrong(names.WORKING, "the used index went 4 further", "DeviceMisbehaved", "used index")
        stands(tale, names.WRONG, device_index=21, seen=17)
        tale.gives_up()

    event(tale, settled=wrong)


@tells("U4", BROKEN, "jumped", breaks="U4 Q6")
@tells("U3", MOOT, "something else went wrong", breaks="U4 Q6")
def the_used_ring_begins_anew(tale: Tale) -> None:
    event(tale, settled=goes_wrong("DeviceMisbehaved", "used index", "the used index went from 17 to 1"))


@tells("U3", MOOT, "no traffic came through")
def nothing_is_asked_of_it_afterwards(tale: Tale) -> None:
    event(tale, working=Tale.gives_up)


@tells("U4", MOOT, "see U5")
def a_packed_ring_goes_on(tale: Tale) -> None:
    tale.packed = True
    event(tale)


@tells("U5", BROKEN, "neither available nor used", breaks="U5 Q6")
def a_packed_ring_has_used_what_it_has_not(tale: Tale) -> None:
    tale.packed = True
    event(tale, settled=goes_wrong("DeviceMisbehaved", "flags", "descriptor 17 is neither available nor used"))


@tells("U5", MOOT, "something else went wrong", breaks="U3 Q6")
@tells("U6", MOOT, "something else went wrong", breaks="U3 Q6")
def a_packed_ring_gives_back_twice(tale: Tale) -> None:
    tale.packed = True
    flags = {"device_event.desc": 0x8000, "device_event.flags": 2}
    event(tale, before={"flags": flags}, settled=goes_wrong("DeviceMisbehaved", "used id"))


@tells("U5", MOOT, "they have no wrap counters")
def a_split_ring_goes_on(tale: Tale) -> None:
    event(tale)


# -- who has to be told ------------------------------------------------------------------------------------------------


def only_forced(tale: Tale) -> None:
    """A notification that was suppressed would have been needed."""
    left(tale, names.UNTOLD)
    left(tale, names.FRESHLY, fresh=2)
    left(tale, names.FORCED, returned=2)


@tells("U6", BROKEN, "queue 0: 0x10 -> 0xf")
def a_stale_available_event_is_restored(tale: Tale) -> None:
    event(
        tale, out=(0, 0), before={"flags": {"avail_event": 16}, "driver_index": 16},
        after={"flags": {"avail_event": 15}, "driver_index": 16}, settled=only_forced,
    )  # fmt: skip


@tells("U7", BROKEN, "2 buffers came back after a notification that was not asked for")
def it_waits_for_a_notification_that_nobody_owes(tale: Tale) -> None:
    event(tale, out=(0, 0), settled=only_forced)


@tells("U7", BROKEN, "came back after a kick")
def what_was_notified_needs_another_kick(tale: Tale) -> None:
    def settled(tale: Tale) -> None:
        left(tale, names.UNTOLD, 8, 4)
        left(tale, names.KICKED, returned=12)
        left(tale, names.FRESHLY, returned=2)

    event(tale, settled=settled)


@tells("U8", BROKEN, "that was due at the event")
def a_pending_notification_is_lost(tale: Tale) -> None:
    tale.unheard.add(names.PENDING)
    event(tale)


@tells("U8", BROKEN, "of a request after it")
def it_notifies_no_more(tale: Tale) -> None:
    tale.unheard.add(names.TOLD_AGAIN)
    event(tale)


@tells("U8", BROKEN, "no interrupt came")
def the_line_stays_low(tale: Tale) -> None:
    tale.unheard.add(f"line: {names.TOLD_AGAIN}")

    def working(tale: Tale) -> None:
        tale.hears("line", names.TOLD_AGAIN)
        works(tale)

    event(tale, working=working)


@tells("U8", MOOT, "did not show as ISR bit 0 alone")
def notifications_are_not_seen_here(tale: Tale) -> None:
    event(tale, used=False)


@tells("U8", MOOT, "something else went wrong", breaks="U3 Q6")
def nothing_was_listened_for(tale: Tale) -> None:
    event(tale, pending=nothing, settled=goes_wrong("DeviceMisbehaved", "used id"))


# -- registers ---------------------------------------------------------------------------------------------------------


@tells("U9", BROKEN, "config_msix_vector")
def a_vector_is_forgotten(tale: Tale) -> None:
    event(tale, held={"config_msix_vector": "0x0"}, msix="0x8000")


@tells("U9", MOOT, "MSI-X is not used")
def there_are_no_vectors(tale: Tale) -> None:
    event(tale)


@tells("U10", BROKEN, "driver_feature: 0x1 -> 0x0")
def features_are_forgotten(tale: Tale) -> None:
    event(tale, held={"driver_feature": "0x0"})


@tells("U11", BROKEN, "00ff -> 01ff")
def the_configuration_is_another(tale: Tale) -> None:
    event(tale, config="01ff")


@tells("U11", KEPT, "that was notified")
def the_configuration_changes_as_it_may(tale: Tale) -> None:
    tale.instead[names.CONTROL_BIT] = ["1"]
    event(tale, config="01ff")


@tells("U11", MOOT, "was not waited for")
def the_configuration_is_another_and_nothing_goes_on(tale: Tale) -> None:
    event(tale, config="01ff", working=Tale.gives_up)


@tells("U11", MOOT, "has no configuration")
def there_is_no_configuration(tale: Tale) -> None:
    with tale.scenario(names.ORDEAL, "U1"):
        tale.history.add(Happened(tale.clock.now(), "pause", True, 0.25))
        for which in (names.BEFORE_EVENT, names.AFTER_EVENT):
            tale.portrays(which, "")


@tells("U12", BROKEN, "0x0f")
def it_is_reset_by_it(tale: Tale) -> None:
    event(tale, after={"status": 0}, pending=Tale.gives_up)


@tells("U12", BROKEN, "needs a reset")
def it_fails_over_what_was_out(tale: Tale) -> None:
    event(tale, settled=goes_wrong("DeviceNeedsReset"))


@tells("U12", MOOT, "which may be")
def it_is_reset_by_a_sleep_of_the_machine(tale: Tale) -> None:
    event(tale, name="a gap in time", noticed="the machine slept", after={"status": 0}, pending=Tale.gives_up)


@tells("U12", BROKEN, "another after sleep")
def it_fails_over_a_sleep_of_the_machine(tale: Tale) -> None:
    event(tale, name="sleep", after={"status": 0x4F}, pending=Tale.gives_up)


@tells("U12", MOOT, "is gone")
def it_goes_away(tale: Tale) -> None:
    event(tale, after={"status": 0xFF}, pending=Tale.gives_up)


@tells("U12", MOOT, "something else")
@tells("U9", MOOT, "something else")
@tells("U11", MOOT, "something else")
def nobody_looks_afterwards(tale: Tale) -> None:
    with tale.scenario(names.ORDEAL, "U1"):
        tale.history.add(Happened(tale.clock.now(), "pause", True, 0.25))


@tells("U13", BROKEN, "queue_size of queue 0: 0x40 -> 0x100")
def the_size_of_a_queue_is_forgotten(tale: Tale) -> None:
    event(tale, held={"queue_size of queue 0": "0x100"})


@tells("U13", MOOT, "there is no such register")
def there_are_no_queues(tale: Tale) -> None:
    with tale.scenario(names.ORDEAL, "U1"):
        tale.history.add(Happened(tale.clock.now(), "pause", True, 0.25))
        for which in (names.BEFORE_EVENT, names.AFTER_EVENT):
            tale.portrays(which)


@tells("U14", BROKEN, "identity: 1af4:1042 -> 0000:0000")
def its_ids_are_forgotten(tale: Tale) -> None:
    event(tale, held={"identity": "0000:0000"})


@tells("U15", BROKEN, "the sector reads as zeros")
def contents_are_lost(tale: Tale) -> None:
    event(tale, working=goes_wrong("WorkloadFailed", "", "the sector reads as zeros"))


# -- suspended ---------------------------------------------------------------------------------------------------------


def asleep(tale: Tale, *, away: Twist = nothing, status: int = 0x1B, woken: Twist = nothing) -> None:
    """A suspended device is moved."""
    with tale.scenario(names.ORDEAL_ASLEEP, "U16"):
        tale.started()
        tale.control()
        tale.loads()
        tale.suspends()
        stands(tale, names.BEFORE_EVENT, 0x1B, owed=False)
        tale.history.add(Happened(tale.clock.now(), "migrate", True, 0.25))
        stands(tale, names.AFTER_EVENT, status, owed=False)
        if status != 0x1B:
            tale.gives_up()
        left(tale, names.AFTER_EVENT, 0, 8)
        away(tale)
        tale.looks(names.AFTER_EVENT)
        woken(tale)


@tells("U16", KEPT, "pieces of memory as they were")
@tells("U12", MOOT, "see U16")
def a_suspended_device_is_moved(tale: Tale) -> None:
    asleep(tale)


@tells("U16", BROKEN, "queue 0 rings", breaks="U16 V4")
def a_suspended_device_works_while_it_is_away(tale: Tale) -> None:
    asleep(tale, away=lambda t: t.scribbles("queue 0 rings"))


@tells("U16", BROKEN, "not suspended any more")
def a_suspended_device_runs_afterwards(tale: Tale) -> None:
    asleep(tale, status=0x0F)


@tells("U16", BROKEN, "does not resume")
def a_suspended_device_does_not_resume(tale: Tale) -> None:
    asleep(tale, woken=goes_wrong("DeviceMisbehaved", "resume", f"the device did not resume within {TIMEOUT:g} s"))


@tells("U16", MOOT, "was not suspended")
def a_running_device_is_moved(tale: Tale) -> None:
    event(tale)


@tells("U16", MOOT, "something else")
def nobody_looks_at_its_memory(tale: Tale) -> None:
    tale.overlooked.add(names.AFTER_EVENT)
    asleep(tale)


@tells("U17", TOLD, "migrate: 0.250 s")
def it_takes_a_moment(tale: Tale) -> None:
    event(tale)


@tells("U17", TOLD, "noticed by the time that is missing")
def it_is_only_noticed(tale: Tale) -> None:
    event(tale, name="a gap", noticed="the time that is missing")


@tells("U17", MOOT, "could not be had")
def it_does_not_happen(tale: Tale) -> None:
    cannot_be_had(tale)


tells("U10", MOOT, "something else")(nobody_looks_afterwards)
tells("U14", MOOT, "something else")(nobody_looks_afterwards)
