"""The interface in a real guest's terminal: tmux as a console of 80x24 with 16 colours, and as a large one.

What is on the screen on the way is left in the folder that the host sees; `tests/vm/pictures.py` draws it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import IN_GUEST

pytestmark = [
    pytest.mark.boot("zoo"),
    pytest.mark.timeout(400),
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]
_PCI = Path("/sys/bus/pci/devices")
#: A guest without KVM takes its time to import Textual.
_PATIENCE = 150.0


class Terminal:
    """A program in tmux: its keys and its screen."""

    def __init__(self, socket: Path, columns: int, rows: int, term: str, command: str) -> None:
        self.size = f"{columns}x{rows}"
        self._tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]
        size = ["-x", str(columns), "-y", str(rows)]
        # The shell stays behind the program, so that what it leaves can be seen.
        script = f"TERM={term} COLORTERM= {command}; echo ended with $?; sleep 600"
        self._run("new-session", "-d", *size, script)

    def _run(self, *words: str) -> str:
        return subprocess.run([*self._tmux, *words], capture_output=True, text=True, check=True, timeout=30).stdout

    def screen(self) -> str:
        """What is on it."""
        return self._run("capture-pane", "-p")

    def colours(self) -> str:
        """The same with its escape sequences."""
        return self._run("capture-pane", "-p", "-e")

    def keep(self, name: str) -> None:
        """Leave what is on it for the host."""
        screens = Path(os.environ[IN_GUEST], "screens")
        screens.mkdir(exist_ok=True)
        (screens / f"{self.size}-{name}").write_text(self.colours(), encoding="utf-8")

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names."""
        self._run("send-keys", *keys)

    def until(self, text: str) -> str:
        """Wait until a text is on the screen, and return the screen."""
        deadline = time.monotonic() + _PATIENCE
        while text not in (seen := self.screen()):
            assert time.monotonic() < deadline, f"{text!r} did not come:\n{seen}"
            time.sleep(0.3)
        return seen

    def close(self) -> None:
        """End it."""
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, timeout=30)


@pytest.fixture(params=[(80, 24, "linux"), (140, 40, "xterm-256color")], ids=["80x24", "140x40"])
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    """The interface on a console, and in a large terminal."""
    found = Terminal(tmp_path / "tmux", *request.param, f"{sys.executable} -m uvirtio tui")
    yield found
    found.close()


def test_a_device_is_found_taken_suspended_and_given_back_with_the_keyboard(
    terminal: Terminal, devices: dict[str, str]
) -> None:
    address = devices["rng-1.4"]
    function = _PCI / address
    seen = terminal.until("0000:00:02.0")
    assert "virtio-pci" in seen
    assert seen.count("\n") == int(terminal.size.partition("x")[2])
    addresses = sorted(path.name for path in _PCI.iterdir() if path.joinpath("vendor").read_text().strip() == "0x1af4")
    terminal.press(*["j"] * addresses.index(address))
    # The name that follows is pci.ids', where the machine has that.
    terminal.until(f"{address}: Virtio ")
    terminal.keep("list")
    terminal.press("Enter", "4")
    terminal.until("read through")
    terminal.press("1")
    terminal.until("i initialises it")
    terminal.press("i")
    terminal.until(f"Take {address}")
    terminal.press("y")
    terminal.until("running, dialect 1.4")
    assert function.joinpath("driver").readlink().name == "uio_pci_generic"
    # In one burst: a slow terminal sends what was typed together.
    terminal.press("s", "p")
    seen = terminal.until("[x]SUSPEND")
    seen = terminal.until("suspend: done")
    terminal.keep("drive")
    assert "submit: " in seen
    assert "in flight held" in seen
    assert "1 transition:" in seen
    terminal.press("3")
    seen = terminal.until("held: the device is suspended")
    terminal.keep("queues")
    # The last of the sixteen descriptors stands below the twenty-fourth line: a large terminal needs no scrolling.
    assert ("id 15" in seen) == (terminal.size != "80x24")
    terminal.press("2")
    terminal.until("F_SUSPEND")
    terminal.press("1")
    terminal.until("in flight")
    terminal.press("u")
    terminal.until("[ ]SUSPEND")
    terminal.press("z")
    terminal.until("the device has been reset and given back")
    terminal.press("Escape")
    terminal.until("uvirtio: virtio devices")
    deadline = time.monotonic() + 30
    while function.joinpath("driver").readlink().name != "virtio-pci":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    terminal.press("q")
    assert "ended with 0" in terminal.until("ended with")


def test_a_console_of_sixteen_colours_gets_no_others(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "tmux", 80, 24, "linux", f"{sys.executable} -m uvirtio tui emulated:rng")
    try:
        terminal.until("emulated:rng")
        drawn = terminal.colours()
        assert "38;2;" not in drawn
        assert "38;5;" not in drawn
        assert "48;2;" not in drawn
        assert "48;5;" not in drawn
    finally:
        terminal.close()
