"""The driver's duties are judged from records: each breach is seen, and no deliberate deviation is."""

from __future__ import annotations

import pytest

from uvirtio.access.trace import Access, Event, Published
from uvirtio.spec.dialects import RFC, V1_4
from uvirtio_tools.statements.driver import Duties


def write(
    value: int, *, space: str = "common", name: str = "device_status", offset: int = 0x14, why: str = ""
) -> Access:
    return Access(0.0, "write", space, name, offset, 1, value, why)


def read(value: int) -> Access:
    return Access(0.0, "read", "common", "device_status", 0x14, 1, value)


PUBLISH = Published(0.0, 0, "avail.idx", 7)
NOTIFY = write(0, space="notify", name="+0x0", offset=0)
CONFIG = write(1, space="config", name="+0x20", offset=0x20)
#: Reset, acknowledge, negotiate bit 43, run.
INIT = [
    write(0), read(0), write(1), write(3),
    write(1, name="driver_feature_select"), write(1 << 11 | 1, name="driver_feature"), write(0xB), read(0xB), write(0xF),
]  # fmt: skip
SUSPEND = [write(0x1F), read(0x0F), read(0x1B)]
RESUME = [write(0x1F), read(0x1B), read(0x0F)]


def broken(*records: Event) -> set[str]:
    return set(Duties(V1_4).follow([*INIT, *records]).broken)


def test_a_lawful_life_breaks_nothing_and_counts_its_occasions() -> None:
    duties = Duties(V1_4).follow(
        [*INIT, PUBLISH, NOTIFY, CONFIG, *SUSPEND, *RESUME, PUBLISH, NOTIFY, *SUSPEND, write(0), read(0)]
    )
    assert duties.broken == {}
    assert (duties.suspends, duties.resumes, duties.publishes, duties.notifications) == (2, 1, 2, 2)


@pytest.mark.parametrize(
    ("records", "duty"),
    [
        ([*SUSPEND, PUBLISH], "D3"),
        ([*SUSPEND, NOTIFY], "D4"),
        ([*SUSPEND, CONFIG], "D5"),
        ([SUSPEND[0], PUBLISH], "D3"),
        ([*SUSPEND, write(0x1F), PUBLISH], "D6"),
        ([*SUSPEND, write(0x1F), read(0x1B), NOTIFY], "D6"),
        ([*SUSPEND, write(0x0F)], "D7"),
        ([write(0x0B)], "D7"),
    ],
)
def test_each_breach_is_seen(records: list[Event], duty: str) -> None:
    assert broken(*records) == {duty}


def test_suspending_without_driver_ok_or_without_the_feature_breaks_d1() -> None:
    assert "D1" in Duties(V1_4).follow([*INIT[:-1], write(0x1B)]).broken
    without = [record for record in INIT if record.name != "driver_feature"]
    assert "D1" in Duties(V1_4).follow([*without, write(0x1F)]).broken


def test_resuming_what_was_never_read_as_suspended_breaks_d2() -> None:
    duties = Duties(V1_4).follow([*INIT, write(0x1F), read(0x0F), write(0x0F)])
    assert "D2" in duties.broken


def test_giving_up_by_reset_breaks_nothing() -> None:
    assert broken(write(0x1F), read(0x0F), write(0), read(0)) == set()


def test_what_was_tagged_as_deviation_is_not_judged() -> None:
    tagged = [
        Access(0.0, "write", "notify", "+0x0", 0, 2, 0, "D4: on purpose"),
        Access(0.0, "write", "config", "+0x20", 0x20, 1, 1, "D5: on purpose"),
        Published(0.0, 0, "avail.idx", 9, "D3: on purpose"),
    ]
    assert broken(*SUSPEND, *tagged) == set()
    assert broken(*SUSPEND, *tagged, NOTIFY) == {"D4"}


def test_an_odd_suspend_of_a_check_does_not_put_the_rest_of_the_initialisation_in_the_wrong() -> None:
    early = [
        write(0),
        write(0x10, why="D1: too early"),
        read(0x10),
        write(1),
        write(3),
        write(0xB),
        write(0xF),
        PUBLISH,
        NOTIFY,
    ]
    assert Duties(V1_4).follow(early).broken == {}


def test_the_rfcs_duties() -> None:
    features = [write(1, name="driver_feature_select"), write(1 << 9 | 1, name="driver_feature")]
    start = [write(0), write(1), write(3), *features]
    assert "R1" in Duties(RFC).follow([*start, write(0x13)]).broken
    lawful = [*start, write(0xB), write(0xF), write(0x1F), read(0x1F), write(0x1F), read(0x0F)]
    assert not {"R1", "R2"} & set(Duties(RFC).follow(lawful).broken)
