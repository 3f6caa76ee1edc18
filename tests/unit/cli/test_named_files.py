"""Files that options name: pipes, links and full disks, and results that are damaged in every way."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.choices import Choices
from tests.fuzz.documents import damaged
from uvirtio.emulated.storage import FileStorage
from uvirtio.errors import CannotRun, UsageError
from uvirtio_tools import named_files
from uvirtio_tools.cli import main
from uvirtio_tools.named_files import check_writable, open_for_writing, write_text
from uvirtio_tools.reports import FORMATS

ROOT = Path(__file__).parents[3]


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("result") / "result.json"
    main(["check", "emulated:rng", "--only", "V1,V4,R", "--format", "json", "-o", str(path)])
    return json.loads(path.read_text())


# -- writing ---------------------------------------------------------------------------------------------------


def test_a_pipe_that_nobody_reads_is_told_and_not_waited_for(fifo: Path) -> None:
    command = [sys.executable, "-m", "uvirtio", "check", "emulated:rng", "--only", "V4", "-o", str(fifo)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr.splitlines()) == (
        2, [f"uvirtio: --output {fifo}: cannot be written: nobody reads this pipe"],
    )  # fmt: skip
    with pytest.raises(UsageError, match="nobody reads this pipe"):
        open_for_writing("--trace", str(fifo))


def test_who_reads_a_pipe_gets_the_whole_report(fifo: Path) -> None:
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(fifo.read_text()), daemon=True)
    reader.start()
    check_writable("--output", str(fifo))
    text = "x" * 300_000
    # The reader may not have opened its end yet.
    for _ in range(1000):
        try:
            write_text("--output", str(fifo), text)
            break
        except UsageError:
            reader.join(0.01)
    reader.join(10)
    assert got == [text]


@pytest.mark.parametrize(
    "write", [check_writable, lambda option, path: write_text(option, path, "x"), open_for_writing]
)
def test_a_link_to_nothing_is_refused_and_stays(write: Any, tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "target"
    link.symlink_to(target)
    with pytest.raises(UsageError, match=r"a symbolic link to .*target, where nothing is"):
        write("--output", str(link))
    assert link.is_symlink()
    assert not target.exists()


def test_a_link_to_a_file_stays_and_the_file_is_replaced_with_its_mode(tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "target"
    target.write_text("before")
    target.chmod(0o640)
    link.symlink_to(target)
    check_writable("--output", str(link))
    assert target.read_text() == "before"
    write_text("--output", str(link), "after")
    assert link.is_symlink()
    assert target.read_text() == "after"
    assert target.stat().st_mode & 0o7777 == 0o640
    assert sorted(os.listdir(tmp_path)) == ["link", "target"]


def test_a_new_file_has_the_mode_that_every_new_file_has(tmp_path: Path) -> None:
    path = tmp_path / "new"
    check_writable("--output", str(path))
    assert not path.exists()
    before = os.umask(0o027)
    try:
        write_text("--output", str(path), "x")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o7777 == 0o640


@pytest.mark.parametrize("failing", ["write", "fsync", "replace"])
def test_a_disk_that_is_full_leaves_the_report_before(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report"
    path.write_text("before")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(named_files.os, failing, full)  # type: ignore[attr-defined]
    with pytest.raises(CannotRun, match="No space left"):
        write_text("--output", str(path), "after" * 1000)
    monkeypatch.undo()
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["report"]


def test_where_no_file_can_be_made_beside_it_a_file_is_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report"
    path.write_text("before, and longer")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(tempfile, "mkstemp", refused)
    write_text("--output", str(path), "after")
    assert path.read_text() == "after"


# -- reading ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["report", "{}"],
        ["list", "--from", "{}"],
        ["judge", "{}"],
        ["diff", "{}", "{}"],
        ["check", "emulated:rng", "--baseline", "{}"],
        ["bench", "ring", "--baseline", "{}"],
    ],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize("what", ["fifo", "/dev/zero", "directory"])
def test_what_is_no_file_is_told_in_one_sentence(
    words: list[str], what: str, fifo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = {"fifo": str(fifo), "directory": str(fifo.parent)}.get(what, what)
    assert main([word.format(path) for word in words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize("locator", ["emulated:blk?image={}", "qemu:blk?image={}"])
def test_an_image_that_is_a_pipe_is_refused_and_not_waited_for(
    locator: str, fifo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (fifo, "/dev/null", fifo.parent):
        assert main(["show", locator.format(path)]) == 3
        assert len(capsys.readouterr().err.splitlines()) == 1
    for writable in (True, False):
        with pytest.raises(CannotRun, match="neither a file nor a disk"):
            FileStorage(str(fifo), writable=writable, sector=512)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=4, max_size=64))
def test_a_damaged_result_is_refused_in_one_sentence_or_rendered_in_every_format(
    result: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes
) -> None:
    path = tmp_path / "damaged.json"
    path.write_text(json.dumps(damaged(result, Choices(data))))
    statuses = set()
    for format_ in FORMATS:
        statuses.add(main(["report", str(path), "--format", format_]))
        said = capsys.readouterr()
        assert len(said.err.splitlines()) <= 1
    assert statuses in ({0}, {1}, {2})


@pytest.mark.parametrize(
    "words", [("diff", "{}", "{}"), ("report", "{}"), ("judge", "{}"), ("check", "emulated:rng", "--expect", "{}")]
)
def test_a_file_without_end_is_refused(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(named_files, "_LONGEST", 1 << 20)
    endless = tmp_path / "endless"
    with endless.open("wb") as file:
        file.write(b'{"schema": "')
        file.truncate(1 << 40)
    assert main([word.format(endless) for word in words]) == 2
    assert "longer than 1 MiB" in capsys.readouterr().err
