"""Several queue pairs: which queues there are, what is asked of the device, and that frames go over all of them."""

from __future__ import annotations

import re
from struct import pack, unpack

import pytest

from tests.unit.drivers.support import Answer, Seen, Stand, running, stand_in, suspends_of
from uvirtio.emulated.behaviour import Behaviour
from uvirtio.emulated.faults import FAULTS
from uvirtio.errors import (
    DeviceMisbehaved,
    DeviceTimeout,
    NotOffered,
    RequestFailed,
    SuspendedError,
    UsageError,
    WorkloadFailed,
)
from uvirtio.spec.devices import net as spec
from uvirtio.spec.dialects import V1_4
from uvirtio.spec.ids import DeviceType
from uvirtio.suspend import Suspender
from uvirtio_drivers import workload_of
from uvirtio_drivers.net import PAIRS, Net
from uvirtio_drivers.workload import drain

MAC = bytes.fromhex("525400123456")
FRAME = MAC + MAC + b"\x88\xb5" + bytes(range(46))
PLAIN = bytes(12)
MQ = (spec.MAC, spec.CTRL_VQ, spec.MQ)


def sink(seen: Seen) -> int:
    """Takes frames, and agrees to every command."""
    return seen.write(b"\0") if seen.writable_sizes else 0


def refuse(seen: Seen) -> int:
    """Takes frames, and refuses every command."""
    return seen.write(b"\1") if seen.writable_sizes else 0


def several(
    pairs: int, answer: Answer = sink, *, queues: int = 0, features: tuple[int, ...] = MQ, **config: int
) -> type[Stand]:
    count = queues or 2 * pairs + 1
    return stand_in(
        DeviceType.NET, answer, queues=count, waiting=frozenset(range(0, count - 1, 2)), features=features,
        config={"mac": int.from_bytes(MAC, "little"), "max_virtqueue_pairs": pairs} | config,
    )  # fmt: skip


def commands(bus) -> list[tuple[int, bytes]]:  # type: ignore[no-untyped-def]
    """Queue and contents of each control command that the device got."""
    return [(seen.queue, seen.readable) for seen in bus.function.device.model.seen if seen.writable_sizes]


def sent_on(bus) -> list[int]:  # type: ignore[no-untyped-def]
    """The queues of all frames, in the order in which they were sent."""
    return [seen.queue for seen in bus.function.device.model.seen if not seen.writable_sizes]


@pytest.mark.parametrize(("there", "used"), [(2, 2), (3, 3), (PAIRS, PAIRS), (PAIRS + 3, PAIRS)])
def test_all_pairs_are_asked_for_on_the_control_queue_behind_those_that_there_are(there: int, used: int) -> None:
    with running(several(there), Net) as (net, device, bus):
        assert sorted(device.queues) == [*range(2 * used), 2 * there]
        assert commands(bus) == [(2 * there, pack("<BBH", 4, 0, used))]
        assert net.used == used
        assert bus.log.faults() == []


def test_one_pair_with_multiqueue_needs_no_command_and_has_its_control_queue_behind_it() -> None:
    with running(several(1), Net) as (net, device, bus):
        assert sorted(device.queues) == [0, 1, 2]
        assert commands(bus) == []
        assert net.used == 1


def test_without_multiqueue_there_is_one_pair_however_many_queues_the_device_has() -> None:
    with running(several(3, features=(spec.CTRL_VQ, spec.CTRL_RX)), Net) as (net, device, bus):
        assert sorted(device.queues) == [0, 1, 2]
        with pytest.raises(UsageError, match="NET_F_MQ was not negotiated"):
            net.use_pairs(2)
        with pytest.raises(NotOffered, match="CTRL_MAC_ADDR"):
            net.set_mac(MAC)
        assert commands(bus) == []


@pytest.mark.parametrize(("pairs", "queues"), [(0, 3), (2, 4), (0x8001, 9), (0xFFFF, 9)])
def test_a_number_of_pairs_that_cannot_be_is_named(pairs: int, queues: int) -> None:
    device_type = several(pairs, queues=queues)
    says = f"max_virtqueue_pairs says {pairs} with {queues} virtqueues"
    with pytest.raises(DeviceMisbehaved, match=says), running(device_type, Net):
        pass


def test_where_the_device_refuses_more_pairs_the_first_goes_on_and_it_is_said() -> None:
    with running(several(2, refuse), Net, echoes=False) as (net, device, bus):
        assert net.used == 1
        workload = workload_of(net)
        workload.submit()
        workload.kick()
        drain(device, workload)
        assert set(sent_on(bus)) == {1}
        assert "refused to use 2 queue pairs" in workload.proves()
        with pytest.raises(RequestFailed):
            net.use_pairs(2)


def test_nothing_is_sent_on_other_pairs_before_they_are_asked_for() -> None:
    # As the checks do: traffic is made and published before the device is live.
    with running(several(2), Net, echoes=False) as (_, device, bus):
        device.begin()
        device.negotiate(Net.FEATURES, dependencies=Net.DEPENDENCIES)
        for index, limit in Net.queues(device).items():
            device.set_up_queue(index, limit)
        net = Net(device)
        workload = workload_of(net)
        workload.submit()
        device.driver_ok()
        del bus.function.device.model.seen[:]
        net.start()
        workload.kick()
        drain(device, workload)
        assert set(sent_on(bus)) == {1}
        workload.submit()
        workload.kick()
        drain(device, workload)
        assert set(sent_on(bus)) == {1, 3}
        workload.verify()


def test_batches_go_out_on_the_pairs_in_turn_and_a_pair_can_be_chosen() -> None:
    with running(several(3), Net) as (net, _, bus):
        for _ in range(4):
            net.transmit_batch([FRAME] * 2)
        net.transmit(FRAME, pair=2)
        assert sent_on(bus) == [1, 1, 3, 3, 5, 5, 1, 1, 5]
        net.use_pairs(2)
        for pair in (2, 3, -1):
            with pytest.raises(UsageError, match=re.escape("pairs 0 to 1 are in use")):
                net.transmit(FRAME, pair=pair)
            with pytest.raises(UsageError):
                net.enqueue(FRAME, pair)
        with net.prepare([FRAME], pair=1) as pool:
            pool.transmit(300)
        assert sent_on(bus)[9:] == [3] * 300


def test_frames_are_received_from_all_pairs_each_in_its_order() -> None:
    with running(several(2), Net) as (net, _, bus):
        model = bus.function.device.model
        for number in range(200):  # more than there are buffers
            model.offer(number % 2 * 2, PLAIN + FRAME + bytes((number,)))
            if number % 7 == 0:
                net.receive()
                model.offer(number % 2 * 2, PLAIN + FRAME + bytes((number,)))
        got = [frame[-1] for frame in net.received()]
    even, odd = [number for number in got if not number % 2], [number for number in got if number % 2]
    assert (even, odd) == (sorted(even), sorted(odd))
    assert len(got) == 200


def test_a_frame_over_several_buffers_is_put_together_from_one_queue() -> None:
    with running(several(2, features=(*MQ, spec.MRG_RXBUF)), Net) as (net, _, bus):
        model = bus.function.device.model
        first = pack("<BBHHHHH", 0, 0, 0, 0, 0, 0, 2)
        model.offer(0, first + b"a" * 100)
        assert net.received() == []
        model.offer(2, first + b"x" * 100)
        model.offer(2, b"y" * 100)
        assert net.received() == [b"x" * 100 + b"y" * 100]
        model.offer(0, b"b" * 100)
        assert net.received() == [b"a" * 100 + b"b" * 100]


@pytest.mark.parametrize("count", [0, -1, 4])
def test_no_other_number_of_pairs_is_ever_asked_of_the_device(count: int) -> None:
    with running(several(3), Net) as (net, _, bus):
        with pytest.raises(UsageError, match="1 to 3 can"):
            net.use_pairs(count)
        with pytest.raises(UsageError, match="1 to 3 can"):
            workload_of(net, pairs=count)
        assert [data for _, data in commands(bus)] == [pack("<BBH", 4, 0, 3)]
        assert net.used == 3


def test_fewer_pairs_are_used_once_what_is_under_way_on_the_others_is_sent() -> None:
    with running(several(3), Net, parameters="?latency=0.01&depth=1") as (net, _, bus):
        for _ in range(5):
            net.enqueue(FRAME, 2)
        net.pairs[2].sending.publish()
        net.use_pairs(1)
        assert sent_on(bus) == [5] * 5
        (_, first), (_, last) = commands(bus)
        assert (unpack("<H", first[2:]), unpack("<H", last[2:])) == ((3,), (1,))
        assert bus.function.device.model.seen[-1].readable == last
        net.transmit_batch([FRAME] * 3)
        assert set(sent_on(bus)[5:]) == {1}


def test_a_pair_is_not_used_any_more_once_the_device_was_told_whatever_it_answers() -> None:
    with running(several(3), Net) as (net, device, bus):
        bus.function.device.latency = 1000.0
        device.timeout = 1.0
        with pytest.raises(DeviceTimeout, match="use 2 queue pairs"):
            net.use_pairs(2)
        assert net.used == 2
    with running(several(3, refuse), Net) as (net, _, _):
        net.used = 3
        with pytest.raises(RequestFailed):
            net.use_pairs(2)
        assert net.used == 3, "what was asked for before still holds"


def test_a_suspended_device_is_not_asked_and_the_pairs_stay_in_use() -> None:
    with running(several(2), Net) as (net, device, bus):
        suspender = Suspender(device, V1_4)
        suspender.suspend()
        with pytest.raises(SuspendedError, match="D3"):
            net.use_pairs(1)
        assert (net.used, len(commands(bus))) == (2, 1)
        suspender.resume()
        net.use_pairs(1)
        assert (net.used, len(commands(bus))) == (1, 2)


@pytest.mark.parametrize(("pairs", "queues"), [(None, {1, 3, 5}), (2, {1, 3}), (1, {1})])
def test_the_workload_uses_the_pairs_that_it_is_told_to(pairs: int | None, queues: set[int]) -> None:
    with running(several(3), Net, echoes=False) as (net, device, bus):
        workload = workload_of(net, pairs=pairs)
        assert workload.room == 64
        assert workload.submit() == 64
        workload.kick()
        drain(device, workload)
        workload.verify()
        assert set(sent_on(bus)) == queues
        assert (f"over {len(queues)} queue pairs" in workload.proves()) == (len(queues) > 1)


@pytest.mark.parametrize("ring", ["", "&features=%2bRING_PACKED"])
def test_every_pair_has_frames_in_flight_when_it_is_suspended(ring: str) -> None:
    with running(f"emulated:net?queues=3&latency=0.004&depth=3{ring}", Net, recorded=True) as (net, device, bus):
        workload = workload_of(net)
        under_way = []
        hold = device.hold

        def watched(why: str) -> None:
            under_way.append([pair.sending.queue.outstanding for pair in net.pairs])
            hold(why)

        device.hold = watched  # type: ignore[method-assign]  # which comes right before the write
        cycles = list(suspends_of(net, device, workload, 20))
        assert [reason for cycle in cycles for reason in cycle.reasons] == []
        assert all(all(counts) for counts in under_way)
        assert len(under_way) == 20
        received = [pair.receiving.queue.state().device_index for pair in net.pairs]
        assert all(received), "frames came back over each pair"
        assert workload.returned == workload.submitted
        assert bus.log.faults() == []


class _SecondPairGoesOn(FAULTS["V4"][0]):  # type: ignore[misc, valid-type]
    """Works on the second transmit queue while it is suspended, and on nothing else."""

    def misbehave(self) -> None:
        Behaviour.misbehave(self)
        self.device.queues[3].service()


def test_a_device_that_goes_on_with_the_second_pair_alone_is_noticed() -> None:
    with running("emulated:net?queues=2&latency=0.004&depth=3", Net, recorded=True) as (net, device, bus):
        workload = workload_of(net)
        cycles = suspends_of(net, device, workload, 2, hold=0.05)
        assert next(cycles).reasons == []
        bus.function.device.behaviour.__class__ = _SecondPairGoesOn
        reasons = " ".join(next(cycles).reasons)
    assert "queue 3" in reasons
    assert "queue 1" not in reasons


def test_a_frame_that_is_lost_on_the_second_pair_is_noticed() -> None:
    counter = [0]

    def answer(seen: Seen) -> int:
        counter[0] += seen.queue == 3
        if seen.queue == 3 and counter[0] == 9:
            return 0
        if not seen.writable_sizes:
            seen.stand.offer(seen.queue - 1, pack("<BBHHHHH", 0, 0, 0, 0, 0, 0, 1) + seen.readable[12:])
        return sink(seen)

    with running(several(2, answer), Net, echoes=True) as (net, device, _):
        workload = workload_of(net)
        workload.submit()
        workload.kick()
        drain(device, workload)
        with pytest.raises(WorkloadFailed, match="1 of 64 frames did not come back"):
            workload.verify()


def test_a_pair_is_not_given_up_with_what_a_batch_that_timed_out_left_on_it() -> None:
    with running("emulated:net?queues=2&peer=sink&latency=3", Net) as (net, device, _):
        with pytest.raises(DeviceTimeout):
            net.transmit_batch([FRAME] * 300, 0.5, pair=1)
        assert device.queue(3).outstanding
        device.timeout = 1000
        net.use_pairs(1)
        assert not device.queue(3).outstanding
        assert net.used == 1
