"""The same rings on QEMU's own devices, each ring feature on and off: every request comes back through our queues."""

from __future__ import annotations

import json
from typing import Any

import pytest

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
        if not row["extra_kicks"] and row["bytes"] < 1 << 19:
            # More than the queue holds: buffers went round. (Where the device slept, the time was over before.)
            assert row["buffers"] > 4 * row["batch"]
        assert row["simulated_time"] is False
