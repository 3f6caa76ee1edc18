"""Pictures for the documentation, made by driving the real thing: ``python -m docs.make.pictures DIRECTORY``.

The interface on emulated devices through Textual's pilot, two commands as they print, without the lines about the
machine that happened to draw them, and HTML reports in a browser.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import DataTable

from uvirtio.programs import environment, python_module
from uvirtio_tools.inspect.live import LiveMachine
from uvirtio_tools.tui.app import Inspector
from uvirtio_tools.tui.drive import DrivePanel

__all__ = ["main"]

_DEVICES = (
    "emulated:rng",
    "emulated:blk",
    "emulated:net",
    "emulated:console?profile=crosvm",
    "emulated:rng?profile=qemu-store",
)
_COMMANDS = {
    "suspend": ("suspend", "emulated:rng", "--cycles", "5"),
    "check": ("check", "emulated:blk?fault=V4", "--only", "V"),
}
#: A report, and the devices that it is about.
FIRST = "one"
_REPORTS = {
    FIRST: ("emulated:blk?fault=V4",),
    "several": ("emulated:rng", "emulated:blk?fault=V4", "emulated:rng?profile=stuck"),
}
_MACHINE = re.compile(r"\s*(?:kernel|python|hypervisor)\s+(?!none)")
#: Longest time for one step, in seconds.
_PATIENCE = 60.0


async def _until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PATIENCE
    while not condition():
        if loop.time() > deadline:
            raise TimeoutError(f"the interface did not get there within {_PATIENCE:g} s")
        await pilot.pause(0.05)
    await pilot.pause()


async def _interface(directory: Path) -> None:
    machine = LiveMachine(named=_DEVICES)
    app = Inspector(machine, interval=0)
    async with app.run_test(size=(100, 32)) as pilot:

        def shoot(name: str) -> None:
            (directory / f"tui-{name}.svg").write_text(app.export_screenshot(title="uvirtio tui"), encoding="utf-8")

        async def press(*keys: str) -> None:
            for key in keys:
                await pilot.press(key)
                panel = app.screen.query_one(DrivePanel)
                await _until(pilot, lambda panel=panel: not panel.busy)  # type: ignore[misc]

        table = app.screen.query_one(DataTable)
        widest = max(map(len, _DEVICES))
        # The table measures its columns when there is nothing else to do.
        await _until(pilot, lambda: any(column.content_width >= widest for column in table.ordered_columns))
        shoot("list")
        await pilot.press("enter")
        await _until(pilot, lambda: bool(app.screen.query(DrivePanel)))
        await press("2")
        shoot("features")
        await press("7", "f", "s", "p")
        shoot("drive")
        await press("4")
        shoot("queues")
        await press("8")
        shoot("trace")
        await pilot.press("escape")
    machine.close()


def _printed(directory: Path) -> None:
    from rich.console import Console
    from rich.text import Text

    for name, words in _COMMANDS.items():
        done = subprocess.run(
            python_module("uvirtio", *words),
            env=environment(COLUMNS="100", FORCE_COLOR="1"),
            capture_output=True,
            text=True,
        )
        screen = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
        shown = " ".join(f"'{word}'" if "?" in word else word for word in words)
        screen.print(f"$ uvirtio {shown}", markup=False, highlight=False)
        lines = done.stdout.splitlines()
        screen.print(Text.from_ansi("\n".join(line for line in lines if not _MACHINE.match(line))))
        screen.save_svg(str(directory / f"{name}.svg"), title=f"uvirtio {words[0]}")


def _reports(directory: Path) -> None:
    """The HTML report in a browser: on a screen, on a phone by night, and three devices beside each other."""
    browser = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if browser is None:
        raise SystemExit("the reports are drawn by a browser: apt-get install chromium-headless-shell")
    with tempfile.TemporaryDirectory() as folder:
        pages = Path(folder)
        for name, locators in _REPORTS.items():
            words = ("check", *locators, "-o", str(pages / f"{name}.html"))
            subprocess.run(python_module("uvirtio", *words), env=environment(), capture_output=True, check=False)
        for name, page, size, night in (
            ("report-wide", FIRST, "1200,1240", 1),
            ("report-phone", FIRST, "390,844", 0),
            ("report-several", "several", "1200,1240", 1),
        ):
            command = [
                browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/profile",
                f"--blink-settings=preferredColorScheme={night}", f"--window-size={size}", f"--screenshot={directory / name}.png",
                (pages / f"{page}.html").as_uri(),
            ]  # fmt: skip
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=_PATIENCE)


def main() -> int:
    """Draw them all."""
    parser = argparse.ArgumentParser(
        prog="python -m docs.make.pictures", description="Draw the pictures of the documentation."
    )
    parser.add_argument("directory", type=Path)
    directory = parser.parse_args().directory
    directory.mkdir(parents=True, exist_ok=True)
    asyncio.run(_interface(directory))
    _printed(directory)
    _reports(directory.resolve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
