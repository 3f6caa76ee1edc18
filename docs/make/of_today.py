"""What `uvirtio check` says of QEMU's own devices: ``python -m docs.make.of_today QEMU ...`` writes docs/devices.md.

Each QEMU is a binary; the devices that it has by itself are checked one after the other, split and packed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uvirtio.programs import find

DOCUMENT = Path(__file__).parents[1] / "devices.md"
DEVICES = (
    "virtio-rng-pci", "virtio-blk-pci", "virtio-net-pci", "virtio-net-pci?peer=echo", "virtio-serial-pci", "virtio-balloon-pci",
    "virtio-keyboard-pci", "virtio-tablet-pci",
)  # fmt: skip
#: vhost-user backends: what they are called -> the type, how they are started ({folder}, {image}), more parameters.
BACKENDS = {
    "qemu-storage-daemon": (
        "blk",
        "qemu-storage-daemon --blockdev driver=file,node-name=f,filename={image} "
        "--export type=vhost-user-blk,id=e,node-name=f,writable=on,addr.type=unix,addr.path={{socket}}",
        "",
    ),
    "dpdk-testpmd": (
        "net",
        "dpdk-testpmd --no-huge -m 512 --no-pci --vdev net_vhost0,iface={{socket}} -- -a --port-topology=loop "
        "--total-num-mbufs=16384",
        "&peer=echo",
    ),
}
RINGS = {"split": "", "packed": "&packed=on"}
#: Statement -> what QEMU does, as far as that was looked up.
KNOWN = {
    "V13": (
        "QEMU's devices take buffers as soon as they are notified, whatever the status says; only the entropy and the network "
        "device look whether the driver is ready. `virtio_blk_handle_output` in `hw/block/virtio-blk.c` does so on purpose, as "
        "its comment says, since some guests notify before DRIVER_OK; its frontend for vhost-user disks starts the backend then. "
        "The driver breaks a duty of its own here (3.1.1), and the "
        "demand on the device (2.1.2) knows no such condition."
    ),
    "B3": (
        "`virtio_set_features` in `hw/virtio/virtio.c` tells its caller that a bit was not offered, and `hw/virtio/virtio-pci.c` "
        "takes no notice: FEATURES_OK stays. Whether 2.2.2 demands a refusal is not clear, so this is a "
        "warning, with `--strict` too."
    ),
    "BLK8": (
        "`virtio_blk_set_status` in `hw/block/virtio-blk.c` leaves the cache as it is where the driver has accepted CONFIG_WCE; "
        "5.2.5.2 wants writeback to start with 0 where FLUSH was not accepted."
    ),
    "NET12": (
        "Without MRG_RXBUF the device copies a header of 10 bytes, and num_buffers behind it stays what the driver had put there; "
        "5.1.9.4.1 wants 1. A driver that does not look at it is not harmed. DPDK's backend leaves it as it was, too."
    ),
    "V14": (
        "Given a buffer at an address where no memory is, on a packed ring, this QEMU does not answer any more: the statement "
        "cannot be judged, and the rest of the run is over."
    ),
}


@dataclass
class Row:
    """One device checked."""

    device: str
    ring: str
    seconds: float
    document: dict[str, Any]

    @property
    def counts(self) -> dict[str, int]:
        """Verdict -> how often."""
        found: dict[str, int] = self.document["counts"]
        return found

    def bad(self) -> dict[str, str]:
        """id -> verdict, of what is not kept."""
        return {
            result["id"]: result["verdict"]
            for result in self.document["results"]
            if result["verdict"] in ("FAIL", "WARN", "ERROR")
        }


def check(qemu: str, device: str, ring: str) -> Row:
    """Judge one of QEMU's own devices."""
    return judged(f"qemu:{device}{'&' if '?' in device else '?'}qemu={qemu}{RINGS[ring]}", device, ring)


def check_backend(qemu: str, name: str, ring: str) -> Row:
    """Judge a vhost-user backend through this QEMU."""
    kind, command, more = BACKENDS[name]
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image"
        image.write_bytes(bytes(1 << 24))
        backend = command.format(image=image)
        return judged(
            f"vhost-user:{folder}/s?type={kind}&qemu={qemu}{RINGS[ring]}{more}&backend={backend}",
            f"{name} ({kind})",
            ring,
        )


def judged(locator: str, device: str, ring: str) -> Row:
    """Run ``uvirtio check`` and read its JSON."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "uvirtio", "check", locator, "--json"],
        capture_output=True,
        check=False,
    )
    if not done.stdout:
        raise SystemExit(f"{locator}: {done.stderr.decode(errors='replace')}")
    return Row(device, ring, time.monotonic() - started, json.loads(done.stdout))


def version(qemu: str) -> str:
    """As QEMU names itself."""
    said = subprocess.run([qemu, "--version"], stdout=subprocess.PIPE, check=True).stdout.decode()
    return said.split("version ")[1].split()[0]


def section(qemu: str) -> tuple[list[str], set[str]]:
    """The lines about one QEMU, and the statements that it does not keep."""
    rows = [check(qemu, device, ring) for device in DEVICES for ring in RINGS]
    rows += [check_backend(qemu, name, ring) for name in BACKENDS if find(name) for ring in RINGS]
    lines = [
        f"## QEMU {version(qemu)}", "",
        "| device | ring | PASS | SKIP | not kept | seconds |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in rows:
        bad = ", ".join(f"{id_} {verdict}" for id_, verdict in row.bad().items())
        lines.append(
            f"| {row.device} | {row.ring} | {row.counts['PASS']} | {row.counts['SKIP']} | {bad or 'nothing'} | {row.seconds:.1f} |"
        )
    lines += ["", "What was seen, once each:", ""]
    seen: dict[str, str] = {}
    for row in rows:
        for result in row.document["results"]:
            if result["id"] in row.bad() and result["id"] not in seen:
                seen[result["id"]] = (
                    f"- **{result['id']}** ({row.device}, {row.ring}): {result['summary']}. {result['observed'][:240]}"
                )
    return [*lines, *seen.values(), ""], {id_ for row in rows for id_ in row.bad()}


def main() -> None:
    """Write the document."""
    parts, ids = [], set[str]()
    for qemu in sys.argv[1:]:
        lines, bad = section(qemu)
        parts += lines
        ids |= bad
    intro = [
        "# Devices of today", "",
        "What `uvirtio check` says of QEMU's own devices, driven through qtest on one machine. Made by",
        "`python -m docs.make.of_today QEMU ...`; seconds are those of one run of each, start of QEMU included.", "",
        "The last rows are vhost-user backends behind that QEMU: registers and status are its, rings and requests theirs.", "",
        "No device here offers SUSPEND, so that the statements about it are not judged. A SKIP names what the device lacks.", "",
    ]  # fmt: skip
    known = ["## Where that comes from", ""]
    for id_ in sorted(ids):
        known += [f"**{id_}.** {KNOWN.get(id_, 'Not looked up.')}", ""]
    DOCUMENT.write_text("\n".join([*intro, *parts, *known]).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
