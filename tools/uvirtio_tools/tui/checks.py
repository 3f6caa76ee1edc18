"""The conformance checks as a table that fills while they run; Enter tells the story of a statement."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections import Counter
from typing import Any

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from uvirtio.programs import environment, python_module

from ..telling import STYLES
from .client import LONGEST_LINE
from .defused import cells
from .dialogs import Page
from .filter_table import FilterTable

__all__ = ["ChecksPanel", "told"]

_NONE = "nothing has been judged yet: t judges the device (it is taken for that, and given back)"
#: Accesses that a story has, the newest.
_ACCESSES = 40


class ChecksPanel(Vertical):
    """A line that sums up, and a row for each statement."""

    class Over(Message):
        """The checks have come to their end."""

    def __init__(self) -> None:
        super().__init__()
        self.results: dict[str, dict[str, Any]] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._why = ""

    def compose(self) -> ComposeResult:
        """Sum and table."""
        yield Static(_NONE, id="check-sum", markup=False)
        yield FilterTable(("id", "verdict", "level", "what was seen"), name="check-table")

    @property
    def running(self) -> bool:
        """Whether they run."""
        return self._process is not None

    @work(exclusive=True, group="checks")
    async def run(self, locator: str, *, force: bool, interrupts: str) -> None:
        """Judge the device, in another process."""
        self.results, self._why = {}, ""
        self.query_one(FilterTable).fill({})
        words = [locator, *(["--force"] if force else []), "--interrupts", interrupts]
        self._process = process = await asyncio.create_subprocess_exec(
            *python_module("uvirtio_tools.tui.checking", *words), env=environment(), limit=LONGEST_LINE,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        self._sum()
        try:
            while line := await process.stdout.readline():
                self._take(json.loads(line))
            said = (await process.stderr.read()).decode(errors="replace").strip().splitlines()
            if await process.wait() not in (0, 1, 4) and not self._why:
                self._why = said[-1] if said else f"ended with status {process.returncode}"
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
            await process.wait()
            raise
        finally:
            self._process = None
            if self.is_attached:
                self._sum()
                self.post_message(self.Over())

    async def stop(self) -> None:
        """Stop them; what was judged stays."""
        if (process := self._process) is not None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
            await process.wait()

    def _take(self, line: dict[str, Any]) -> None:
        if "result" in line:
            self._put(line["result"])
        elif "document" in line:
            document = line["document"]
            self.results = {result["id"]: result for result in document["results"]}
            self._why = str(document["stopped"] or document["not_offered"] or "")
            table = self.query_one(FilterTable)
            table.fill({id_: _row(result) for id_, result in self.results.items()})
            # The first thing that one wants to read.
            worst = (
                id_
                for word in ("FAIL", "ERROR", "WARN")
                for id_, each in self.results.items()
                if each["verdict"] == word
            )
            table.go(next(worst, next(iter(self.results), "")))
        else:
            self._why = str(line["error"])
        self._sum()

    def _put(self, result: dict[str, Any]) -> None:
        self.results[result["id"]] = result
        self.query_one(FilterTable).put(result["id"], _row(result))

    def _sum(self) -> None:
        counts = Counter(result["verdict"] for result in self.results.values())
        words = ", ".join(f"{counts[word]} {word}" for word in STYLES if counts[word])
        text = f"{'judging ... ' if self.running else ''}{words}"
        if self._why:
            text += f"\n! {self._why}"
        self.query_one("#check-sum", Static).update(text or _NONE)

    def on_filter_table_chosen(self, event: FilterTable.Chosen) -> None:
        """Tell the story of a statement."""
        event.stop()
        if (result := self.results.get(event.key)) is not None:
            self.app.push_screen(Page(f"{result['id']} {result['verdict']}: {result['summary']}", told(result)))


def _row(result: dict[str, Any]) -> list[Text]:
    found = cells([result["id"], result["verdict"], result["level"], result["summary"]])
    found[1].stylize(STYLES.get(result["verdict"], ""))
    return found


def told(result: dict[str, Any]) -> str:
    """The story: the statement, what was expected, what was seen, and the accesses before."""
    from ..reports.story import accesses

    lines = [result["text"], f"({result['level']}, {result['section']})", ""]
    lines += [f"{name}: {result[name]}" for name in ("expected", "observed") if result[name]]
    lines += [f"note: {remark}" for remark in result["remarks"]]
    lines += [f"the driver deviated on purpose: {deviation}" for deviation in result["deviations"]]
    if newest := result["accesses"][-_ACCESSES:]:
        lines += ["", "accesses before (s; -> read, <- written):"]
        text = accesses({**result, "accesses": newest})
        lines += text.replace("→", "->").replace("←", "<-").replace("×", "x").splitlines()
    return "\n".join(lines)
