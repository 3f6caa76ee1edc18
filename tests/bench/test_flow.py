"""The loop that the throughput benches share: what it prepares, keeps in flight, publishes and checks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from uvirtio.device import Device
from uvirtio.errors import DeviceTimeout, WorkloadFailed
from uvirtio.queue.pool import Pool
from uvirtio.spec.features import Feature, Features
from uvirtio_tools.benches.flow import Pace, flow, make_pool
from uvirtio_tools.driving.opening import open_device


@pytest.fixture(params=["split", "packed"])
def device(request: pytest.FixtureRequest) -> Iterator[Device]:
    """A running entropy device with a queue of 32."""
    with open_device("emulated:rng?latency=0.0001") as device:
        device.begin()
        without = Features.of(Feature.RING_PACKED) if request.param == "split" else None
        device.negotiate(Features(), without=without)
        device.set_up_queue(0, 32)
        device.driver_ok()
        yield device


@pytest.mark.parametrize(("depth", "batch"), [(1, 1), (8, None), (32, 32), (1000, 1000)])
def test_every_buffer_is_prepared_once_each_time_before_the_device_gets_it(
    device: Device, depth: int, batch: int | None
) -> None:
    pool = make_pool(device, 0, (), (64,))
    ready: set[int] = set()
    returned = 0

    def prepare(numbers: Sequence[int]) -> None:
        assert ready.isdisjoint(numbers), "prepared again although it had not come back"
        ready.update(numbers)

    def check(numbers: Sequence[int]) -> None:
        nonlocal returned
        assert ready.issuperset(numbers), "came back and was never prepared"
        ready.difference_update(numbers)
        returned += len(numbers)

    moved = 0
    while returned <= 2 * pool.count:  # however slow the machine is
        moved += flow(device, pool, 0.02, Pace(depth, batch), prepare=prepare, check=check).buffers
    assert moved == returned


def test_no_more_are_in_flight_and_no_fewer_are_published_than_was_asked_for(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_pool(device, 0, (), (64,))
    batches: list[int] = []
    flying: list[int] = []
    publish = Pool.publish

    def watched(self: Pool, count: int, notify: bool = True) -> bool:
        batches.append(count)
        notified = publish(self, count, notify)
        flying.append(self.queue.outstanding)
        return notified

    monkeypatch.setattr(Pool, "publish", watched)
    flow(device, pool, 0.02, Pace(16, 5))
    assert min(batches) >= 5
    assert max(flying) == 16


def test_an_answer_that_is_wrong_ends_the_run(device: Device) -> None:
    def check(numbers: Sequence[int]) -> None:
        raise WorkloadFailed(f"buffer {numbers[0]}")

    with pytest.raises(WorkloadFailed, match="buffer"):
        flow(device, make_pool(device, 0, (), (64,)), 1.0, Pace(4), check=check)


def test_a_device_that_gives_nothing_back_is_kicked_and_then_told(device: Device) -> None:
    queue = device.queue(0)
    kicks: list[int] = []
    queue.notifier = kicks.append
    with pytest.raises(DeviceTimeout, match="nothing came back"):
        flow(device, make_pool(device, 0, (), (64,)), 1.0, Pace(4))
    assert len(kicks) == 2, "once for the buffers, once more to make sure"
