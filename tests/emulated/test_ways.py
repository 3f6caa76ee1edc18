"""Which way of seeing messages of MSI-X works on a device is found out by a request, and said."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from uvirtio.bus.emulated import EmulatedBus
from uvirtio.bus.locator import parse
from uvirtio.device import Device
from uvirtio.emulated.messages import MsixTable
from uvirtio.errors import CannotRun
from uvirtio.messages import Way
from uvirtio_tools.driving.bring_up import BringUp
from uvirtio_tools.driving.options import RunOptions
from uvirtio_tools.driving.ways import find_way, set_interrupts

from .checks.judging import judge, results, with_verdict, words


class _Forgetful(set[int]):
    """Pending bits that are never set."""

    def add(self, vector: int) -> None:
        """Nothing."""


def _conforming(_table: MsixTable) -> None:
    pass


def _undelivered(table: MsixTable) -> None:
    table.deliver = lambda vector: None  # type: ignore[method-assign]


def _loses_masked(table: MsixTable) -> None:
    table.pending = _Forgetful()


def _keeps_pending(table: MsixTable) -> None:
    table.deliver = table.pending.add  # type: ignore[method-assign]


def _swallows(table: MsixTable) -> None:
    table.receiver = lambda vector: True


def _device(locator: str, tamper: Callable[[MsixTable], None] = _conforming) -> tuple[Device, EmulatedBus]:
    bus = EmulatedBus(parse(locator))
    tamper(bus.function.table)
    return Device(bus), bus


@pytest.mark.parametrize(
    ("tamper", "way", "said"),
    [
        (_conforming, Way.MEMORY, "as a pending bit where it is masked"),
        (_undelivered, Way.PENDING, "its message does not arrive in memory"),
        (_loses_masked, Way.MEMORY, "pending bits are not shown"),
        (_keeps_pending, None, "neither as a message into memory nor as a pending bit"),
        (_swallows, None, "neither as a message into memory nor as a pending bit"),
    ],
)
def test_what_a_request_shows_is_found_out(tamper: Callable[[MsixTable], None], way: Way | None, said: str) -> None:
    device, bus = _device("emulated:rng", tamper)
    with device:
        found = find_way(BringUp(device, RunOptions()))
        assert found.way is way
        assert said in found.text
        assert device.messages is None
        assert not bus.function.pci.msix_enabled
        assert device.status.read() == 0


def test_a_device_that_nothing_can_be_moved_on_shows_no_messages() -> None:
    device, _ = _device("emulated:vsock")
    with device:
        found = find_way(BringUp(device, RunOptions()))
        assert found.way is None
        assert found.text.startswith("MSI-X is not used: ")
        with pytest.raises(CannotRun, match="MSI-X is not used"):
            set_interrupts(BringUp(device, RunOptions(interrupts="msix")))


@pytest.mark.parametrize(
    ("locator", "asked", "line"),
    [
        ("emulated:rng", "auto", "INTx (simulated)"),
        ("emulated:rng?intx=off", "auto", "MSI-X, messages into memory"),
        ("emulated:rng", "intx", "INTx (simulated)"),
        ("emulated:rng", "msix", "MSI-X, messages into memory"),
        ("emulated:rng", "none", "none (as asked for; polling)"),
    ],
)
def test_what_is_asked_for_is_used_and_auto_takes_messages_where_there_is_no_intx(
    locator: str, asked: str, line: str
) -> None:
    device, _ = _device(locator)
    with device:
        set_interrupts(BringUp(device, RunOptions(interrupts=asked)))
        assert device.notifications.line.description == line


@pytest.mark.parametrize("interrupts", ["intx", "msix", "none"])
def test_by_one_way_alone_a_conforming_device_breaks_nothing(interrupts: str) -> None:
    run = judge("emulated:blk?size=1M", interrupts=interrupts, strict=True)
    assert with_verdict(run, "FAIL", "WARN", "ERROR") == set()
    shown = words(run)
    assert {shown[id_] for id_ in ("V3", "V6", "V7", "V12", "V14", "N1", "N2", "N3")} == {"PASS"}
    assert {shown[id_] for id_ in ("P19", "P20", "P21", "P22", "P23")} == {"PASS" if interrupts == "msix" else "SKIP"}
    assert shown["N6"] == ("SKIP" if interrupts == "msix" else "PASS")


def test_by_pending_bits_alone_it_breaks_nothing_either() -> None:
    run = judge("emulated:blk?size=1M", tamper=lambda bus: _undelivered(bus.function.table), interrupts="msix")
    assert with_verdict(run, "FAIL", "WARN", "ERROR") == set()
    assert {words(run)[id_] for id_ in ("V3", "V6", "V7", "V12", "V14", "P19", "P20", "P21", "P23")} == {"PASS"}


def test_with_one_vector_for_all_nothing_is_held_against_the_device() -> None:
    run = judge("emulated:blk?size=1M&fault=P14")
    assert with_verdict(run, "FAIL", "WARN", "ERROR") == {"P14"}


def test_without_a_pin_notifications_are_judged_by_messages() -> None:
    run = judge("emulated:blk?size=1M&intx=off", strict=True)
    assert with_verdict(run, "FAIL", "WARN", "ERROR") == set()
    assert any("by MSI-X" in remark for remark in results(run)["V3"].finding.remarks)
