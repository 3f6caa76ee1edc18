"""Waiting for a workload: what its error says about the device."""

from __future__ import annotations

import pytest

from tests.unit.drivers.support import running
from uvirtio.errors import DeviceTimeout
from uvirtio_drivers.rng import Rng
from uvirtio_drivers.workload import drain


def test_a_device_that_slept_over_its_buffers_is_told_apart_from_one_that_lost_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running("emulated:rng", Rng) as (rng, device, _):
        workload, queue = rng.workload(), device.queue(0)
        monkeypatch.setattr(type(queue), "announce", lambda self: False)
        workload.submit(3)
        workload.kick()
        with pytest.raises(
            DeviceTimeout, match=r"not within 2 s.*Notified once more, .* it went on.*EVENT_IDX"
        ) as raised:
            drain(device, workload, 2)
        assert raised.value.seconds >= 2
        workload.reap()
        assert workload.outstanding == 0


def test_a_device_that_does_not_answer_at_all_is_not_said_to_have_slept() -> None:
    with running("emulated:rng?latency=3600", Rng) as (rng, device, _):
        workload = rng.workload()
        workload.submit(3)
        workload.kick()
        with pytest.raises(DeviceTimeout, match="not within 2 s") as raised:
            drain(device, workload, 2)
        assert "slept" not in str(raised.value)
