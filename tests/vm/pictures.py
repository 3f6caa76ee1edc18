"""The interface in a real guest, drawn for the documentation: ``python -m tests.vm.pictures docs/pictures``.

Runs the guest tests that walk through it, and draws the screens that they leave. It needs the lab.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.lab import missing
from tests.vm.boots import BOOTS
from tests.vm.machine import Guest, GuestError

__all__ = ["main"]

_TEST = (
    "tests/vm/guest/test_inspect_terminal.py::test_a_device_is_found_taken_suspended_and_given_back_with_the_keyboard"
)
_SIZES = ("80x24", "140x40")
_SECONDS = 300.0


class _PictureGuest(Guest):
    """A guest whose screens can be had."""

    def screens(self) -> dict[str, str]:
        """What the tests have kept, by name."""
        return {path.name: path.read_text(encoding="utf-8") for path in sorted((self._shared / "screens").iterdir())}


def _draw(name: str, screen: str, path: Path) -> None:
    columns, rows = (int(number) for number in name.partition("-")[0].split("x"))
    console = Console(record=True, width=columns, height=rows, file=io.StringIO(), force_terminal=True)
    for line in screen.splitlines():
        console.print(Text.from_ansi(line), no_wrap=True, crop=True, soft_wrap=True)
    console.save_svg(str(path), title=f"uvirtio tui in a guest, {columns}x{rows}")


def main() -> int:
    """Draw them all; 3 when something is missing here or a test failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.vm.pictures", description=__doc__)
    parser.add_argument("directory", type=Path)
    directory = parser.parse_args().directory
    if lacking := missing("guest"):
        print("\n".join(lacking), file=sys.stderr)
        return 3
    tests = [f"{_TEST}[{size}]" for size in _SIZES]
    guest = _PictureGuest("pictures", BOOTS["zoo"], tests)
    try:
        for test in tests:
            for report in guest.reports(test, _SECONDS):
                if report["outcome"] != "passed":
                    raise GuestError(f"{test}: {report['when']} {report['outcome']}\n{report['longrepr']}")
        for name, screen in guest.screens().items():
            _draw(name, screen, directory / f"guest-{name}.svg")
    except GuestError as error:
        print(error, file=sys.stderr)
        return 3
    finally:
        guest.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
