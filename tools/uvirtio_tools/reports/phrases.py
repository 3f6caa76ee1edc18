"""What a document holds, in words for people: no name of a field, no value of a programming language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ..judging.moments import INTERRUPTS, REGISTERS, RING
from ..wording import counted
from .document import Document, cut_off

__all__ = ["about", "device_of", "evidence", "facts", "moments_of", "seconds", "sentence", "value"]

#: The words that a verdict of a whole run opens a report with.
_OPENING = {
    "PASS": "Nothing was broken.", "WARN": "Nothing binding was broken.", "INFO": "Nothing that binds could be judged.",
    "SKIP": "Nothing was judged.", "FAIL": "", "ERROR": "",
}  # fmt: skip
_NAMES = {
    "isr": "ISR", "isr_queue_bits": "ISR showed bit 0", "isr_config_bits": "ISR showed bit 1",
    "isr_queue_bit": "ISR bit 0 was seen", "isr_config_bit": "ISR bit 1 was seen", "at_done": "at the first read that showed it suspended",
    "status_names": "status in words",
}  # fmt: skip
_TIMES = {"seconds", "after", "reset_seconds", "time", "hold", "wait"}


def seconds(number: float) -> str:
    """A time with its unit, e.g. ``140 µs``."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if abs(number) * scale >= 1 or unit == "µs":
            text = f"{number * scale:.4g}"
            return f"{text} {unit}" if "e" not in text else f"{number * scale:.0f} {unit}"
    return ""


def sentence(document: Document) -> str:
    """What the verdict of a whole run rests on."""
    by: dict[str, list[str]] = {}
    for result in document["results"]:
        by.setdefault(result["verdict"], []).append(result["id"])
    parts = []
    for word, what in (("FAIL", "Broken"), ("ERROR", "Could not be judged"), ("WARN", "Not as advised, or remarkable")):
        if ids := by.get(word):
            parts.append(f"{what}: {', '.join(ids)}.")
    opening = _OPENING.get(document["verdict"], "")
    if why := cut_off(document) or document.get("not_offered"):
        parts.append(f"{str(why)[:1].upper()}{str(why)[1:].rstrip('.')}.")
    return " ".join(part for part in (opening, *parts) if part) or f"{document['verdict']}."


def about(document: Document) -> str:
    """How much was judged, in a line."""
    counts = ", ".join(f"{number} {word}" for word, number in document["counts"].items() if number)
    return f"{counted(len(document['results']), 'statement')}: {counts}" if counts else "no statement"


def device_of(document: Document) -> str:
    """The device in a few words."""
    device = document["device"]
    return f"virtio {device.get('type', '?')} ({device.get('id', '?')})"


def facts(document: Document) -> dict[str, str]:
    """What was judged, where, when and by which release: name -> words."""
    device, features = document["device"], document["features"]
    # What the bus knows is nearer to the device than what the machine says of itself.
    known = {**document["machine"], **device}
    found = {"device": device_of(document), "dialect": document.get("dialect") or "none: it offers no SUSPEND"}
    found |= {name: value(each, name) for name, each in known.items() if name not in ("type", "id", "device", "time")}
    if device.get("device"):
        found["model"] = value(device["device"])
    found["features"] = f"offered {features.get('offered', 'unknown')}, accepted {features.get('accepted', 'unknown')}"
    if document.get("workload"):
        found["traffic"] = value(document["workload"])
    found["started"] = str(document.get("started") or "unknown") + (
        ", on a simulated clock" if document.get("simulated_time") else ""
    )
    found["judged by"] = f"uvirtio {document.get('release') or 'of an unknown release'}"
    return found


def moments_of(result: Document) -> list[Document]:
    """Its timeline; of a result of an older release what its accesses show of it."""
    if result.get("timeline"):
        return list(result["timeline"])
    return (
        [_as_moment(access) for access in result["accesses"]] if result["verdict"] in ("FAIL", "WARN", "ERROR") else []
    )


def _as_moment(access: Document) -> Document:
    space, register, kind = access.get("space", ""), access.get("register", ""), access.get("kind", "")
    lane = RING if space == "queue" else INTERRUPTS if space == "isr" else REGISTERS
    number = int(access["value"], 16) if re.fullmatch(r"0x[0-9a-fA-F]{1,16}", str(access.get("value"))) else 0
    moment = {"time": access.get("time", 0.0), "lane": lane, "kind": "available" if kind == "publish" else kind}
    moment |= {"text": f"{kind} {register} {access.get('value', '')}", "value": number}
    if register == "device_status":
        moment["status"] = number & 0xFF
    if access.get("repeated"):
        moment |= {"until": max(access.get("last", 0.0), access.get("time", 0.0)), "count": access["repeated"]}
    return moment


def value(found: object, name: str = "") -> str:
    """One value in words."""
    if found is None:
        return "not read"
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, float) and name in _TIMES:
        return seconds(found)
    if isinstance(found, float):
        return f"{found:g}"
    if isinstance(found, Mapping):
        return ", ".join(f"{_name(key)} {value(each, str(key))}" for key, each in found.items()) or "nothing"
    if isinstance(found, Sequence) and not isinstance(found, str):
        return ", ".join(value(each) for each in found) or "none"
    return str(found) or "nothing"


def evidence(found: Mapping[str, object]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """What a verdict rests on, in groups of a name with pairs of a name and words. What stands alone comes first."""
    alone = [(_name(key), value(each, key)) for key, each in found.items() if not isinstance(each, Mapping)]
    if alone:
        yield "", alone
    for key, each in found.items():
        if isinstance(each, Mapping):
            inner = {name: each[name] for name in each if name != "rings"}
            yield _name(key), [(_name(name), value(item, name)) for name, item in inner.items()]


def _name(key: object) -> str:
    return _NAMES.get(str(key)) or str(key).replace("_", " ")
