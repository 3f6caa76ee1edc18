"""Result documents: read from files with all that can be wrong with them said, and looked at in the same way by all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from uvirtio.errors import SnapshotError
from uvirtio.foreign import parse_json
from uvirtio.spec.statements import STATEMENTS

from ..judging.result import SCHEMA, VERSION
from ..named_files import read_text

__all__ = [
    "COMPARISON",
    "Document",
    "check_document",
    "cut_off",
    "ids_of",
    "label",
    "labels",
    "load",
    "result_of",
    "results_of",
    "verdict_of",
]

#: The schema of several results in one document.
COMPARISON = "uvirtio/comparison"

#: A parsed ``uvirtio/check`` document (docs/schemas/check.schema.json).
Document = dict[str, Any]


def load(path: str) -> list[Document]:
    """Read a file of one result, or of several. Raises :class:`SnapshotError` when it is not one, is damaged, or is newer."""
    try:
        document = parse_json(read_text(path))
    except OSError as error:
        raise SnapshotError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise SnapshotError(f"{path}: not JSON, or cut off: {error}") from error
    if (
        isinstance(document, dict)
        and document.get("schema") == COMPARISON
        and isinstance(document.get("results"), list)
    ):
        return [check_document(each, f"{path}: result {number}") for number, each in enumerate(document["results"], 1)]
    return [check_document(document, path)]


def check_document(document: object, path: str) -> Document:
    """The document, if it is what the reports rely on. Raises :class:`SnapshotError`."""
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise SnapshotError(f"{path}: not a result of uvirtio check (no schema {SCHEMA!r})")
    version = document.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise SnapshotError(f"{path}: damaged: version is {version!r}")
    if version > VERSION:
        raise SnapshotError(
            f"{path}: written by a newer uvirtio (version {version}; this one reads up to {VERSION}): update uvirtio"
        )
    from . import valid  # only what is read has to be examined

    valid.check(document, path)
    return document


def cut_off(document: Document) -> str:
    """What kept the run from coming to its end; empty where it did."""
    if document.get("stopped"):
        return str(document["stopped"])
    words = "interrupted; what was judged until then is reported, and the device has been reset"
    return words if document.get("interrupted") else ""


def results_of(document: Document) -> list[Document]:
    """Its results, and where there is more to be said of the run an entry for it, which says why."""
    if why := cut_off(document):
        run = _run("ERROR", "The run comes to its end.", "every scenario runs", why)
    elif document.get("not_offered") and document["options"].get("require_suspend"):
        run = _run("FAIL", "SUSPEND is offered, as was required.", "SUSPEND is offered", str(document["not_offered"]))
    else:
        return list(document["results"])
    return [*document["results"], run]


def _run(verdict: str, text: str, expected: str, why: str) -> Document:
    return {
        "id": "run", "verdict": verdict, "level": "", "side": "", "text": text, "section": "",
        "summary": why, "expected": expected, "observed": why, "remarks": [], "deviations": [],
        "seconds": 0.0, "evidence": {}, "accesses": [],
    }  # fmt: skip


def ids_of(documents: Sequence[Document]) -> list[str]:
    """All statement ids that occur, in the catalogue's order; unknown ones of other versions, and the run, last."""
    seen = dict.fromkeys(result["id"] for document in documents for result in results_of(document))
    return [id_ for id_ in STATEMENTS if id_ in seen] + [id_ for id_ in seen if id_ not in STATEMENTS]


def result_of(document: Document, id_: str) -> Document | None:
    """The result of one statement, None where it was not judged."""
    return next((result for result in results_of(document) if result["id"] == id_), None)


def verdict_of(document: Document, id_: str) -> str:
    """Its verdict, empty where it was not judged."""
    result = result_of(document, id_)
    return result["verdict"] if result else ""


def label(document: Document) -> str:
    """What a column of a comparison is headed with: the device and the machine that it was judged on."""
    hypervisor = str(document["device"].get("hypervisor") or document["machine"].get("hypervisor") or "")
    return f"{document['locator']} ({hypervisor})" if hypervisor else str(document["locator"])


def labels(documents: Sequence[Document]) -> list[str]:
    """One label each, numbered where two are alike."""
    plain = [label(document) for document in documents]
    return [f"{text} #{plain[: n + 1].count(text)}" if plain.count(text) > 1 else text for n, text in enumerate(plain)]
