"""Every ring feature of virtio 1.4 between our rings and our device, through UIO in a real guest, suspended under load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from uvirtio.errors import SuspendedError
from uvirtio.spec.dialects import V1_4
from uvirtio.spec.features import Feature, Features
from uvirtio.suspend import Suspender
from uvirtio_tools.cli import main
from uvirtio_tools.driving.opening import open_device

_RINGS = (
    "INDIRECT_DESC", "EVENT_IDX", "RING_PACKED", "IN_ORDER", "ORDER_PLATFORM", "NOTIFICATION_DATA", "NOTIF_CONFIG_DATA",
    "RING_RESET",
)  # fmt: skip


def _log(boot: dict[str, Any]) -> list[dict[str, Any]]:
    """What the device's server has recorded."""
    lines = Path(boot["devices"]["rng-rings"]["log"]).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]


@pytest.mark.parametrize("without", ["", *_RINGS[:4], "NOTIFICATION_DATA"], ids=lambda name: name or "nothing")
def test_suspends_under_load_lose_nothing_with_every_ring_feature_but(
    without: str, devices: dict[str, str], boot: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    before = len(_log(boot))
    words = ["suspend", devices["rng-rings"], "--cycles", "5", "--hold", "0.01", "--json"]
    status = main([*words, "--without", without] if without else words)
    said = capfd.readouterr()
    assert status == 0, said.err
    result = json.loads(said.out)
    assert (result["verdict"], len(result["cycles"])) == ("PASS", 5)
    accepted = int(result["features"]["accepted"], 16)
    assert {name for name in _RINGS if accepted >> Feature[name] & 1} == set(_RINGS) - {without}
    rows = _log(boot)[before:]
    assert [row for row in rows if row["kind"] == "fault"] == []
    widths = {row["width"] for row in rows if row["kind"] == "write" and row["register"] == "queue_notify"}
    # Those of 2 bytes with the feature left out are ours; with it, of the kernel's driver, which does not know it.
    assert (4 in widths) == (without != "NOTIFICATION_DATA")


@pytest.mark.parametrize("format_", ["split", "packed"])
def test_a_queue_is_reset_by_itself_and_works_again_but_not_while_suspended(
    format_: str, devices: dict[str, str]
) -> None:
    without = None if format_ == "packed" else Features.of(Feature.RING_PACKED)
    with open_device(devices["rng-rings"]) as device:
        device.begin()
        device.negotiate(Features.of(V1_4.feature), without=without)
        device.set_up_queue(0)
        device.driver_ok()
        queue = device.queue(0)
        assert queue.state().format == format_
        block = device.function.dma.allocate(256)
        for part in range(4):
            queue.add((), (block.part(64 * part, 64),))
        queue.publish(notify=False)
        assert len(device.reset_queue(0)) == 4
        assert queue.outstanding == 0
        token = queue.add((), (block,))
        queue.publish()
        device.wait_for(lambda: queue.ready, 5, doing="waiting for random bytes on the queue that was reset")
        assert queue.completed() == [(token, 256)]
        suspender = Suspender(device, V1_4)
        suspender.suspend()
        with pytest.raises(SuspendedError, match="resume it before resetting a queue"):
            device.reset_queue(0)
        suspender.resume()
        assert device.reset_queue(0) == []
        device.reset()
        block.free()
