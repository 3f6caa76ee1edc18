"""Every field of a modelled type's configuration is a parameter, whatever the device does with it."""

from __future__ import annotations

import json

import pytest

from uvirtio.emulated.types import MODELLED, find_model
from uvirtio.errors import LocatorError
from uvirtio_tools.cli import main
from uvirtio_tools.driving.opening import open_device

FIELDS = [
    (kind, field)
    for kind in MODELLED
    for field in find_model(kind).spec().fields
    if field.name not in find_model(kind).PARAMETERS and field.kind == "number" and not field.counted_by
]


@pytest.mark.parametrize(("kind", "field"), FIELDS, ids=lambda item: getattr(item, "name", item))
def test_the_driver_reads_what_was_asked_for(kind: str, field: object) -> None:
    with open_device(f"emulated:{kind}?{field.name}=3") as device:  # type: ignore[attr-defined]
        assert device.configuration.piece(field.offset, field.size)[0] == 3  # type: ignore[attr-defined]


def test_what_a_value_forbids_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "emulated:net?queues=2&max_virtqueue_pairs=0x8001", "--only", "net", "--json"]) == 1
    failed = [each["id"] for each in json.loads(capsys.readouterr().out)["results"] if each["verdict"] == "FAIL"]
    assert failed == ["NET1"]


@pytest.mark.parametrize(
    ("locator", "said"),
    [
        ("emulated:blk?seg_max=4294967296", "seg_max"),
        ("emulated:blk?tag=x", "configuration fields capacity, size_max, seg_max"),
    ],
)
def test_what_does_not_fit_is_refused(locator: str, said: str) -> None:
    with pytest.raises(LocatorError, match=said):
        open_device(locator).__enter__()
