"""The emulated network device: frames, the link, the control queue, and who is at the other end."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import pytest

from uvirtio.emulated.peers import Responder
from uvirtio.errors import CannotRun, LocatorError

from .raw import DEVICE, SUSPEND_14, Raw, RawQueue

MAC, STATUS, CTRL_VQ, CTRL_RX, CTRL_MAC_ADDR, MQ, MTU = 5, 16, 17, 18, 23, 22, 3
RING_RESET = 40
BITS = (MAC, STATUS, CTRL_VQ, CTRL_RX, CTRL_MAC_ADDR)
HEADER = bytes(12)


def ready(query: str = "", *more: int) -> tuple[Raw, RawQueue, RawQueue, RawQueue]:
    raw = Raw(f"emulated:net?{query}" if query else "emulated:net")
    raw.bring_up(*BITS, *more, queues=3)
    receive, transmit, control = raw.queues
    return raw, receive, transmit, control


def transmit_frame(raw: Raw, queue: RawQueue, frame: bytes) -> None:
    address, _ = raw.buffer(HEADER + frame)
    queue.publish((address, 12 + len(frame), False))
    queue.kick()
    assert raw.until(lambda: queue.used_index() != queue.seen)
    ((_, length),) = queue.used_entries()
    assert length == 0


def receive_into(raw: Raw, queue: RawQueue, size: int = 1526) -> memoryview:
    address, memory = raw.buffer(size)
    queue.publish((address, size, True))
    queue.kick()
    return memory


def command(raw: Raw, queue: RawQueue, kind: int, number: int, data: bytes) -> int:
    address, _ = raw.buffer(bytes((kind, number)) + data)
    ack, byte = raw.buffer(b"\xff")
    queue.publish((address, 2 + len(data), False), (ack, 1, True))
    queue.kick()
    assert raw.until(lambda: queue.used_index() != queue.seen)
    assert [length for _, length in queue.used_entries()] == [1]
    return byte[0]


def test_a_frame_comes_back_from_the_echoing_peer() -> None:
    raw, receive, transmit, _ = ready()
    memory = receive_into(raw, receive)
    frame = bytes(range(60))
    transmit_frame(raw, transmit, frame)
    assert receive.used_entries() == [(0, 72)]
    assert bytes(memory[:12]) == struct.pack("<BBHHHHH", 0, 0, 0, 0, 0, 0, 1)
    assert bytes(memory[12:72]) == frame


def test_frames_wait_for_buffers_and_keep_their_order() -> None:
    raw, receive, transmit, _ = ready()
    for number in range(10):
        transmit_frame(raw, transmit, bytes([number]) * 60)
    assert receive.used_index() == 0
    memories = [receive_into(raw, receive) for _ in range(10)]
    assert [bytes(memory[12:13])[0] for memory in memories] == list(range(10))


def test_frames_that_come_while_suspended_wait_until_resume() -> None:
    raw, receive, _, _ = ready("", SUSPEND_14)
    receive_into(raw, receive)
    raw.set_status(0x1F)
    raw.bus.triggers.fire("send_traffic", count=3)
    raw.clock.sleep(0.2)
    assert receive.used_index() == 0
    assert raw.isr() == 0
    raw.set_status(0x1F)
    assert raw.status() == 0x0F
    assert receive.used_index() == 1
    assert raw.isr() == 1


def test_a_frame_longer_than_the_receive_buffer_is_lost_and_the_buffer_stays() -> None:
    raw, receive, transmit, _ = ready("instant=on")
    memory = receive_into(raw, receive, 72)
    transmit_frame(raw, transmit, b"a" * 61)
    assert raw.status() == 0x0F
    assert receive.used_index() == 0
    transmit_frame(raw, transmit, b"b" * 60)
    assert receive.used_entries() == [(0, 72)]
    assert bytes(memory[12:72]) == b"b" * 60


def test_a_buffer_that_was_kept_is_gone_with_a_reset() -> None:
    raw, receive, transmit, _ = ready("instant=on")
    memory = receive_into(raw, receive, 72)
    transmit_frame(raw, transmit, b"a" * 61)
    raw.set_status(0)
    raw.bring_up(*BITS, queues=3)
    receive, transmit, _ = raw.queues
    transmit_frame(raw, transmit, b"b" * 60)
    assert receive.used_index() == 0
    assert bytes(memory[12:72]) == bytes(60)


@pytest.mark.parametrize(("more", "arrives"), [((), True), ((MTU,), False)])
def test_no_frame_beyond_the_mtu_is_passed_to_a_driver_that_knows_it(more: tuple[int, ...], arrives: bool) -> None:
    raw, receive, _, _ = ready("mtu=100", *more)
    receive_into(raw, receive)
    raw.bus.triggers.fire("send_traffic", count=1, size=119)
    assert receive.used_index() == arrives
    raw.bus.triggers.fire("send_traffic", count=1, size=118)
    receive_into(raw, receive)
    assert receive.used_index() == arrives + 1


def test_the_link_shows_in_the_configuration_and_notifies() -> None:
    raw, _, _, _ = ready()
    assert raw.bar.read(DEVICE + 6, 2) == 1
    raw.bus.triggers.fire("set_link", up=False)
    assert raw.isr() == 2
    assert raw.bar.read(DEVICE + 6, 2) == 0
    raw.bus.triggers.fire("set_link", up=False)
    assert raw.isr() == 0, "nothing changed"
    raw.bus.triggers.fire("change_config")
    assert raw.bar.read(DEVICE + 6, 2) == 1


def test_the_mac_address_is_read_byte_by_byte_and_set_by_command() -> None:
    raw, _, _, control = ready("mac=02:00:00:00:00:07")
    assert bytes(raw.bar.read(DEVICE + i, 1) for i in range(6)) == b"\2\0\0\0\0\7"
    assert command(raw, control, 1, 1, b"\2\0\0\0\0\x09") == 0
    assert raw.bar.read(DEVICE + 5, 1) == 9
    raw.set_status(0)
    assert raw.bar.read(DEVICE + 5, 1) == 7


def test_control_commands_are_acknowledged_or_refused() -> None:
    raw, _, _, control = ready()
    assert command(raw, control, 0, 0, b"\1") == 0
    assert command(raw, control, 1, 0, bytes(8)) == 0
    assert command(raw, control, 1, 1, b"short") == 1
    assert command(raw, control, 4, 0, b"\1\0") == 1, "MQ was not negotiated"
    assert command(raw, control, 77, 0, b"") == 1


def several(pairs: int, query: str = "", *more: int) -> Raw:
    """All pairs set up, none but the first asked for; the control queue is the last."""
    raw = Raw(f"emulated:net?queues={pairs}{query}")
    raw.bring_up(*BITS, MQ, *more, queues=2 * pairs + 1)
    return raw


def use(raw: Raw, pairs: int) -> int:
    """VQ_PAIRS_SET; the ack."""
    return command(raw, raw.queues[-1], 4, 0, struct.pack("<H", pairs))


def filled(raw: Raw) -> list[int]:
    """How many frames each receive queue has got since this was last asked."""
    return [len(queue.used_entries()) for queue in raw.queues[0:-1:2]]


def udp(source: int, target: int, size: int = 60) -> bytes:
    """A datagram between two ports of two stations."""
    ends = bytes((10, 0, 0, 1, 10, 0, 0, 2)) if source < target else bytes((10, 0, 0, 2, 10, 0, 0, 1))
    ip = bytes((0x45, 0, 0, size - 14, 0, 0, 0, 0, 64, 17, 0, 0)) + ends
    return (bytes(12) + b"\x08\0" + ip + struct.pack(">HH", source, target)).ljust(size, b"\0")


def test_with_several_pairs_the_control_queue_is_the_last() -> None:
    raw = several(2)
    assert raw.bar.read(DEVICE + 8, 2) == 2
    assert use(raw, 2) == 0
    memory = receive_into(raw, raw.queues[2])
    transmit_frame(raw, raw.queues[3], b"q" * 60)
    assert bytes(memory[12:72]) == b"q" * 60
    assert raw.bus.log.faults() == []


def test_without_multiqueue_a_device_of_several_pairs_has_one_and_its_control_queue_behind_it() -> None:
    raw = Raw("emulated:net?queues=3")
    raw.bring_up(*BITS, queues=3)
    assert command(raw, raw.queues[2], 0, 0, b"\1") == 0
    assert command(raw, raw.queues[2], 4, 0, b"\2\0") == 1
    memory = receive_into(raw, raw.queues[0])
    transmit_frame(raw, raw.queues[1], b"q" * 60)
    assert bytes(memory[12:72]) == b"q" * 60


@pytest.mark.parametrize("data", [b"\0\0", b"\4\0", b"\xff\xff", b"\2", b"\2\0\0", b""])
def test_a_number_of_pairs_that_cannot_be_is_refused_and_changes_nothing(data: bytes) -> None:
    raw = several(3)
    assert use(raw, 2) == 0
    assert command(raw, raw.queues[-1], 4, 0, data) == 1
    for queue in raw.queues[0:-1:2]:
        receive_into(raw, queue)
    transmit_frame(raw, raw.queues[3], udp(1, 2))
    raw.bus.triggers.fire("send_traffic", count=4)
    counts = filled(raw)
    assert counts[2] == 0
    assert counts[1] > 0


def test_only_the_first_pair_is_used_until_more_are_asked_for() -> None:
    raw = several(2)
    for _ in range(4):
        receive_into(raw, raw.queues[0])
        receive_into(raw, raw.queues[2])
    raw.bus.triggers.fire("send_traffic", count=3)
    assert filled(raw) == [3, 0]
    transmit_frame(raw, raw.queues[3], udp(1, 2))
    assert filled(raw) == [0, 0], "a frame in a queue that was not asked for goes nowhere"
    assert "whose pair the driver never asked for" in str(raw.bus.log.faults())


def test_a_flow_comes_in_on_the_pair_that_it_was_last_sent_on() -> None:
    raw = several(3)
    assert use(raw, 3) == 0
    for _ in range(12):
        for queue in raw.queues[0:-1:2]:
            receive_into(raw, queue)
    transmit_frame(raw, raw.queues[5], udp(7, 8))
    transmit_frame(raw, raw.queues[3], udp(7, 9))
    assert filled(raw) == [0, 1, 1], "each echo on the pair of its own flow"
    # Both ways of a conversation are one flow; nothing is sent on its pair here.
    for _ in range(3):
        raw.function.device.model.arrived(udp(8, 7))
    assert filled(raw) == [0, 0, 3]
    transmit_frame(raw, raw.queues[1], udp(7, 8))
    raw.function.device.model.arrived(udp(8, 7))
    assert filled(raw) == [2, 0, 0]


def test_frames_of_no_known_flow_are_spread_over_all_pairs_in_use() -> None:
    raw = several(4)
    assert use(raw, 3) == 0
    for _ in range(12):
        for queue in raw.queues[0:-1:2]:
            receive_into(raw, queue)
    raw.bus.triggers.fire("send_traffic", count=9)
    assert filled(raw) == [3, 3, 3, 0]


def test_frames_that_wait_for_a_pair_that_is_given_up_go_to_another() -> None:
    raw = several(2)
    assert use(raw, 2) == 0
    transmit_frame(raw, raw.queues[3], udp(7, 8))
    assert use(raw, 1) == 0
    receive_into(raw, raw.queues[2])
    memory = receive_into(raw, raw.queues[0])
    assert filled(raw) == [1, 0]
    assert bytes(memory[12:72]) == udp(7, 8)
    raw.function.device.model.arrived(udp(8, 7))
    receive_into(raw, raw.queues[0])
    assert filled(raw) == [1, 0]


def test_frames_for_a_queue_that_is_being_reset_go_to_another_and_with_none_are_lost() -> None:
    raw = several(2, "&features=%2bRING_RESET", RING_RESET)
    assert use(raw, 2) == 0
    transmit_frame(raw, raw.queues[3], udp(7, 8))
    raw.r16(0x3A, select=2)
    raw.bar.write(0x3A, 2, 1)
    receive_into(raw, raw.queues[0])
    assert filled(raw)[0] == 1, "what waited for the second goes to the first"
    raw.function.device.model.arrived(udp(8, 7))
    receive_into(raw, raw.queues[0])
    assert filled(raw)[0] == 1
    raw.r16(0x3A, select=0)
    raw.bar.write(0x3A, 2, 1)
    raw.function.device.model.arrived(udp(8, 7))
    assert not any(raw.function.device.model.backlog)


def test_all_pairs_keep_still_while_suspended_and_go_on_after_resume() -> None:
    raw = several(2, "", SUSPEND_14)
    assert use(raw, 2) == 0
    for queue in raw.queues[0:-1:2]:
        receive_into(raw, queue)
        receive_into(raw, queue)
    transmit_frame(raw, raw.queues[3], udp(7, 8))
    assert filled(raw) == [0, 1]
    raw.set_status(0x1F)
    assert raw.status() == 0x1B
    raw.function.device.model.arrived(udp(8, 7))
    raw.bus.triggers.fire("send_traffic", count=2)
    address, _ = raw.buffer(HEADER + udp(9, 10))
    raw.queues[3].publish((address, 72, False))
    raw.queues[3].kick()
    raw.clock.sleep(0.2)
    assert (filled(raw), raw.queues[3].used_entries()) == ([0, 0], [])
    raw.set_status(0x1F)
    assert raw.until(lambda: raw.status() == 0x0F)
    assert filled(raw) == [1, 1], "two more wait for buffers"
    for queue in raw.queues[0:-1:2]:
        receive_into(raw, queue)
        receive_into(raw, queue)
    assert raw.until(lambda: raw.queues[3].used_index() != raw.queues[3].seen)
    assert sum(filled(raw)) == 2


def test_after_a_reset_one_pair_is_in_use_again() -> None:
    raw = several(2)
    assert use(raw, 2) == 0
    raw.bring_up(*BITS, MQ, queues=5)
    for _ in range(3):
        receive_into(raw, raw.queues[0])
        receive_into(raw, raw.queues[2])
    raw.bus.triggers.fire("send_traffic", count=3)
    assert filled(raw) == [3, 0]


def test_the_responder_answers_arp_and_ping() -> None:
    raw, receive, transmit, _ = ready("peer=responder")
    mine, his = b"\x52\x54\0\x75\x76\1", b"\x52\x54\0\x75\x76\2"
    arp = (
        b"\xff" * 6
        + mine
        + b"\x08\x06\0\1\x08\0\6\4\0\1"
        + mine
        + bytes([10, 0, 0, 1])
        + bytes(6)
        + bytes([10, 0, 0, 2])
    )
    memory = receive_into(raw, receive)
    transmit_frame(raw, transmit, arp.ljust(60, b"\0"))
    answer = bytes(memory[12:72])
    assert answer[:14] == mine + his + b"\x08\x06"
    assert answer[20:22] == b"\0\2"
    assert answer[22:32] == his + bytes([10, 0, 0, 2])
    icmp = b"\x08\0\0\0\0\1\0\1payload!"
    checksum = 0xFFFF - sum(struct.unpack(">8H", icmp)) % 0xFFFF
    icmp = icmp[:2] + checksum.to_bytes(2, "big") + icmp[4:]
    ip = bytes([0x45, 0, 0, 20 + len(icmp), 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2])
    memory = receive_into(raw, receive)
    transmit_frame(raw, transmit, (his + mine + b"\x08\0" + ip + icmp).ljust(60, b"\0"))
    answer = bytes(memory[12:72])
    assert answer[26:34] == bytes([10, 0, 0, 2, 10, 0, 0, 1])
    assert answer[34] == 0
    assert answer[38:50] == icmp[4:]
    assert sum(struct.unpack(">8H", answer[34:50])) % 0xFFFF == 0


def test_a_datagram_peer_sees_frames_and_sends_some(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
        peer.bind(str(tmp_path / "peer"))
        peer.settimeout(2)
        raw, receive, transmit, _ = ready(f"peer=dgram:{tmp_path}/dev,{tmp_path}/peer")
        transmit_frame(raw, transmit, b"a" * 60)
        assert peer.recv(2000) == b"a" * 60
        peer.sendto(b"b" * 60, str(tmp_path / "dev"))
        memory = receive_into(raw, receive)
        assert bytes(memory[12:72]) == b"b" * 60
        raw.bus.close()
        assert not (tmp_path / "dev").exists()


@pytest.mark.parametrize("size", [65536, 65549])
def test_a_datagram_peer_cuts_nothing_off_the_longest_frames(size: int, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
        peer.bind(str(tmp_path / "peer"))
        raw, receive, _, _ = ready(f"peer=dgram:{tmp_path}/dev,{tmp_path}/peer&mtu=65535")
        frame = b"c" * (size - 1) + b"d"
        peer.sendto(frame, str(tmp_path / "dev"))
        memory = receive_into(raw, receive, 12 + size)
        assert bytes(memory[12 : 12 + size]) == frame
        raw.bus.close()


def test_a_stream_peer_has_a_length_before_each_frame(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "peer"))
        listener.listen()
        raw, receive, transmit, _ = ready(f"peer=stream:{tmp_path}/peer")
        peer, _ = listener.accept()
        transmit_frame(raw, transmit, b"a" * 60)
        assert peer.recv(2000) == b"\0\0\0\x3c" + b"a" * 60
        peer.sendall(b"\0\0\0\x3c" + b"b" * 30)
        memory = receive_into(raw, receive)
        assert receive.used_index() == 0
        peer.sendall(b"b" * 30)
        receive.kick()
        assert bytes(memory[12:72]) == b"b" * 60
        peer.close()
        raw.bus.close()


@pytest.mark.parametrize("query", ["mac=1:2", "mac=ff:ff:ff:ff:ff:ff", "peer=carrier-pigeon", "mtu=10", "peer=dgram:x"])
def test_a_network_that_makes_no_sense_is_refused(query: str) -> None:
    with pytest.raises(LocatorError):
        Raw(f"emulated:net?{query}")


def test_a_peer_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="start the peer first"):
        Raw(f"emulated:net?peer=stream:{tmp_path}/nobody")


def test_a_station_answers_no_ping_whose_header_is_none() -> None:
    # An IPv4 header says that it has no length, in a packet that is too short for one.
    said: list[bytes] = []
    station = Responder()
    station.deliver = said.append
    for length in range(30):
        station.send(b"\xff" * 12 + b"\x08\x00" + b"\x40\x08" + length.to_bytes(2, "big") + b"\x01" * 24)
    assert said == []
