"""The proof table: every statement against the conforming device, every single fault, and every profile."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial
from importlib import import_module
from pathlib import Path

from tests.emulated.checks.judging import judge, words
from tests.emulated.checks.where import suspend
from uvirtio.emulated.faults import FAULTS, statement_of
from uvirtio.emulated.profiles import PROFILES
from uvirtio.spec.statements import APART, CHAPTERS, STATEMENTS

DOCUMENT = Path(__file__).parents[3] / "docs" / "conformance.md"
BEGIN, END = "<!-- proof table: generated, do not edit -->", "<!-- end of the proof table -->"

LETTERS = {"PASS": "P", "FAIL": "F", "WARN": "W", "SKIP": "s", "INFO": "i", "ERROR": "E", "": ""}
#: Profiles without those that are the dialects' conforming devices.
CONFORMING = {"1.4": "virtio-1.4", "rfc": "rfc", "chromium": "crosvm"}
OTHERS = tuple(name for name in PROFILES if name not in CONFORMING.values())
TYPE = "blk?size=1M&"
#: Further ways to break suspend: what they are shown on.
WAYS = suspend.WHERE
#: Faults of the suspend chapter, one for each statement.
SUSPEND = tuple(name for name in FAULTS if statement_of(name) in CHAPTERS["suspend"] and name not in WAYS)


#: Chapters other than suspend: what their faults are shown on.
WHERE: dict[str, str] = {
    fault: locator
    for chapter in CHAPTERS
    if chapter != "suspend"
    for fault, locator in import_module(f"tests.emulated.checks.where.{chapter}").WHERE.items()
}


@cache
def column(what: str, kind: str = TYPE) -> dict[str, str]:
    """id -> verdict of the suspend chapter in one run. ``what``: ``fault=V4`` or ``profile=slow``.

    Not strict: a broken SHOULD is a WARN.
    """
    name = what.partition("=")[2]
    rfc = name == "rfc" or (name in FAULTS and name.startswith("R") and name in SUSPEND)
    return words(judge(f"emulated:{kind}{what}", dialect="rfc" if rfc else "auto", only="suspend"))


def with_fault(locator: str, fault: str) -> str:
    """The locator of the device with a fault, if one is named."""
    return f"{locator}{'&' if '?' in locator else '?'}fault={fault}" if fault else locator


def without_suspend(locator: str, fault: str = "") -> str:
    """The locator of the device without suspend, and with a fault if one is named."""
    without = locator.replace("features=", "features=-SUSPEND,")
    if without == locator:
        without += f"{'&' if '?' in locator else '?'}features=-SUSPEND"
    return f"{without}&fault={fault}" if fault else without


@cache
def shown(locator: str, fault: str = "", chapter: str = "") -> dict[str, str]:
    """id -> verdict of everything but suspend on a device without suspend, or with one fault that is not one of it.

    A chapter that stands apart is shown by itself, on a device that suspends.
    """
    if chapter in APART:
        return words(judge(with_fault(locator, fault), only=chapter))
    return words(judge(without_suspend(locator, fault), provoke=True))


@cache
def whole(locator: str, fault: str = "") -> dict[str, str]:
    """id -> verdict of everything on a device that suspends."""
    return words(judge(with_fault(locator, fault)))


def chapter_of(id_: str) -> str:
    """The chapter of a statement."""
    return next(chapter for chapter, ids in CHAPTERS.items() if id_ in ids)


def broken(verdicts: dict[str, str]) -> set[str]:
    """Ids with a verdict that speaks against the device."""
    return {id_ for id_, word in verdicts.items() if word in ("FAIL", "WARN", "ERROR")}


def _rows(columns: dict[str, str], ids: Iterable[str]) -> list[str]:
    judged = {head: column(what) for head, what in columns.items()}
    lines = [f"| | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for id_ in ids:
        cells = []
        for head, verdicts in judged.items():
            letter = LETTERS[verdicts.get(id_, "")]
            cells.append(f"**{letter}**" if statement_of(head) == id_ else letter)
        if any(cells):
            lines.append(f"| {id_} | {' | '.join(cells)} |")
    return lines


def _ids(*families: str) -> list[str]:
    return [id_ for id_ in STATEMENTS if id_.rstrip("0123456789") in families]


def catalogue() -> list[str]:
    """The statements as a table."""
    lines = ["| id | level | side | statement | section | needs | implies |", "|---|---|---|---|---|---|---|"]
    for row in STATEMENTS.values():
        needs = ", ".join(need.value for need in row.needs)
        lines.append(
            f"| {row.id} | {row.level.value} | {row.side.value} | {row.text} | {row.section} | {needs} | {', '.join(row.implies)} |"
        )
    return lines


def generate() -> str:
    """The generated part of the document."""
    of_1_4 = [name for name in SUSPEND if name.startswith("V")]
    everything = _ids("D", "V", "S", "I")
    parts = [
        "### The statements", "", *catalogue(), "",
        "### virtio 1.4: the conforming device, and each single fault", "",
        *_rows({"none": "profile=virtio-1.4"} | {name: f"fault={name}" for name in of_1_4}, everything), "",
        "### The RFC", "",
        *_rows({"none": "profile=rfc"} | {n: f"fault={n}" for n in SUSPEND if n.startswith("R")}, _ids("R", "S", "I")), "",
        "### The Chromium draft", "",
        *_rows({"none": "profile=crosvm"} | {n: f"fault={n}" for n in SUSPEND if n.startswith("C")}, _ids("C", "V", "S")), "",
        "### The other profiles", "",
        *_rows({name: f"profile={name}" for name in OTHERS}, everything), "",
        "### Further ways to break suspend", "", *_table(WAYS, WAYS, whole), "",
        *(line for chapter in CHAPTERS if chapter != "suspend" for line in _chapter(chapter)),
    ]  # fmt: skip
    return "\n".join(parts)


def _chapter(chapter: str) -> list[str]:
    """The proof of one chapter: each statement with the faults that break it, and what else they break."""
    faults = [name for name in FAULTS if statement_of(name) in CHAPTERS[chapter] and name not in WAYS]
    return [f"### Chapter {chapter}", "", *_table(faults, WHERE, partial(shown, chapter=chapter)), ""] if faults else []


def _table(faults: Iterable[str], where: dict[str, str], seen: Callable[..., dict[str, str]]) -> list[str]:
    lines = ["| id | conforming | fault | verdict | broken with it |", "|---|---|---|---|---|"]
    for fault in faults:
        id_ = statement_of(fault)
        verdicts = seen(where[fault], fault)
        also = ", ".join(sorted(broken(verdicts) - {id_}, key=list(STATEMENTS).index))
        good = LETTERS[seen(where[fault]).get(id_, "")]
        lines.append(f"| {id_} | {good} | {fault} | **{LETTERS[verdicts.get(id_, '')]}** | {also} |")
    return lines


def in_document(text: str) -> str:
    """The generated part as it stands in the document."""
    return text.split(BEGIN)[1].split(END)[0].strip()


def put_into(text: str, table: str) -> str:
    """The document with another generated part."""
    head, rest = text.split(BEGIN)
    return f"{head}{BEGIN}\n\n{table.strip()}\n\n{END}{rest.split(END)[1]}"
