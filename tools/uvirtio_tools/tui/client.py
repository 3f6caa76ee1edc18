"""The view's end of a driving session, and other commands in processes of their own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import Callable
from typing import Any

from uvirtio.errors import DeviceGone
from uvirtio.programs import environment, python_module, signal_name

__all__ = ["LONGEST_LINE", "Client", "run_command"]

#: Longest line that a session may answer with, in bytes: ring memory is in it.
LONGEST_LINE = 1 << 24
#: How long a session may take to give its device back, in seconds.
_END = 25.0


class Client:
    """A session (:mod:`uvirtio_tools.tui.stepping`) as coroutines: one step at a time."""

    def __init__(self, locator: str, on_trace: Callable[[dict[str, Any]], None], *, interrupts: str = "auto") -> None:
        self.locator = locator
        self._interrupts = interrupts
        self._on_trace = on_trace
        self._process: asyncio.subprocess.Process | None = None
        self._busy = asyncio.Lock()
        self._words: str | None = None

    @property
    def running(self) -> bool:
        """Whether there is a session that can be asked."""
        return self._process is not None and self._process.returncode is None

    async def open(self, *, force: bool = False) -> dict[str, Any]:
        """Start it; the first state, or ``{"error": …}``."""
        words = [self.locator, *(["--force"] if force else []), "--interrupts", self._interrupts]
        self._process = await asyncio.create_subprocess_exec(
            *python_module("uvirtio_tools.tui.stepping", *words),
            env=environment(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE,
        )
        return await self._answer()

    async def step(self, step: str, **arguments: Any) -> dict[str, Any]:
        """Do one step and return its answer. Raises :class:`DeviceGone` when the session died."""
        async with self._busy:
            process = self._process
            if process is None or process.stdin is None:
                return {"error": "there is no session"}
            # What it said before it died is still to be read.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                process.stdin.write(json.dumps({"do": step, **arguments}).encode() + b"\n")
                await process.stdin.drain()
            return await self._answer()

    async def _answer(self) -> dict[str, Any]:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        while line := await process.stdout.readline():
            document: dict[str, Any] = json.loads(line)
            if "trace" in document:
                self._on_trace(document)
                continue
            return document
        raise DeviceGone(await self._last_words(process))

    async def ended(self) -> str | None:
        """Wait until the session ends; what is to be said about it, None when :meth:`close` has ended it."""
        process = self._process
        if process is None:
            return None
        await process.wait()
        async with self._busy:
            return None if self._process is None or self._words is not None else await self._last_words(process)

    async def _last_words(self, process: asyncio.subprocess.Process) -> str:
        assert process.stderr is not None
        status = await process.wait()
        said = (await process.stderr.read()).decode(errors="replace").strip().splitlines()
        why = f"ended by {signal_name(-status)}" if status < 0 else f"ended with status {status}"
        self._words = f"the process that drove {self.locator} {why}"
        if said:
            self._words += f": {said[-1].removeprefix('uvirtio: ')}"
        return self._words

    async def close(self) -> None:
        """End the session, which gives the device back; idempotent."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _END)
        except (TimeoutError, asyncio.CancelledError):
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            raise


async def run_command(*words: str, on_line: Callable[[str], None]) -> int:
    """Run ``uvirtio`` with these words and hand over each line of what it prints; the exit status."""
    process = await asyncio.create_subprocess_exec(
        *python_module("uvirtio", *words),
        env=environment(NO_COLOR="1", COLUMNS="78", TERM="dumb"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=LONGEST_LINE,
    )
    assert process.stdout is not None
    try:
        while line := await process.stdout.readline():
            on_line(line.decode(errors="replace").rstrip())
        return await process.wait()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        await process.wait()
        raise
