"""Pictures for the documentation, made by driving the real thing: ``python -m docs.make.pictures DIRECTORY``.

The interface on emulated devices through Textual's pilot, two commands as they print, without the lines about the
machine that happened to draw them, and HTML reports in a browser.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from uvirtio.programs import environment, python_module
from uvirtio_tools.inspect.live import LiveMachine
from uvirtio_tools.tui.app import Inspector
from uvirtio_tools.tui.main_screen import MainScreen

__all__ = ["main"]

_DEVICES = (
    "emulated:rng",
    "emulated:blk",
    "emulated:net",
    "emulated:console?profile=crosvm",
    "emulated:blk?fault=V4",
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


async def _interface(directory: Path, size: tuple[int, int], *, colours: bool) -> None:
    machine = LiveMachine(named=_DEVICES)
    app = Inspector(machine, interval=0)
    async with app.run_test(size=size) as pilot:

        def shoot(name: str) -> None:
            name = f"tui-{name}-{size[0]}x{size[1]}{'' if colours else '-plain'}"
            (directory / f"{name}.svg").write_text(app.export_screenshot(title="uvirtio tui"), encoding="utf-8")

        def at_rest() -> bool:
            screen = app.screen
            if not isinstance(screen, MainScreen):
                return True
            view = screen.view
            idle = view is None or (view.begun and not view.portrait.busy and not view.checks.running)
            return idle and not screen.looking

        async def press(*keys: str) -> None:
            for key in keys:
                await pilot.press(key)
                await pilot.pause()
                await _until(pilot, at_rest)

        await _until(pilot, lambda: bool(machine.rows) and at_rest())
        # Tables measure their columns when there is nothing else to do.
        await pilot.pause(1.0)
        shoot("list")
        await press("down", "enter", "i", "s", "k", "p", "u", "s", "p")
        shoot("live")
        if colours:
            await press("3")
            shoot("queues")
            await press("z", "escape", "down", "down", "down", "enter", "t")
            await pilot.pause(1.0)
            shoot("checks")
            await press("enter")
            shoot("story")
            await press("escape", "1", "question_mark")
            shoot("help")
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
    for size in ((80, 24), (140, 40)):
        asyncio.run(_interface(directory, size, colours=True))
        os.environ["NO_COLOR"] = "1"
        asyncio.run(_interface(directory, size, colours=False))
        os.environ.pop("NO_COLOR", None)
    _printed(directory)
    _reports(directory.resolve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
