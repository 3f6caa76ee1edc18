"""What the vfio-user server makes of requests that are wrong, contradictory or more than there is."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from uvirtio.access.sealed import is_sealed

from .served import GUEST, GUEST_SIZE, Client, arrived, served, until

PAGE = 0x1000
MAP, UNMAP, INFO, REGION, IRQ, SET_IRQS, READ, WRITE = 2, 3, 4, 5, 7, 8, 9, 10
NONE, BOOL, EVENTFD, MASK, UNMASK, TRIGGER = 1, 2, 4, 8, 16, 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("served")
    with served(path, "rng", "--latency", "0.001"):
        yield path


@pytest.fixture
def client(folder: Path) -> Iterator[Client]:
    client = Client(folder / "s")
    client.hello()
    yield client
    client.close()


def refused(client: Client, command: int, payload: bytes, fds: tuple[int, ...] = ()) -> int:
    """The error number of a request; 0 where it is done."""
    try:
        client.call(command, payload, fds)
    except OSError as error:
        return error.errno or -1
    return 0


def mapped(client: Client, address: int, size: int, *, fd: bool = True, flags: int = 3, argsz: int = 32) -> int:
    request = struct.pack("=IIQQQ", argsz, flags, 0, address, size)
    return refused(client, MAP, request, (client.fd,) if fd else ())


def unmapped(client: Client, address: int, size: int, *, flags: int = 0, argsz: int = 24) -> int:
    return refused(client, UNMAP, struct.pack("=IIQQ", argsz, flags, address, size))


# -- memory ----------------------------------------------------------------------------------------------------


def test_a_part_of_what_was_mapped_is_not_unmapped(client: Client) -> None:
    assert mapped(client, GUEST, GUEST_SIZE) == 0
    for address, size in ((GUEST, PAGE), (GUEST + PAGE, PAGE), (GUEST - PAGE, 2 * PAGE), (GUEST - 1, 1)):
        assert unmapped(client, address, size) == errno.ENOENT
    client.bring_up()
    client.publish()
    client.kick()
    assert client.read(4, 0x14, 1) == 0x0F, "the ring is still there"
    assert unmapped(client, GUEST, GUEST_SIZE) == 0
    assert unmapped(client, GUEST, GUEST_SIZE) == errno.ENOENT


def test_a_range_takes_back_every_piece_in_it_so_that_nothing_stale_is_left(client: Client) -> None:
    for number in (0, 1, 3):
        assert mapped(client, GUEST + number * PAGE, PAGE) == 0
    assert unmapped(client, 0, GUEST + 2 * PAGE) == 0
    assert mapped(client, GUEST, 2 * PAGE) == 0
    assert mapped(client, GUEST + 3 * PAGE, PAGE) == errno.EEXIST
    assert unmapped(client, 0, 1 << 63) == 0
    assert unmapped(client, 0, 1 << 63) == errno.ENOENT


@pytest.mark.parametrize("first", [True, False], ids=["shared", "not shared"])
@pytest.mark.parametrize("second", [True, False], ids=["by shared", "by not shared"])
def test_memory_is_not_mapped_over(client: Client, first: bool, second: bool) -> None:
    assert mapped(client, GUEST, 4 * PAGE, fd=first) == 0
    for address, size in (
        (GUEST, 4 * PAGE),
        (GUEST + PAGE, PAGE),
        (GUEST - PAGE, 2 * PAGE),
        (GUEST + 3 * PAGE, 2 * PAGE),
    ):
        assert mapped(client, address, size, fd=second) == errno.EEXIST
    assert mapped(client, GUEST + 4 * PAGE, PAGE, fd=second) == 0


def test_memory_without_a_descriptor_is_unmapped_in_peace_and_told_of(folder: Path, client: Client) -> None:
    assert mapped(client, 0xC0000, PAGE, fd=False, flags=1) == 0
    assert mapped(client, GUEST, PAGE, fd=False) == 0
    assert mapped(client, GUEST + PAGE, PAGE, fd=False) == 0
    for address in (0xC0000, GUEST, GUEST + PAGE):
        assert unmapped(client, address, PAGE) == 0
    said = [line for line in (folder / "err").read_text().splitlines() if "without a descriptor" in line]
    assert said[-1:] == [
        "uvirtio serve: the client gave 0x1000 bytes at 0x140000000 without a descriptor: the device cannot reach them "
        "(QEMU: share=on, or memory-backend-memfd)"
    ]


def test_everything_is_unmapped_at_once_only_when_nothing_is_named(client: Client) -> None:
    assert mapped(client, GUEST, PAGE) == 0
    assert unmapped(client, GUEST, PAGE, flags=2) == errno.EINVAL
    assert unmapped(client, 0, 0, flags=4) == errno.EINVAL
    assert unmapped(client, 0, 0, flags=1) == errno.EOPNOTSUPP
    assert unmapped(client, 0, 0, flags=2) == 0
    assert unmapped(client, GUEST, PAGE) == errno.ENOENT


@pytest.mark.parametrize(
    ("address", "size", "flags", "argsz"),
    [
        (GUEST, 0, 3, 32),
        ((1 << 64) - PAGE, 2 * PAGE, 3, 32),
        (GUEST, PAGE, 7, 32),
        (GUEST, PAGE, 3, 31),
        (GUEST, PAGE, 3, 0),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused(
    client: Client, address: int, size: int, flags: int, argsz: int
) -> None:
    assert mapped(client, address, size, flags=flags, argsz=argsz) == errno.EINVAL
    assert mapped(client, GUEST, PAGE) == 0, "nothing was mapped"


def test_there_are_no_more_pieces_of_memory_than_the_server_has_announced(client: Client) -> None:
    most = 4096
    for number in range(most):
        request = struct.pack("=IIQQQ", 32, 1, 0, GUEST + number * PAGE, PAGE)
        client.call(MAP, request, no_reply=True)
    assert mapped(client, GUEST + most * PAGE, PAGE, fd=False, flags=1) == errno.ENOSPC
    assert unmapped(client, 0, 0, flags=2) == 0


def test_a_client_that_takes_sealed_memory_away_cannot_and_of_other_memory_the_server_warns(
    folder: Path, client: Client
) -> None:
    before = (folder / "err").read_text().count("not sealed")
    sealed = os.memfd_create("sealed", os.MFD_ALLOW_SEALING)
    os.ftruncate(sealed, PAGE)
    fcntl.fcntl(sealed, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    client.call(MAP, struct.pack("=IIQQQ", 32, 3, 0, GUEST, PAGE), (sealed,))
    assert (folder / "err").read_text().count("not sealed") == before
    assert mapped(client, GUEST + PAGE, PAGE) == 0
    assert mapped(client, GUEST + 2 * PAGE, PAGE) == 0
    assert (folder / "err").read_text().count("not sealed") == before + 1
    with pytest.raises(PermissionError):
        os.ftruncate(sealed, 0)
    os.close(sealed)


def test_huge_pages_are_not_called_safe_for_their_seal() -> None:
    # A hole can be punched into them all the same, which is SIGBUS where the pool has no page left to fill it.
    huge = os.memfd_create("huge", os.MFD_ALLOW_SEALING | os.MFD_HUGETLB)
    plain = os.memfd_create("plain", os.MFD_ALLOW_SEALING)
    try:
        for each in (huge, plain):
            fcntl.fcntl(each, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        assert (is_sealed(huge), is_sealed(plain)) == (False, True)
    finally:
        os.close(huge)
        os.close(plain)


def test_a_client_that_takes_its_memory_away_ends_the_server_with_a_sentence(tmp_path: Path) -> None:
    with served(tmp_path, "rng") as process:
        client = Client(tmp_path / "s")
        client.hello()
        client.map_memory()
        client.bring_up()
        client.publish()
        os.ftruncate(client.fd, 0)
        client.kick()
        assert process.wait(10) == -signal.SIGBUS
        said = tmp_path / "err"
        assert until(lambda: "the client has taken its memory away (SIGBUS)" in said.read_text())
        assert "Fatal Python error" not in said.read_text()
        client.close()
    with served(tmp_path, "rng"):
        client = Client(tmp_path / "s")
        client.hello()
        client.close()


# -- interrupts ------------------------------------------------------------------------------------------------


def set_irqs(client: Client, flags: int, kind: int, start: int, count: int, data: bytes = b"", *fds: int) -> int:
    return refused(client, SET_IRQS, struct.pack("=IIIII", 20, flags, kind, start, count) + data, fds)


@pytest.fixture
def raised(client: Client) -> Iterator[int]:
    """INTx, asserted, its edge taken, and masked by that."""
    client.map_memory()
    (intx,) = client.eventfd(0)
    client.bring_up()
    client.publish()
    client.kick()
    assert arrived(intx) == 1
    yield intx
    os.close(intx)


def test_unmasking_with_a_bool_acts_where_it_is_true(client: Client, raised: int) -> None:
    assert set_irqs(client, BOOL | UNMASK, 0, 0, 1, b"\0") == 0
    assert arrived(raised, 0.05) == 0
    assert set_irqs(client, BOOL | UNMASK, 0, 0, 1, b"\1") == 0
    assert arrived(raised) == 1
    assert set_irqs(client, BOOL | MASK, 0, 0, 1, b"\0") == 0


def test_masking_with_a_false_bool_masks_nothing(client: Client, raised: int) -> None:
    assert client.read(4, 0x1000, 1) == 1
    assert set_irqs(client, NONE | UNMASK, 0, 0, 1) == 0
    assert set_irqs(client, BOOL | MASK, 0, 0, 1, b"\0") == 0
    client.publish()
    client.kick()
    assert arrived(raised) == 1


@pytest.mark.parametrize(
    ("flags", "kind", "start", "count", "data"),
    [
        (0, 0, 0, 1, b""),
        (NONE, 0, 0, 1, b""),
        (UNMASK, 0, 0, 1, b""),
        (NONE | EVENTFD | TRIGGER, 0, 0, 1, b""),
        (NONE | BOOL | UNMASK, 0, 0, 1, b"\1"),
        (NONE | MASK | UNMASK, 0, 0, 1, b""),
        (NONE | UNMASK | TRIGGER, 0, 0, 1, b""),
        (NONE | UNMASK | 64, 0, 0, 1, b""),
        (BOOL | UNMASK, 0, 0, 1, b""),
        (BOOL | UNMASK, 0, 0, 1, b"\1\1"),
        (NONE | UNMASK, 0, 0, 0, b""),
        (EVENTFD | TRIGGER, 0, 0, 0, b""),
        (NONE | TRIGGER, 2, 1, 0, b""),
        (EVENTFD | TRIGGER, 2, 1, 2, b""),
        (EVENTFD | TRIGGER, 2, 0xFFFFFFFF, 2, b""),
        (EVENTFD | TRIGGER, 5, 0, 1, b""),
    ],
)
def test_contradictory_flags_are_refused(
    client: Client, raised: int, flags: int, kind: int, start: int, count: int, data: bytes
) -> None:
    assert set_irqs(client, flags, kind, start, count, data) == errno.EINVAL
    assert arrived(raised, 0.0) == 0


def test_descriptors_come_with_eventfd_alone_and_one_for_each(client: Client, raised: int) -> None:
    assert set_irqs(client, NONE | UNMASK, 0, 0, 1, b"", raised) == errno.EINVAL
    assert set_irqs(client, EVENTFD | TRIGGER, 2, 0, 2, b"", raised) == errno.EINVAL
    assert set_irqs(client, EVENTFD | TRIGGER, 2, 0, 1, b"", raised) == 0
    assert set_irqs(client, EVENTFD | TRIGGER, 2, 0, 2) == 0, "without descriptors they are taken away"


# -- sizes and the handshake -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [MAP, UNMAP, INFO, REGION, IRQ, SET_IRQS, READ, WRITE])
@pytest.mark.parametrize("size", [0, 3, 7])
def test_a_payload_that_is_too_short_is_an_error_reply_and_the_session_goes_on(
    client: Client, command: int, size: int
) -> None:
    assert refused(client, command, bytes([0xFF]) * size) == errno.EINVAL
    assert client.read(4, 0x14, 1) == 0


@pytest.mark.parametrize(
    ("command", "request_"),
    [
        (INFO, struct.pack("=IIII", 15, 0, 0, 0)),
        (REGION, struct.pack("=IIIIQQ", 31, 0, 7, 0, 0, 0)),
        (IRQ, struct.pack("=IIII", 0, 0, 0, 0)),
        (SET_IRQS, struct.pack("=IIIII", 19, NONE | UNMASK, 0, 0, 1)),
    ],
)
def test_an_answer_for_which_no_room_is_left_is_refused(client: Client, command: int, request_: bytes) -> None:
    assert refused(client, command, request_) == errno.EINVAL


@pytest.mark.parametrize("data", [b"", b"\1" * 3, b"\1" * 5])
def test_a_write_carries_as_many_bytes_as_it_says(client: Client, data: bytes) -> None:
    assert refused(client, WRITE, struct.pack("=QII", 0x3C, 7, 4) + data) == errno.EINVAL
    assert client.read(7, 0x3C, 1) == 0


def test_a_second_version_is_refused_and_the_session_goes_on(client: Client) -> None:
    assert refused(client, 1, struct.pack("=HH", 0, 0)) == errno.EOPNOTSUPP
    assert client.read(4, 0x14, 1) == 0


@pytest.mark.parametrize(
    "capabilities",
    [
        b'{"capabilities":' + b'{"a":' * 20000 + b"1" + b"}" * 20000 + b"}",
        b"[" * 20000,
        b'{"capabilities":{"max_msg_fds":"8"}}',
        b'{"capabilities":{"max_msg_fds":0}}',
        b'{"capabilities":{"max_msg_fds":true}}',
        b'{"capabilities":{"max_data_xfer_size":-1}}',
        b'{"capabilities":{"max_msg_fds":' + b"9" * 5000 + b"}}",
        b'{"capabilities":[]}',
        b"\xff\xff",
    ],
    ids=["deep", "brackets", "text", "none", "bool", "negative", "digits", "list", "no text"],
)
def test_a_version_that_cannot_be_is_the_end_of_its_client_alone(folder: Path, capabilities: bytes) -> None:
    client = Client(folder / "s")
    with contextlib.closing(client), pytest.raises((EOFError, ConnectionResetError)):
        client.call(1, struct.pack("=HH", 0, 0) + capabilities + b"\0")
    client = Client(folder / "s")
    client.hello()
    assert client.read(4, 0x14, 1) == 0
    client.close()


def test_more_descriptors_than_announced_are_the_end_of_the_client(folder: Path) -> None:
    client = Client(folder / "s")
    assert client.hello()["capabilities"]["max_msg_fds"] == 16  # type: ignore[index]
    header = struct.pack("=HHIII", 7, MAP, 48, 0, 0)
    # Sixteen with the header and sixteen with the payload, each of which would do by itself.
    for piece in (header, bytes(32)):
        with contextlib.suppress(BrokenPipeError):
            socket.send_fds(client.socket, [piece], [client.fd] * 16)
    with contextlib.closing(client), pytest.raises((EOFError, ConnectionResetError)):
        client.exactly(16)
