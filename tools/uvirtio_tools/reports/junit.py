"""JUnit XML in the shape that pytest writes: a suite per result, a test case per statement, and one for a run that was cut off."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from ..judging.verdict import VERDICTS
from .document import Document, labels, results_of

__all__ = ["render"]

#: What XML 1.0 cannot carry.
_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _text(value: object) -> str:
    return _FORBIDDEN.sub("?", str(value))


def _case(suite: ET.Element, document: Document, result: Document) -> str:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=_text(document["locator"]),
        name=_text(result["id"]),
        time=f"{result['seconds']:.6f}",
    )
    properties = ET.SubElement(case, "properties")
    for name in ("verdict", "level", "section", "text", "summary"):
        ET.SubElement(properties, "property", name=name, value=_text(result[name]))
    element = VERDICTS[result["verdict"]][2]
    if element == "skipped":
        ET.SubElement(case, "skipped", type="uvirtio.skip", message=_text(result["summary"]))
    elif element:
        body = f"{result['text']}\nexpected: {result['expected']}\nobserved: {result['observed']}\n{result['section']}"
        ET.SubElement(case, element, message=_text(result["summary"])).text = _text(body)
    if result["verdict"] in ("WARN", "INFO"):
        ET.SubElement(case, "system-out").text = _text(f"{result['verdict']}: {result['summary']} {result['observed']}")
    return element


def render(documents: Sequence[Document]) -> str:
    """The XML document."""
    root = ET.Element("testsuites", name="uvirtio")
    for name, document in zip(labels(documents), documents, strict=True):
        suite = ET.SubElement(root, "testsuite", name=_text(name))
        elements = [_case(suite, document, result) for result in results_of(document)]
        suite.set("tests", str(len(elements)))
        for attribute, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            suite.set(attribute, str(elements.count(element)))
        suite.set("time", f"{sum(result['seconds'] for result in document['results']):.6f}")
        suite.set("timestamp", _text(document.get("started", "")))
        suite.set("hostname", _text(document["machine"].get("kernel", "")))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"
