"""Signals to a worker and its supervisor at any moment, counted in calls: the device is given back, and it is said well."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from tests.unit.uio.fake import RNG, FakeMachine
from tests.unit.uio.test_supervisor import alone, driving
from uvirtio.bus.uio import pending, restore_all
from uvirtio_tools.supervisor import supervise

#: About so many calls are made from the worker's begin to its end.
_CALLS = 4000


def at(moment: int, send: Callable[[], object]) -> None:
    """Has it sent when this process has made so many more calls."""
    left = [moment]

    def count(_frame: FrameType, _event: str, _argument: object) -> None:
        left[0] -= 1
        if not left[0]:
            sys.setprofile(None)
            send()

    sys.setprofile(count)


def moments(*seed: object) -> list[int]:
    choose = random.Random(repr(seed))
    return [int(_CALLS ** choose.random()) for _ in range(4)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
@pytest.mark.parametrize("whom", ["worker", "supervisor", "both"])
def test_an_interrupt_at_any_moment_gives_the_device_back(
    machine: FakeMachine, run: Path, capfd: pytest.CaptureFixture[str], number: signal.Signals, whom: str
) -> None:
    def send() -> None:
        if whom != "worker":
            os.kill(os.getppid(), number)
        if whom != "supervisor":
            os.kill(os.getpid(), number)

    for moment in moments(number, whom):

        def work(moment: int = moment) -> int:
            at(moment, send)
            return driving(machine, run, lambda: [str(each) for each in range(1000)])()

        status = alone(lambda work=work: supervise(RNG, work, sysfs=machine, run=run))  # type: ignore[misc]
        said = capfd.readouterr().err
        assert "Traceback" not in said, moment
        assert said.count("interrupted") <= 1, said
        assert status == 130 or (status == 0 and not said), (moment, said)
        assert (machine.driver(RNG), pending(run)) == ("virtio-pci", []), moment


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGRTMIN + 6])
def test_a_kill_of_both_at_any_moment_leaves_what_restore_undoes(
    machine: FakeMachine, run: Path, number: signal.Signals
) -> None:
    for moment in moments(number):
        # Whoever of them is last closes it: the worker may have heard of its supervisor's end before its own.
        reader, writer = os.pipe()

        def work(moment: int = moment) -> int:
            at(moment, lambda: (os.kill(os.getppid(), signal.SIGKILL), os.kill(os.getpid(), number)))
            return driving(machine, run, lambda: [str(each) for each in range(1000)])()

        alone(lambda work=work: supervise(RNG, work, sysfs=machine, run=run))  # type: ignore[misc]
        os.close(writer)
        assert os.read(reader, 1) == b""
        os.close(reader)
        restore_all(sysfs=machine, run=run)
        assert (machine.driver(RNG), machine.override(RNG), pending(run)) == ("virtio-pci", "", []), moment
