"""Looks at the other package's device as a list and the interactive interface show it; a program, for a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.unit.inspect.test_tui import _listed, _log, _opened, _play, _press, _view
from tests.unit.uio.fake import RNG, FakeMachine
from uvirtio_tools.inspect.live import LiveMachine
from uvirtio_tools.inspect.sources import describe_all
from uvirtio_tools.tui.app import Inspector

NUMBER = 61


def main(folder: Path) -> None:
    """Print the names that the list gives, and what the interface's log says."""
    machine = FakeMachine(folder / "machine")
    machine.add(RNG, device=0x1040 + NUMBER)
    for device in describe_all(machine):
        print("listed:", getattr(device, "type_name", device))

    async def play(app: Inspector, pilot: Any) -> None:
        await _listed(app, pilot)
        await _opened(app, pilot)
        await _press(app, pilot, "i", "f")
        print("\n".join(_log(_view(app).portrait)))

    _play(LiveMachine(named=["emulated:adder"]), play)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
