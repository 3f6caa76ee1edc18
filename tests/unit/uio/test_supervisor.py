"""Whatever happens to the worker process, the device is given back and it is said what happened."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.uio.fake import RNG, FakeMachine
from uvirtio.bus.uio import UIO_DRIVER, bind, open_uio, pending
from uvirtio.errors import CannotRun, NotOffered
from uvirtio.spec.pci import Command
from uvirtio_tools.supervisor import supervise

LONG = 20.0


def driving(machine: FakeMachine, run: Path, then: Callable[[], object]) -> Callable[[], int]:
    """Work that opens the function, lets it reach memory, and does something."""

    def work() -> int:
        with open_uio(RNG, sysfs=machine, run=run) as function:
            function.enable_bus_mastering()
            assert machine.driver(RNG) == UIO_DRIVER
            then()
        return 0

    return work


def die(number: signal.Signals) -> Callable[[], object]:
    def end() -> None:
        faulthandler.disable()  # which pytest turns on, and which would tell of it before us
        os.kill(os.getpid(), number)

    return end


def alone(work: Callable[[], int]) -> int:
    """Run it in a process of one thread, as the command line is: a test runner's other threads would take its signals."""
    child = os.fork()
    if child == 0:
        status = 99
        try:
            status = work()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def interrupt_the_supervisor() -> None:
    os.kill(os.getppid(), signal.SIGTERM)
    time.sleep(LONG)


@pytest.mark.parametrize("status", [0, 1, 4])
def test_the_workers_status_and_output_are_passed_on(
    machine: FakeMachine, run: Path, capfd: pytest.CaptureFixture[str], status: int
) -> None:
    def work() -> int:
        print("to stdout")
        return status

    assert supervise(RNG, work, sysfs=machine, run=run) == status
    assert capfd.readouterr() == ("to stdout\n", "")


def test_a_command_is_run_as_well_as_a_function(
    machine: FakeMachine, run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert supervise(RNG, [sys.executable, "-c", "print('hello'); exit(7)"], sysfs=machine, run=run) == 7
    assert capfd.readouterr().out == "hello\n"


def test_a_command_that_is_not_there_is_told(
    machine: FakeMachine, run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert supervise(RNG, ["/no/such/program"], sysfs=machine, run=run) == 1
    assert "No such file" in capfd.readouterr().err


def test_an_error_in_the_worker_is_one_sentence_with_its_status(
    machine: FakeMachine, run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def work() -> int:
        raise NotOffered("nothing to judge")

    assert supervise(RNG, work, sysfs=machine, run=run) == 4
    assert capfd.readouterr() == ("", "uvirtio: nothing to judge\n")


@pytest.mark.parametrize(
    ("number", "said"),
    [(signal.SIGKILL, "ended by SIGKILL"), (signal.SIGBUS, "unplugged"), (signal.SIGSEGV, "SIGSEGV")],
)
def test_the_device_of_a_worker_that_dies_is_given_back_with_bus_mastering_off_first(
    machine: FakeMachine, run: Path, capfd: pytest.CaptureFixture[str], number: signal.Signals, said: str
) -> None:
    seen: list[bool] = []
    machine.before_write.append(lambda: seen.append(bool(machine.command() & Command.BUS_MASTER)))
    assert supervise(RNG, driving(machine, run, die(number)), sysfs=machine, run=run) == 1
    assert machine.driver(RNG) == "virtio-pci"
    assert pending(run) == []
    assert seen
    assert not any(seen)
    messages = capfd.readouterr().err
    assert said in messages
    assert "Traceback" not in messages


def test_a_device_that_was_removed_under_the_worker_is_told_as_removed(
    machine: FakeMachine, run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def unplug() -> None:
        machine.remove()
        die(signal.SIGBUS)()

    assert supervise(RNG, driving(machine, run, unplug), sysfs=machine, run=run) == 1
    assert f"{RNG} was removed from the machine while it was driven" in capfd.readouterr().err
    assert pending(run) == []


def test_a_function_that_was_bound_on_purpose_stays_bound_when_the_worker_dies(machine: FakeMachine, run: Path) -> None:
    bind(RNG, sysfs=machine, run=run)
    assert supervise(RNG, driving(machine, run, die(signal.SIGKILL)), sysfs=machine, run=run) == 1
    assert machine.driver(RNG) == UIO_DRIVER
    assert not machine.command() & Command.BUS_MASTER
    assert pending(run) == [RNG]


def test_a_signal_is_forwarded_and_the_worker_cleans_up_by_itself(
    machine: FakeMachine, run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    count = len(machine.writes)
    assert supervise(RNG, driving(machine, run, interrupt_the_supervisor), sysfs=machine, run=run) == 130
    assert len(machine.writes) == count  # the supervisor had nothing left to do
    assert machine.driver(RNG) == "virtio-pci"
    assert "given back" in capfd.readouterr().err


def test_a_second_signal_does_not_end_the_cleaning_up(machine: FakeMachine, run: Path, tmp_path: Path) -> None:
    done = tmp_path / "done"

    def work() -> int:
        try:
            interrupt_the_supervisor()
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getppid(), signal.SIGINT)
            time.sleep(0.05)
            done.touch()
        return 0

    assert alone(lambda: supervise(RNG, work, sysfs=machine, run=run)) == 130
    assert done.exists()


def test_a_worker_that_does_not_clean_up_in_time_is_killed_and_cleaned_up_after(
    machine: FakeMachine, run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def stubborn() -> None:
        try:
            interrupt_the_supervisor()
        finally:
            time.sleep(LONG)

    assert supervise(RNG, driving(machine, run, stubborn), grace=0.2, sysfs=machine, run=run) == 130
    assert "did not clean up within 0.2 s" in capfd.readouterr().err
    assert machine.driver(RNG) == "virtio-pci"
    assert pending(run) == []


def test_a_restore_that_fails_is_told_with_what_to_type(
    machine: FakeMachine, run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    machine.broken["drivers_probe"] = OSError(16, "Device or resource busy")

    def work() -> int:
        machine.broken.clear()
        return driving(machine, run, die(signal.SIGKILL))()

    assert supervise(RNG, work, sysfs=machine, run=run) == 1
    assert f"`uvirtio restore {RNG}` tries it again" in capfd.readouterr().err
    assert pending(run) == [RNG]


def test_without_a_journal_that_can_be_read_nothing_is_run(
    machine: FakeMachine, run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run.mkdir(parents=True, exist_ok=True)
    (run / f"{RNG}.json").write_text("{")
    with pytest.raises(CannotRun, match="damaged"):
        supervise(RNG, ["echo", "worker"], sysfs=machine, run=run)
    assert "worker" not in capfd.readouterr().out


def test_a_worker_whose_supervisor_dies_cleans_up_and_ends(machine: FakeMachine, run: Path, tmp_path: Path) -> None:
    told, read_end = tmp_path / "told", os.pipe()

    def wait() -> None:
        try:
            os.write(read_end[1], b"x")
            time.sleep(LONG)
        except KeyboardInterrupt:
            told.touch()
            raise

    supervisor = os.fork()
    if supervisor == 0:
        try:
            supervise(RNG, driving(machine, run, wait), sysfs=machine, run=run)
        finally:
            os._exit(0)
    assert os.read(read_end[0], 1) == b"x"
    os.kill(supervisor, signal.SIGKILL)
    os.waitpid(supervisor, 0)
    # The last holder of the pipe's other end is the worker: end of file is its end.
    os.close(read_end[1])
    assert os.read(read_end[0], 1) == b""
    os.close(read_end[0])
    assert told.exists()
    assert machine.driver(RNG) == "virtio-pci"
    assert pending(run) == []


def test_the_callers_signals_are_as_they_were(machine: FakeMachine, run: Path) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    handler = signal.getsignal(signal.SIGCHLD)
    supervise(RNG, lambda: 0, sysfs=machine, run=run)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert signal.getsignal(signal.SIGCHLD) == handler


OTHER = "0000:00:06.0"


@pytest.mark.parametrize("outer", [RNG, OTHER])
@pytest.mark.parametrize(("then", "status"), [(die(signal.SIGKILL), 1), (interrupt_the_supervisor, 130)])
def test_of_several_devices_each_has_its_supervisor_one_around_another(
    machine: FakeMachine, run: Path, outer: str, then: Callable[[], object], status: int
) -> None:
    machine.add(OTHER, number=4)
    inner = OTHER if outer == RNG else RNG

    def work() -> int:
        return supervise(inner, driving(machine, run, then), sysfs=machine, run=run)

    assert alone(lambda: supervise(outer, work, sysfs=machine, run=run)) == status
    assert (machine.driver(RNG), machine.driver(OTHER)) == ("virtio-pci", "virtio-pci")
    assert pending(run) == []
