"""A journey by keyboard in tmux, with keys in bursts: as a console of 16 colours, without any, and in a large terminal."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.needs("tmux"), pytest.mark.timeout(180)]
ROOT = Path(__file__).parents[3]
DEVICES = ("emulated:rng", "emulated:blk", "emulated:rng?features=-RING_PACKED")
#: What selects a colour; the terminal's own are none.
COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]")
BLACK_ON_BLACK = re.compile(r"\x1b\[(?:[0-9;]*;)?30;(?:[0-9;]*;)?40[;m]")


class Terminal:
    """The interface in tmux: its keys and its screen. A shell stays behind it, so that what it leaves can be seen."""

    def __init__(self, folder: Path, columns: int, rows: int, environment: str) -> None:
        self._tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
        devices = " ".join(f"'{name}'" for name in DEVICES)
        script = f"cd {ROOT}; COLORTERM= {environment} {sys.executable} -m uvirtio tui {devices}; echo ended with $?; sleep 600"
        self._run("new-session", "-d", "-x", str(columns), "-y", str(rows), script)

    def _run(self, *words: str) -> str:
        return subprocess.run([*self._tmux, *words], capture_output=True, text=True, check=True, timeout=30).stdout

    def screen(self, *words: str) -> str:
        return self._run("capture-pane", "-p", *words)

    def press(self, *keys: str) -> None:
        """Keys by tmux's names, all at once."""
        self._run("send-keys", *keys)

    def until(self, text: str) -> str:
        deadline = time.monotonic() + 25
        while text not in (seen := self.screen()):
            assert time.monotonic() < deadline, f"{text!r} did not come:\n{seen}"
            time.sleep(0.1)
        return seen

    def close(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, timeout=30)


@pytest.fixture(
    params=[(80, 24, "TERM=linux"), (80, 24, "NO_COLOR=1 TERM=vt220"), (61, 17, "TERM=vt100"), (140, 40, "TERM=tmux-256color")],
    ids=["linux", "no-colour", "small", "large"],
)  # fmt: skip
def journey(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Terminal, str]]:
    columns, rows, environment = request.param
    terminal = Terminal(tmp_path, columns, rows, environment)
    yield terminal, environment
    terminal.close()


def test_a_device_is_chosen_driven_and_left_by_bursts_of_keys(journey: tuple[Terminal, str]) -> None:
    terminal, environment = journey
    terminal.until(DEVICES[2])
    drawn = terminal.screen("-e")
    assert not BLACK_ON_BLACK.search(drawn)
    if "vt" in environment:
        assert not COLOUR.search(drawn)
        assert re.search(r"\x1b\[(?:[0-9;]*;)?7m[^\x1b]*emulated:rng", drawn)  # the cursor is seen
    if "256" not in environment:
        assert "38;" not in drawn
    terminal.press("Down", "Down", "Enter", "i", "s", "p")
    seen = terminal.until("suspended, dialect 1.4")
    seen = terminal.until("1 transition:")
    assert DEVICES[2] in seen.splitlines()[0]
    assert "[x]SUSPEND" in seen
    assert "16 in flight held" in seen
    terminal.press("u", "w", "z")
    terminal.until("not driven from here")
    terminal.press("q")
    assert "ended with 0" in terminal.until("ended with")
