"""What a device does around a suspend, where one look too few would let it pass: each is found, by the right statement."""

from __future__ import annotations

from typing import ClassVar

import pytest

from tests.emulated.checks.judging import judge, results, words
from uvirtio.bus.emulated import EmulatedBus
from uvirtio.emulated.behaviour import Behaviour, Phase
from uvirtio.emulated.layout import STRUCTURES
from uvirtio.emulated.queue import DeviceQueue
from uvirtio.spec.pci import StructureType
from uvirtio.spec.registers import COMMON

KINDS = ["rng", "blk?size=1M", "net"]
RINGS = ["", "features=-RING_PACKED"]
_COMMON = STRUCTURES[StructureType.COMMON][0]
_DEVICE = STRUCTURES[StructureType.DEVICE][0]


def located(kind: str, *parameters: str) -> str:
    """A locator with these parameters, as far as there are any."""
    more = "&".join(each for each in parameters if each)
    return f"emulated:{kind}{('&' if '?' in kind else '?') + more if more else ''}"


def wakes_by(register: str, *, write: bool = False):  # type: ignore[no-untyped-def]
    """Makes a device whose suspend ends at a read, or a write, of this register."""
    offset = _COMMON + COMMON[register].offset if register in COMMON.by_name else _DEVICE

    def tamper(bus: EmulatedBus) -> None:
        name = "bar_write" if write else "bar_read"
        proceed = getattr(bus.function, name)

        def access(bar: int, at: int, *rest: int) -> int | None:
            behaviour = bus.function.device.behaviour
            if at == offset and behaviour.phase is Phase.SUSPENDED:
                behaviour.begin_resume()
            found: int | None = proceed(bar, at, *rest)
            return found

        setattr(bus.function, name, access)

    return tamper


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("register", "write"),
    [
        ("config_generation", False),
        ("num_queues", False),
        ("device_feature", False),
        ("queue_select", True),
        ("device_feature_select", True),
        ("the configuration", False),
    ],
)
def test_one_that_is_woken_by_an_access_does_not_stay_suspended(kind: str, register: str, write: bool) -> None:
    if kind == "rng" and register == "the configuration":
        return  # it has none
    run = judge(located(kind), tamper=wakes_by(register, write=write), only="V8,S3")
    assert words(run)["V8"] == "FAIL"
    assert "did not stay suspended" in results(run)["V8"].finding.summary


class WokenByAConfigurationWrite(Behaviour):
    """Ends its suspend when the driver writes its configuration, and ignores what was written."""

    def may_write_config(self) -> bool:
        allowed = super().may_write_config()
        if self.phase is Phase.SUSPENDED:
            self.begin_resume()
        return allowed


def test_one_that_is_woken_by_a_write_to_its_configuration_does_not_stay_suspended() -> None:
    run = judge("emulated:blk?size=1M", behaviour=WokenByAConfigurationWrite, only="V2,V8")
    assert words(run)["V8"] == "FAIL"


def slowly(behaviour: type[Behaviour], seconds: float = 0.05) -> type[Behaviour]:
    """The same, taking so long to suspend and to resume."""

    class Slow(behaviour):  # type: ignore[misc, valid-type]
        def __init__(self, device: object, _delay: float) -> None:
            super().__init__(device, seconds)

    return Slow


def test_a_slow_device_that_conforms_passes() -> None:
    run = judge("emulated:blk?size=1M", behaviour=slowly(Behaviour))
    assert {id_ for id_, word in words(run).items() if word in ("FAIL", "WARN", "ERROR")} == set()
    assert {words(run)[id_] for id_ in ("V3", "V4", "V7", "V8", "V9", "V16", "S3")} == {"PASS"}


class WorksWhileItWakes(Behaviour):
    """Works on its queues from the DRIVER_OK write on, before its status shows it running; and notifies if so asked."""

    notifies: ClassVar[bool] = False

    def begin_resume(self) -> None:
        super().begin_resume()
        with self.device.guarded():
            self.device.service_all()

    def may_consume(self) -> bool:
        return super().may_consume() or self.phase is Phase.RESUMING

    def may_use(self) -> bool:
        return super().may_use() or self.phase is Phase.RESUMING

    def may_notify_queue(self) -> bool:
        return super().may_notify_queue() or (self.notifies and self.phase is Phase.RESUMING)


class NotifiesWhileItWakes(WorksWhileItWakes):
    notifies = True


@pytest.mark.parametrize("kind", ["rng", "blk?size=1M"])
@pytest.mark.parametrize("ring", RINGS)
def test_one_that_works_before_its_status_shows_it_running_works_while_suspended(kind: str, ring: str) -> None:
    run = judge(located(kind, ring), behaviour=slowly(WorksWhileItWakes), only="V3,V4")
    assert words(run)["V4"] == "FAIL"
    run = judge(located(kind, ring), behaviour=slowly(NotifiesWhileItWakes), only="V3,V4")
    assert words(run) == {"V3": "FAIL", "V4": "FAIL"}


class ServesEarlyNotifications(Behaviour):
    """Serves a queue that is notified before DRIVER_OK."""

    def kicked(self, queue: DeviceQueue) -> None:
        self.asked = self.phase is Phase.INITIAL
        super().kicked(queue)
        self.asked = False

    asked = False

    def may_consume(self) -> bool:
        return super().may_consume() or self.asked

    def may_use(self) -> bool:
        return super().may_use() or self.phase is Phase.INITIAL


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ring", RINGS)
def test_one_that_serves_a_notification_before_driver_ok_consumes_too_early(kind: str, ring: str) -> None:
    run = judge(located(kind, ring), behaviour=ServesEarlyNotifications, only="V13")
    assert words(run) == {"V13": "FAIL"}


class LeavesABitInIsr(Behaviour):
    """Sets ISR when it is reset while suspended."""

    bits: ClassVar[int] = 1

    def reset_written(self) -> None:
        asleep = self.phase is Phase.SUSPENDED
        super().reset_written()
        if asleep:
            self.device.interrupts.isr |= self.bits


class LeavesTheOtherBit(LeavesABitInIsr):
    bits = 2


@pytest.mark.parametrize("behaviour", [LeavesABitInIsr, LeavesTheOtherBit])
def test_a_bit_that_a_reset_leaves_in_isr_is_seen(behaviour: type[Behaviour]) -> None:
    run = judge("emulated:rng", behaviour=behaviour, only="V15")
    assert words(run) == {"V15": "FAIL"}
    assert "ISR" in results(run)["V15"].finding.observed


class Forgets(Behaviour):
    """Comes back from a suspend with something set up otherwise."""

    def finish_resume(self) -> None:
        self.forget()
        super().finish_resume()

    def forget(self) -> None:
        raise NotImplementedError


class ForgetsFeatures(Forgets):
    def forget(self) -> None:
        self.device.accepted &= ~(1 << 28)


class ForgetsAVector(Forgets):
    def forget(self) -> None:
        self.device.config_vector = 0


class ForgetsItsSize(Forgets):
    def forget(self) -> None:
        queue = self.device.queues[0]
        queue.size, queue.ring = queue.maximum, queue.ring


class ForgetsAnAddress(Forgets):
    def forget(self) -> None:
        self.device.queues[0].addresses[1] += 64


class ForgetsWriteback(Forgets):
    def forget(self) -> None:
        self.device.model.put("writeback", 1)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "behaviour", [ForgetsFeatures, ForgetsAVector, ForgetsItsSize, ForgetsAnAddress, ForgetsWriteback]
)
@pytest.mark.parametrize("ring", RINGS)
def test_one_that_does_not_come_back_as_it_was_set_up_is_found(behaviour: type[Behaviour], ring: str) -> None:
    run = judge(located("blk?size=1M", ring), behaviour=behaviour, only="S3")
    assert words(run) == {"S3": "FAIL"}


class LosesOneNotification(Behaviour):
    """Never notifies the last request of those that it finishes on the way to a suspend."""

    def may_notify_queue(self) -> bool:
        if self.phase is Phase.SUSPENDING and not self.device.in_process:
            return False
        return super().may_notify_queue()

    def finish_resume(self) -> None:
        self.device._held.clear()  # type: ignore[attr-defined]
        super().finish_resume()


@pytest.mark.parametrize("kind", ["rng", "blk?size=1M"])
@pytest.mark.parametrize("ring", RINGS)
def test_a_notification_that_is_lost_does_not_hide_behind_one_of_another_buffer(kind: str, ring: str) -> None:
    run = judge(located(kind, ring), behaviour=LosesOneNotification, only="V9,V12")
    assert words(run)["V12"] == "FAIL"
    assert "lost" in results(run)["V12"].finding.observed
