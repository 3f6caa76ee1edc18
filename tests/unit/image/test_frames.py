"""What a guest says on its console is cut out of whatever else stands there, and is known to be whole."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uvirtio_tools.image.frames import (
    MARK,
    Asked,
    Begun,
    Damaged,
    Ended,
    Line,
    Over,
    Reader,
    Ready,
    Result,
    Said,
    packed,
    plain,
)


def heard(text: bytes, piece: int = 7) -> list[Said]:
    reader = Reader()
    found = [said for start in range(0, len(text), piece) for said in reader.feed(text[start : start + piece])]
    return [*found, *reader.finish()]


def console(*lines: str) -> bytes:
    return b"".join(line.encode() + b"\r\n" for line in lines)


def test_everything_that_is_said_is_heard_in_whatever_pieces_it_comes() -> None:
    data = b'{"verdict": "PASS"}' * 40
    text = console(
        "SeaBIOS", f"{MARK}ready here", f"{MARK}run 1 check 00:02.0", "V1 PASS",
        *plain(1, "result.tap", b"KTAP version 1\nok 1\n"), *packed(1, "result.json", data), f"{MARK}status 1 4",
        f"{MARK}event set_link {{}}", f"{MARK}over 4",
    )  # fmt: skip
    for piece in (1, 5, 1000):
        assert heard(text, piece) == [
            Line("SeaBIOS"), Ready("here"), Begun(1, "check 00:02.0"), Line("V1 PASS"),
            Result(1, "result.tap", b"KTAP version 1\nok 1\n"), Result(1, "result.json", data), Ended(1, 4),
            Asked("set_link", "{}"), Over(4),
        ]  # fmt: skip


@given(st.binary(max_size=3000))
def test_any_result_comes_back_as_it_was(data: bytes) -> None:
    assert heard(console(*packed(3, "result.json", data))) == [Result(3, "result.json", data)]


@pytest.mark.parametrize("how", [plain, packed])
def test_a_line_that_gets_in_between_is_noticed(how) -> None:  # type: ignore[no-untyped-def]
    lines = [*how(1, "result.tap", b"KTAP version 1\n1..1\nok 1\n")]
    lines.insert(1, "[    3.14] random: crng init done")
    (said,) = heard(console(*lines))
    assert isinstance(said, Damaged)


def test_a_result_that_is_cut_off_is_damaged() -> None:
    assert heard(console(*plain(1, "result.tap", b"a\nb\n"))[:-20]) == [Damaged(1, "result.tap", "it was cut off")]


def test_a_frame_is_found_behind_what_the_kernel_began_a_line_with() -> None:
    assert heard(f"[  1.0] bla {MARK}over 3\n".encode()) == [Line("[  1.0] bla "), Over(3)]


@given(st.binary(max_size=400), st.integers(0, 2**32))
def test_a_console_may_say_anything(noise: bytes, seed: int) -> None:
    lines = [*packed(1, "result.json", b"x" * 500), *plain(2, "result.tap", b"ok\n"), f"{MARK}over 1"]
    text = bytearray(console(*lines))
    at = random.Random(seed).randrange(len(text))
    text[at:at] = noise
    for said in heard(bytes(text)):
        if isinstance(said, Result) and said.number == 1:
            assert said.data == b"x" * 500


def test_what_never_ends_is_not_kept() -> None:
    reader = Reader()
    for _ in range(40):
        assert list(reader.feed(b"x" * 100_000)) == []
    assert len(reader._rest) <= 1 << 17
