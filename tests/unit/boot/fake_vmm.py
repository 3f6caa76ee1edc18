"""A program that behaves as a VMM with an image in it: its words say how. `python fake_vmm.py KERNEL INITRD CMDLINE WAY`."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

from uvirtio_tools.image.frames import MARK, packed, plain

DOCUMENT = {
    "schema": "uvirtio/suspend",
    "version": 1,
    "verdict": "PASS",
    "locator": "0000:00:02.0",
    "reason": "as it should be",
}


def say(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(line + "\r\n")
    sys.stdout.flush()


def main(_kernel: str, _initrd: str, cmdline: str, way: str) -> None:
    if way == "silent":
        time.sleep(60)
    if way == "refuses":
        sys.exit("no such machine")
    if way == "crashes-first":
        os.kill(os.getpid(), signal.SIGSEGV)
    say("Booting ...", f"[    0.1] Command line: {cmdline}")
    if way == "no-guest":
        time.sleep(60)
    say(f"{MARK}ready uvirtio 0.0, Linux 1.2.3 on toaster, Python 3.99")
    say(f"{MARK}run 1 suspend 0000:00:02.0", "working")
    if way == "hangs":
        time.sleep(60)
    if way == "dies" or (way == "dies-beside" and not alone()):
        say("Kernel panic - not syncing")
        os.kill(os.getpid(), signal.SIGABRT)
    if way == "types":
        say(f"typed: {sys.stdin.readline().strip()}")
        time.sleep(60)
    if way == "asks":
        say(f'{MARK}event change_config {{"a": 1}}')
        say(f"heard {sys.stdin.readline().strip()}")
    lines = [
        *packed(1, "result.json", json.dumps(DOCUMENT).encode()),
        *plain(1, "result.tap", b"KTAP version 1\n1..1\nok 1 x\n"),
    ]
    if way == "garbles":
        lines.insert(2, "[    9.9] a kernel has something to say")
    say(*lines)
    status = 1 if way == "fails" else 0
    say(f"{MARK}status 1 {status}", f"{MARK}over {status}", "[   10.0] reboot: Power down")
    if way == "stays":
        time.sleep(60)


def alone() -> bool:
    """Whether it runs for the second time."""
    mark = os.environ["UVIRTIO_FAKE"]
    if os.path.exists(mark):
        return True
    with open(mark, "w"):
        return False


if __name__ == "__main__":
    main(*sys.argv[1:])
