"""Interrupts through VFIO, against a stand-in for the kernel: INTx, vectors of MSI-X, and the kernel's wish for the device."""

from __future__ import annotations

import os

import pytest

from tests.unit.uio.fake import RNG
from tests.unit.vfio.conftest import Opener
from tests.unit.vfio.fake import FakeKernel
from uvirtio.errors import CannotRun, DeviceGone


def signal(kernel: FakeKernel, kind: int, number: int = 0) -> None:
    """What the kernel does when the device interrupts."""
    os.eventfd_write(kernel.events[kind][number], 1)


def test_intx_is_an_eventfd_that_is_let_through_again_before_the_next_wait(kernel: FakeKernel, opener: Opener) -> None:
    with opener() as function:
        line = function.line
        assert (line.present, line.description) == (True, "INTx, an eventfd from VFIO")
        assert not line.wait(0)
        line.enable()
        assert kernel.unmasked == 0
        signal(kernel, 0)
        assert line.wait(1)
        assert line.count() == 1
        line.enable()
        line.enable()
        assert kernel.unmasked == 1


def test_a_function_without_intx_is_polled(kernel: FakeKernel, opener: Opener) -> None:
    kernel.irqs[0] = (0, 0)
    with opener() as function:
        assert not function.line.present
        assert "polling" in function.line.description
        assert len(function.open_vectors(2, events=True)) == 2
        function.close_vectors()


def test_vectors_are_eventfds_and_intx_is_off_meanwhile(kernel: FakeKernel, opener: Opener) -> None:
    with opener() as function:
        assert function.surroundings.kernel_vectors
        assert function.open_vectors(2, events=False) == ()
        lines = function.open_vectors(8, events=True)
        assert set(kernel.events) == {2, 4}
        signal(kernel, 2, 1)
        assert [line.count() for line in lines] == [0, 1]
        function.close_vectors()
        assert set(kernel.events) == {0, 4}


def test_fewer_vectors_than_asked_for_are_taken_as_they_come(kernel: FakeKernel, opener: Opener) -> None:
    kernel.vectors_left = 1
    with opener() as function:
        assert len(function.open_vectors(2, events=True)) == 1
        assert len(kernel.events[2]) == 1
        function.close_vectors()


def test_where_there_are_none_left_this_is_said(kernel: FakeKernel, opener: Opener) -> None:
    kernel.vectors_left = 0
    with opener() as function, pytest.raises(CannotRun, match="MSIX interrupts"):
        function.open_vectors(2, events=True)


def test_a_device_that_the_kernel_asks_back_is_gone(kernel: FakeKernel, opener: Opener) -> None:
    """It is unplugged, say: the kernel waits with that until the function is closed."""
    with opener() as function:
        signal(kernel, 4)
        for _ in range(2):
            with pytest.raises(DeviceGone, match=f"the kernel asks for {RNG} back"):
                function.line.wait(10)
        lines = function.open_vectors(2, events=True)
        with pytest.raises(DeviceGone):
            lines[0].count()
        function.close_vectors()


def test_a_kernel_that_asks_for_nothing_back_is_fine(kernel: FakeKernel, opener: Opener) -> None:
    del kernel.irqs[4]
    with opener() as function:
        assert not function.line.wait(0)
