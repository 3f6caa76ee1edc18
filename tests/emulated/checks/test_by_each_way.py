"""Notifications are judged by INTx and by messages of MSI-X, each by itself, and what is open with messages is not blamed."""

from __future__ import annotations

from functools import cache, partial

import pytest

from tests.emulated.checks import proof
from tests.emulated.checks.judging import judge, results, with_verdict, words
from uvirtio.bus.emulated import EmulatedBus
from uvirtio.emulated.faults import FAULTS, statement_of
from uvirtio.spec.statements import APART, CHAPTERS, STATEMENTS
from uvirtio.spec.statements.model import Level, Need
from uvirtio_tools.judging.judge import speaks_of_notifications

_APART = {id_ for chapter in APART for id_ in CHAPTERS[chapter]}
#: What ``check`` judges by ISR and INTx and by messages; what stands apart is proven where it is judged.
BY_BOTH = [
    id_
    for id_, row in STATEMENTS.items()
    if id_ not in _APART
    and speaks_of_notifications(row)
    and Need.MESSAGES not in row.needs
    and row.level is not Level.UNSPECIFIED
]
BY_MESSAGES = [id_ for id_, row in STATEMENTS.items() if Need.MESSAGES in row.needs]
#: What nothing but ISR or a message shows, so that there is nothing left of it without either.
NEEDS_NOTIFICATIONS = {*BY_BOTH, *BY_MESSAGES, "N5", "N6", "N7"}


@cache
def _by(interrupts: str, id_: str, fault: str) -> str:
    locator = proof.WHERE.get(fault)
    where = proof.without_suspend(locator, fault) if locator else f"emulated:{proof.TYPE}fault={fault}"
    return words(judge(where, only=id_, interrupts=interrupts))[id_]


def _told_apart(id_: str) -> str:
    """The fault of a statement that shows with messages alone, empty where there is none."""
    return next((fault for fault in FAULTS if statement_of(fault) == id_ and fault.endswith("-msix")), "")


@pytest.mark.parametrize("id_", BY_BOTH)
def test_a_statement_about_notifications_is_proven_for_each_way_by_a_fault_of_its_own(id_: str) -> None:
    fault = _told_apart(id_)
    assert fault, f"{id_} has no fault that shows with MSI-X alone"
    assert _by("intx", id_, id_) in ("FAIL", "WARN")
    assert _by("intx", id_, fault) not in ("FAIL", "WARN", "ERROR"), "it is as it should be with INTx"
    assert _by("msix", id_, fault) in ("FAIL", "WARN")


@pytest.mark.parametrize("id_", BY_BOTH)
def test_a_verdict_says_by_which_way(id_: str) -> None:
    fault = _told_apart(id_)
    locator = proof.WHERE.get(fault)
    where = proof.without_suspend(locator, fault) if locator else f"emulated:{proof.TYPE}fault={fault}"
    found = results(judge(where))[id_].finding
    assert found.observed.endswith("(by MSI-X, messages into memory)")


@pytest.mark.parametrize("id_", BY_MESSAGES)
def test_what_messages_alone_show_has_a_fault_that_is_not_seen_by_intx(id_: str) -> None:
    assert _by("intx", id_, id_) == "SKIP"
    assert _by("msix", id_, id_) in ("FAIL", "WARN")


# -- without any ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["rng", "blk?size=1M", "blk?size=1M&features=-SUSPEND", "console", "net"])
def test_without_notifications_everything_else_gets_the_verdict_that_it_gets_with_intx(device: str) -> None:
    with_them = words(judge(f"emulated:{device}", interrupts="intx"))
    without = words(judge(f"emulated:{device}", interrupts="none"))
    assert set(without) == set(with_them)
    differing = {id_: (with_them[id_], word) for id_, word in without.items() if word != with_them[id_]}
    assert set(differing) <= NEEDS_NOTIFICATIONS
    assert {id_: word for id_, (_, word) in differing.items()} == dict.fromkeys(differing, "SKIP")
    assert len([word for word in without.values() if word == "PASS"]) > len(without) // 2


@pytest.mark.parametrize("fault", ["V4", "V8", "V9", "V11", "V15", "V16"])
def test_without_notifications_a_fault_of_something_else_is_found(fault: str) -> None:
    run = judge(f"emulated:blk?size=1M&fault={fault}", interrupts="none")
    failed = with_verdict(run, "FAIL", "WARN", "ERROR")
    assert fault in failed
    assert failed - {fault} <= set(STATEMENTS[fault].implies)


# -- what is left open ------------------------------------------------------------------------------------------------


def _twice(bus: EmulatedBus) -> None:
    """Every message is sent twice."""
    interrupts = bus.function.device.interrupts
    send = interrupts.on_message
    interrupts.on_message = lambda vector: (send(vector), send(vector))


def _merged(bus: EmulatedBus) -> None:
    """Messages of a vector that follow each other within 100 us are sent as one."""
    device = bus.function.device
    send, waiting = device.interrupts.on_message, set[int]()

    def due(vector: int) -> None:
        waiting.discard(vector)
        send(vector)

    def merge(vector: int) -> None:
        if vector not in waiting:
            waiting.add(vector)
            device.clock.call_at(device.clock.now() + 100e-6, partial(due, vector))

    device.interrupts.on_message = merge


@pytest.mark.parametrize("device", ["blk?size=1M", "rng?intx=off", "net", "console?features=-SUSPEND"])
def test_a_message_that_comes_twice_is_not_blamed(device: str) -> None:
    run = judge(f"emulated:{device}", tamper=_twice)
    assert with_verdict(run, "FAIL", "WARN", "ERROR") == set()
    assert words(run)["P19"] == "PASS"


@pytest.mark.parametrize("device", ["blk?size=1M&features=-SUSPEND", "rng?features=-SUSPEND,-RING_PACKED"])
def test_messages_that_merge_are_not_called_lost(device: str) -> None:
    run = judge(f"emulated:{device}", tamper=_merged)
    assert with_verdict(run, "FAIL", "WARN", "ERROR") == set()
    assert words(run)["P19"] == "PASS"


@pytest.mark.parametrize("device", ["blk?profile=crosvm&size=1M", "blk?size=1M&intx=off", "rng?profile=crosvm"])
def test_a_device_that_leaves_isr_alone_with_msix_is_warned_of_that_and_judged_by_its_messages(device: str) -> None:
    usual, quiet = (judge(f"emulated:{device}{fault}") for fault in ("", "&fault=P23"))
    differing = {id_ for id_, word in words(quiet).items() if word != words(usual)[id_]}
    assert differing <= {"P23"}
    assert words(quiet)["P23"] == ("SKIP" if "rng" in device else "WARN")
    for id_ in ("N1", "N2", "P19"):
        assert any(remark.startswith("by MSI-X") for remark in results(quiet)[id_].finding.remarks)
