"""``list``, ``show``, ``dump`` and ``diff`` as people and programs call them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from uvirtio.errors import SnapshotError
from uvirtio_tools.cli import main
from uvirtio_tools.codec import decode, encode
from uvirtio_tools.inspect.model import Description
from uvirtio_tools.inspect.snapshot import device_document, load
from uvirtio_tools.inspect.sources import describe_locator


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    path = tmp_path / "a.json"
    assert main(["dump", "emulated:rng", "-o", str(path)]) == 0
    return path


def _json(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert main(list(words)) == 0
    return json.loads(capsys.readouterr().out)


def test_a_description_survives_json() -> None:
    device = describe_locator("emulated:rng?fault=V4")
    assert decode(Description, json.loads(json.dumps(encode(device)))) == device


def test_show_json_is_one_document_with_a_schema_and_masks_in_hex(capsys: pytest.CaptureFixture[str]) -> None:
    document = _json(capsys, "show", "emulated:rng", "--json")
    assert (document["schema"], document["version"]) == ("uvirtio/device", 1)
    assert int(document["offered"], 16) >> 43 & 1
    assert document["status"] == "0x0"


@pytest.mark.parametrize("locator", ["emulated:rng", "emulated:blk", "emulated:net?profile=crosvm", "emulated:console"])
def test_documents_fit_the_schemas_that_are_published(
    locator: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import jsonschema

    schemas = Path(__file__).resolve().parents[3] / "docs/schemas"
    device = json.loads((schemas / "device.schema.json").read_text())
    document = _json(capsys, "show", locator, "--json")
    jsonschema.validate(document, device)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document | {"status": 15}, device)
    path = tmp_path / "snapshot.json"
    assert main(["dump", locator, "-o", str(path)]) == 0
    jsonschema.validate(json.loads(path.read_text()), json.loads((schemas / "snapshot.schema.json").read_text()))


def test_show_of_a_snapshot_is_show_of_the_device(snapshot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live = _json(capsys, "show", "emulated:rng", "--json")
    assert _json(capsys, "show", "--from", str(snapshot), "--json") == live
    assert main(["show", "--from", str(snapshot)]) == 0
    kept = capsys.readouterr().out
    assert main(["show", "emulated:rng"]) == 0
    assert capsys.readouterr().out == kept


def test_show_names_what_the_device_offers_in_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["show", "emulated:rng", "-vv"]) == 0
    out = capsys.readouterr().out
    assert "F_SUSPEND" in out
    assert "requestq" in out
    assert "configuration space, raw" in out
    assert max(map(len, out.splitlines())) <= 80


def test_list_of_a_snapshot_has_a_row_per_device(snapshot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = _json(capsys, "list", "--from", str(snapshot), "--json")
    assert [row["locator"] for row in document["devices"]] == ["emulated:rng"]
    assert document["devices"][0]["suspend"] == ["1.4"]


def test_dump_of_several_devices_is_picked_from_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "two.json"
    assert main(["dump", "emulated:rng", "emulated:rng?profile=crosvm", "-o", str(path)]) == 0
    assert _json(capsys, "show", "emulated:rng?profile=crosvm", "--from", str(path), "--json")["suspend"] == [
        "chromium"
    ]
    assert main(["show", "--from", str(path)]) == 2
    assert "name one of" in capsys.readouterr().err


def test_diff_tells_what_changed_and_nothing_else(
    snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", str(snapshot), str(snapshot)]) == 0
    assert "no difference" in capsys.readouterr().out
    other = tmp_path / "b.json"
    assert main(["dump", "emulated:rng?queue_size=8", "-o", str(other)]) == 0
    assert main(["diff", str(snapshot), str(other), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    changes = {change["what"]: (change["before"], change["after"]) for change in document["devices"][0]["changes"]}
    assert changes["queue 0 num"] == ("256", "8")
    assert not [what for what in changes if what.startswith("feature")]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda text: text[: len(text) // 2], "is not a snapshot"),
        (lambda text: "[]", "not a snapshot of uvirtio"),
        (lambda text: text.replace('"version": 1', '"version": 2'), "format version 2"),
        (lambda text: text.replace('"version": 1', '"version": "1"'), "damaged"),
        (lambda text: text.replace('"vendor": "0x1af4"', '"vendor": "zebra"'), "vendor: a hex number"),
        (lambda text: text.replace('"type": 4', '"type": "four"'), "type: 'four'"),
        (lambda text: text.replace('"locator"', '"locators"'), "locator is missing"),
        (lambda text: text.replace('"devices": [', '"devices": 7, "others": ['), "list of devices"),
    ],
)
def test_a_damaged_snapshot_is_refused_with_a_sentence_and_status_2(
    damage: Any, says: str, snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.json"
    before = snapshot.read_text()
    after = damage(before)
    assert after != before
    bad.write_text(after)
    with pytest.raises(SnapshotError):
        load(str(bad))
    assert main(["show", "--from", str(bad)]) == 2
    assert says in capsys.readouterr().err


def test_members_that_a_later_release_adds_are_left_out(snapshot: Path, tmp_path: Path) -> None:
    document = device_document(describe_locator("emulated:rng")) | {"colour": "green"}
    path = tmp_path / "later.json"
    path.write_text(json.dumps(document))
    assert load(str(path)).devices == load(str(snapshot)).devices


def test_usage_errors_are_status_2_and_missing_devices_status_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show"]) == 2
    assert main(["show", "emulated:toaster"]) == 2
    assert main(["show", "--from", "/nonexistent.json"]) == 2
    assert main(["dump"]) == 2
    assert main(["show", "ff:1f.7"]) == 3
    assert capsys.readouterr().out == ""
