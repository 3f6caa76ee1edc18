"""What can be done to a device from QEMU's side, and that the driver sees it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.qemu.conftest import Served
from tests.qemu.driven import driven, work
from uvirtio.bus import Triggers
from uvirtio.bus.opening import open_function
from uvirtio.bus.qmp import QmpError
from uvirtio.device import Device
from uvirtio.errors import CannotRun, DeviceGone, WorkloadFailed
from uvirtio.queue.pool import Pool
from uvirtio_tools.benches.devices import measure_net
from uvirtio_tools.driving.opening import open_device

pytestmark = pytest.mark.needs("qemu")

PATIENCE = 20.0


def triggers_of(driver: Any) -> Triggers:
    """The triggers of the driver's device."""
    triggers = driver.device.function.triggers
    assert triggers is not None
    found: Triggers = triggers
    return found


def wait_for_config_notification(device: Device, before: int) -> None:
    """Wait until ISR has shown the configuration bit once more than before."""

    def notified() -> bool:
        device.notifications.collect()
        return device.notifications.config > before

    device.wait_for(notified, PATIENCE, doing="waiting for a configuration change notification")


@pytest.mark.parametrize("target", ["net", "blk", "balloon?disable-legacy=on"])
def test_a_changed_configuration_is_notified_and_reads_differently(target: str, qemu: str) -> None:
    with driven(f"qemu:{target}") as driver:
        device: Device = driver.device
        triggers = triggers_of(driver)
        assert "change_config" in triggers.available()
        seen = [device.configuration.piece()]
        for _ in range(3):
            before = device.notifications.config
            triggers.fire("change_config")
            wait_for_config_notification(device, before)
            seen.append(device.configuration.piece())
        assert all(earlier != later for earlier, later in pairwise(seen))


def test_the_link_goes_down_and_up(qemu: str) -> None:
    with driven("qemu:net") as net:
        assert net.link_up
        triggers_of(net).fire("set_link", up=False)
        assert net.wait_for_link(False, PATIENCE)
        triggers_of(net).fire("set_link", up=True)
        assert net.wait_for_link(True, PATIENCE)


def test_a_block_device_grows_by_what_was_asked_for(qemu: str) -> None:
    with driven("qemu:blk?size=1M") as blk:
        before = blk.device.notifications.config
        triggers_of(blk).fire("resize", size=3 << 20)
        wait_for_config_notification(blk.device, before)
        assert blk.capacity == 6144
        blk.write(6143, b"\x42" * 512)
        assert blk.read(6143, 512) == b"\x42" * 512
        with pytest.raises(CannotRun, match="resize: missing a required argument: 'size'"):
            triggers_of(blk).fire("resize")


def test_the_image_of_somebody_is_not_resized_unless_asked(any_qemu: str, tmp_path: Any) -> None:
    path = tmp_path / "image"
    path.write_bytes(bytes(1 << 20))
    with open_function(f"qemu:blk?image={path}") as function:
        assert function.triggers is not None
        assert "change_config" not in function.triggers.available()
        assert "resize" in function.triggers.available()


def test_traffic_from_the_peer_reaches_network_console_and_input_drivers(qemu: str) -> None:
    with driven("qemu:net") as net:
        triggers_of(net).fire("send_traffic", count=5)
        frames = [net.receive(PATIENCE) for _ in range(5)]
        assert all(frame[12:14] == b"\x88\xb5" for frame in frames)
        triggers_of(net).fire("send_traffic", data=b"\xff" * 6 + b"\x52\x54" + bytes(100))
        assert net.receive(PATIENCE) == b"\xff" * 6 + b"\x52\x54" + bytes(100)
    with driven("qemu:console") as console:
        port = console.wait_for_port(lambda port: port.host_open, PATIENCE)
        triggers_of(console).fire("send_traffic", data=b"from the host")
        assert port.read(13, PATIENCE) == b"from the host"
    with driven("qemu:input") as keyboard:
        device: Device = keyboard.device
        before = device.queue(0).state().device_index
        triggers_of(keyboard).fire("send_traffic")
        device.wait_for(lambda: device.queue(0).state().device_index != before, PATIENCE, doing="waiting for a key")


@pytest.mark.parametrize("target", ["rng", "blk", "net", "console", "balloon"])
def test_an_unplugged_device_is_gone_with_a_named_error_and_no_hang(target: str, qemu: str) -> None:
    with driven(f"qemu:{target}", timeout=5.0) as driver:
        device: Device = driver.device
        triggers_of(driver).fire("unplug")
        assert device.status.absent()
        with pytest.raises(DeviceGone):
            device.status.check_alive("looking")
        with pytest.raises(DeviceGone):
            work(driver, 1)


@pytest.mark.needs("modern-qemu")
def test_inside_qemu_the_server_of_a_device_can_be_fired_at(recent_qemu: str, serve: Served) -> None:
    server, control = serve("net")
    with driven(f"qemu:vfio-user-pci?socket={server}&control={control}") as net:
        triggers = triggers_of(net)
        assert {"change_config", "set_link", "delay"} <= triggers.available()
        assert "unplug" not in triggers.available(), "QEMU 11.1 does not survive it"
        triggers.fire("set_link", up=False)
        assert net.wait_for_link(False, PATIENCE)


def test_what_cannot_be_asked_for_is_named_with_what_can(any_qemu: str) -> None:
    with open_function("qemu:rng?machine=q35") as function:
        assert function.triggers is not None
        with pytest.raises(
            CannotRun, match=r"cannot be asked for 'change_config' with this device; it can for migrate, pause"
        ):
            function.triggers.fire("change_config")
        # The root bus of this machine takes and gives nothing while it runs: QEMU's own words say so.
        with pytest.raises(QmpError, match="hotplug"):
            function.triggers.fire("unplug")
    with open_function("qemu:-device virtio-rng-pci") as function:
        assert function.triggers is not None
        assert function.triggers.available() == {"migrate", "pause", "reset", "snapshot"}


def test_a_link_that_goes_down_leaves_no_figure(any_qemu: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_device("qemu:net") as device:
        triggers, publish, batches = device.function.triggers, Pool.publish, []
        assert triggers is not None

        def published(self: Pool, count: int, notify: bool = True) -> bool:
            batches.append(count)
            if len(batches) == 5:
                triggers.fire("set_link", up=False)
            return publish(self, count, notify)

        monkeypatch.setattr(Pool, "publish", published)
        with pytest.raises(
            WorkloadFailed, match=r"no figure: after \d+\.\d s status changed from 0x1 \(LINK_UP\) to 0x0"
        ):
            measure_net(device, 0.5, None)
