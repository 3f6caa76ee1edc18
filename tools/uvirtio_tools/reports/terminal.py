"""The report for people at a terminal: head, table of verdicts, a drill-down for each that is not good, latencies."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..telling import console
from .document import Document, cut_off, ids_of, labels, verdict_of

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["render"]

_STYLES = {
    "PASS": "bold green", "FAIL": "bold red", "ERROR": "bold magenta", "WARN": "bold yellow", "SKIP": "dim", "INFO": "cyan",
}  # fmt: skip
#: Facts that are told otherwise, or say nothing about the device.
_NOT_SHOWN = {"type", "id", "revision", "bus", "device", "python"}
#: Accesses shown per failed check; the data has more.
_ACCESSES = 12
_BAR = 40


def render(
    documents: Sequence[Document],
    *,
    width: int | None = None,
    colour: bool = False,
    plain: bool = False,
    detail: int = 0,
) -> str:
    """The report as text, with escape sequences when ``colour``; ``plain`` draws with ASCII only.

    ``detail`` -1: the verdict only; 1: each statement with all that is to be said of it.
    """
    buffer = io.StringIO()
    screen = console(
        file=buffer,
        width=width or 100,
        force_terminal=colour,
        no_color=not colour,
        legacy_windows=False,
    )
    if detail < 0:
        _verdict_of_each(screen, documents)
    elif len(documents) == 1:
        _one(screen, documents[0], plain, detail)
    else:
        _matrix(screen, documents, plain)
    return buffer.getvalue()


def _verdict_of_each(console: Console, documents: Sequence[Document]) -> None:
    for name, document in zip(labels(documents), documents, strict=True):
        _verdict_line(console, document, f"{name}: " if len(documents) > 1 else "")


def _verdict_line(console: Console, document: Document, who: str = "") -> None:
    from rich.text import Text

    counts = ", ".join(f"{number} {word}" for word, number in document["counts"].items() if number)
    console.print(
        Text.assemble(who, (document["verdict"], _STYLES.get(document["verdict"], "bold")), f"  {counts}"),
        soft_wrap=True,
    )


def _one(console: Console, document: Document, plain: bool, detail: int) -> None:
    _head(console, document)
    _verdicts(console, document, plain)
    for result in document["results"]:
        if detail > 0 or result["verdict"] in ("FAIL", "ERROR", "WARN"):
            _drill(console, result, _ACCESSES if detail <= 0 else None)
    _latency(console, document)
    for why in (cut_off(document), document.get("not_offered")):
        if why:
            console.print(why, style="bold")
    _verdict_line(console, document)


def _head(console: Console, document: Document) -> None:
    from rich.table import Table
    from rich.text import Text

    device = document["device"]
    grid = Table.grid(padding=(0, 2))
    # What the bus knows is nearer to the device than what the machine says of itself.
    known = {**document["machine"], **device}
    rows = {
        "device": f"{document['locator']}: virtio {device.get('type', '?')} ({device.get('id', '?')})",
        **{name: value for name, value in known.items() if name not in _NOT_SHOWN},
        "dialect": document.get("dialect") or "none",
        "features": f"offered {document['features'].get('offered')}, accepted {document['features'].get('accepted')}",
    }
    if document.get("simulated_time"):
        rows["time"] = "simulated"
    for name, value in rows.items():
        grid.add_row(name, Text(str(value)))
    console.print(grid)
    for remark in document["remarks"]:
        console.print(f"note: {remark}")


def _verdicts(console: Console, document: Document, plain: bool) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.ASCII2 if plain else box.SIMPLE, pad_edge=False)
    table.add_column("id", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("level", no_wrap=True)
    table.add_column("what was seen")
    for result in document["results"]:
        word = result["verdict"]
        table.add_row(result["id"], Text(word, _STYLES.get(word, "")), result["level"], Text(result["summary"]))
    console.print(table)


def _drill(console: Console, result: Document, most: int | None) -> None:
    from rich.text import Text

    word = result["verdict"]
    console.print(Text.assemble((f"{result['id']} {word}", _STYLES[word]), f"  {result['text']} ({result['section']})"))
    for name in ("expected", "observed"):
        if result[name]:
            console.print(Text(f"  {name}: {result[name]}"))
    for remark in result["remarks"]:
        console.print(Text(f"  note: {remark}"))
    for deviation in result["deviations"]:
        console.print(Text(f"  the driver deviated on purpose: {deviation}"))
    for access in result["accesses"][-most if most is not None else None :]:
        times = f"  x{access['repeated']}" if access.get("repeated") else ""
        sign = "->" if access.get("kind") == "read" else "<-"
        line = f"  {access.get('time', 0):>12.6f}  {access.get('space', '')}.{access.get('register', '')} {sign} {access.get('value')}{times}"
        console.print(Text(line, style="dim"))
    console.print()


def _latency(console: Console, document: Document) -> None:
    from rich.text import Text

    for kind, data in document["latency"].items():
        if not data["count"]:
            continue
        words = ", ".join(
            f"{name} {data[name] * 1e3:.3f} ms" for name in ("minimum", "median", "p90", "p99", "maximum")
        )
        console.print(f"{kind}: {data['count']} times, {words}")
        most = max((entry["count"] for entry in data["histogram"]), default=0)
        for entry in data["histogram"]:
            bar = "#" * -(-entry["count"] * _BAR // most) if most else ""
            console.print(
                Text(f"  {entry['from'] * 1e3:>10.3f} .. {entry['to'] * 1e3:<10.3f} ms {entry['count']:>6} {bar}")
            )


def _matrix(console: Console, documents: Sequence[Document], plain: bool) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    names = labels(documents)
    for number, name in enumerate(names, 1):
        console.print(f"[{number}] {name}: {documents[number - 1]['verdict']}")
    table = Table(box=box.ASCII2 if plain else box.SIMPLE, pad_edge=False)
    table.add_column("id", no_wrap=True)
    for number in range(1, len(names) + 1):
        table.add_column(str(number), no_wrap=True)
    for id_ in ids_of(documents):
        words = [verdict_of(document, id_) for document in documents]
        table.add_row(id_, *(Text(word or "-", _STYLES.get(word, "")) for word in words))
    console.print(table)
