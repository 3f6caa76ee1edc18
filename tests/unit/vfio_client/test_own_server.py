"""The client and the project's own server, in one process: rings, interrupts, triggers, and the server's end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from uvirtio.bus.opening import open_function
from uvirtio.device import Device
from uvirtio.emulated.options import parse_options
from uvirtio.emulated.server import Server
from uvirtio.errors import CannotRun, DeviceError
from uvirtio.messages import Way
from uvirtio_drivers import workload_of
from uvirtio_drivers.rng import Rng


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, Server]]:
    server = Server(parse_options("rng", {}), str(tmp_path / "s"), control=str(tmp_path / "c"), once=True)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield tmp_path, server
    thread.join(5)
    assert not thread.is_alive(), "the server ends with its client"
    assert list(tmp_path.iterdir()) == []


def test_entropy_arrives_with_interrupts(served: tuple[Path, Server]) -> None:
    function = open_function(f"vfio-user:{served[0]}/s")
    with Device(function) as device:
        device.initialise(Rng.FEATURES, Rng.queues(device))
        rng = Rng(device)
        assert len({rng.read(32) for _ in range(20)}) == 20
        assert device.notifications.interrupts() > 0


@pytest.mark.parametrize("way", list(Way))
def test_with_msix_a_completion_arrives_at_the_queues_vector_and_isr_stays_zero(
    served: tuple[Path, Server], way: Way
) -> None:
    with Device(open_function(f"vfio-user:{served[0]}/s")) as device:
        device.reset()
        device.use_messages(way)
        assert device.messages is not None
        device.initialise(Rng.FEATURES, Rng.queues(device))
        workload = workload_of(Rng(device))
        workload.submit(1)
        workload.kick()
        assert device.notifications.line.wait(5.0)
        assert [message.vector for message in device.messages.take()] == [1]
        device.wait_for(lambda: bool(workload.reap()), 5.0)
        device.reset()
        device.use_interrupts()
        assert device.function.line.count() == 0
        assert device.notifications.collect() == 0


def test_triggers_go_through_the_control_socket(served: tuple[Path, Server]) -> None:
    folder, server = served
    with open_function(f"vfio-user:{folder}/s?control={folder}/c") as function:
        assert function.triggers is not None
        assert {"delay", "state"} <= function.triggers.available()
        function.triggers.fire("delay", seconds=0.25)
        assert server.function.device.latency == 0.25
        with pytest.raises(CannotRun, match="the server refuses 'delay'"):
            function.triggers.fire("delay", seconds=-1)


def test_a_control_socket_that_is_not_there_is_named(served: tuple[Path, Server]) -> None:
    with pytest.raises(CannotRun, match=r"no control socket at .*start the server with --control"):
        open_function(f"vfio-user:{served[0]}/s?control={served[0]}/none")


def test_a_server_that_ends_takes_the_device_away_with_a_named_error(served: tuple[Path, Server]) -> None:
    folder, server = served
    with Device(open_function(f"vfio-user:{folder}/s?timeout=1")) as device:
        device.initialise(Rng.FEATURES, Rng.queues(device))
        server.stop()
        with pytest.raises(DeviceError):
            _read_on(device)


def _read_on(device: Device) -> None:
    for _ in range(1000):
        Rng(device).read(16, timeout=1.0)
