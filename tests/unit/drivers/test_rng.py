"""What the entropy driver notices about a device that cheats."""

from __future__ import annotations

import random
import re

import pytest

from tests.unit.drivers.support import Answer, Seen, drive, running, stand_in
from uvirtio.errors import DeviceError, DeviceTimeout, WorkloadFailed
from uvirtio.spec.ids import DeviceType
from uvirtio_drivers import workload_of
from uvirtio_drivers.rng import Rng


def honest() -> Answer:
    source = random.Random(9)
    return lambda seen: seen.write(source.randbytes(sum(seen.writable_sizes)))


def test_as_many_bytes_are_read_as_were_asked_for_even_from_a_device_that_gives_few() -> None:
    source = random.Random(9)
    with running(stand_in(DeviceType.RNG, lambda seen: seen.write(source.randbytes(5))), Rng) as (rng, _, bus):
        assert len(rng.read(1000)) == 1000
        assert all(seen.readable == b"" for seen in bus.function.device.model.seen)


def test_an_honest_device_passes_the_workload() -> None:
    with running(stand_in(DeviceType.RNG, honest()), Rng) as (rng, device, _):
        drive(device, workload_of(rng))


def repeats(seen: Seen) -> int:
    return seen.write(b"the same entropy every time it is asked for".ljust(64, b"."))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda seen: 0, "with length 0; it must write at least one byte"),
        (lambda seen: 64, "reported 64 bytes in buffer"),
        (lambda seen: seen.write(random.randbytes(40)) + 24, "reported 64 bytes in buffer"),
        (repeats, "the same 16 bytes twice"),
        (lambda seen: seen.write(bytes(64)) + 1, "65 bytes into buffer"),
    ],
)
def test_each_way_of_cheating_has_its_own_error(answer: Answer, says: str) -> None:
    device_type = stand_in(DeviceType.RNG, answer)
    with running(device_type, Rng) as (rng, device, _), pytest.raises(DeviceError, match=re.escape(says)):
        drive(device, workload_of(rng))


def test_reading_from_a_device_that_uses_buffers_without_writing_is_an_error() -> None:
    with running(stand_in(DeviceType.RNG, lambda seen: 0), Rng) as (rng, _, _), pytest.raises(WorkloadFailed):
        rng.read(16)


def test_a_device_that_never_answers_times_out() -> None:
    slow = running(stand_in(DeviceType.RNG, honest()), Rng, parameters="?latency=1000")
    with slow as (rng, _, _), pytest.raises(DeviceTimeout, match="reading entropy"):
        rng.read(16, timeout=1.0)
