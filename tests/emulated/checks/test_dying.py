"""A device that dies over what it is asked for, or that reads all-ones: the statement fails, with the reason."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from tests.emulated.checks.judging import judge, results, words
from tests.emulated.served import served
from uvirtio.bus.emulated import EmulatedBus
from uvirtio.bus.locator import parse
from uvirtio.bus.opening import open_function
from uvirtio.bus.qemu import QemuFunction
from uvirtio.device import Device
from uvirtio.emulated.behaviour import Behaviour
from uvirtio.emulated.options import parse_options
from uvirtio.emulated.server import Server
from uvirtio.errors import DeviceDied, DeviceGone, QemuDied
from uvirtio.spec.status import Status
from uvirtio_tools.driving.options import RunOptions
from uvirtio_tools.judging.history import History
from uvirtio_tools.judging.result import CheckRun
from uvirtio_tools.judging.suspend_run import SuspendRun
from uvirtio_tools.scenarios.cycling import run_cycles
from uvirtio_tools.scenarios.running import run_checks

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


class FailsOverSuspend(Behaviour):
    """Whoever serves it cannot deal with the write of SUSPEND, and ends the connection."""

    def begin_suspend(self) -> None:
        """See :class:`Behaviour`."""
        raise RuntimeError("a mistake of the server's")


def test_a_server_that_hangs_up_over_suspend_has_died_over_it(tmp_path: Path) -> None:
    server = Server(parse_options("rng", {}), str(tmp_path / "s"), once=True)
    device = server.function.device
    device.behaviour = FailsOverSuspend(device, 0.0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    function = open_function(f"vfio-user:{tmp_path}/s")
    run = CheckRun(function.locator, only=["V8", "V9", "S2"])
    with Device(function, recorder=History(function.clock)) as driven:
        run_checks(run, driven, RunOptions())
    thread.join(5)
    assert not thread.is_alive()
    assert {id_ for id_, word in words(run).items() if word in ("FAIL", "ERROR")} == {"V8"}
    assert "closed the connection over an access that it had taken" in results(run)["V8"].finding.observed


def test_a_server_that_is_ended_from_outside_says_nothing_of_its_device(tmp_path: Path) -> None:
    with served(tmp_path, "rng") as process, Device(open_function(f"vfio-user:{tmp_path}/s")) as device:
        process.terminate()
        process.wait(10)
        with pytest.raises(DeviceGone, match="closed the connection") as raised:
            device.status.read()
        assert not isinstance(raised.value, DeviceDied)


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
