"""A served device, driven directly and through a real QEMU: suspend and resume, without any guest."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.qemu.conftest import ROOT, Served
from uvirtio.bus.opening import open_function
from uvirtio.device import Device
from uvirtio.errors import CannotRun
from uvirtio_drivers.rng import Rng

CYCLES = 100
#: The ways to a served device. QEMU needs to be a recent one.
DIRECT = "vfio-user:{socket}?control={control}"
IN_QEMU = "qemu:vfio-user-pci?socket={socket}&control={control}"
WAYS = [
    pytest.param(DIRECT, id="directly"),
    pytest.param(IN_QEMU, id="inside QEMU", marks=pytest.mark.needs("modern-qemu")),
]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """A locator with places for the two sockets."""
    if request.param == IN_QEMU:
        request.getfixturevalue("recent_qemu")
    return str(request.param)


def suspend(locator: str, *options: str) -> tuple[int, dict[str, Any]]:
    """Run ``uvirtio suspend --json``; its exit status and document."""
    command = [sys.executable, "-m", "uvirtio", "suspend", locator, "--json", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_entropy_arrives_with_interrupts(way: str, serve: Served) -> None:
    server, control = serve("rng")
    with Device(open_function(way.format(socket=server, control=control))) as device:
        device.initialise(Rng.FEATURES, Rng.queues(device))
        rng = Rng(device)
        assert len({rng.read(32) for _ in range(50)}) == 50
        assert device.notifications.line.present
        # Each read waits for its completion; a dead or storming line would show as none or as far too many.
        assert 1 <= device.notifications.interrupts() <= 500


@pytest.mark.parametrize(
    ("kind", "options", "sure"),
    [
        ("rng", (), "contents never seen before"),
        ("blk", ("--scratch", "0-16383"), "read back undamaged"),
        ("net", ("--peer", "echo"), "every frame returned from the echoing peer exactly once"),
        ("console", ("--peer", "echo"), "every byte of the stream returned from the echoing peer, in order"),
        ("balloon", (), "exactly once"),
        ("input", (), "exactly once"),
    ],
)
def test_a_hundred_suspends_under_load_lose_and_double_nothing_of(
    kind: str, options: tuple[str, ...], sure: str, way: str, serve: Served
) -> None:
    server, control = serve(kind, "--latency", "0.0005")
    locator = way.format(socket=server, control=control)
    status, run = suspend(locator, "--cycles", str(CYCLES), "--hold", "0", "--timeout", "30", *options)
    assert run["verdict"] == "PASS", run["reason"]
    assert status == 0
    assert sure in run["workload"]["proves"]
    assert [cycle["suspend"]["outcome"] for cycle in run["cycles"]] == ["done"] * CYCLES
    # Requests were in flight at the suspends, and some of them waited for the resume.
    assert sum(cycle["in_flight_at_suspend"] for cycle in run["cycles"]) > CYCLES
    assert sum(cycle["left_waiting_while_suspended"] for cycle in run["cycles"]) > 0


@pytest.mark.parametrize(("profile", "verdict"), [("stuck", "FAIL"), ("refuses", "FAIL"), ("qemu-store", "SKIP")])
def test_a_device_that_does_not_suspend_is_told_from_one_that_does(
    profile: str, verdict: str, way: str, serve: Served
) -> None:
    server, control = serve("rng", "--profile", profile)
    _, run = suspend(way.format(socket=server, control=control), "--hold", "0", "--timeout", "0.5")
    assert run["verdict"] == verdict, run["reason"]


def test_triggers_of_the_server_can_be_fired(way: str, serve: Served) -> None:
    server, control = serve("rng")
    with open_function(way.format(socket=server, control=control)) as function:
        assert function.triggers is not None
        assert "delay" in function.triggers.available()
        function.triggers.fire("delay", seconds=0.0)


def test_one_server_serves_one_driver_after_the_other(way: str, serve: Served) -> None:
    server, control = serve("rng")
    for _ in range(5):
        with Device(open_function(way.format(socket=server, control=control))) as device:
            device.initialise(Rng.FEATURES, Rng.queues(device))
            assert Rng(device).read(8)


def test_a_second_driver_is_told_that_the_server_is_taken(serve: Served) -> None:
    server, _ = serve("rng")
    with open_function(f"vfio-user:{server}"), pytest.raises(CannotRun, match="it serves another client"):
        open_function(f"vfio-user:{server}?timeout=0.3")
