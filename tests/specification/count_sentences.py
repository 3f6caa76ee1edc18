#!/usr/bin/env python3
"""Count the normative sentences of the virtio specification, per file and per section, by level.

Works on a checkout of the specification's TeX sources and needs nothing but Python 3.11:

    git clone https://github.com/oasis-tcs/virtio-spec && python3 count_sentences.py virtio-spec --side device

It follows ``\\input`` from ``main.tex``, so that sections get the numbers that they have in the document. A sentence is
counted when it has a key word of RFC 2119 in capitals, under the side that its section is for:

``device``, ``driver``
    in a section of requirements for that side, up to the next heading of its own depth or higher;
``legacy``
    in a section on the legacy interface, which has requirements for both sides;
``elsewhere``
    in ordinary text, where the key words mean something, too, but no conformance clause points to it.

Code listings, tables' rules, comments and notes are left out; notes can be had by ``--notes``. An item of a list is a sentence of
its own, and so is what stands before the list. A sentence with several levels (one duty, and another one otherwise) counts
once as a sentence and once for each of its levels, so levels may add up to more than sentences. ``REQUIRED`` and ``SHALL``
count as MUST, ``RECOMMENDED`` as SHOULD, ``OPTIONAL`` as MAY.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LEVELS = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY")
SIDES = ("device", "driver", "legacy", "elsewhere")
#: The files that are about every device, whatever its type, on PCI: what is counted where nothing else is asked for.
CORE = ("content.tex", "split-ring.tex", "packed-ring.tex", "transport-pci.tex")

_DEPTHS = {
    name: depth
    for depth, name in enumerate(("chapter", "section", "subsection", "subsubsection", "paragraph", "subparagraph"))
}
_SYNONYMS = {
    "REQUIRED": "MUST",
    "SHALL": "MUST",
    "SHALL NOT": "MUST NOT",
    "RECOMMENDED": "SHOULD",
    "NOT RECOMMENDED": "SHOULD NOT",
    "OPTIONAL": "MAY",
}
_KEY_WORD = re.compile(
    r"\b(MUST NOT|SHALL NOT|SHOULD NOT|NOT RECOMMENDED|MUST|SHALL|SHOULD|REQUIRED|RECOMMENDED|MAY|OPTIONAL)\b"
)
_HEADING = re.compile(
    r"\\(?:(?P<side>driver|device)normative\s*\{\s*\\(?P<wrapped>[a-z]+)\s*\}|(?P<plain>chapter|(?:sub)*section|(?:sub)?paragraph))"
    r"(?P<star>\*?)\s*(?=\{)"
)
_INPUT = re.compile(r"\\input\s*\{(?P<input>[^}]+)\}")
#: Where a section begins, another file is read, or the appendices begin.
_MARK = re.compile(rf"{_HEADING.pattern}|{_INPUT.pattern}|\\appendix\b")
_COMMENT = re.compile(r"(?<!\\)%.*")
_SKIPPED = re.compile(r"\\begin\{(lstlisting|verbatim)\}.*?\\end\{\1\}", re.DOTALL)
_NOTE = re.compile(r"\\begin\{note\}.*?\\end\{note\}", re.DOTALL)
_BREAK = re.compile(r"\n\s*\n|\\item\b(?:\s*\[[^\]]*\])?|\\(?:begin|end)\s*\{[a-z*]+\}|\\hline")
_LABEL = re.compile(r"\\label\s*\{[^}]*\}")
_LABEL_ARGUMENT = re.compile(r"\s*(?=\{)")
_REFERENCE = re.compile(r"\\(?:ref|nameref|url)\s*\{[^}]*\}|\\hyperref\s*\[[^\]]*\]")
_NAMED = re.compile(r"\\(?:field|emph|textbf|texttt|footnote)\s*\{([^{}]*)\}")
_MACRO = re.compile(r"\\[a-zA-Z]+\*?")
#: A full stop before a capital ends a sentence, unless it belongs to one of these.
_ABBREVIATIONS = ("e.g.", "i.e.", "ie.", "eg.", "etc.", "vs.")
_END = re.compile(r"(?<=[.!?])\s+(?=[\"'(]?[A-Z])")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence with at least one key word. ``levels``: each once, in the order in which it names them."""

    file: str
    section: str
    title: str
    side: str
    levels: tuple[str, ...]
    text: str

    @property
    def words(self) -> tuple[str, ...]:
        """The level of every key word in it, as often as it has them."""
        return tuple(_SYNONYMS.get(word, word) for word in _KEY_WORD.findall(self.text))


@dataclass(slots=True)
class _Section:
    """The section that is being read. ``depth``: that of the heading whose side is in force."""

    number: str = ""
    title: str = ""
    side: str = "elsewhere"
    depth: int = -1


@dataclass(slots=True)
class Reader:
    """Reads a document from its root file on and collects its sentences."""

    root: Path
    notes: bool = False
    sentences: list[Sentence] = field(default_factory=list)
    _numbers: list[int] = field(default_factory=lambda: [0] * len(_DEPTHS))
    _section: _Section = field(default_factory=_Section)
    _appendix: bool = False

    def read(self, name: str) -> None:
        """Read a file and those that it includes. Files that are made only when the document is built may be missing."""
        path = self.root / (name if name.endswith(".tex") else f"{name}.tex")
        if not path.is_file():
            return
        text = _SKIPPED.sub("\n\n", "\n".join(_COMMENT.sub("", line) for line in path.read_text().splitlines()))
        if not self.notes:
            text = _NOTE.sub("\n\n", text)
        at = 0
        for found in _MARK.finditer(text):
            if found.start() < at:
                continue  # inside of the heading before
            self._collect(path, text[at : found.start()])
            at = found.end()
            if found[0] == "\\appendix":
                self._appendix, self._numbers = True, [0] * len(_DEPTHS)
            elif found["input"] is not None:
                self.read(found["input"])
            else:
                title, at = _braced(text, at)
                if found["side"] and (label := _LABEL_ARGUMENT.match(text, at)):
                    at = _braced(text, label.end())[1]
                self._open(found, title)
        self._collect(path, text[at:])

    def _open(self, found: re.Match[str], title: str) -> None:
        """A heading: number it, and find out for whom what follows is."""
        depth = _DEPTHS[found["wrapped"] or found["plain"]]
        title = _plain(title)
        if not found["star"]:
            self._numbers[depth] += 1
            self._numbers[depth + 1 :] = [0] * (len(_DEPTHS) - depth - 1)
        section = self._section
        side = _side(found["side"], title)
        inherited = depth > section.depth and side == "elsewhere"
        section.number, section.title = self._number(depth), title
        if not inherited:
            section.side, section.depth = side, depth if side != "elsewhere" else len(_DEPTHS)

    def _number(self, depth: int) -> str:
        first = self._numbers[0]
        words = [chr(ord("A") + first - 1) if self._appendix and first else str(first)]
        return ".".join([*words, *(str(number) for number in self._numbers[1 : depth + 1])])

    def _collect(self, path: Path, text: str) -> None:
        section = self._section
        for sentence in split_sentences(text):
            if levels := find_levels(sentence):
                name = path.relative_to(self.root).as_posix()
                self.sentences.append(Sentence(name, section.number, section.title, section.side, levels, sentence))


def _side(normative: str | None, title: str) -> str:
    if normative is not None:
        return normative
    for side in ("device", "driver"):  # one heading of the document is written out by hand
        if title.startswith(f"{side.capitalize()} Requirements:"):
            return side
    return "legacy" if title.startswith(("Legacy Interface", "Legacy Interfaces")) else "elsewhere"


def _braced(text: str, at: int) -> tuple[str, int]:
    """What stands in the braces that open at a position, and where they end."""
    depth, start = 0, at
    while at < len(text):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
        if not depth:
            break
    return text[start + 1 : at - 1], at


def _plain(text: str) -> str:
    """TeX as plain words, on one line."""
    text, before = _REFERENCE.sub("", _LABEL.sub(" ", text)), ""
    while text != before:
        before, text = text, _NAMED.sub(r"\1", text)
    return " ".join(_MACRO.sub(" ", text).replace("~", " ").translate({ord(c): None for c in "{}$"}).split())


def split_sentences(text: str) -> Iterator[str]:
    """The sentences of a piece of TeX without listings, as plain words. Each item of a list is one at least."""
    for block in _BREAK.split(text):
        words = _plain(block or "")
        for word in _ABBREVIATIONS:
            words = words.replace(word, word.replace(".", "\0"))
        for sentence in _END.split(words):
            if sentence.strip():
                yield sentence.replace("\0", ".").strip()


def find_levels(sentence: str) -> tuple[str, ...]:
    """The levels that a sentence names, each once."""
    return tuple(dict.fromkeys(_SYNONYMS.get(word, word) for word in _KEY_WORD.findall(sentence)))


def commit_of(root: Path) -> str:
    """The commit of a checkout, empty where it is none, or a part of somebody else's."""
    command = ["git", "-C", str(root), "rev-parse", "--show-prefix", "--short=7", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    prefix, _, commit = done.stdout.partition("\n")
    return "" if done.returncode or prefix else commit.strip()


def read_specification(root: Path, *, notes: bool = False) -> list[Sentence]:
    """All normative sentences of the document, in its order. Raises :class:`FileNotFoundError` without a ``main.tex``."""
    if not (root / "main.tex").is_file():
        raise FileNotFoundError(f"{root}: there is no main.tex; a checkout of oasis-tcs/virtio-spec is needed")
    reader = Reader(root, notes)
    reader.read("main.tex")
    return reader.sentences


def tally(sentences: Sequence[Sentence], *, words: bool = False) -> dict[str, int]:
    """How many sentences, and how many of each level: a level once for each sentence, or each key word of it."""
    found = Counter(level for each in sentences for level in (each.words if words else each.levels))
    return {"sentences": len(sentences)} | {level: found[level] for level in LEVELS}


def summarise(sentences: Sequence[Sentence], *, by_section: bool, words: bool = False) -> list[dict[str, object]]:
    """One row per file and side, or per section and side, in the order of the document."""
    groups: dict[tuple[str, str, str], list[Sentence]] = {}
    for sentence in sentences:
        key = (sentence.file, sentence.section if by_section else "", sentence.side)
        groups.setdefault(key, []).append(sentence)
    order = {key: at for at, key in enumerate(groups)}
    if not by_section:
        files = list(dict.fromkeys(sentence.file for sentence in sentences))
        order = {key: files.index(key[0]) * len(SIDES) + SIDES.index(key[2]) for key in groups}
    rows: list[dict[str, object]] = []
    for key in sorted(groups, key=order.__getitem__):
        row: dict[str, object] = {"file": key[0], "side": key[2]}
        if by_section:
            row |= {"section": key[1], "title": groups[key][0].title}
        rows.append(row | tally(groups[key], words=words))
    return rows


def _table(rows: Sequence[dict[str, object]]) -> str:
    """Rows as a table of plain text, numbers to the right."""
    head = [name for name in ("file", "section", "side", "sentences", *LEVELS, "title") if rows and name in rows[0]]
    cells = [head, *([str(row[name]) for name in head] for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(head))]
    lines = []
    for line in cells:
        parts = [
            cell.rjust(width) if name in ("sentences", *LEVELS) else cell.ljust(width)
            for name, cell, width in zip(head, line, widths, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkout", type=Path, help="a checkout of oasis-tcs/virtio-spec")
    parser.add_argument(
        "files", nargs="*", metavar="FILE",
        help=f"files to count, as they are named in the checkout (default: {', '.join(CORE)}); see --all",
    )  # fmt: skip
    parser.add_argument("--all", action="store_true", help="every file, the device types' included")
    parser.add_argument("--sections", action="store_true", help="a row per section instead of one per file")
    parser.add_argument("--side", action="append", choices=SIDES, help="only these (can be repeated)")
    parser.add_argument("--notes", action="store_true", help="count sentences of notes as well")
    parser.add_argument("--words", action="store_true", help="count every key word, not each level once a sentence")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--text", action="store_true", help="print the sentences themselves, with their sections")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Count, print, and return an exit status: 2 where there is nothing to count."""
    options = make_parser().parse_args(arguments)
    try:
        sentences = read_specification(options.checkout, notes=options.notes)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    files = options.files or CORE
    if not options.all:
        sentences = [sentence for sentence in sentences if sentence.file in files]
    if options.side:
        sentences = [sentence for sentence in sentences if sentence.side in options.side]
    if not sentences:
        print(f"no normative sentence in {', '.join(files)}", file=sys.stderr)
        return 2
    if options.text:
        for sentence in sentences:
            print(f"{sentence.section} [{sentence.side}] {'+'.join(sentence.levels)}: {sentence.text}")
        return 0
    rows = summarise(sentences, by_section=options.sections, words=options.words)
    commit = commit_of(options.checkout)
    if options.json:
        print(json.dumps({"commit": commit, "rows": rows, "all": tally(sentences, words=options.words)}, indent=1))
        return 0
    print(_table(rows))
    print(f"\n{len(sentences)} sentences" + (f" at commit {commit}" if commit else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
