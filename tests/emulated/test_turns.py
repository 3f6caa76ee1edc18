"""Turns and budgets: nobody has a served device for long, and nobody makes it keep more than it has room for."""

from __future__ import annotations

import contextlib
import resource
import socket
import struct
import time
from collections.abc import Callable
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from uvirtio.emulated import balloon
from uvirtio.emulated.backlog import Backlog
from uvirtio.emulated.listener import Listener
from uvirtio.emulated.loop import TURN, Loop
from uvirtio.emulated.memory import DriverFault, MappedMemory
from uvirtio.emulated.peers import StreamPeer
from uvirtio.errors import CannotRun

from .raw import Raw, RawQueue


class Hands:
    """A clock that goes on when the test says so."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def model_of(raw: Raw) -> Any:
    return raw.function.device.model


def after(calls: int) -> Callable[[], bool]:
    """Turns that are over from that question on, once."""
    answers = chain(repeat(False, calls), (True,), repeat(False))
    return lambda: next(answers)


def fill(raw: Raw, queue: RawQueue, address: int, size: int) -> int:
    """Offer a readable buffer again and again until no more are taken; how many were."""
    for taken in range(10_000):
        before = queue.used_index()
        queue.publish((address, size, False))
        queue.kick()
        raw.clock.sleep(0.001)
        if queue.used_index() == before:
            return taken
    raise AssertionError("it never ends")


# Turns


def test_calls_that_are_always_due_let_others_have_their_turn() -> None:
    hands = Hands()
    loop = Loop(hands)
    reader, writer = socket.socketpair()
    turns = []

    def costly() -> None:
        hands.time += TURN
        turns.append(hands.time)
        assert len(turns) < 100
        loop.call_at(hands.time, costly)

    with reader, writer, contextlib.closing(loop):
        writer.send(b"x")
        loop.watch(reader, loop.stop)
        loop.call_at(0.0, costly)
        loop.run()
    assert len(turns) == 1


def test_what_goes_wrong_ends_the_party_whose_turn_it_was() -> None:
    loop = Loop()
    reader, writer = socket.socketpair()
    lost: list[Exception] = []

    def fail() -> None:
        raise MemoryError

    with reader, writer, contextlib.closing(loop):
        writer.send(b"x")
        loop.watch(reader, fail, lost.append)
        loop.failed = lost.append
        loop.call_at(0.0, fail)
        loop.call_at(loop.now() + 0.01, loop.stop)
        loop.run()
    assert [type(error) for error in lost] == [MemoryError, MemoryError]


def test_a_queue_goes_on_in_another_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = Raw("emulated:rng?instant=on")
    queue = raw.bring_up()
    for _ in range(8):
        raw.ask(queue)
    monkeypatch.setattr(raw.clock, "turn_over", after(4), raising=False)
    queue.kick()
    assert 0 < queue.used_index() < 8
    raw.clock.sleep(0.001)
    assert queue.used_index() == 8


def test_a_batch_in_order_is_given_back_when_the_turn_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = Raw("emulated:rng?features=%2BIN_ORDER&depth=8&latency=0.001")
    queue = raw.bring_up(35)
    for _ in range(8):
        raw.ask(queue)
    queue.kick()
    monkeypatch.setattr(raw.clock, "turn_over", after(2), raising=False)
    raw.clock.sleep(0.01)
    assert queue.used_index() == 8


def test_waiting_data_is_handed_out_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = Raw("emulated:input?instant=on")
    queue = raw.bring_up(queues=2)
    for _ in range(8):
        raw.ask(queue, 8)
    monkeypatch.setattr(raw.clock, "turn_over", after(3), raising=False)
    raw.bus.triggers.fire("send_traffic", count=2)
    assert 0 < queue.used_index() < 8
    raw.clock.sleep(0.001)
    assert queue.used_index() == 8


# Budgets


def test_a_backlog_is_crowded_before_it_refuses() -> None:
    backlog = Backlog(1000)
    assert not backlog.crowded
    assert all(backlog.append(bytes(36)) for _ in range(10))
    assert backlog.crowded
    assert not backlog.append(b"")
    assert len(backlog) == 10
    backlog.clear()
    assert not backlog.crowded


def test_a_console_port_that_nobody_reads_leaves_transmit_buffers_in_the_ring() -> None:
    raw = Raw("emulated:console?instant=on&ports=1")
    raw.bring_up(queues=2)
    address, _ = raw.buffer(1 << 16)
    taken = fill(raw, raw.queues[1], address, 1 << 16)
    assert taken << 16 == len(model_of(raw).ports[0].incoming) == 1 << 20
    for _ in range(8):
        raw.ask(raw.queues[0], 1 << 16)
    raw.queues[0].kick()
    raw.clock.sleep(0.01)
    assert raw.queues[1].used_index() == taken + 1, "there is room again"


def test_an_echo_that_nobody_reads_leaves_frames_in_the_ring() -> None:
    raw = Raw("emulated:net?instant=on")
    raw.bring_up(queues=3)
    address, _ = raw.buffer(1526)
    # The budget is for a real flood; the mechanism is the same with less.
    model_of(raw).backlog[:] = [Backlog(64 << 10)]
    taken = fill(raw, raw.queues[1], address, 1526)
    assert 0 < taken < 64
    for _ in range(15):
        raw.ask(raw.queues[0], 1526)
    raw.queues[0].kick()
    raw.clock.sleep(0.01)
    assert raw.queues[1].used_index() == taken + 1


def test_control_messages_that_nobody_reads_leave_questions_in_the_ring() -> None:
    raw = Raw("emulated:console?instant=on&ports=31")
    raw.bring_up(1, queues=4)
    address, _ = raw.buffer(struct.pack("<IHH", 0, 0, 1))
    assert 0 < fill(raw, raw.queues[3], address, 8) < 200


def test_lights_are_not_kept_for_ever_and_a_reset_forgets_them() -> None:
    raw = Raw("emulated:input?instant=on")
    raw.bring_up(queues=2)
    address, _ = raw.buffer(8)
    for _ in range(300):
        raw.queues[1].publish((address, 8, False))
        raw.queues[1].kick()
    assert len(model_of(raw).status) == 256
    raw.set_status(0)
    assert not model_of(raw).status


def test_a_keyboard_takes_no_more_strokes_than_it_has_room_for() -> None:
    raw = Raw("emulated:input")
    taken = 0
    with contextlib.suppress(CannotRun):
        for taken in range(1, 100):  # noqa: B007
            raw.bus.triggers.fire("send_traffic", count=4096)
    assert 1 < taken < 10


def test_a_balloon_follows_so_many_pages_and_then_holds_nothing_against_the_driver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(balloon, "_PAGES", 4, raising=False)
    raw = Raw("emulated:balloon?instant=on")
    raw.bring_up(queues=2)
    address, _ = raw.buffer(struct.pack("<8I", *range(8)))
    for queue in raw.queues:
        queue.publish((address, 32, False))
        queue.kick()
        assert len(model_of(raw).pages) <= 4
    assert raw.faults() == []


@pytest.mark.parametrize(("kind", "flags"), [(0, 2), (1, 0)])
def test_a_request_for_more_than_a_stated_length_fails_without_being_allocated(
    tmp_path: Path, kind: int, flags: int
) -> None:
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(1 << 40)
    raw = Raw(f"emulated:blk?instant=on&image={image}")
    queue = raw.bring_up()
    header, _ = raw.buffer(struct.pack("<IIQ", kind, 0, 0))
    status, answer = raw.buffer(b"\xff")
    data, _ = raw.buffer(512)
    huge = [(data, 0xFFFF_FE00, bool(flags))] * 7
    queue.publish((header, 16, False), *huge, (status, 1, True))
    queue.kick()
    assert raw.status() == 0x0F
    assert answer[0] == 1


def test_a_disk_in_memory_does_not_grow_beyond_all_bounds_and_keeps_its_capacity() -> None:
    raw = Raw("emulated:blk")
    before = raw.bar.read(0x2000, 4)
    with pytest.raises(CannotRun, match="image="):
        raw.bus.triggers.fire("resize", sectors=1 << 39)
    assert raw.bar.read(0x2000, 4) == before


def test_changes_that_wait_for_a_resume_are_kept_once() -> None:
    raw = Raw("emulated:blk?delay=0")
    raw.bring_up(43)
    raw.set_status(0x1F)
    for sectors in range(1000, 3000):
        raw.bus.triggers.fire("resize", sectors=sectors)
    assert len(raw.function.device._deferred) == 1


# Memory


def test_a_buffer_may_lie_in_thousands_of_regions() -> None:
    memory = MappedMemory()
    for number in range(3000):
        memory.map(16 * number, memoryview(bytearray(16)))
    memory.write(8, bytes(range(256)) * 180)
    assert memory.read(8, 256 * 180) == bytes(range(256)) * 180


def test_a_ring_field_at_the_end_of_a_region_of_odd_size_is_the_drivers_fault() -> None:
    memory = MappedMemory()
    memory.map(0, memoryview(bytearray(4097)))
    with pytest.raises(DriverFault):
        memory.load16(4096)


# Peers and listeners


@pytest.fixture
def outside(tmp_path: Path) -> Any:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "peer"))
        listener.listen()
        yield tmp_path / "peer", lambda: listener.accept()[0]


def run(loop: Loop, seconds: float = 0.05) -> None:
    loop.stopping = False
    loop.call_at(loop.now() + seconds, loop.stop)
    loop.run()


@pytest.mark.parametrize("kind", ["net", "console"])
def test_a_peer_that_hangs_up_is_forgotten(outside: Any, kind: str) -> None:
    path, accept = outside
    raw = Raw(f"emulated:{kind}?peer=stream:{path}")
    raw.bring_up(queues=2)
    loop = Loop()
    with contextlib.closing(loop):
        model_of(raw).watch(loop)
        accept().close()
        run(loop)
        assert not loop._selector.get_map()
    assert [entry.name for entry in raw.bus.log.events("peer gone")] == ["peer gone"]
    raw.queues[0].kick()
    raw.clock.sleep(0.01)


def test_a_stream_peer_keeps_no_more_than_its_budget_either_way(outside: Any) -> None:
    path, accept = outside
    peer = StreamPeer(str(path))
    with accept() as other:
        for _ in range(3000):
            peer.send(bytes(1500))
        assert len(peer._outgoing) < 1 << 21
        other.sendall(struct.pack(">I", 1 << 31) + bytes(1000))
        peer.poll()
        assert not peer._incoming, "that is no frame: the peer is forgotten"


def test_a_socket_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with contextlib.closing(Listener(str(path))):
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()


def test_a_listener_whose_queue_is_full_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with contextlib.ExitStack() as stack:
        busy = stack.enter_context(socket.socket(socket.AF_UNIX))
        busy.bind(str(path))
        busy.listen(0)
        for _ in range(2):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect(str(path))
        with pytest.raises(CannotRun, match="another server"):
            Listener(str(path))


def test_a_client_for_whom_no_descriptor_is_left_is_looked_for_later(tmp_path: Path) -> None:
    loop = Loop()
    accepted: list[socket.socket] = []
    listener = Listener(str(tmp_path / "s"))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.closing(loop), contextlib.closing(listener), socket.socket(socket.AF_UNIX) as client:
        listener.watch(loop, accepted.append)
        client.connect(str(tmp_path / "s"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (client.fileno() + 1, before[1]))
        try:
            run(loop)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert not accepted
        assert not loop._selector.get_map(), "it would be called again and again"
        loop.now = lambda: 1e9
        loop._run_due()
        loop.now = time.perf_counter
        run(loop)
        assert len(accepted) == 1
        accepted[0].close()
