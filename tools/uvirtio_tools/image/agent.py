"""What runs in an image, as its first process's only child: it does what the kernel's command line asks for, and says so."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
import termios
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from uvirtio import __version__
from uvirtio.errors import UvirtioError
from uvirtio.programs import environment, python_module, signal_name

from .. import exits
from .frames import MARK, packed, plain
from .request import DOCUMENTS, ENDS, RESULTS, Request, read, words_of

__all__ = ["main"]

#: Where results are kept until they are sent.
_FOLDER = Path("/run/uvirtio-results")
_PRINTK = Path("/proc/sys/kernel/printk")
ASK = "/usr/bin/uvirtio-ask"


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=False)
    sys.stdout.flush()


def _mark(text: str) -> None:
    _say([MARK + text])


@contextlib.contextmanager
def _quiet_kernel() -> Iterator[None]:
    """Nothing of the kernel's gets in between the lines of a result."""
    try:
        before = _PRINTK.read_text()
        _PRINTK.write_text("1")
    except OSError:
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            _PRINTK.write_text(before)


def _devices() -> list[str]:
    """The virtio functions of this machine that nothing uses: a console may be one of them."""
    from uvirtio.bus.uio.discovery import discover
    from uvirtio.bus.uio.inuse import uses
    from uvirtio.bus.uio.sysfs import Sysfs

    sysfs = Sysfs()
    found = []
    for function in discover(sysfs):
        if using := uses(sysfs, function):
            print(f"{function.address} is left alone: {'; '.join(using)}")
        else:
            found.append(function.address)
    return found


def _prepare_console() -> None:
    """What the host answers is not sent back to it."""
    with contextlib.suppress(termios.error, OSError):
        settings = termios.tcgetattr(0)
        settings[3] &= ~(termios.ECHO | termios.ECHONL)
        termios.tcsetattr(0, termios.TCSANOW, settings)


def _shell() -> int:
    with contextlib.suppress(termios.error, OSError):
        settings = termios.tcgetattr(0)
        settings[3] |= termios.ECHO
        termios.tcsetattr(0, termios.TCSANOW, settings)
    return subprocess.run(["/bin/setsid", "/bin/cttyhack", "/bin/sh"], check=False).returncode


def _run(number: int, words: Sequence[str]) -> int:
    """One command of uvirtio, its results sent; its status."""
    _mark(f"run {number} {' '.join(words)}")
    if words[0] == "shell":
        status = _shell()
    else:
        status = _command(number, list(words))
    _mark(f"status {number} {status}")
    return status


def _command(number: int, words: list[str]) -> int:
    _FOLDER.mkdir(parents=True, exist_ok=True)
    document, ktap = _FOLDER / f"{number}.json", _FOLDER / f"{number}.tap"
    told = None
    if words[0] in RESULTS and not {"-o", "--output", "--format", "--json", "--list", "--help", "-h"} & set(words):
        words += ["-o", str(document), "-o", str(ktap)]
    elif words[0] in DOCUMENTS and "--json" not in words:
        words.append("--json")
        told = document
    more = {"UVIRTIO_PROGRESS": "lines", "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    if words[0] in ("tui", "watch"):  # a serial console tells no size
        more = {"COLUMNS": "80", "LINES": "24"}
    command = python_module("uvirtio", *words)
    with open(told or os.devnull, "wb") as file:
        done = subprocess.run(command, env=environment(**more), stdout=file if told else None, check=False)
    if done.returncode < 0:
        print(f"uvirtio was ended by {signal_name(-done.returncode)}")
    if told is not None and document.stat().st_size:
        ktap.write_text(_tap(json.loads(document.read_bytes())))
    with _quiet_kernel():
        if ktap.exists() and ktap.stat().st_size:
            _say(plain(number, "result.tap", ktap.read_bytes()))
        if document.exists() and document.stat().st_size:
            _say(packed(number, "result.json", document.read_bytes()))
    return done.returncode if done.returncode >= 0 else exits.FAILED


def _tap(document: dict[str, Any]) -> str:
    """A run of ``suspend`` or ``survive`` as KTAP: a test for each device."""
    devices = document.get("devices") or [document]
    lines = ["KTAP version 1", f"1..{len(devices)}"]
    for number, device in enumerate(devices, 1):
        verdict = device.get("verdict")
        held = "ok" if verdict in ("PASS", "WARN", "SKIP", "INFO") else "not ok"
        name = document["schema"].rpartition("/")[2]
        lines.append(f"# {verdict}: {device.get('reason') or device.get('stopped') or ''}")
        lines.append(f"{held} {number} {name} {device.get('locator', '')}{' # SKIP' if verdict == 'SKIP' else ''}")
    return "\n".join(lines) + "\n"


def _runs(request: Request) -> int:
    devices = _devices()
    number = 0
    statuses: list[int] = []
    for run in request.runs:
        try:
            lines = words_of(run, devices, request.events, ASK)
        except (ValueError, UvirtioError) as error:
            print(f"uvirtio.run={run!r} cannot be understood: {error}")
            statuses.append(exits.USAGE)
            continue
        if not lines:
            print("there is no virtio PCI function in this machine that could be judged")
            statuses.append(exits.CANNOT_RUN)
        for words in lines:
            number += 1
            statuses.append(_run(number, words))
    return exits.worst(statuses) if statuses else exits.USAGE


def main() -> int:
    """Do what is asked for; the status by which the first process hears how the machine shall end."""
    request = read(Path("/proc/cmdline").read_text(encoding="utf-8", errors="replace"))
    _prepare_console()
    python = platform.python_version()
    _mark(f"ready uvirtio {__version__}, Linux {os.uname().release} on {os.uname().machine}, Python {python}")
    try:
        Path("/run/uvirtio-events").write_text(" ".join(request.events))
        status = _runs(request)
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
        status = exits.FAILED
    _mark(f"over {status}")
    return ENDS[request.end]
