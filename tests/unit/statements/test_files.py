"""Histories in files: judged as they were live; and what is damaged, cut off or foreign is refused, whatever is wrong with it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from uvirtio.device import Device
from uvirtio.errors import SnapshotError, UsageError
from uvirtio.spec.statements import STATEMENTS
from uvirtio_tools.judging.history import Window
from uvirtio_tools.judging.history_file import SCHEMA, VERSION, Recorded, read_history, recording
from uvirtio_tools.judging.judge import Judge
from uvirtio_tools.statements import every_judgement

from .scenes import (
    Scene,
    change_configuration,
    cycles,
    first,
    in_flight,
    last,
    prodded,
    reset_loaded,
    staged,
    stress,
)
from .table import Case, judged
from .tale import Tale
from .told import CASES

KNOWN = Recorded("by hand", "2026-11-27T07:32:53+00:00", {"kernel": "none"}, {"type": "blk", "queues": [1]}, 43, 32)


def write(scene: Scene, path: Path) -> Tale:
    """Tell a history while it is written to a file."""
    tale = Tale()
    with recording(str(path), cast(Device, SimpleNamespace(recorder=tale.history)), lambda: KNOWN):
        scene(tale)
    return tale


def heads(windows: list[Window]) -> list[tuple[object, ...]]:
    """What windows are without their events."""
    return [
        (w.scenario, w.shows, w.run, w.number, w.opened, w.closed, w.goes_on, w.control, w.started) for w in windows
    ]


def results(judge: Judge) -> list[dict[str, object]]:
    """All that was found out."""
    return [result.to_json() for result in judge.results(STATEMENTS)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_history_from_a_file_is_judged_as_it_was_live(case: Case, tmp_path: Path) -> None:
    tale = write(case.tell, tmp_path / "history")
    setting, windows, recorded = read_history(str(tmp_path / "history"))
    assert (setting, recorded) == (tale.setting, KNOWN)
    assert [window.events for window in windows] == [window.events for window in tale.windows]
    assert heads(windows) == heads(tale.windows)
    read = Judge(every_judgement(), setting, strict=False)
    for window in windows:
        read.hear(window)
    assert results(read) == results(judged(tale))


def test_a_run_that_never_began_a_scenario_is_a_history_too(tmp_path: Path) -> None:
    write(lambda tale: None, tmp_path / "history")
    setting, windows, recorded = read_history(str(tmp_path / "history"))
    assert (setting, windows, recorded) == (Tale().setting, [], KNOWN)


# -- damage ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Those of a file with events of every kind."""

    def various(tale: Tale) -> None:
        for scene in (first, cycles, in_flight, prodded, change_configuration, staged, reset_loaded, stress, last):
            scene(tale)

    path = tmp_path_factory.mktemp("histories") / "various"
    write(various, path)
    return path.read_text().splitlines()


def read_back(tmp_path: Path, damaged: list[str] | bytes) -> list[Window]:
    """Read and judge what was made of it. Raises :class:`SnapshotError`."""
    path = tmp_path / "damaged"
    path.write_bytes(damaged if isinstance(damaged, bytes) else "".join(f"{line}\n" for line in damaged).encode())
    setting, windows, _ = read_history(str(path))
    judge = Judge(every_judgement(), setting, strict=False)
    for window in windows:
        judge.hear(window)
    assert json.dumps(results(judge))
    return windows


def test_the_undamaged_file_is_read(lines: list[str], tmp_path: Path) -> None:
    assert len(read_back(tmp_path, lines)) > 10


@pytest.mark.parametrize("seed", range(10))
def test_a_file_that_is_cut_off_at_a_line_is_refused(seed: int, lines: list[str], tmp_path: Path) -> None:
    ends = random.Random(seed).sample(range(len(lines)), 10)
    for end in (0, 1, 2, len(lines) - 1, *ends):
        with pytest.raises(SnapshotError):
            read_back(tmp_path, lines[:end])


@pytest.mark.parametrize("seed", range(10))
def test_a_file_that_is_cut_off_within_a_line_is_refused(seed: int, lines: list[str], tmp_path: Path) -> None:
    whole = "\n".join(lines).encode()
    for end in random.Random(seed).sample(range(len(whole)), 10):
        with pytest.raises(SnapshotError):
            read_back(tmp_path, whole[:end])


def another_kind(source: random.Random, line: str) -> str:
    """A line with a value of another kind somewhere in what it says."""
    document = json.loads(line)
    holder = document.get("window") or {name: value for name, value in document.items() if name != "event"}
    key = source.choice([key for key in holder if holder[key] is not None])
    holder[key] = 7 if isinstance(holder[key], str | list | dict) else {"x": []}
    return json.dumps(document | holder if "event" in document else document)


#: What certainly makes a line none that can stand there.
DAMAGES: dict[str, Callable[[random.Random, str], str]] = {
    "it breaks off": lambda source, line: line[: source.randrange(1, len(line))],
    "it is empty": lambda _source, _line: "",
    "it is no JSON": lambda source, _line: source.choice(("?", "{", "][", "{'a': 1}", "\x00", "nul", "{" * 5000)),
    "it is nested too deeply": lambda _source, _line: "[" * 100_000,
    "it is no object": lambda source, _line: source.choice(("7", "null", "[]", '"window"', "true", "1e999")),
    "it belongs to something else": lambda _source, _line: '{"schema": "uvirtio/check"}',
    "it is an event that there is not": lambda _source, _line: '{"event": "slept", "time": 0.0}',
    "it lacks everything": lambda source, _line: source.choice(('{"event": "read"}', '{"window": {}}', '{"event": 7}')),
    "it holds a value of another kind": another_kind,
    "it holds a number that is too large": lambda _source, _line: (
        f'{{"event": "mark", "time": {10**400}, "name": "x"}}'
    ),
    "it holds a number that nobody can read": lambda _source, _line: '{"event": "mark", "time": %s}' % ("9" * 5000),
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_with_a_line_that_cannot_stand_there_is_refused(
    damage: str, seed: int, lines: list[str], tmp_path: Path
) -> None:
    source = random.Random(f"{damage} {seed}")
    for _ in range(10):
        number = source.randrange(1, len(lines) - 1)
        damaged = [*lines]
        damaged[number] = DAMAGES[damage](source, damaged[number])
        with pytest.raises(SnapshotError, match=f"line {number + 1}\\b"):
            read_back(tmp_path, damaged)


LETTERS = '0123456789.-eE"{}[],: \\\x00\xffxñ'


@pytest.mark.parametrize("seed", range(10))
def test_a_file_whose_letters_are_changed_is_refused_or_judged(seed: int, lines: list[str], tmp_path: Path) -> None:
    source = random.Random(seed)
    for _ in range(20):
        number, damaged = source.randrange(len(lines)), [*lines]
        line = damaged[number]
        at, letter = source.randrange(len(line)), source.choice(LETTERS)
        damaged[number] = line[:at] + source.choice(("", letter)) + line[at + source.choice((0, 1)) :]
        refused_or_judged(tmp_path, damaged)


@pytest.mark.parametrize("seed", range(10))
def test_a_file_whose_lines_are_in_disorder_is_refused_or_judged(seed: int, lines: list[str], tmp_path: Path) -> None:
    source = random.Random(seed)
    for _ in range(20):
        one, other = sorted(source.sample(range(len(lines)), 2))
        damaged = [*lines]
        way = source.randrange(4)
        if way == 0:
            damaged[one], damaged[other] = damaged[other], damaged[one]
        elif way == 1:
            del damaged[one:other]
        elif way == 2:
            damaged.insert(other, damaged[one])
        else:
            damaged[one:other] = source.sample(damaged[one:other], other - one)
        refused_or_judged(tmp_path, damaged)


def refused_or_judged(tmp_path: Path, damaged: list[str]) -> None:
    """One of the two, and nothing else."""
    with suppress(SnapshotError):
        read_back(tmp_path, damaged)


@pytest.mark.parametrize("number", range(3))
def test_a_file_that_lacks_a_window_is_refused(number: int, lines: list[str], tmp_path: Path) -> None:
    starts = [at for at, line in enumerate(lines) if line.startswith('{"window"')]
    with pytest.raises(SnapshotError):
        read_back(tmp_path, [line for at, line in enumerate(lines) if at != starts[number]])


def test_a_file_that_lacks_an_event_is_refused(lines: list[str], tmp_path: Path) -> None:
    starts = {at for at, line in enumerate(lines) if line.startswith('{"window"')}
    events = [at for at in range(1, len(lines) - 1) if at not in starts]
    for gone in random.Random(0).sample(events, 40):
        with pytest.raises(SnapshotError, match="damaged"):
            read_back(tmp_path, [line for at, line in enumerate(lines) if at != gone])


def test_a_file_in_which_a_line_stands_twice_is_refused(lines: list[str], tmp_path: Path) -> None:
    for at in random.Random(0).sample(range(1, len(lines)), 40):
        with pytest.raises(SnapshotError, match="damaged"):
            read_back(tmp_path, [*lines[:at], lines[at], *lines[at:]])


def test_a_file_that_does_not_say_how_many_events_there_are_is_read(lines: list[str], tmp_path: Path) -> None:
    """One of an earlier release, or one that somebody has made shorter by hand."""
    uncounted = []
    for line in lines:
        document = json.loads(line)
        document.get("window", {}).pop("events", None)
        uncounted.append(json.dumps(document))
    assert len(read_back(tmp_path, uncounted)) == len(read_back(tmp_path, lines))


def test_a_file_that_goes_on_after_its_end_is_refused(lines: list[str], tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="damaged"):
        read_back(tmp_path, [*lines, lines[-1]])


def headed(lines: list[str], **changes: Any) -> list[str]:
    """The file with something else in its first line."""
    return [json.dumps(json.loads(lines[0]) | changes), *lines[1:]]


def test_a_file_of_a_newer_release_is_refused_with_what_to_do(lines: list[str], tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match=r"newer uvirtio.*update"):
        read_back(tmp_path, headed(lines, version=VERSION + 1))


@pytest.mark.parametrize("version", [0, -1, "1", True, None, 1.0, [], {}])
def test_a_version_that_is_none_is_refused(version: object, lines: list[str], tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="version is"):
        read_back(tmp_path, headed(lines, version=version))


@pytest.mark.parametrize("setting", [None, 7, [], {}, {"device_type": "2"}])
def test_a_file_that_does_not_say_what_goes_for_the_run_is_refused(
    setting: object, lines: list[str], tmp_path: Path
) -> None:
    with pytest.raises(SnapshotError):
        read_back(tmp_path, headed(lines, setting=setting))


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\n", b"\n\n", b"{}", b"[]", b"null", b"\x7fELF\x02\x01", b"\xff\xfe\x00", b"a history", b"[" * 100_000,
        b'{"schema": "uvirtio/check", "version": 1}', b'{"schema": null}', b'{"schema": ["uvirtio/history"]}',
        "{\"schema\": \"uvirtio/history\"}\n\udcff".encode("utf-8", "surrogateescape"),
    ],
)  # fmt: skip
def test_what_is_no_history_is_refused(text: bytes, tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match=r"not a history|version is"):
        read_back(tmp_path, text)


def test_what_cannot_be_read_or_written_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(SnapshotError):
            read_history(str(path))
    with pytest.raises(UsageError):
        write(first, tmp_path / "no" / "folder")


def test_a_history_says_what_it_is_in_its_first_line(lines: list[str]) -> None:
    head = json.loads(lines[0])
    assert (head["schema"], head["version"]) == (SCHEMA, VERSION)
