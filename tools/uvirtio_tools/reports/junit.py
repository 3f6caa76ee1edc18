"""JUnit XML as Jenkins' schema has it: a suite per result, a test case per statement, and one for a run that was cut off.

The schema knows no properties of a test case: what is to be said of one that passed is in its ``system-out``.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from uvirtio.spec.statements import CHAPTERS

from ..judging.verdict import VERDICTS
from .document import Document, labels, results_of
from .phrases import facts

__all__ = ["render"]

#: What XML 1.0 cannot carry.
_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CHAPTER = {id_: name for name, ids in CHAPTERS.items() for id_ in ids}


def _text(value: object) -> str:
    return _FORBIDDEN.sub("?", str(value))


def _class(label: str, id_: str) -> str:
    """The device as a package and the chapter as a class: readers part them at the last dot, and tell equal names apart by it."""
    return f"{label.replace('.', '_')}.{_CHAPTER.get(id_, 'run')}"


def _case(suite: ET.Element, label: str, result: Document) -> str:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=_text(_class(label, result["id"])),
        name=_text(f"{result['id']}: {result['text']}"),
        time=f"{result['seconds']:.3f}",
    )
    element = VERDICTS[result["verdict"]][2]
    if element == "skipped":
        ET.SubElement(case, "skipped", type="uvirtio.SKIP", message=_text(result["summary"]))
    elif element:
        body = "\n".join(
            [
                result["text"], f"expected: {result['expected']}", f"observed: {result['observed']}",
                f"{result['level']}, section {result['section']}" if result["section"] else "",
                *(f"note: {remark}" for remark in result["remarks"]),
                *(f"the driver deviated on purpose: {deviation}" for deviation in result["deviations"]),
            ]
        )  # fmt: skip
        kind = f"uvirtio.{result['verdict']}"
        ET.SubElement(case, element, type=kind, message=_text(result["summary"])).text = _text(body)
    else:
        words = f"{result['verdict']}: {result['summary']} {result['observed']}".strip()
        ET.SubElement(case, "system-out").text = _text(f"{words}\n{result['level']}, section {result['section']}")
    return element


def render(documents: Sequence[Document]) -> str:
    """The XML document."""
    root = ET.Element("testsuites", name="uvirtio")
    for name, document in zip(labels(documents), documents, strict=True):
        suite = ET.SubElement(root, "testsuite", name=_text(name))
        properties = ET.SubElement(suite, "properties")
        for key, words in facts(document).items():
            ET.SubElement(properties, "property", name=_text(key), value=_text(words))
        elements = [_case(suite, name, result) for result in results_of(document)]
        suite.set("tests", str(len(elements)))
        for attribute, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            suite.set(attribute, str(elements.count(element)))
        suite.set("time", f"{sum(result['seconds'] for result in document['results']):.3f}")
        suite.set("timestamp", _text(str(document.get("started") or "").partition("+")[0]))
        suite.set("hostname", _text(document["machine"].get("kernel", "")))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"
