"""QEMU's own block, network and console device under our drivers through UIO, seen from the host's side."""

from __future__ import annotations

import hashlib
import os
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import IN_GUEST
from tests.qemu.driven import driven
from tests.vm.guest.host import Host
from tests.vm.guest.inspected import shown
from tests.vm.guest.waiting import within
from uvirtio.bus.uio import Sysfs, bind
from uvirtio.errors import InUse
from uvirtio.spec.pci import Header
from uvirtio_drivers.blk import Blk
from uvirtio_drivers.console import Console
from uvirtio_drivers.net import Net

pytestmark = [pytest.mark.boot("zoo"), pytest.mark.timeout(120)]

_PATIENCE = 20.0
#: QEMU's user network: the gateway, and the address that its DHCP server would give to a guest.
_GATEWAY, _GUEST = bytes([10, 0, 2, 2]), bytes([10, 0, 2, 15])
#: Of the Linux input layer.
_KEY, _KEY_A = 1, 30
_BROADCAST = b"\xff" * 6


def _of_the_host(name: str) -> Path:
    """A file that the host's QEMU reads or writes, in the folder that both see."""
    return Path(os.environ[IN_GUEST], name)


def test_a_disk_reads_as_the_hosts_image_and_what_is_written_arrives_in_it(devices: dict[str, str]) -> None:
    image = _of_the_host("qemu-blk.img")
    before = image.read_bytes()
    with driven(devices["qemu-blk"]) as blk:
        assert isinstance(blk, Blk)
        assert blk.get_id() == "zoo-disk"
        assert len(blk.device.queues) > 1
        data = blk.read(0, 512 * blk.capacity, _PATIENCE)
        assert (len(data), hashlib.sha256(data).digest()) == (8 << 20, hashlib.sha256(before).digest())
        new = random.Random(9).randbytes(300 * 512)
        blk.write(1000, new, _PATIENCE)
        blk.flush(_PATIENCE)
        expected = bytearray(before)
        expected[1000 * 512 : 1300 * 512] = new
        assert hashlib.sha256(image.read_bytes()).digest() == hashlib.sha256(expected).digest()
        assert blk.read(999, 302 * 512, _PATIENCE) == bytes(expected[999 * 512 : 1301 * 512])


def test_the_user_network_answers_to_arp_and_the_hosts_dump_has_every_frame(devices: dict[str, str]) -> None:
    dump = _of_the_host("qemu-net.pcap")
    with driven(devices["qemu-net"]) as net:
        assert isinstance(net, Net)
        assert net.mac == bytes.fromhex("5254000a0b0c")
        question = _arp(1, _BROADCAST, net.mac, _GUEST, bytes(6), _GATEWAY)
        odd = [_BROADCAST + net.mac + b"\x88\xb5" + random.Random(n).randbytes(46 + 67 * n) for n in range(20)]
        net.transmit_batch([question, *odd], _PATIENCE)
        answers: list[bytes] = []

        def answered() -> bool:
            answers.extend(net.received())
            return any(_is_answer(frame, net.mac) for frame in answers)

        assert within(_PATIENCE, answered), answers
    (answer,) = [frame for frame in answers if _is_answer(frame, bytes.fromhex("5254000a0b0c"))]
    assert within(_PATIENCE, lambda: answer in _frames(dump))
    seen = [frame for frame in _frames(dump) if frame in (question, *odd)]
    assert seen == [question, *odd]


@pytest.fixture
def virtual(devices: dict[str, str]) -> Iterator[str]:
    """A virtual function of a network device, with the kernel's driver on it."""
    above = Path("/sys/bus/pci/devices", devices["sriov"])
    (above / "sriov_numvfs").write_text("1")
    yield (above / "virtfn0").readlink().name
    (above / "sriov_numvfs").write_text("0")


def test_a_virtual_function_is_driven_without_an_interrupt(
    devices: dict[str, str], virtual: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sysfs = Sysfs()
    assert sysfs.peek(virtual, Header.VENDOR, 4) == 0xFFFF_FFFF
    with driven(virtual) as net:
        assert isinstance(net, Net)
        assert "a virtual function has no INTx" in net.device.notifications.line.description
        net.transmit_batch([_arp(1, _BROADCAST, net.mac, _GUEST, bytes(6), _GATEWAY)], _PATIENCE)
        assert within(_PATIENCE, lambda: any(_is_answer(frame, net.mac) for frame in net.received()))
    assert sysfs.driver(virtual) == "virtio-pci"
    document = shown(capsys, virtual)
    assert (document["vendor"], document["type_name"]) == ("0x1af4", "net")
    assert [(bar["number"], bar["size"]) for bar in document["bars"]] == [(1, "0x1000"), (4, "0x4000")]
    with pytest.raises(InUse, match=f"1 virtual function \\({virtual}\\)"):
        bind(devices["sriov"])


def _arp(operation: int, to: bytes, mac: bytes, address: bytes, their_mac: bytes, their_address: bytes) -> bytes:
    head = to + mac + struct.pack(">HHHBBH", 0x0806, 1, 0x0800, 6, 4, operation)
    return (head + mac + address + their_mac + their_address).ljust(60, b"\0")


def _is_answer(frame: bytes, mac: bytes) -> bool:
    """Whether a frame is the gateway's ARP reply to us."""
    return frame[:6] == mac and frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\x02" and frame[28:32] == _GATEWAY


def _frames(dump: Path) -> list[bytes]:
    """The frames of a pcap file, in order."""
    data = dump.read_bytes()
    frames, at = [], 24
    while at + 16 <= len(data):
        (size,) = struct.unpack_from("<I", data, at + 8)
        frames.append(data[at + 16 : at + 16 + size])
        at += 16 + size
    return frames


def test_lines_that_are_written_to_a_port_arrive_in_the_hosts_file(devices: dict[str, str]) -> None:
    lines = "".join(f"line {number}: {'x' * (number % 100)}\n" for number in range(500)).encode()
    with driven(devices["qemu-console"]) as console:
        assert isinstance(console, Console)
        port = console.wait_for_port(lambda port: port.host_open, _PATIENCE)
        assert (port.number, port.name) == (1, "org.uvirtio.lines")
        port.write(lines, _PATIENCE)
    said = _of_the_host("qemu-console.out")
    assert within(_PATIENCE, lambda: len(said.read_bytes()) >= len(lines))
    assert said.read_bytes() == lines


def test_a_keyboard_says_its_serial_number_and_a_stroke_from_the_host_arrives(
    devices: dict[str, str], host: Host
) -> None:
    with driven(devices["qemu-tablet"]) as tablet:
        assert (tablet.name, tablet.serial) == ("QEMU Virtio Tablet", "tablet-1")
    with driven(devices["qemu-input"]) as keyboard:
        assert (keyboard.name, keyboard.serial) == ("QEMU Virtio Keyboard", "keys-1")
        key = {"type": "qcode", "data": "a"}
        strokes = [{"type": "key", "data": {"down": down, "key": key}} for down in (True, False)]
        host.qmp("input-send-event", events=strokes)
        keys: list[tuple[int, int]] = []
        while len(keys) < len(strokes):
            event = keyboard.read_event(_PATIENCE)
            # Between and behind them are the ends of reports, as QEMU cuts them.
            keys += [(event.code, event.value)] if event.type == _KEY else []
    assert keys == [(_KEY_A, 1), (_KEY_A, 0)]
