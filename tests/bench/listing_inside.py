"""What looking costs on this machine: ``uvirtio list`` beside ``lspci -vv``, ``uvirtio --version`` beside bare Python.

Everything is a process of its own, and each has its turn in every round. `tests/bench/listing.py` has it run in a guest, and
reads the JSON line per round that it writes to the folder that the guest shares with its host.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.lab import IN_GUEST
from uvirtio.bus.uio.discovery import discover

__all__ = ["main", "measure", "modules_of"]

#: What `uvirtio` on PATH does, with the interpreter that runs this.
_START = "import sys; from uvirtio_tools.cli import main; sys.exit(main())"
_MODULES = f"{_START.replace('sys.exit(main())', 'main()')}; print('\\n'.join(sys.modules), file=sys.stderr)"
_IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
"""
_NO_ROWS = """
from uvirtio_tools.inspect.output import console
from uvirtio_tools.inspect.render import list_table
console().print(list_table([], wide=False))
"""
_NO_DEVICES = """
from uvirtio_tools.inspect.output import print_json
print_json({"devices": []})
"""


def modules_of(*words: str) -> list[str]:
    """The modules that this command has imported when it ends, which start with it: those of a bare Python are left out."""
    bare = _run("-c", "import sys; print('\\n'.join(sys.modules), file=sys.stderr)").split()
    return [name for name in _run("-c", _MODULES, *words).split() if name not in bare and name != "__mp_main__"]


def _run(*words: str) -> str:
    done = subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
    return done.stderr.decode()


def _seconds(command: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def measure(rounds: int) -> Iterator[dict[str, Any]]:
    """So many rounds, after one that warms the caches and is not told: seconds by command.

    ``list-base`` and ``json-base`` are what a process takes that imports as much and lists nothing, right before and
    after the listing: most of a listing is its start, and a busy machine does not start everything equally fast.
    """
    python = sys.executable
    bases = {
        "list": [python, "-c", _IMPORT + _NO_ROWS, *modules_of("list")],
        "json": [python, "-c", _IMPORT + _NO_DEVICES, *modules_of("list", "--json")],
    }
    commands = {
        "list": [python, "-c", _START, "list"],
        "json": [python, "-c", _START, "list", "--json"],
        "lspci": ["lspci", "-vv"],
        "bare": [python, "-c", "import argparse, json"],
        "version": [python, "-c", _START, "--version"],
    }
    facts = {"virtio": len(discover()), "pci": len(os.listdir("/sys/bus/pci/devices"))}
    for number in range(rounds + 1):
        seconds: dict[str, float] = {}
        # Who is first takes turns too.
        for name in commands if number % 2 else reversed(commands):
            if name in bases:
                before, seconds[name], after = map(_seconds, (bases[name], commands[name], bases[name]))
                seconds[f"{name}-base"] = (before + after) / 2
            else:
                seconds[name] = _seconds(commands[name])
        if number:
            yield facts | {"seconds": seconds}


def main() -> None:
    """Measure in a guest, with the kernel's driver on each device."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, required=True)
    args = parser.parse_args()
    subprocess.run(["modprobe", "virtio_rng"], check=True)
    subprocess.run(["udevadm", "settle"], check=True)
    with Path(os.environ[IN_GUEST], "rounds.jsonl").open("w", encoding="utf-8", buffering=1) as file:
        for row in measure(args.rounds):
            print(json.dumps(row), file=file)


if __name__ == "__main__":
    main()
