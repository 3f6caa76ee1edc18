"""An image in a real VM: QEMU's device and one of ours beside it are judged, and a VM that ends early is told."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import image_parts, modern_qemu
from tests.lab.leash import leashed
from uvirtio_tools.cli import main
from uvirtio_tools.image.building import Recipe, assemble

pytestmark = [pytest.mark.needs("modern-qemu", "image"), pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parts = image_parts()
    assert parts is not None
    folder = tmp_path_factory.mktemp("image")
    recipe = Recipe("x86_64", level=3, every_form=False)
    assemble(recipe, (parts / "release").read_text(encoding="utf-8"), parts, folder)
    return folder


@pytest.fixture(scope="module")
def socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("socket") / "rng.sock"
    serve = [sys.executable, "-m", "uvirtio", "serve", "rng", "--socket", path, "--profile", "virtio-1.4"]
    server = leashed(serve, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        yield path
    finally:
        server.terminate()
        server.wait()


def boot(image: Path, *words: str) -> list[str]:
    return ["boot", "--vmm", "qemu", "--binary", str(modern_qemu()), "--accel", "tcg", "--image", str(image), *words]


def served(socket: Path) -> str:
    return json.dumps({"driver": "vfio-user-pci", "socket": {"path": str(socket), "type": "unix"}})


def test_a_device_of_qemu_and_one_of_ours_are_judged_in_it(
    image: Path, socket: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = [tmp_path / "result.json", tmp_path / "result.tap"]
    status = main(
        boot(
            image, "--run", "check --only V1,V4,V8,Q1", *(f"-o{path}" for path in results), "--keep", str(tmp_path), "--",
            "-device", "virtio-rng-pci", "-device", served(socket),
        )
    )  # fmt: skip
    said = capsys.readouterr()
    assert status == 0, said.err + (tmp_path / "1.console").read_text(errors="replace")[-2000:]
    of_qemu, of_ours = json.loads(results[0].read_text())["results"]
    assert {each["id"]: each["verdict"] for each in of_ours["results"]} == dict.fromkeys(
        ("V1", "V4", "V8", "Q1"), "PASS"
    )
    assert of_qemu["not_offered"]
    assert results[1].read_text().startswith("KTAP version 1\n1..2\n")
    # The kernel's driver had it first.
    assert of_ours["device"]["driver before"] == "virtio-pci"
    assert "Linux 6" in said.err


def test_a_vm_that_is_ended_while_it_works_is_a_fail_and_one_without_a_device_cannot_be_judged(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    qmp = tmp_path / "qmp"
    # The guest asks for nothing: what ends it is a request of the test's, as soon as it is up.
    ender = leashed([sys.executable, "-c", _ENDER, str(qmp), str(tmp_path / "1.console")])
    words = [
        "--run",
        "shell",
        "--run",
        "check",
        "--keep",
        str(tmp_path),
        "--json",
        "--",
        "-qmp",
        f"unix:{qmp},server=on,wait=off",
    ]
    try:
        status = main(boot(image, *words))
    finally:
        ender.kill()
        ender.wait()
    document = json.loads(capsys.readouterr().out)
    assert status == 1
    died, empty = document["runs"]
    assert died["status"] == 1
    assert died["stopped"] == "the VM died: the VMM ended with status 0 while `shell` had not ended"
    assert empty["status"] == 3


_ENDER = """
import socket, sys, time
deadline = time.monotonic() + 200
while time.monotonic() < deadline:
    time.sleep(0.1)
    try:
        if b"[uvirtio] run 1 shell" in open(sys.argv[2], "rb").read():
            break
    except OSError:
        pass
with socket.socket(socket.AF_UNIX) as qmp:
    qmp.connect(sys.argv[1])
    file = qmp.makefile("rwb")
    for word in (b'{"execute": "qmp_capabilities"}', b'{"execute": "quit"}'):
        file.readline()
        file.write(word)
        file.flush()
    file.readline()
"""
"""Ends a QEMU by its monitor once its console says that the command has begun."""
