"""A device that dies over what it is asked for, or that reads all-ones: the statement fails, with the reason."""

from __future__ import annotations

import os
import signal

import pytest

from tests.emulated.checks.judging import judge, results, words
from uvirtio.bus.emulated import EmulatedBus
from uvirtio.bus.locator import parse
from uvirtio.bus.opening import open_function
from uvirtio.bus.qemu import QemuFunction
from uvirtio.device import Device
from uvirtio.emulated.behaviour import Behaviour
from uvirtio.errors import DeviceDied, QemuDied
from uvirtio.spec.status import Status
from uvirtio_tools.driving.options import RunOptions
from uvirtio_tools.judging.history import History
from uvirtio_tools.judging.suspend_run import SuspendRun
from uvirtio_tools.scenarios.cycling import run_cycles

WORDS = "the server closed the connection instead of answering"


class DiesOverSuspend(Behaviour):
    """It ends when it is asked to suspend."""

    def begin_suspend(self) -> None:
        """See :class:`Behaviour`."""
        raise DeviceDied(WORDS)


class DiesOverResume(Behaviour):
    """It ends when it is asked to resume."""

    def begin_resume(self) -> None:
        """See :class:`Behaviour`."""
        raise DeviceDied(WORDS)


class DiesOverFeatures(Behaviour):
    """It ends over a feature that it has not offered."""

    def write_running(self, value: int) -> None:
        """See :class:`Behaviour`."""
        if value & Status.FEATURES_OK and not self.device.features_acceptable():
            raise DeviceDied(WORDS)
        super().write_running(value)


class AllOnes(Behaviour):
    """Its registers read all-ones from the write of SUSPEND on."""

    def suspended_status(self, status: int) -> int:
        """See :class:`Behaviour`."""
        return 0xFF


DYING = {DiesOverSuspend: "V8", DiesOverResume: "V9"}


@pytest.mark.parametrize(("behaviour", "blamed"), [*DYING.items(), (DiesOverFeatures, "B3")])
def test_a_death_fails_the_statement_that_it_is_over(behaviour: type[Behaviour], blamed: str) -> None:
    run = judge("emulated:rng", behaviour=behaviour, strict=True)
    failed = results(run)[blamed]
    assert failed.verdict.value == "FAIL"
    assert failed.finding.observed.startswith(WORDS)
    assert [id_ for id_, word in words(run).items() if word in ("FAIL", "ERROR")] == [blamed]
    assert run.verdict.value == "FAIL"
    assert WORDS in run.stopped


@pytest.mark.parametrize(("behaviour", "blamed"), DYING.items())
def test_suspend_names_the_same_statement(behaviour: type[Behaviour], blamed: str) -> None:
    bus = EmulatedBus(parse("emulated:blk"))
    bus.function.device.behaviour = behaviour(bus.function.device, 0.0)
    run = SuspendRun(bus.locator)
    with Device(bus, recorder=History(bus.clock)) as device:
        run_cycles(run, device, RunOptions(cycles=2))
    assert {result.statement.id for result in run.results if result.verdict.value == "FAIL"} == {blamed}
    assert any(WORDS in reason for reason in run.cycles[0].reasons)


def test_all_ones_while_configuration_space_answers_is_a_device_that_does_not_suspend_in_time() -> None:
    run = judge("emulated:rng", behaviour=AllOnes)
    failed = results(run)["V8"]
    assert failed.verdict.value == "FAIL"
    assert "0xff (all-ones: absent or busy)" in failed.finding.observed
    assert "gone" not in run.stopped


@pytest.mark.needs("qemu")
@pytest.mark.parametrize(
    ("how", "error"), [(signal.SIGABRT, DeviceDied), (signal.SIGSEGV, DeviceDied), (signal.SIGKILL, QemuDied)]
)
def test_a_qemu_that_aborts_died_over_the_device_and_one_that_is_killed_did_not(
    how: signal.Signals, error: type[Exception]
) -> None:
    with Device(open_function("qemu:rng")) as device:
        function = device.function
        assert isinstance(function, QemuFunction)
        os.kill(function.process.pid, how)
        with pytest.raises(error, match=f"was ended by {how.name}"):
            _read_on(device)


def _read_on(device: Device) -> None:
    for _ in range(10000):
        device.status.read()
