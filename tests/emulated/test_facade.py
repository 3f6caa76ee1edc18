"""The library in short, and its examples in the documents."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import uvirtio
from uvirtio.errors import CannotRun, DriverMisuse, LocatorError, UsageError
from uvirtio.spec.features import Feature
from uvirtio.spec.status import Status

REFERENCE = Path(__file__).parents[2] / "docs/reference.md"


def examples() -> list[str]:
    _, _, library = REFERENCE.read_text(encoding="utf-8").partition("## The library")
    return re.findall(r"```python\n(.*?)```", library, re.DOTALL)


def test_the_examples_of_the_documents_run(tmp_path: Path) -> None:
    found = examples()
    assert len(found) == 3
    for number, text in enumerate(found):
        path = tmp_path / f"test_example_{number}.py"
        path.write_text(text)
        suite = "import pytest" in text
        command = (
            ["-m", "pytest", "-q", "--uvirtio-device", "emulated:net", "--uvirtio-only", "V8", path]
            if suite
            else [path]
        )
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert ("4 passed" if suite else "") in done.stdout


@pytest.mark.parametrize("kind", ["rng", "blk", "net?peer=echo", "console?peer=echo", "balloon", "input"])
def test_a_device_is_started_moved_suspended_resumed_and_judged(kind: str) -> None:
    with uvirtio.open(f"emulated:{kind}") as device:
        assert Feature.SUSPEND in device.offered
        assert device.start() is device
        moved = device.move()
        assert device.suspend().done
        assert device.resume().done
        assert (device.move() > 0) == (moved > 0)
        run = device.check(only="V8,V9", skip="V9")
        assert [result.statement.id for result in run.results] == ["V8"]
        assert run.status == 0
        assert device.start().device.status.read() & Status.DRIVER_OK


def test_what_is_offered_is_known_before_the_start() -> None:
    with uvirtio.open("emulated:rng?features=-RING_PACKED") as device:
        assert Feature.RING_PACKED not in device.offered
        assert Feature.VERSION_1 in device.offered


def test_what_cannot_be_is_named() -> None:
    with pytest.raises(LocatorError), uvirtio.open("nothing:here"):
        pass
    with uvirtio.open("emulated:rng?features=-SUSPEND") as device:
        with pytest.raises(DriverMisuse, match=r"call start\(\) first"):
            device.move()
        device.start()
        with pytest.raises(CannotRun, match="does not offer SUSPEND"):
            device.suspend()
        assert device.move() > 0
    with uvirtio.open("emulated:vsock") as described:
        described.start()
        with pytest.raises(CannotRun, match="no driver"):
            _ = described.driver
    with pytest.raises(UsageError), uvirtio.open("emulated:rng", without=["NO_SUCH_FEATURE"]):
        pass


def test_the_device_is_reset_at_the_end() -> None:
    with uvirtio.open("emulated:rng") as device:
        device.start()
        inner = device.device.function.function.device  # type: ignore[attr-defined]
        assert inner.status & Status.DRIVER_OK
    assert inner.status == 0


def test_importing_brings_nothing_in_before_it_is_used() -> None:
    code = "import sys, uvirtio; print([name for name in sys.modules if name.startswith('uvirtio')], 'typing' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("['uvirtio']")
    with pytest.raises(AttributeError, match="has no attribute 'opne'"):
        _ = uvirtio.opne  # type: ignore[attr-defined]
