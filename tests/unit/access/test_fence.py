"""Which CPUs a device can be driven on, and what keeps accesses in order there."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from typing import ClassVar

import pytest

import uvirtio
from uvirtio.access import fence
from uvirtio.access.clock import SimulatedClock
from uvirtio.access.interrupt import NoLine
from uvirtio.access.notifications import Notifications
from uvirtio.access.trace import Message
from uvirtio.errors import CannotRun
from uvirtio_tools.inspect.readiness import examine


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    for each in (fence.ordering_fence, fence._function):
        each.cache_clear()
    yield
    for each in (fence.ordering_fence, fence._function):
        each.cache_clear()


def on(monkeypatch: pytest.MonkeyPatch, machine: str) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)


def test_x86_keeps_stores_and_loads_in_order_and_needs_one_fence_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, "x86_64")
    assert fence.unfit_cpu() == ""
    assert fence.ordering_fence() is None
    assert fence.store_load_fence()() is None


def test_arm64_has_one_function_for_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, "aarch64")
    called: list[str] = []
    monkeypatch.setattr(fence, "_mapped_function", lambda: lambda: called.append("dmb"))
    assert fence.unfit_cpu() == ""
    fence.store_load_fence()()
    order = fence.ordering_fence()
    assert order is not None
    order()
    assert called == ["dmb", "dmb"]


def test_where_no_memory_can_be_run_libatomic_serves_and_where_there_is_none_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on(monkeypatch, "aarch64")
    monkeypatch.setattr(fence, "_mapped_function", lambda: None)
    monkeypatch.setattr(fence, "_of_libatomic", lambda: lambda: None)
    assert fence.unfit_cpu() == ""
    fence._function.cache_clear()
    monkeypatch.setattr(fence, "_of_libatomic", lambda: None)
    with pytest.raises(CannotRun, match="apt install libatomic1") as refused:
        fence.store_load_fence()
    assert "\n" not in str(refused.value)
    assert fence.ordering_fence.__wrapped__() is None


def test_the_function_is_a_full_fence_and_a_return() -> None:
    words = [int.from_bytes(fence._CODE[at : at + 4], "little") for at in (0, 4)]
    assert words == [0xD5033FBF, 0xD65F03C0]  # dmb sy; ret


def test_memory_that_can_be_run_is_had_as_the_function_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    returns = {"x86_64": b"\xc3", "aarch64": fence._CODE}.get(platform.machine())
    assert returns is not None, "on another CPU this test has to know how a function returns"
    monkeypatch.setattr(fence, "_CODE", returns)
    function = fence._mapped_function()
    assert function is not None
    assert function() is None


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        ("riscv64", "split an access to a register into single bytes"),
        ("ppc64le", "no memory fence is known for ppc64le"),
    ],
)
def test_another_cpu_is_refused_by_name_at_the_first_ring_and_doctor_says_the_same(
    monkeypatch: pytest.MonkeyPatch, machine: str, reason: str
) -> None:
    on(monkeypatch, machine)
    assert reason in fence.unfit_cpu()
    with pytest.raises(CannotRun, match=reason):
        fence.store_load_fence()
    python = examine()[0]
    assert (python.name, python.state) == ("Python", "missing")
    assert fence.unfit_cpu() in python.text


class Watched:
    """Registers whose accesses are written down."""

    def __init__(self, log: list[str], inner: object) -> None:
        self._log, self._inner = log, inner

    def __getitem__(self, index: int) -> int:
        self._log.append("read")
        return self._inner[index]  # type: ignore[index]

    def __setitem__(self, index: int, value: int) -> None:
        self._log.append("write")
        self._inner[index] = value  # type: ignore[index]


def test_registers_that_make_the_device_look_come_after_a_fence_and_those_that_tell_of_it_before_one() -> None:
    log: list[str] = []
    with uvirtio.open("emulated:rng") as device:
        transport = device.device.transport
        transport._barrier = lambda: log.append("fence")
        transport._common.u8 = Watched(log, transport._common.u8)
        transport.set_status(1)
        assert log == ["fence", "write"]
        log.clear()
        transport.status()
        assert log == ["read", "fence"]


def test_what_a_message_or_isr_tells_of_is_looked_at_after_a_fence() -> None:
    log: list[str] = []
    notifications = Notifications(Watched(log, [1]), NoLine(SimulatedClock(), "nobody waits"))
    notifications._barrier = lambda: log.append("fence")
    notifications.collect()
    assert log == ["read", "fence"]

    class Source:
        bits: ClassVar[dict[int, int]] = {1: 1}

        def take(self, *, flush: bool = True) -> list[Message]:
            log.append("message")
            return [Message(0.0, 1, "memory", 0, 1)]

    log.clear()
    notifications.use(Source())  # type: ignore[arg-type]
    notifications.collect()
    assert log == ["message", "fence"]
