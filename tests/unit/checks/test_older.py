"""What 0.1.0 has written is read: results in every format, snapshots. The files were made by that release."""

from __future__ import annotations

from pathlib import Path

import pytest

from uvirtio_tools.cli import main
from uvirtio_tools.reports import FORMATS, load, render

KEPT = Path(__file__).parent / "kept"
RESULT, SNAPSHOT = str(KEPT / "check-0.1.0.json"), str(KEPT / "snapshot-0.1.0.json")


@pytest.mark.parametrize("format_", FORMATS)
def test_a_result_of_the_first_release_is_reported_in_every_format(format_: str) -> None:
    (document,) = load(RESULT)
    text = render([document, document], format_)
    assert "V4" in text
    if format_ == "html":
        assert 'class="timeline"' in text
        assert "of an unknown release" in text


def test_a_device_is_held_against_a_result_of_the_first_release(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", RESULT, "-q"]) == 1
    assert main(["check", "emulated:rng?fault=V4", "--only", "V4,V8", "--baseline", RESULT, "-q"]) == 0
    assert main(["check", "emulated:rng?fault=V8", "--only", "V4,V8", "--baseline", RESULT, "-q"]) == 1
    assert "V8: PASS in the baseline, FAIL now" in capsys.readouterr().err


def test_a_snapshot_of_the_first_release_is_shown_and_compared(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "--from", SNAPSHOT]) == 0
    assert "Virtio entropy source" in capsys.readouterr().out
    assert main(["diff", SNAPSHOT, SNAPSHOT]) == 0
