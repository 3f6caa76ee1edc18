"""What Jenkins' xUnit plugin accepts as JUnit (its junit-10.xsd), told as tables: elements in each other, and their attributes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

__all__ = ["faults"]

_OUTCOME = {"type", "message"}
#: element -> (children, attributes that have to be there, attributes that may be).
_ELEMENTS: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": ({"testsuite"}, set(), {"name", "time", "tests", "failures", "errors"}),
    "testsuite": (
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
        {"name", "tests", "failures", "errors"},
        {"group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"},
    ),
    "testcase": (
        {"skipped", "error", "failure", "system-out", "system-err"}, {"name"}, {"time", "classname", "group"},
    ),
    "properties": ({"property"}, set(), set()),
    "property": (set(), {"name", "value"}, set()),
    "failure": (set(), set(), _OUTCOME),
    "error": (set(), set(), _OUTCOME),
    "skipped": (set(), set(), _OUTCOME),
    "system-out": (set(), set(), set()),
    "system-err": (set(), set(), set()),
}  # fmt: skip
_WITH_TEXT = {"failure", "error", "skipped", "system-out", "system-err"}
_TIME = re.compile(r"[0-9,]*(\.[0-9]{0,3})?")


def faults(text: str) -> list[str]:
    """What of a document the schema does not have, in words."""
    root = ET.fromstring(text)
    found = [] if root.tag == "testsuites" else [f"the root is {root.tag}"]
    for element in root.iter():
        children, needed, possible = _ELEMENTS[element.tag]
        found += [f"{child.tag} in {element.tag}" for child in element if child.tag not in children]
        found += [f"{name} missing in {element.tag}" for name in needed - set(element.attrib)]
        found += [f"attribute {name} of {element.tag}" for name in set(element.attrib) - needed - possible]
        if element.tag not in _WITH_TEXT and (element.text or "").strip():
            found.append(f"text in {element.tag}")
        if element.tag in ("testsuite", "testsuites") and not _TIME.fullmatch(element.get("time", "")):
            found.append(f"time={element.get('time')}")
    return found
