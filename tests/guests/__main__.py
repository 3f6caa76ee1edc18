"""The main job once in each guest: ``python -m tests.guests [NAME ...]``, ``make guests``.

In each a served rng, blk and net are suspended and resumed 20 times, and QEMU's own rng, blk and net are checked: with the same
verdicts everywhere. Debian's kernels of three ages in both flavours, and arm64; everything under TCG. What is fetched is kept in
the lab folder.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import lab_folder, modern_qemu
from tests.lab.leash import leashed
from tests.lab.provision import arm64_qemu
from uvirtio_tools.image.building import Recipe, assemble, fetch

ROOT = Path(__file__).parents[2]
CYCLES = 20

#: name -> what is built: Debian 12's kernel, 13's and the newest backport; both flavours; arm64; QEMU's other machines.
GUESTS = {
    "6.1-cloud": Recipe("x86_64"),
    "6.1-generic": Recipe("x86_64", "generic"),
    "6.12-cloud": Recipe("x86_64", "cloud", "trixie"),
    "6.12-generic": Recipe("x86_64", "generic", "trixie"),
    "backport-cloud": Recipe("x86_64", "cloud", "trixie-backports"),
    "backport-generic": Recipe("x86_64", "generic", "trixie-backports"),
    "arm64-6.1-cloud": Recipe("aarch64"),
    "arm64-6.12-cloud": Recipe("aarch64", "cloud", "trixie"),
    "q35": Recipe("x86_64"),
    "microvm": Recipe("x86_64"),
}
#: name -> the machine, where it is another than that of the architecture.
MACHINES = {"q35": "qemu-q35", "microvm": "qemu-microvm"}

#: Guests in which a statement ends the VM: virt and microvm have their PCI memory behind an alias, and QEMU up to 11.1 aborts over any
#: access through the window in configuration space then (hw/virtio/virtio-pci.c, virtio_address_space_lookup: Assertion `mrs.mr').
ABORTS = {"arm64-6.1-cloud": "P13", "arm64-6.12-cloud": "P13", "microvm": "P13"}

QEMUS = (
    "-device", "virtio-rng-pci", "-drive", "if=none,id=d,file={disk},format=raw,file.locking=off", "-device", "virtio-blk-pci,drive=d",
    "-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """What came of one guest."""

    name: str
    kernel: str
    verdicts: dict[str, dict[str, str]]
    suspends: list[str]
    seconds: float
    status: int


def _image(recipe: Recipe, folder: Path) -> str:
    parts = lab_folder() / "guests" / "-".join(filter(None, (recipe.arch, recipe.flavour, recipe.suite)))
    stamp = parts / "release"
    if not stamp.exists():
        release = fetch(recipe, parts)
        stamp.write_text(release, encoding="utf-8")
    release = stamp.read_text(encoding="utf-8")
    quick = Recipe(recipe.arch, recipe.flavour, recipe.suite, level=3, every_form=False)
    return assemble(quick, release, parts, folder).kernel


@contextlib.contextmanager
def _served(folder: Path) -> Iterator[list[str]]:
    """A server for each type, and the words by which QEMU shows their devices."""
    with contextlib.ExitStack() as stack:
        words = []
        for type_ in ("rng", "blk", "net"):
            socket = folder / f"{type_}.sock"
            command = [sys.executable, "-m", "uvirtio", "serve", type_, "--socket", socket, "--profile", "virtio-1.4"]
            server = leashed(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(server.wait)
            stack.callback(server.terminate)
            device = {"driver": "vfio-user-pci", "socket": {"path": str(socket), "type": "unix"}}
            words += ["-device", json.dumps(device)]
            deadline = time.monotonic() + 30
            while not socket.exists() and time.monotonic() < deadline:
                time.sleep(0.05)
        yield words


def _boot(name: str, image: Path, run: str, words: list[str]) -> dict[str, Any]:
    arch = GUESTS[name].arch
    qemu = modern_qemu() if arch == "x86_64" else arm64_qemu()
    command = [
        sys.executable, "-m", "uvirtio", "boot", "--vmm", MACHINES.get(name, "qemu"), "--arch", arch, "--binary", str(qemu), "--accel", "tcg",
        "--image", str(image), "--json", "--run", run, "--", *words,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    try:
        document: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise SystemExit(f"uvirtio boot ended with status {done.returncode}: {done.stderr}") from None
    if document["runs"][0]["stopped"]:
        print(done.stderr, file=sys.stderr)
    return document


def run(name: str) -> Row:
    """One guest: two VMs."""
    recipe, started = GUESTS[name], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="uvirtio-guests-") as made:
        folder = Path(made)
        kernel = _image(recipe, folder / "image")
        started = time.monotonic()
        (folder / "disk").write_bytes(bytes(8 << 20))
        with _served(folder) as words:
            slept = _boot(name, folder / "image", f"suspend --cycles {CYCLES}", words)
        check = f"check --skip {ABORTS[name]}" if name in ABORTS else "check"
        checked = _boot(name, folder / "image", check, [word.replace("{disk}", str(folder / "disk")) for word in QEMUS])
    verdicts = {
        result["device"]["type"]: {each["id"]: each["verdict"] for each in result["results"]}
        for result in checked["runs"][0]["results"]
    }
    suspends = [
        f"{each['verdict']} {each['cycles'] if isinstance(each.get('cycles'), int) else len(each.get('cycles', []))}"
        for each in slept["runs"][0]["results"]
    ]
    return Row(name, kernel, verdicts, suspends, time.monotonic() - started, slept["status"])


def _differences(row: Row, first: Row) -> list[str]:
    found = []
    for type_, verdicts in first.verdicts.items():
        ours = row.verdicts.get(type_)
        if ours is None:
            found.append(f"{type_}: nothing was judged")
            continue
        left_out = ABORTS.get(row.name, "").split(",")
        found += [
            f"{type_} {id_}: {ours.get(id_, 'nothing')} instead of {was}"
            for id_, was in verdicts.items()
            if ours.get(id_) != was and id_ not in left_out
        ]
    return found


def main(names: list[str]) -> int:
    """Run the guests that are named, or all; 1 where a suspend did not pass, or a verdict is another than in the first."""
    first: Row | None = None
    wrong = 0
    for name in names or GUESTS:
        row = run(name)
        first = first or row
        counts = ", ".join(
            f"{type_} {' '.join(f'{n} {v}' for v, n in sorted(Counter(verdicts.values()).items()))}"
            for type_, verdicts in row.verdicts.items()
        )
        print(
            f"{row.name:18} Linux {row.kernel}: suspend {', '.join(row.suspends) or 'nothing'}; check {counts}; {row.seconds:.0f} s",
            flush=True,
        )
        for difference in _differences(row, first):
            print(f"{'':18} {difference}", flush=True)
            wrong += 1
        passed = [each for each in row.suspends if each.startswith("PASS")]
        wrong += row.status != 0 or len(passed) != 3 or len(row.verdicts) != 3
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
