"""Files: snapshots, results, histories and journals. Each is taken, or refused with a named error."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from uvirtio.bus.uio import journal
from uvirtio.errors import CannotRun, SnapshotError
from uvirtio_tools import cli
from uvirtio_tools.inspect.changes import compare, pairs
from uvirtio_tools.inspect.render import device_sections, list_table
from uvirtio_tools.inspect.snapshot import load as load_snapshot
from uvirtio_tools.judging.history_file import read_history
from uvirtio_tools.reports import FORMATS, render
from uvirtio_tools.reports.document import load as load_results
from uvirtio_tools.telling import console

from .documents import text

__all__ = ["history", "journals", "result", "snapshot"]

_BDF = "0000:00:05.0"
_JOURNAL = {
    "version": journal._VERSION, "bdf": _BDF, "pid": 77,
    "binding": {"driver": "virtio-pci", "override": "", "kept": False},
    "opened": {"command": 7, "driven": True, "msix": [66, 3]},
    "hugepages": [{"before": 0, "wanted": 4, "got": 4}],
}  # fmt: skip


_FOLDER = tempfile.TemporaryDirectory(prefix="uvirtio-fuzz-")


def _folder() -> Path:
    return Path(_FOLDER.name)


def _made(*words: str) -> Path:
    path = _folder() / "made"
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        cli.main([word.format(path) for word in words])
    return path


@cache
def _snapshot() -> Any:
    return json.loads(_made("dump", "emulated:rng", "emulated:net", "-o", "{}").read_text())


@cache
def _result() -> Any:
    return json.loads(_made("check", "emulated:rng", "--only", "V1,V4,R", "--format", "json", "-o", "{}").read_text())


@cache
def _history() -> list[Any]:
    made = _made("check", "emulated:rng", "--only", "V1,V4", "--history", "{}", "--json")
    return [json.loads(line) for line in made.read_text().splitlines()]


def _written(data: bytes) -> str:
    path = _folder() / "input"
    path.write_bytes(data)
    return str(path)


def _printed(draw: Callable[[Any], None]) -> None:
    file = io.StringIO()
    draw(console(file=file, width=100))
    assert all(sign.isprintable() or sign == "\n" for sign in file.getvalue())


def snapshot(data: bytes) -> None:
    """``list``, ``show`` and ``diff`` of a snapshot."""
    with contextlib.suppress(SnapshotError):
        devices = load_snapshot(_written(text(_snapshot(), data))).devices
        _printed(lambda screen: screen.print(list_table(devices, wide=True)))
        for device in devices:
            _printed(lambda screen, device=device: screen.print(*device_sections(device, 2)))  # type: ignore[misc]
        for left, right in pairs(list(devices), list(reversed(devices))):
            compare(left, right)


def result(data: bytes) -> None:
    """A result in every format."""
    with contextlib.suppress(SnapshotError):
        documents = load_results(_written(text(_result(), data)))
        for format_ in FORMATS:
            words = render(documents, format_)
            assert all(sign.isprintable() or sign == "\n" for sign in words), format_


def history(data: bytes) -> None:
    """``judge`` of a history: a status, and no traceback."""
    if data[:1] in (b"\x01", b"\x02"):
        lines = text(_history(), data)
        with contextlib.suppress(ValueError, TypeError):
            found = json.loads(lines)
            lines = b"\n".join(json.dumps(line).encode() for line in found)
    else:
        lines = data[1:]
    path = _written(lines)
    with contextlib.suppress(SnapshotError):
        read_history(path)
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            assert cli.main(["judge", path, "--format", "tap"]) in (0, 1, 2, 4, 130)


def journals(data: bytes) -> None:
    """A journal of root's."""
    kept = journal.Journal(_folder())
    kept.path(_BDF).write_bytes(text(_JOURNAL, data))
    trusted, journal.trusted = journal.trusted, lambda _: True  # type: ignore[attr-defined,assignment]
    try:
        with contextlib.suppress(CannotRun):
            kept.read(_BDF)
    finally:
        journal.trusted = trusted  # type: ignore[attr-defined]
        kept.path(_BDF).unlink(missing_ok=True)
