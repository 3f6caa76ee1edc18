"""Messages over a socket pair: framing, descriptors, and the names of what goes wrong."""

from __future__ import annotations

import array
import os
import socket
from collections.abc import Iterator

import pytest

from uvirtio.errors import DeviceGone, DeviceMisbehaved, DeviceTimeout
from uvirtio.vfio_user import wire
from uvirtio.vfio_user.channel import Channel
from uvirtio.vfio_user.wire import Header


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    here, there = socket.socketpair()
    channel = Channel(here, "the other end", timeout=0.2)
    yield channel, there
    channel.close()
    there.close()


def raw(command: int, payload: bytes, size: int | None = None) -> bytes:
    return wire.HEADER.pack(7, command, 16 + len(payload) if size is None else size, 0, 0) + payload


def test_a_message_in_single_bytes_is_whole_at_the_end(ends: tuple[Channel, socket.socket]) -> None:
    channel, there = ends
    data = raw(9, b"hello")
    for at in range(len(data)):
        assert channel.poll() is None
        there.send(data[at : at + 1])
    message = channel.poll()
    assert message is not None
    assert message.payload == b"hello"
    assert message.header.command == 9


def test_two_messages_in_one_piece_are_two(ends: tuple[Channel, socket.socket]) -> None:
    channel, there = ends
    there.send(raw(1, b"a") + raw(2, b""))
    assert [channel.receive().header.command, channel.receive().header.command] == [1, 2]
    assert channel.poll() is None


def test_descriptors_stay_with_their_message(ends: tuple[Channel, socket.socket]) -> None:
    channel, there = ends
    reader, writer = os.pipe()
    there.send(raw(1, b""))
    there.sendmsg([raw(2, b"x")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [reader]))])
    there.send(raw(3, b""))
    first, second, third = channel.receive(), channel.receive(), channel.receive()
    assert (len(first.fds), len(second.fds), len(third.fds)) == (0, 1, 0)
    os.write(writer, b"!")
    assert os.read(second.fds[0], 1) == b"!"
    second.close()
    os.close(reader)
    os.close(writer)


def test_a_reply_carries_the_id_and_an_error_no_payload(ends: tuple[Channel, socket.socket]) -> None:
    channel, there = ends
    channel.reply(Header(5, 9, 0, 0, 0), b"data")
    assert there.recv(64) == wire.HEADER.pack(5, 9, 20, 1, 0) + b"data"
    channel.reply(Header(5, 9, 0, 0, 0), b"data", errno=22)
    assert there.recv(64) == wire.HEADER.pack(5, 9, 16, 0x21, 22)


def test_a_posted_command_is_not_answered(ends: tuple[Channel, socket.socket]) -> None:
    channel, there = ends
    channel.reply(Header(5, 10, 0, wire.HeaderFlag.NO_REPLY, 0))
    there.setblocking(False)
    with pytest.raises(BlockingIOError):
        there.recv(1)


def test_a_closed_connection_is_a_device_that_is_gone(ends: tuple[Channel, socket.socket]) -> None:
    channel, there = ends
    there.send(b"\0\0")
    there.close()
    with pytest.raises(DeviceGone):
        channel.receive()
    with pytest.raises(DeviceGone):
        channel.send(Header(1, 1, 0, 0, 0), bytes(1 << 20))


@pytest.mark.parametrize("size", [0, 15, 1 << 31])
def test_an_impossible_size_is_no_vfio_user(ends: tuple[Channel, socket.socket], size: int) -> None:
    channel, there = ends
    there.send(raw(1, b"", size))
    with pytest.raises(DeviceMisbehaved):
        channel.receive()


def test_silence_is_a_timeout(ends: tuple[Channel, socket.socket]) -> None:
    channel, there = ends
    there.send(b"\0\0\0")
    with pytest.raises(DeviceTimeout):
        channel.receive()


def test_a_message_that_nobody_reads_is_a_timeout(ends: tuple[Channel, socket.socket]) -> None:
    channel, _ = ends
    with pytest.raises(DeviceTimeout):
        channel.send(Header(1, 1, 0, 0, 0), bytes(1 << 24))


def test_a_version_message_survives_the_round_trip() -> None:
    major, minor, capabilities = wire.unpack_version(wire.pack_version(0, 1))
    assert (major, minor) == (0, 1)
    assert capabilities == (wire.MAX_FDS, wire.MAX_TRANSFER)


@pytest.mark.parametrize("payload", [b"", b"\0", b"\0\0\0\0{", b"\0\0\0\0[1]\0", b'\0\0\0\0{"capabilities":3}\0'])
def test_a_version_message_that_is_none_is_refused(payload: bytes) -> None:
    with pytest.raises(DeviceMisbehaved):
        wire.unpack_version(payload)


def test_a_payload_that_is_too_short_is_named() -> None:
    with pytest.raises(DeviceMisbehaved, match="DMA_MAP"):
        wire.unpack(wire.DMA_MAP, b"short", "DMA_MAP")
