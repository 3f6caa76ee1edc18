"""Waiting for a workload: what its error says about the device."""

from __future__ import annotations

import pytest

from tests.unit.drivers.support import running
from uvirtio.errors import DeviceTimeout, WorkloadFailed
from uvirtio_drivers import workload_of
from uvirtio_drivers.rng import Freshness, Rng
from uvirtio_drivers.workload import drain


def test_a_device_that_slept_over_its_buffers_is_told_apart_from_one_that_lost_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running("emulated:rng", Rng) as (rng, device, _):
        workload, queue = workload_of(rng), device.queue(0)
        monkeypatch.setattr(type(queue), "notify", lambda self: False)
        workload.submit(3)
        workload.kick()
        with pytest.raises(DeviceTimeout, match=r"not within 2 s.*Notified once more, it went on.*EVENT_IDX") as raised:
            drain(device, workload, 2)
        assert raised.value.seconds >= 2
        workload.reap()
        assert workload.outstanding == 0


def test_a_device_that_does_not_answer_at_all_is_not_said_to_have_slept() -> None:
    with running("emulated:rng?latency=3600", Rng) as (rng, device, _):
        workload = workload_of(rng)
        workload.submit(3)
        workload.kick()
        with pytest.raises(DeviceTimeout, match="not within 2 s") as raised:
            drain(device, workload, 2)
        assert "slept" not in str(raised.value)


def test_a_device_that_is_only_slow_is_not_accused_of_having_slept() -> None:
    with running("emulated:rng?latency=2.5", Rng) as (rng, device, _):
        workload = workload_of(rng)
        workload.submit(3)
        workload.kick()
        with pytest.raises(DeviceTimeout, match=r"not within 2 s.*it takes longer than that, or it slept"):
            drain(device, workload, 2)


def test_what_goes_wrong_after_the_last_notification_does_not_hide_that_time_was_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running("emulated:rng", Rng) as (rng, device, _):
        workload = workload_of(rng)
        monkeypatch.setattr(type(device.queue(0)), "notify", lambda self: False)
        monkeypatch.setattr(
            Freshness, "check", lambda *_: (_ for _ in ()).throw(WorkloadFailed("the same bytes twice"))
        )
        workload.submit(3)
        workload.kick()
        with pytest.raises(DeviceTimeout, match=r"not within 2 s.*went on, wrongly: the same bytes twice"):
            drain(device, workload, 2)
