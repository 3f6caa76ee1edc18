"""Views on a terminal that are ended by a signal, by Ctrl-C, or by the terminal's own end: status 130, no traceback."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import random
import select
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.unit.cli.test_any_moment import CODE

#: What each says when it is there, and asks for.
VIEWS = {"tui": b"give back", "watch": b"q quit"}


class View:
    """A view on a terminal of its own, whose messages go into a file; with ``moment`` it gets a signal at that call."""

    def __init__(self, folder: Path, *words: str, number: int = 0, moment: int = 0) -> None:
        self.said = folder / "messages"
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (40, 120))
        self._messages = self.said.open("wb")

        def take() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [sys.executable, "-c", CODE, str(number), str(moment), str(folder / "counted"), *words],
            stdin=slave, stdout=slave, stderr=slave if words[0] == "tui" else self._messages,
            env=os.environ | {"TERM": "xterm-256color"}, start_new_session=True, preexec_fn=take,
        )  # fmt: skip
        os.close(slave)
        self.seen = b""

    def read(self) -> bool:
        """Some more of what it draws; False at its end."""
        try:
            select.select([self.master], [], [], 60)
            data = os.read(self.master, 65536)
        except OSError:  # nobody has the other end
            return False
        self.seen += data
        return True

    def until(self, words: bytes) -> None:
        """Wait until it has drawn them."""
        while words not in self.seen and self.read():
            pass
        assert words in self.seen, self.seen[-2000:]

    def end(self) -> int:
        """Read to its end; the status."""
        while self.read():
            pass
        return self.process.wait(60)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):
            os.close(self.master)
        self._messages.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_ended_by_a_signal_at_any_moment_and_puts_the_terminal_back(
    name: str, number: signal.Signals, tmp_path: Path
) -> None:
    choose = random.Random(f"{name}{number}")
    for moment in (0, choose.randrange(1, 40_000), int(1_500_000 ** choose.uniform(0.5, 1))):
        view = View(tmp_path, name, "emulated:rng", number=number, moment=moment)
        try:
            with contextlib.suppress(AssertionError):
                view.until(VIEWS[name])
                view.process.send_signal(number)
            status = view.end()
            said = view.seen + view.said.read_bytes()
            assert b"Traceback" not in said, moment
            assert b"Exception" not in said, moment
            assert status == 130, (moment, said[-2000:])
            assert view.seen.count(b"\x1b[?1049h") == view.seen.count(b"\x1b[?1049l"), moment
        finally:
            view.close()


@pytest.mark.parametrize("name", VIEWS)
def test_ctrl_c_interrupts_a_view(name: str, tmp_path: Path) -> None:
    view = View(tmp_path, name, "emulated:rng")
    try:
        view.until(VIEWS[name])
        os.write(view.master, b"\x03")
        assert view.end() == 130
    finally:
        view.close()


@pytest.mark.parametrize("hung_up", [True, False], ids=["HUP", "EIO alone"])
@pytest.mark.parametrize("name", VIEWS)
def test_a_terminal_that_is_closed_ends_the_view_without_a_traceback(name: str, hung_up: bool, tmp_path: Path) -> None:
    command = [sys.executable, "-c", CODE, "0", "0", str(tmp_path / "counted"), name, "emulated:rng"]
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (40, 120))

    def take() -> None:
        if hung_up:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        else:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does

    # Textual draws on standard error: what else is said there is seen in the copy.
    with (tmp_path / "copy").open("w+b") as copy, subprocess.Popen(
        [*command[:2], _COPYING + CODE, str(copy.fileno()), *command[3:]],
        stdin=slave, stdout=slave, stderr=slave, env=os.environ | {"TERM": "xterm-256color"},
        start_new_session=True, preexec_fn=take, pass_fds=(copy.fileno(),),
    ) as process:  # fmt: skip
        os.close(slave)
        seen = b""
        while VIEWS[name] not in seen:
            select.select([master], [], [], 60)
            seen += os.read(master, 65536)
        os.close(master)
        status = process.wait(60)
        copy.seek(0)
        said = copy.read()
    assert b"Traceback" not in said, said
    assert b"Exception" not in said, said
    assert status == 130


#: Copies what is printed on standard error into a file.
_COPYING = """
import os, sys
class Both:
    def __init__(self, file, copy):
        self.file, self.copy = file, copy
    def write(self, text):
        os.write(self.copy, text.encode())
        return self.file.write(text)
    def __getattr__(self, name):
        return getattr(self.file, name)
copy = int(sys.argv.pop(1))
sys.stderr = sys.__stderr__ = Both(sys.stderr, copy)
"""
