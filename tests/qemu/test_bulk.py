"""Many buffers at once on QEMU's own devices, seen from the other side: image file and peer socket."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.qemu.driven import driven, work
from uvirtio.bus.qemu import QemuFunction
from uvirtio.errors import DeviceTimeout
from uvirtio_drivers.blk import Blk
from uvirtio_drivers.net import Net
from uvirtio_drivers.rng import Rng

pytestmark = pytest.mark.needs("qemu")

INTERFACES = pytest.mark.parametrize("interface", ["disable-legacy=on", "legacy=on"], ids=["modern", "legacy"])
RINGS = pytest.mark.parametrize(
    "ring", ["", "&event_idx=off", "&indirect_desc=off"], ids=["", "no event index", "direct"]
)


@INTERFACES
@RINGS
@pytest.mark.parametrize("queues", [1, 3])
def test_many_reads_over_all_queues_are_what_is_in_the_image(
    interface: str, ring: str, queues: int, qemu: str, tmp_path: Path
) -> None:
    contents = random.Random(5).randbytes(4 << 20)
    path = tmp_path / "image"
    path.write_bytes(contents)
    choose = random.Random(6)
    with driven(f"qemu:blk?image={path}&num-queues={queues}&{interface}{ring}") as blk:
        assert isinstance(blk, Blk)
        for count, length in ((1, 512), (40, 512), (700, 4096), (20, 300 << 10)):
            sectors = [choose.randrange((len(contents) - length) // 512 + 1) for _ in range(count)]
            assert blk.read_many(sectors, length) == [contents[at * 512 : at * 512 + length] for at in sectors]
        assert all(queue.state().driver_index > 100 for queue in blk.device.queues.values())
        assert not any(queue.state().interrupts_suppressed for queue in blk.device.queues.values())
        assert work(blk, 100)


@INTERFACES
@RINGS
def test_a_long_read_of_entropy_repeats_nothing(interface: str, ring: str, qemu: str) -> None:
    with driven(f"qemu:rng?{interface}{ring}") as rng:
        assert isinstance(rng, Rng)
        for count in (1, 4096, 10_000, 500_000):
            data = rng.read(count) + rng.read(count)
            assert len(data) == 2 * count
            pieces = [data[at : at + 16] for at in range(0, len(data) - 15, 16)]
            assert len(set(pieces)) == len(pieces)
        assert work(rng, 100)


@contextmanager
def listening(net: Net) -> Iterator[list[bytes]]:
    """The frames that the peer gets, in its order; complete once this is left."""
    function = net.device.function
    assert isinstance(function, QemuFunction)
    assert function.surroundings.peer is not None
    peer, got = function.surroundings.peer, list[bytes]()
    peer.settimeout(0.3)

    def listen() -> None:
        try:
            while True:
                got.append(peer.recv(4096))
        except TimeoutError:
            return

    thread = threading.Thread(target=listen)
    thread.start()
    yield got
    thread.join()


@INTERFACES
@RINGS
def test_alike_frames_and_others_reach_the_peer_in_order(interface: str, ring: str, qemu: str) -> None:
    head = b"\xff" * 6 + bytes.fromhex("525400000099") + b"\x88\xb5"
    alike = [head + number.to_bytes(4, "big") + bytes(100) for number in range(1000)]
    others = [head + number.to_bytes(4, "big") + bytes(40 + number) for number in range(300)]
    with driven(f"qemu:net?{interface}{ring}") as net:
        assert isinstance(net, Net)
        with listening(net) as got:
            net.transmit_batch(alike)
            net.transmit_batch(others)
            net.transmit_batch(alike[:300])
            net.transmit(others[0])
        assert got == [*alike, *others, *alike[:300], others[0]]


def test_a_peer_that_does_not_read_is_a_timeout_and_everything_goes_on_once_it_does(qemu: str) -> None:

    frames = [b"\xff" * 12 + b"\x88\xb5" + number.to_bytes(4, "big") + bytes(1400) for number in range(2000)]
    with driven("qemu:net?disable-legacy=on") as net:
        with pytest.raises(DeviceTimeout, match="transmitting 2000 frames"):
            net.transmit_batch(frames, 0.5)
        with listening(net) as got:
            net.transmit_batch([b"\xff" * 12 + b"\x88\xb5" + bytes(50)] * 3, 10.0)
        assert got[:10] == frames[:10]
        assert got[-3:] == [b"\xff" * 12 + b"\x88\xb5" + bytes(50)] * 3
