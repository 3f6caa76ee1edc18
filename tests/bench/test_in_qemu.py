"""The same rings on QEMU's own devices, each ring feature on and off: every request comes back through our queues."""

from __future__ import annotations

import json
from typing import Any

import pytest

from uvirtio.bus.opening import open_function
from uvirtio.device import Device
from uvirtio.queue.pool import Pool
from uvirtio.spec.features import Features
from uvirtio_tools.benches.flow import Pace, flow, make_pool
from uvirtio_tools.cli import main

pytestmark = pytest.mark.needs("qemu")

FEATURES = [
    "packed=off&event_idx=off&indirect_desc=off",
    "packed=off&event_idx=on&indirect_desc=on",
    "packed=on&event_idx=off&indirect_desc=off",
    "packed=on&event_idx=on&indirect_desc=on",
]


def rows(capsys: pytest.CaptureFixture[str], bench: str, features: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert main(["bench", bench, f"qemu:{bench}?{features}", "--seconds", "0.05", "--json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["rows"]
    return found


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("bench", ["rng", "blk", "net"])
def test_pools_move_data_through_qemus_devices(capsys: pytest.CaptureFixture[str], bench: str, features: str) -> None:
    for row in rows(capsys, bench, features):
        assert row["format"] == ("packed" if "packed=on" in features else "split")
        assert row["buffers"] >= row["batch"]
        assert row["simulated_time"] is False


@pytest.mark.parametrize("features", FEATURES)
def test_a_pool_goes_round_its_queue_several_times_however_slow_the_machine(features: str) -> None:
    with Device(open_function(f"qemu:rng?{features}"), timeout=60) as device:
        device.initialise(Features(), {0: 32})
        pool = make_pool(device, 0, (), (64,))
        moved = flow(device, pool, 0.0, Pace(pool.count, least=4 * pool.count + 1))
        assert moved.buffers > 4 * pool.count
        drain_pool(device, pool)
        assert device.queue(0).outstanding == 0


def drain_pool(device: Device, pool: Pool) -> None:
    """Let everything that is in flight come back."""

    def empty() -> bool:
        pool.reap()
        return not device.queue(0).outstanding

    device.wait_for(empty, doing="waiting for the rest")
