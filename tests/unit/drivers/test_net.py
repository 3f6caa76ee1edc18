"""What the network driver puts on the wire and takes from it, and what its workload notices."""

from __future__ import annotations

import re
from collections.abc import Callable
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.drivers.support import Answer, Seen, Stand, drive, running, stand_in, suspends_of
from uvirtio.errors import (
    DeviceMisbehaved,
    DeviceTimeout,
    FrameTooLong,
    NotOffered,
    RequestFailed,
    SuspendedError,
    UsageError,
    WorkloadFailed,
)
from uvirtio.spec.devices import net as spec
from uvirtio.spec.dialects import V1_4
from uvirtio.spec.formats.net import HEADER
from uvirtio.spec.ids import DeviceType
from uvirtio.suspend import Suspender
from uvirtio_drivers import workload_of
from uvirtio_drivers.net import Net
from uvirtio_drivers.net_frames import FrameReader
from uvirtio_drivers.workload import drain

MAC = bytes.fromhex("5254001234 56")
FRAME = MAC + MAC + b"\x88\xb5" + bytes(range(46))
PLAIN = bytes(12)


def sink(seen: Seen) -> int:
    """Takes frames; answers commands with 0."""
    return seen.write(b"\0") if seen.queue == 2 else 0


def echo(seen: Seen) -> int:
    """Sends every frame back, queueing it until there is a buffer."""
    if seen.queue == 1:
        seen.stand.offer(0, pack("<BBHHHHH", 0, 0, 0, 0, 0, 0, 1) + seen.readable[12:])
    return sink(seen)


def net_type(
    answer: Answer = sink, *, features: tuple[int, ...] = (spec.MAC, spec.STATUS, spec.CTRL_VQ), **config: int
) -> type[Stand]:
    return stand_in(
        DeviceType.NET, answer, queues=3, waiting=frozenset({0}), features=features,
        config={"mac": int.from_bytes(MAC, "little"), "status": 1} | config,
    )  # fmt: skip


def test_a_frame_travels_behind_a_header_of_twelve_zeros() -> None:
    with running(net_type(), Net) as (net, _, bus):
        net.transmit(FRAME)
        (seen,) = bus.function.device.model.seen
    assert (seen.queue, seen.readable, seen.writable_sizes) == (1, PLAIN + FRAME, [])


def test_a_batch_is_sent_in_order_and_more_than_there_are_buffers() -> None:
    frames = [FRAME + number.to_bytes(2, "little") for number in range(200)]
    with running(net_type(), Net) as (net, _, bus):
        net.transmit_batch(frames)
        assert [seen.readable[12:] for seen in bus.function.device.model.seen] == frames


@pytest.mark.parametrize("features", ["", "?features=%2bRING_PACKED"])
def test_prepared_frames_are_sent_in_batches_and_the_queue_is_given_back(features: str) -> None:
    frames = [FRAME + bytes((number,)) for number in range(3)]
    with running(net_type(), Net, parameters=features) as (net, _, bus):
        with net.prepare(frames) as pool:
            pool.transmit(500)
            assert pool.free == pool.pool.count
        net.transmit(FRAME)
        seen = [one.readable for one in bus.function.device.model.seen]
    count = pool.pool.count
    assert seen == [PLAIN + frames[number % count % 3] for number in range(500)] + [PLAIN + FRAME]


def test_prepared_frames_are_checked_like_others() -> None:
    with running(net_type(), Net) as (net, device, _):
        with pytest.raises(UsageError, match="all of one length"):
            net.prepare([FRAME, FRAME + b"x"])
        with pytest.raises(UsageError, match="all of one length"):
            net.prepare([])
        with pytest.raises(FrameTooLong):
            net.prepare([bytes(1515)])
        pool = net.prepare([FRAME])
        Suspender(device, V1_4).suspend()
        with pytest.raises(SuspendedError, match="D3"):
            pool.transmit(1)


def test_received_frames_come_out_without_their_header() -> None:
    with running(net_type(), Net) as (net, _, bus):
        model = bus.function.device.model
        for number in range(150):  # more than there are buffers: they are given back
            model.offer(0, PLAIN + FRAME + bytes((number,)))
            assert net.receive() == FRAME + bytes((number,))


def test_receive_buffers_are_large_enough_for_the_mtu() -> None:
    with running(net_type(features=(spec.MTU,), mtu=9000), Net) as (net, _, bus):
        frame = FRAME + bytes(9014 - len(FRAME))
        net.transmit(frame)
        bus.function.device.model.offer(0, PLAIN + frame)
        assert net.receive() == frame


def test_the_mac_address_and_the_link_are_read_byte_by_byte_and_as_a_word() -> None:
    with running(net_type(), Net) as (net, _, bus):
        assert net.mac == MAC
        assert net.link_up
        assert bus.log.faults() == []


def test_a_link_change_is_waited_for_with_its_notification() -> None:
    with running(net_type(), Net) as (net, device, bus):
        model = bus.function.device.model
        device.clock.call_at(device.clock.now() + 1.0, lambda: model.change(status=0))
        assert net.wait_for_link(False, timeout=5.0) is True
        assert not net.link_up
        with pytest.raises(DeviceTimeout, match="waiting for the link to go up"):
            net.wait_for_link(True, timeout=1.0)


def test_a_device_without_a_status_field_is_always_up() -> None:
    with running(net_type(features=(spec.MAC,), status=0), Net) as (net, _, _):
        assert net.link_up
        with pytest.raises(NotOffered, match="NET_F_STATUS"):
            net.wait_for_link(False)


def test_commands_are_class_command_data_and_an_ack() -> None:
    features = (spec.CTRL_VQ, spec.CTRL_RX, spec.CTRL_MAC_ADDR, spec.STATUS, spec.GUEST_ANNOUNCE)
    with running(net_type(features=features), Net) as (net, _, bus):
        net.promiscuous(True)
        net.all_multicast(False)
        net.set_mac(bytes.fromhex("02aabbccddee"))
        net.announce_ack()
        seen = bus.function.device.model.seen
        assert net.mac == bytes.fromhex("02aabbccddee")
    assert [one.readable.hex() for one in seen] == ["000001", "000100", "010102aabbccddee", "0300"]
    assert [one.readable_sizes for one in seen] == [[2, 1], [2, 1], [2, 6], [2]]
    assert all((one.queue, one.writable_sizes) == (2, [1]) for one in seen)


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (lambda seen: seen.write(b"\x01"), RequestFailed, "refused to switch promiscuous mode on"),
        (lambda seen: 1, DeviceMisbehaved, "without writing its ack"),
        (lambda seen: seen.write(b"\x09"), DeviceMisbehaved, "with 0x09"),
        (lambda seen: seen.write(b"\0") + 1, DeviceMisbehaved, "wrote 2 bytes into buffer"),
    ],
)
def test_each_wrong_answer_to_a_command_has_its_own_error(answer, error, says) -> None:  # type: ignore[no-untyped-def]
    device_type = net_type(answer, features=(spec.CTRL_VQ, spec.CTRL_RX))
    with running(device_type, Net) as (net, _, _), pytest.raises(error, match=re.escape(says)):
        net.promiscuous(True)


@pytest.mark.parametrize(
    ("act", "error", "says"),
    [
        (
            lambda net: net.transmit(FRAME + bytes(1515 - len(FRAME))),
            FrameTooLong,
            "1515 bytes is too long: the device takes 1514",
        ),
        (lambda net: net.transmit_batch([FRAME, bytes(2000)]), FrameTooLong, "2000 bytes is too long"),
        (lambda net: net.transmit(bytes(13)), UsageError, "no whole Ethernet header"),
        (lambda net: net.promiscuous(True), NotOffered, "NET_F_CTRL_RX"),
        (lambda net: net.set_mac(MAC), NotOffered, "NET_F_CTRL_MAC_ADDR"),
        (lambda net: net.set_mac(b"\xff" * 6), UsageError, "unicast"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name(act, error, says) -> None:  # type: ignore[no-untyped-def]
    with running(net_type(), Net) as (net, _, bus):
        with pytest.raises(error, match=re.escape(says)):
            act(net)
        assert bus.function.device.model.seen == []


def test_an_mtu_below_the_smallest_is_named() -> None:
    with pytest.raises(DeviceMisbehaved, match="MTU of 67"), running(net_type(features=(spec.MTU,), mtu=67), Net):
        pass


@pytest.mark.parametrize(
    ("data", "length", "says"),
    [
        (PLAIN + FRAME, 0, "length 0; the header alone has 12"),
        (PLAIN + FRAME, 12, "length 12; the header alone has 12"),
        (PLAIN + FRAME, 1600, "1600 bytes into buffer"),
        (pack("<BBHHHHH", 1, 0, 0, 0, 34, 16, 1) + FRAME, None, "NEEDS_CSUM"),
        (pack("<BBHHHHH", 0, 1, 0, 1460, 0, 0, 1) + FRAME, None, "gso_type 0x1"),
    ],
)
def test_a_receive_header_or_length_that_lies_is_named(data: bytes, length: int | None, says: str) -> None:
    with running(net_type(), Net) as (net, _, bus):
        bus.function.device.model.offer(0, data, length)
        with pytest.raises(DeviceMisbehaved, match=says):
            net.receive()


@pytest.mark.parametrize("count", [0, 65, 0xFFFF])
def test_with_merged_buffers_an_impossible_number_of_them_is_named(count: int) -> None:
    with running(net_type(features=(spec.MRG_RXBUF,)), Net) as (net, _, bus):
        bus.function.device.model.offer(0, pack("<BBHHHHH", 0, 0, 0, 0, 0, 0, count) + FRAME)
        with pytest.raises(DeviceMisbehaved, match=f"num_buffers {count}"):
            net.receive()


def test_without_merged_buffers_their_number_is_not_looked_at() -> None:
    with running(net_type(), Net) as (net, _, bus):
        bus.function.device.model.offer(0, bytes(12) + FRAME)
        assert net.receive() == FRAME


@given(
    frames=st.lists(st.binary(min_size=1, max_size=400), max_size=12),
    cut=st.integers(1, 100),
    batches=st.lists(st.integers(1, 7), min_size=1),
)
def test_frames_over_several_buffers_are_put_together_whatever_arrives_at_once(
    frames: list[bytes], cut: int, batches: list[int]
) -> None:
    buffers = []
    for frame in frames:
        pieces = [frame[at : at + cut] for at in range(0, len(frame), cut)]
        buffers.append(pack("<BBHHHHH", 0, 0, 0, 0, 0, 0, len(pieces)) + pieces[0])
        buffers += pieces[1:]
    reader = FrameReader(HEADER, merged=True, buffers=400, where="test")
    position, turn = 0, 0
    while position < len(buffers):
        step = batches[turn % len(batches)]
        reader.feed(buffers[position : position + step])
        position, turn = position + step, turn + 1
    assert list(reader.frames) == frames


def test_buffers_are_fewer_where_the_mtu_makes_them_large() -> None:
    with running(net_type(features=(spec.MTU, spec.MAC), mtu=65535), Net) as (net, _, bus):
        assert net.longest == 65549
        assert 4 <= net.pairs[0].receiving.count < 64
        net.transmit_batch([bytes(65549)] * 40)
        assert len(bus.function.device.model.seen) == 40


def test_with_an_echoing_peer_every_frame_has_to_come_back() -> None:
    with running(net_type(echo), Net, echoes=True) as (net, device, _):
        workload = workload_of(net)
        drive(device, workload)
        assert workload.returned == workload.submitted == workload.completed == 256
        assert "echoing peer exactly once" in workload.proves()


def test_somebody_else_may_transmit_and_receive_while_the_workload_is_under_way() -> None:
    with running(net_type(echo), Net, echoes=True) as (net, _, _):
        workload = workload_of(net)
        workload.submit(20)
        net.transmit_batch([FRAME] * 60)
        assert workload.outstanding == 20
        workload.reap()
        assert workload.outstanding == 0
        workload.verify()
        assert workload.foreign == 60


def test_without_a_peer_transmit_buffers_alone_are_proven_and_it_says_so() -> None:
    with running(net_type(), Net, echoes=False) as (net, device, bus):
        workload = workload_of(net)
        drive(device, workload)
        bus.function.device.model.offer(0, PLAIN + FRAME)
        drive(device, workload)
        assert workload.foreign == 1
        assert "reception, were not tested" in workload.proves()


def every(number: int, act: Callable[[Seen], None]) -> Answer:
    counter = [0]

    def answer(seen: Seen) -> int:
        counter[0] += 1
        if counter[0] % number == 0:
            act(seen)
            return 0
        return echo(seen)

    return answer


def twice(seen: Seen) -> None:
    echo(seen)
    echo(seen)


def damaged(seen: Seen) -> None:
    frame = bytearray(seen.readable[12:])
    frame[-1] ^= 0x40
    seen.stand.offer(0, PLAIN + frame)


def cut_short(seen: Seen) -> None:
    seen.stand.offer(0, PLAIN + seen.readable[12:-3])


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda seen: None, "frames did not come back from the echoing peer within 10 s: numbers 20, 40, 60"),
        (twice, "frame 20 was received twice"),
        (damaged, "number 20 .* it was damaged"),
        (cut_short, "number 20 .* it was damaged"),
    ],
)
def test_a_frame_that_was_lost_doubled_or_damaged_is_noticed(act, says: str) -> None:  # type: ignore[no-untyped-def]
    device_type = net_type(every(20, act))
    with running(device_type, Net, echoes=True) as (net, device, _), pytest.raises(WorkloadFailed, match=says):
        drive(device, workload_of(net))


def test_a_doubled_frame_is_noticed_without_a_known_peer_too_but_a_gap_is_not_held_against_it() -> None:
    with running(net_type(every(20, lambda seen: None)), Net, echoes=False) as (net, device, _):
        drive(device, workload_of(net))
    with (
        running(net_type(every(20, twice)), Net, echoes=False) as (net, device, _),
        pytest.raises(WorkloadFailed, match="twice"),
    ):
        drive(device, workload_of(net))


def test_frames_that_are_lost_while_the_link_is_down_are_not_held_against_the_device() -> None:
    with running(net_type(every(20, lambda seen: None)), Net, echoes=True) as (net, device, bus):
        workload = workload_of(net)
        workload.submit()
        workload.kick()
        drain(device, workload)
        bus.function.device.model.change(status=0)
        bus.function.device.model.change(status=1)
        workload.verify()
        assert workload.lost_lawfully == 3
        with pytest.raises(WorkloadFailed, match="did not come back"):
            drive(device, workload)


def test_nothing_is_given_to_a_suspended_device_and_receive_buffers_come_back_after_resume() -> None:
    with running(net_type(echo), Net, echoes=True) as (net, device, bus):
        workload = workload_of(net)
        workload.submit()
        workload.kick()
        suspender = Suspender(device, V1_4)
        suspender.suspend()
        workload.reap()
        with pytest.raises(SuspendedError, match="D3"):
            net.transmit(FRAME)
        suspender.resume()
        drain(device, workload)
        workload.verify()
        net.received()
        assert net.pairs[0].receiving.posted == 64
        assert bus.log.faults() == []


@pytest.mark.parametrize("echoing", [True, False])
def test_a_hundred_suspends_with_frames_in_flight_lose_nothing(echoing: bool) -> None:
    answer = echo if echoing else sink
    with running(net_type(answer), Net, parameters="?latency=0.003&depth=8", echoes=echoing, recorded=True) as (
        net,
        device,
        bus,
    ):
        workload = workload_of(net)
        cycles = list(suspends_of(net, device, workload, 100))
        assert [reason for cycle in cycles for reason in cycle.reasons] == []
        assert all(cycle.in_flight == 64 for cycle in cycles)
        assert sum(cycle.left_waiting for cycle in cycles) > 0
        assert workload.submitted == workload.completed
        assert workload.returned == (workload.submitted if echoing else 0)
        assert bus.log.faults() == []
