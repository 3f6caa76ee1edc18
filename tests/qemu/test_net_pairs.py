"""Several queue pairs on QEMU's own network device, behind a tap of the host's kernel, which steers by flow."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.qemu.driven import driven, work
from uvirtio_drivers.net import Net

_TUN = Path("/dev/net/tun")
_ETHERTYPE = 0x88B5
_MAC = bytes.fromhex("525400000007")
_PATIENCE = 20.0


def _no_tap() -> str:
    """Why no tap with several queues can be made here; empty when one can."""
    try:
        with _TUN.open("r+b", buffering=0) as tun:
            # TUNSETIFF of an interface that goes with the descriptor: TAP, NO_PI, MULTI_QUEUE (linux/if_tun.h).
            fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", b"", 0x0002 | 0x1000 | 0x0100))
    except OSError as error:
        return f"{_TUN}: {error.strerror}"
    return ""


_WHY = _no_tap()
pytestmark = [pytest.mark.needs("qemu"), pytest.mark.skipif(bool(_WHY), reason=f"no tap of several queues: {_WHY}")]


@contextmanager
def tapped(queues: int, properties: str = "disable-legacy=on") -> Iterator[tuple[Net, socket.socket]]:
    """A started driver on a device of so many pairs, and a socket on the host's end of the wire."""
    name = f"uv{os.getpid()}"[:15]
    locator = (
        f"qemu:-netdev tap,id=wire,ifname={name},queues={queues},vhost=off,script=no,downscript=no "
        f"-device virtio-net-pci,id=uvirtio-device,netdev=wire,mq=on,mac={_MAC.hex(':')},{properties}"
    )
    with driven(locator) as net, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETHERTYPE)) as wire:
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
        # SO_RCVBUFFORCE: where the machine is busy, all frames of a workload wait here before one of them is taken.
        wire.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)
        wire.bind((name, _ETHERTYPE))
        wire.settimeout(_PATIENCE)
        yield net, wire


def frame(number: int) -> bytes:
    return _MAC + _MAC + _ETHERTYPE.to_bytes(2, "big") + bytes((number,)) * 50


def next_of_ours(net: Net) -> bytes:
    """The next frame that a test sent; the host's kernel sends some of its own."""
    while (got := net.receive(_PATIENCE))[12:14] != _ETHERTYPE.to_bytes(2, "big"):
        pass
    return got


@pytest.mark.parametrize(("there", "used"), [(1, 1), (2, 2), (3, 3), (6, 4)])
@pytest.mark.parametrize("properties", ["disable-legacy=on", "disable-modern=on,disable-legacy=off"])
def test_frames_go_out_on_every_pair_and_those_of_the_host_come_in(
    there: int, used: int, properties: str, qemu: str
) -> None:
    with tapped(there, properties) as (net, wire):
        assert (net.used, net.refused) == (used, "")
        # No command before this one: the control queue is where it was looked for.
        net.promiscuous(True)
        sent = [frame(number) for number in range(2 * used)]
        for one in sent:
            net.transmit(one, _PATIENCE)
        assert sorted(wire.recv(2048) for _ in sent) == sent
        assert [pair.sending.sent for pair in net.pairs] == [2] * used
        for one in sent:
            wire.send(one)
        assert sorted(next_of_ours(net) for _ in sent) == sent


@pytest.mark.parametrize("pair", [0, 1])
def test_a_flow_comes_in_on_the_pair_that_it_was_last_sent_on(pair: int, qemu: str) -> None:
    with tapped(2) as (net, wire):
        net.transmit(frame(1), _PATIENCE, pair=1 - pair)
        net.transmit(frame(2), _PATIENCE, pair=pair)
        before = _used(net, pair)
        for number in range(20):
            wire.send(frame(number))
            assert next_of_ours(net) == frame(number)
        assert _used(net, pair) >= before + 20


def test_a_pair_that_is_given_up_gets_nothing_more(qemu: str) -> None:
    with tapped(2) as (net, wire):
        net.transmit(frame(1), _PATIENCE, pair=1)
        net.use_pairs(1)
        net.received()
        before = _used(net, 1)
        for number in range(20):
            wire.send(frame(number))
            assert next_of_ours(net) == frame(number)
        assert _used(net, 1) == before


def _used(net: Net, pair: int) -> int:
    """The used index of a receive queue."""
    return net.pairs[pair].receiving.queue.state().device_index


@contextmanager
def echoing(wire: socket.socket) -> Iterator[None]:
    """Send everything back that comes out of the wire."""
    over = threading.Event()

    def echo() -> None:
        while not over.is_set():
            try:
                wire.send(wire.recv(2048))
            except TimeoutError:
                continue

    wire.settimeout(0.05)
    thread = threading.Thread(target=echo)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_nothing_is_lost_or_doubled_under_the_workload_over_two_pairs(qemu: str) -> None:
    with tapped(2) as (net, wire), echoing(wire):
        function = net.device.function
        function.surroundings = replace(function.surroundings, echoes=True)  # type: ignore[misc]  # what is sent comes back
        proves = work(net, 300)
        assert "every frame returned" in proves
        assert "over 2 queue pairs" in proves
        assert all(pair.sending.sent > 100 for pair in net.pairs)
