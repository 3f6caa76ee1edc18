"""Every device type does its work on QEMU's own devices, seen from the other side: image file, peer socket, chardev."""

from __future__ import annotations

import random
import socket
from pathlib import Path

import pytest

from tests.qemu.driven import driven, work
from uvirtio.bus.qemu import QemuFunction
from uvirtio.errors import FrameTooLong, PastTheEnd, Unaligned
from uvirtio_drivers.blk import Blk
from uvirtio_drivers.console import Console
from uvirtio_drivers.net import Net

pytestmark = pytest.mark.needs("qemu")

INTERFACES = pytest.mark.parametrize("interface", ["disable-legacy=on", "legacy=on"], ids=["modern", "legacy"])
PATIENCE = 20.0


def peer_of(driver: Blk | Net | Console) -> socket.socket:
    """Our end of the device's backend."""
    function = driver.device.function
    assert isinstance(function, QemuFunction)
    assert function.surroundings.peer is not None
    function.surroundings.peer.settimeout(PATIENCE)
    return function.surroundings.peer


def exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        assert piece, "the other end closed"
        data += piece
    return data


def kind(driver: Blk | Net | Console, interface: str) -> None:
    """Check that the interface that was asked for is the one that is driven."""
    assert driver.device.transport.kind == ("legacy" if interface == "legacy=on" else "modern")


# -- the workloads ---------------------------------------------------------------------------------------------


@INTERFACES
@pytest.mark.parametrize(
    ("target", "sure"),
    [
        ("rng?", "contents never seen before"),
        ("blk?size=8M&", "read back undamaged"),
        ("blk?size=8M&num-queues=2&logical_block_size=4096&physical_block_size=4096&", "read back undamaged"),
        ("net?peer=echo&", "every frame returned"),
        ("net?peer=echo&mrg_rxbuf=off&", "every frame returned"),
        ("console?peer=echo&", "every byte of the stream returned"),
    ],
)
def test_nothing_is_lost_or_doubled_under_the_workload_of(target: str, sure: str, interface: str, qemu: str) -> None:
    with driven(f"qemu:{target}{interface}") as driver:
        kind(driver, interface)
        assert sure in work(driver, 300)


@pytest.mark.parametrize("target", ["balloon?disable-legacy=on", "input"])
def test_nothing_is_lost_or_doubled_under_the_modern_workload_of(target: str, qemu: str) -> None:
    with driven(f"qemu:{target}") as driver:
        assert work(driver, 8)


@pytest.mark.parametrize("features", ["", "&indirect_desc=off", "&event_idx=off", "&indirect_desc=off&event_idx=off"])
@pytest.mark.parametrize(
    ("target", "least"),
    [
        ("rng?disable-legacy=on", 300),
        ("blk?size=8M&disable-legacy=on&num-queues=2", 300),
        ("console?peer=echo&disable-legacy=on", 300),
        ("balloon?disable-legacy=on", 8),
        ("input", 8),
    ],
)
def test_packed_rings_do_what_split_ones_do_under_the_workload_of(
    target: str, least: int, features: str, qemu: str
) -> None:
    """QEMU never sets VIRTQ_DESC_F_WRITE in a used descriptor; what it has written counts all the same."""
    with driven(f"qemu:{target}{'&' if '?' in target else '?'}packed=on{features}") as driver:
        assert {queue.state().format for queue in driver.device.queues.values()} == {"packed"}
        assert work(driver, least)


@pytest.mark.parametrize("features", ["", "&indirect_desc=off", "&mrg_rxbuf=off"])
def test_a_network_card_does_on_packed_rings_what_it_does_on_split_ones(features: str, qemu: str) -> None:
    """Without EVENT_IDX: with it, QEMU's network device on packed rings misses a wake-up now and then."""
    with driven(f"qemu:net?peer=echo&disable-legacy=on&packed=on&event_idx=off{features}") as driver:
        assert {queue.state().format for queue in driver.device.queues.values()} == {"packed"}
        assert "every frame returned" in work(driver, 300)


@pytest.mark.parametrize("rings", ["packed=off", "packed=on", "packed=on&indirect_desc=off", "packed=on&event_idx=off"])
def test_the_same_reads_and_writes_of_a_disk_give_the_same_on_either_ring_format(rings: str, qemu: str) -> None:
    chance = random.Random(9)
    expected = bytearray(1 << 20)
    with driven(f"qemu:blk?size=1M&disable-legacy=on&num-queues=2&{rings}") as blk:
        for _ in range(60):
            sector, count = chance.randrange(1984), chance.randrange(1, 64)
            where = slice(512 * sector, 512 * (sector + count))
            if chance.random() < 0.5:
                expected[where] = chance.randbytes(512 * count)
                blk.write(sector, bytes(expected[where]))
            else:
                assert blk.read(sector, 512 * count) == expected[where]
        assert blk.read(0, 1 << 20) == expected


# -- blk -------------------------------------------------------------------------------------------------------


@pytest.fixture
def image(tmp_path: Path) -> tuple[Path, bytes]:
    """A raw image of 1 MiB, and what is in it."""
    contents = random.Random(5).randbytes(1 << 20)
    path = tmp_path / "a,b image"
    path.write_bytes(contents)
    return path, contents


@INTERFACES
def test_sectors_are_those_of_the_image_file_and_go_into_it(
    interface: str, image: tuple[Path, bytes], qemu: str
) -> None:
    path, contents = image
    with driven(f"qemu:blk?image={path}&serial=uvirtio-7&{interface}".replace(" ", "%20")) as blk:
        assert isinstance(blk, Blk)
        kind(blk, interface)
        assert blk.capacity == 2048
        assert blk.get_id() == "uvirtio-7"
        assert blk.read(0, len(contents)) == contents
        assert blk.read(2047, 512) == contents[-512:]
        new = random.Random(6).randbytes(200 << 10)
        blk.write(100, new)
        blk.flush()
        blk.write_zeroes(1000, 24)
        expected = bytearray(contents)
        expected[100 * 512 : 100 * 512 + len(new)] = new
        expected[1000 * 512 : 1024 * 512] = bytes(24 * 512)
        assert path.read_bytes() == expected
        blk.discard(0, 16)
        assert blk.read(16, 512) == bytes(expected[16 * 512 : 17 * 512])
    assert len(path.read_bytes()) == len(contents)


def test_a_disk_refuses_what_reaches_past_its_end_or_is_no_whole_sector(
    image: tuple[Path, bytes], any_qemu: str
) -> None:
    path, contents = image
    with driven(f"qemu:blk?image={path}".replace(" ", "%20")) as blk:
        for sector, length in ((2048, 512), (2047, 1024), (1 << 60, 512)):
            with pytest.raises(PastTheEnd, match="2048 sectors"):
                blk.read(sector, length)
        with pytest.raises(Unaligned):
            blk.read(0, 100)
    assert path.read_bytes() == contents


def test_an_image_that_carries_a_partition_table_is_only_read(any_qemu: str, tmp_path: Path) -> None:
    path = tmp_path / "image"
    contents = bytearray(random.Random(7).randbytes(1 << 20))
    contents[446:512] = bytes([0, 0, 2, 0, 0x83, 0, 0, 0, 1, 0, 0, 0, 0, 4, 0, 0]) + bytes(48) + b"\x55\xaa"
    path.write_bytes(contents)
    with driven(f"qemu:blk?image={path}") as blk:
        assert "read" in work(blk, 100)
    assert path.read_bytes() == contents


# -- net -------------------------------------------------------------------------------------------------------


def frame(mac: bytes, number: int, size: int) -> bytes:
    return mac + bytes.fromhex("525400000099") + b"\x88\xb5" + number.to_bytes(4, "big") + bytes(size - 18)


@INTERFACES
def test_frames_are_seen_by_the_peer_and_those_of_the_peer_arrive(interface: str, qemu: str) -> None:
    with driven(f"qemu:net?mac=52:54:00:00:00:07&{interface}") as net:
        assert isinstance(net, Net)
        kind(net, interface)
        assert net.mac == bytes.fromhex("525400000007")
        peer = peer_of(net)
        sent = [frame(b"\xff" * 6, number, 60 + 97 * number) for number in range(15)]
        net.transmit_batch(sent, PATIENCE)
        assert [peer.recv(4096) for _ in sent] == sent
        for number in range(40):
            peer.send(frame(net.mac, number, 60 + 30 * number))
        assert [net.receive(PATIENCE) for _ in range(40)] == [frame(net.mac, n, 60 + 30 * n) for n in range(40)]
        with pytest.raises(FrameTooLong):
            net.transmit(frame(net.mac, 0, 1515))


def test_a_stream_peer_sees_frames_behind_their_lengths(qemu: str, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "peer"))
        listener.listen()
        with driven(f"qemu:net?peer={tmp_path}/peer") as net:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(PATIENCE)
                sent = frame(b"\xff" * 6, 1, 1000)
                net.transmit(sent, PATIENCE)
                assert exactly(connection, 1004) == len(sent).to_bytes(4, "big") + sent
                connection.sendall(len(sent).to_bytes(4, "big") + sent)
                assert net.receive(PATIENCE) == sent


@pytest.mark.parametrize("mtu", [65521, 65522, 65535])
@pytest.mark.parametrize("words", ["", "&mrg_rxbuf=off", "&packed=on&event_idx=off"])
def test_frames_of_the_largest_mtu_come_back_undamaged(mtu: int, words: str, qemu: str) -> None:
    with driven(f"qemu:net?peer=echo&disable-legacy=on&host_mtu={mtu}{words}") as net:
        assert isinstance(net, Net)
        assert net.longest == mtu + 14
        assert "every frame returned" in work(net, 60)


# -- console ---------------------------------------------------------------------------------------------------


@INTERFACES
def test_console_bytes_are_seen_by_the_chardev_and_those_of_the_chardev_arrive(interface: str, qemu: str) -> None:
    with driven(f"qemu:console?{interface}") as console:
        assert isinstance(console, Console)
        kind(console, interface)
        peer = peer_of(console)
        port = console.wait_for_port(lambda port: port.host_open, PATIENCE)
        data = random.Random(8).randbytes(20_000)
        port.write(data, PATIENCE)
        assert exactly(peer, len(data)) == data
        peer.sendall(data[:9000])
        assert port.read(9000, PATIENCE) == data[:9000]


def test_a_console_of_a_listening_socket(qemu: str, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "peer"))
        listener.listen()
        with driven(f"qemu:console?peer={tmp_path}/peer") as console:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(PATIENCE)
                port = console.wait_for_port(lambda port: port.host_open, PATIENCE)
                port.write(b"hello", PATIENCE)
                assert exactly(connection, 5) == b"hello"


def test_a_console_without_multiport_is_one_port(qemu: str) -> None:
    with driven("qemu:console?disable-legacy=on&max_ports=1") as console:
        port = console.wait_for_port(timeout=PATIENCE)
        port.write(b"one", PATIENCE)
        assert exactly(peer_of(console), 3) == b"one"
