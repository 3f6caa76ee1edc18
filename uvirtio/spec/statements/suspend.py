"""Device suspend (3.4 and its drafts), and the driver's duties around it.

``D`` rows are the driver's duties and ``V`` rows the device's of virtio 1.4, ``R`` rows those of the RFC of August 2023, ``C``
rows those of the Chromium draft. ``I`` rows are what virtio 1.4 leaves unspecified, and ``S`` rows what a run as a whole has to
show. V13 and V14 are demanded of every device.
"""

from __future__ import annotations

from ..dialects import CHROMIUM, RFC, V1_4
from .model import Level, Need, Side, Statement

__all__ = ["ROWS"]

_14 = (V1_4.name,)
_RFC = (RFC.name,)
_CHROMIUM = (CHROMIUM.name,)
_ALL = (V1_4.name, CHROMIUM.name, RFC.name)
_W, _ISR, _T = Need.WORKLOAD, Need.ISR, Need.TRIGGER
_MUST, _MUST_NOT, _SHOULD, _SHOULD_NOT = Level.MUST, Level.MUST_NOT, Level.SHOULD, Level.SHOULD_NOT
_DRIVER, _DEVICE = Side.DRIVER, Side.DEVICE
_S341, _S342, _S211, _S212 = "3.4.1", "3.4.2", "2.1.1", "2.1.2"
_R1, _R2 = "RFC 2.1.1", "RFC 2.1.2"


def _d(id_: str, level: Level, text: str, section: str = _S341) -> Statement:
    return Statement(id_, level, _DRIVER, text, section, _14)


_ROWS: tuple[Statement, ...] = (
    _d("D1", _SHOULD_NOT, "The driver sets SUSPEND only with DRIVER_OK set and the feature negotiated."),
    _d("D2", _MUST, "After setting SUSPEND the driver re-reads the status until it shows SUSPEND=1 and DRIVER_OK=0."),
    _d("D3", _MUST_NOT, "The driver makes no buffers available once it has set SUSPEND."),
    _d("D4", _MUST_NOT, "The driver notifies no queue once it has set SUSPEND."),
    _d("D5", _MUST_NOT, "The driver writes no device configuration once it has set SUSPEND."),
    _d("D6", _MUST, "After writing DRIVER_OK the driver waits for SUSPEND=0 and DRIVER_OK=1 before anything else."),
    _d("D7", _MUST_NOT, "The driver clears no status bit other than by reset.", _S211),
    Statement(
        "V1", _MUST, _DEVICE, "The device ignores SUSPEND until it has been initialised completely.", _S342, _14,
        (_W,), deviates=("D1",),
    ),
    Statement(
        "V2", _SHOULD, _DEVICE, "The device ignores configuration writes while suspended.", _S342, _14,
        (Need.FIELD,), deviates=("D5",),
    ),
    Statement(
        "V3", _MUST_NOT, _DEVICE, "The device sends no used buffer notification while suspended.", _S342, _14, (_W, _ISR)
    ),
    Statement(
        "V4", _MUST_NOT, _DEVICE, "The device touches no queue and no buffer while suspended.", _S342, _14, (_W,),
        implies=("V3", "V10", "V11"), deviates=("D4",),
    ),
    Statement(
        "V5", _MUST_NOT, _DEVICE, "The device changes no configuration field while suspended.", _S342, _14,
        (Need.CONFIGURATION, _T),
    ),
    Statement(
        "V6", _MUST_NOT, _DEVICE, "The device sends no configuration change notification while suspended.", _S342, _14,
        (_T, _ISR), implies=("V7",),
    ),
    Statement(
        "V7", _MUST, _DEVICE, "A configuration change that happened while suspended is notified on resume.", _S342, _14,
        (_T, _ISR),
    ),
    Statement(
        "V8", _MUST, _DEVICE, "Asked to suspend, the device suspends or sets DEVICE_NEEDS_RESET.", _S342, _14,
    ),
    Statement(
        "V9", _MUST, _DEVICE,
        "Asked to resume by DRIVER_OK, no bit cleared, the device resumes or sets DEVICE_NEEDS_RESET.", _S342, _14, (_W,),
    ),
    Statement(
        "V10", _SHOULD, _DEVICE, "The device stops consuming buffers before it presents itself as suspended.", _S342,
        _14, (_W,), implies=("V3", "V4", "V11"),
    ),
    Statement(
        "V11", _SHOULD, _DEVICE, "The device finishes the buffers in process before it presents itself as suspended.",
        _S342, _14, (_W, Need.LATENCY), implies=("V3", "V4", "V10", "V12", "V16"),
    ),
    Statement(
        "V12", _SHOULD, _DEVICE, "Used buffer notifications are sent before the device presents itself as suspended.",
        _S342, _14, (_W, Need.LATENCY, _ISR), implies=("V3",),
    ),
    Statement(
        "V13", _MUST_NOT, _DEVICE, "The device consumes and notifies nothing before DRIVER_OK.", _S212, (), (_W,)
    ),
    Statement(
        "V14", _MUST, _DEVICE,
        "When it sets DEVICE_NEEDS_RESET with DRIVER_OK set, the device sends a configuration change notification.",
        _S212, (), (Need.FAILURE, _ISR), deviates=("ring",),
    ),
    Statement(
        "V15", _MUST, _DEVICE, "Writing 0 to the status resets a suspended device.", "2.4, 4.1.4.3.2", _14, (_W,)
    ),
    Statement(
        "V16", Level.IMPLIED, _DEVICE, "The rings go on after resume where they stood: nothing is lost or doubled.",
        "3.4.2 (resume normal operation)", _14, (_W,), implies=("V9", "V11", "S1"),
    ),
    Statement("R1", _MUST_NOT, _DRIVER, "The driver does not set SUSPEND without FEATURES_OK.", _R1, _RFC),
    Statement("R2", _MUST, _DRIVER, "The driver re-reads the status until SUSPEND is set.", _R1, _RFC),
    Statement(
        "R3", _MUST, _DEVICE, "The device ignores SUSPEND without FEATURES_OK.", _R2, _RFC, (_W,), deviates=("R1",)
    ),
    Statement(
        "R4", _MUST, _DEVICE, "The device ignores SUSPEND when its feature was not negotiated.", _R2, _RFC, (_W,),
        deviates=("D1",),
    ),
    Statement(
        "R5", _MUST, _DEVICE, "The device accepts status writes while suspended.", _R2, _RFC, implies=("R6",),
        deviates=("D7",),
    ),
    Statement(
        "R6", _MUST, _DEVICE, "DRIVER_OK makes the device clear SUSPEND and resume.", _R2, _RFC, (_W,), implies=("R5",)
    ),
    Statement(
        "R7", _MUST, _DEVICE,
        "Before it presents SUSPEND the device stops consuming, returns what it finished, and keeps its configuration.",
        "RFC, later text of the series", _RFC, (_W,),
    ),
    Statement("C1", _MUST, _DEVICE, "The suspended status shows SUSPEND and keeps DRIVER_OK.", "Linux draft, 2024", _CHROMIUM),
    Statement("C2", _MUST, _DEVICE, "Clearing SUSPEND resumes the device.", "Linux draft, 2024", _CHROMIUM, (_W,)),
    Statement(
        "C3", _MUST_NOT, _DEVICE, "No interrupt while suspended; those held back arrive on resume.",
        "Linux draft, 2024", _CHROMIUM, (_W, _ISR), deviates=("D4",),
    ),
    Statement(
        "I1", Level.UNSPECIFIED, _DEVICE, "SUSPEND although its feature was not negotiated.", "3.4", _14, deviates=("D1",)
    ),
    Statement("I2", Level.UNSPECIFIED, _DEVICE, "SUSPEND a second time while suspended.", "3.4", _14, deviates=("D7",)),
    Statement(
        "I3", Level.UNSPECIFIED, _DEVICE, "SUSPEND together with the first DRIVER_OK.", "3.4", _14, deviates=("D1",)
    ),
    Statement("I4", Level.UNSPECIFIED, _DEVICE, "FAILED while suspended.", "3.4", _14, deviates=("D7",)),
    Statement("I5", Level.UNSPECIFIED, _DEVICE, "Whether buffers left waiting need a new kick after resume.", "3.4", _14, (_W,)),
    Statement("I6", Level.UNSPECIFIED, _DEVICE, "How long suspend and resume take.", "3.4", _ALL),
    Statement("I7", Level.UNSPECIFIED, _DEVICE, "What the status shows on the way.", "3.4", _ALL),
    Statement(
        "I8", Level.UNSPECIFIED, _DEVICE, "Queue reset while suspended.", "2.6.1, 3.4", _14, (Need.RING_RESET,),
        deviates=("queue_reset",),
    ),
    Statement(
        "S1", Level.IMPLIED, _DEVICE, "Suspended at random points of the workload, the device loses and doubles nothing.",
        "3.4.2", _ALL, (_W,),
    ),
    Statement(
        "S2", Level.IMPLIED, _DEVICE, "The device is the same afterwards: ids, features, configuration, BARs, queues.",
        "2.2.2, 2.5", _ALL,
    ),
    Statement(
        "S3", Level.IMPLIED, _DEVICE, "What was negotiated and set up is the same after a resume.",
        "3.4.2 (resume normal operation)", _ALL,
    ),
)  # fmt: skip

#: The sentences of the specification that these stand for; those of the drafts stand for none of it.
_SENTENCES: dict[str, tuple[str, ...]] = {
    "V1": ("3.4.2#1",), "V2": ("3.4.2#2",), "V3": ("3.4.2#3",), "V4": ("3.4.2#3",), "V5": ("3.4.2#3",), "V6": ("3.4.2#4",),
    "V7": ("3.4.2#5",), "V8": ("3.4.2#6",), "V9": ("3.4.2#7",), "V10": ("3.4.2#8",), "V11": ("3.4.2#8",), "V12": ("3.4.2#8",),
    "V13": ("2.1.2#1",), "V14": ("2.1.2#3",), "V15": ("2.4.1#1", "2.4.1#2"), "V16": ("3.4.2#7",),
}  # fmt: skip

ROWS: tuple[Statement, ...] = tuple(row._replace(sentences=_SENTENCES.get(row.id, ())) for row in _ROWS)
