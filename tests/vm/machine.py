"""One running guest: its device servers, QEMU through virtme-ng, the control channel, and the tests that run inside.

The guest runs on this machine's own files, read-only, with this very Python environment. It gets a list of tests, runs
them with pytest, and writes each report to a shared folder as it comes; `Guest.reports` hands them out.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.lab import IN_GUEST, distro_qemu, guest_kernel, modern_qemu, virtme_ng
from tests.lab.leash import leashed
from tests.vm.accelerator import choose
from tests.vm.boots import Boot, Device, Served, Stock
from tests.vm.channel import Action, ControlChannel
from tests.vm.growing import GrowingLines
from tests.vm.qmp import Qmp

__all__ = ["Guest", "GuestError"]

ROOT = Path(__file__).parents[2]
SHARED = Path("/tmp/uvirtio-shared")
"""Where the guest sees the shared folder."""

_SLOTS = range(0x10, 0x1F)
"""The tests' own slots; virtme-ng's devices take those from 1 up, and the last is the chipset's."""
_BOOT_SECONDS = {"kvm": 60.0, "tcg": 240.0}
_END_SECONDS = 60.0
_SERVER_SECONDS = 20.0
_CACHED = Path("/run/uvirtio-host")
"""Where the guest mounts this machine's root a second time, see `_cached_places`."""


class GuestError(Exception):
    """The guest did not boot, ended early, or did not answer; the message shows the end of what it said."""


class Guest:
    """A guest that runs `tests` (pytest node ids). Close it when no more reports are wanted."""

    def __init__(self, name: str, boot: Boot, tests: Sequence[str]) -> None:
        qemu, kernel, vng = modern_qemu(), guest_kernel(), virtme_ng()
        if qemu is None or kernel is None or vng is None:
            raise GuestError("asked for a guest where the lab is not complete: run `make lab`")
        self.name = name
        self._boot = boot
        self.accelerator = choose(qemu, kernel)
        self._servers: dict[str, subprocess.Popen[bytes]] = {}
        self._qmp: Qmp | None = None
        self._pending: dict[str, list[dict[str, Any]]] = {}
        self.has_reported = False
        self._work = Path(tempfile.mkdtemp(prefix="uvirtio-guest-"))
        self._shared = self._work / "shared"
        self._shared.mkdir()
        self._reports = self._shared / "reports.jsonl"
        self._reports.touch()
        self._cleanup = contextlib.ExitStack()
        self._cleanup.callback(shutil.rmtree, self._work, ignore_errors=True)
        try:
            served = [device for device in boot.devices if isinstance(device, Served)]
            for device in served:
                self._serve(device)
            for device in served:
                self._await_server(device)
            self._make_images()
            actions: dict[str, Action] = {
                "echo": lambda value: value,
                "trigger": self._trigger,
                "end": self._end_server,
                "unplug": self._unplug,
                "qmp": lambda command, arguments: self._monitor().command(command, **arguments),
            }
            self._cleanup.callback(ControlChannel(self._work / "channel", actions).close)
            self._describe(tests)
            elder = distro_qemu() if boot.distribution else None
            self._process = self._start(elder or qemu, kernel, vng)
            self._tail = self._cleanup.enter_context(GrowingLines(self._reports))
        except BaseException:
            self.close()
            raise
        self.about = (
            f"{name}: {kernel.name.removeprefix('vmlinuz-')}, {boot.memory}, "
            f"{self.accelerator.name.upper()} ({self.accelerator.why})"
        )

    # -- starting ------------------------------------------------------------------------------------------------

    def _socket(self, device: str) -> Path:
        return self._work / f"{device}.sock"

    def _control(self, device: str) -> Path:
        return self._work / f"{device}.control"

    def _serve(self, device: Served) -> None:
        """Starts the device's server."""
        command: list[str | Path] = [sys.executable, "-m", "uvirtio", "serve", device.type]
        command += ["--profile", device.profile, *device.options, "--log", self._shared / f"{device.name}.jsonl"]
        command += ["--socket", self._socket(device.name), "--control", self._control(device.name)]
        with (self._work / f"{device.name}.out").open("wb") as said:
            server = leashed(command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT)
        self._servers[device.name] = server
        self._cleanup.callback(_end, server)

    def _await_server(self, device: Served) -> None:
        """Returns once the device's server listens."""
        deadline = time.monotonic() + _SERVER_SECONDS
        while not (self._socket(device.name).exists() and self._control(device.name).exists()):
            if self._servers[device.name].poll() is not None or time.monotonic() > deadline:
                said = (self._work / f"{device.name}.out").read_text(errors="replace")
                raise GuestError(f"the server of {device.name} does not listen:\n{said}")
            time.sleep(0.02)

    def _make_images(self) -> None:
        for device in self._boot.devices:
            if isinstance(device, Stock) and device.image:
                (self._shared / f"{device.name}.img").write_bytes(random.Random(device.name).randbytes(device.image))

    def _describe(self, tests: Sequence[str]) -> None:
        """Writes what the guest needs to know: its tests, and where its devices sit."""
        devices: dict[str, dict[str, Any]] = {}
        for number, device in enumerate(self._boot.devices):
            row: dict[str, Any] = {
                "slot": "0000:00:{:02x}.{}".format(*_place(number)),
                "behind_port": device.unpluggable,
                "msix": device.msix,
            }
            if isinstance(device, Served):
                row |= {"type": device.type, "profile": device.profile, "log": str(SHARED / f"{device.name}.jsonl")}
            elif isinstance(device, Stock):
                row |= {"option": device.driver}
            devices[device.name] = row
        facts = {"boot": self.name, "accelerator": self.accelerator.name, "devices": devices}
        (self._shared / "boot.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
        (self._shared / "tests").write_text("".join(f"{test}\n" for test in tests), encoding="utf-8")

    def _device_options(self) -> list[str]:
        options: list[str] = []
        several = {"multifunction": "on"} if len(self._boot.devices) > len(_SLOTS) else {}
        for number, device in enumerate(self._boot.devices):
            slot, function = _place(number)
            bus, address = "pcie.0", f"{slot:x}.{function}"
            if device.unpluggable:
                port = f"pcie-root-port,id=port-{device.name},bus={bus},addr={address},chassis={number},slot={number}"
                options += ["-device", ",".join((port, *(f"{key}={value}" for key, value in several.items())))]
                bus, address = f"port-{device.name}", "0.0"
            options += self._one_device(device, {"id": device.name, "bus": bus, "addr": address} | several)
        return options

    def _one_device(self, device: Device, place: dict[str, str]) -> list[str]:
        if isinstance(device, Stock):
            words = ",".join((device.driver, *(f"{key}={value}" for key, value in place.items())))
            around = [[word.format(shared=self._shared) for word in group] for group in (device.behind, device.plugged)]
            return [*around[0], "-device", words, *around[1]]
        where = {"path": str(self._socket(device.name)), "type": "unix"}
        properties = {"driver": "vfio-user-pci", "socket": where} | place
        if "multifunction" in properties:
            properties["multifunction"] = True
        return ["-device", json.dumps(properties)]

    def _start(self, qemu: Path, kernel: Path, vng: Path) -> subprocess.Popen[bytes]:
        memory = self._boot.memory
        options: list[str] = [
            *("-object", f"memory-backend-memfd,id=ram,size={memory},share=on", "-machine", "memory-backend=ram"),
            *("-qmp", f"unix:{self._work}/qmp,server=on,wait=off"),
            *("-chardev", f"socket,id=channel,path={self._work}/channel", "-device", "virtio-serial-pci,id=channels"),
            *("-device", "virtserialport,bus=channels.0,chardev=channel,name=uvirtio.host"),
            *("-fsdev", "local,id=cached,path=/,security_model=none,readonly=on,multidevs=remap"),
            *("-device", "virtio-9p-pci,fsdev=cached,mount_tag=uvirtio.cached"),
            # Before the devices that it is to stand in front of.
            *(("-device", "intel-iommu,intremap=on,caching-mode=on") if self._boot.iommu else ()),
            *self._device_options(),
        ]
        environment = {
            IN_GUEST: str(SHARED),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # a guest has seconds to spare for none that it does not need
            **{name: os.environ[name] for name in ("UVIRTIO_KILLS", "UVIRTIO_SEED") if name in os.environ},
        }
        inside = ["env", *(f"{key}={value}" for key, value in environment.items()), sys.executable, *self._words()]
        command: list[str] = [
            *(str(vng), "--disable-microvm", "--force-9p", "--force-initramfs", "--disable-monitor"),
            *(["--disable-kvm"] if self.accelerator.name == "tcg" else []),
            *("--qemu", str(qemu), "--run", str(kernel), f"--rwdir={SHARED}={self._shared}"),
            *("--memory", memory, "--cpus", str(self._boot.cpus)),
            *("--verbose", "--append", "quiet loglevel=1", f"--qemu-opts={shlex.join(options)}"),
            *("--exec", f"{_cached_places()} && cd {shlex.quote(str(ROOT))} && exec {shlex.join(inside)}"),
        ]
        # vng finds its own helper through PATH; and QEMU reopens the standard output by name, which would start a
        # regular file again from its beginning, so a pipe stands in between
        path = f"{vng.parent}{os.pathsep}{os.environ['PATH']}"
        piped = ["sh", "-c", 'PATH="$0" "$@" 2>&1 | cat', path, *command]
        with (self._work / "output").open("wb") as output:
            process = leashed(piped, tree=True, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        self._cleanup.callback(_end, process)
        return process

    def _words(self) -> list[str]:
        """What Python is started with in the guest."""
        return ["-m", "pytest", "-p", "no:cacheprovider", "-p", "pytest_timeout", f"@{SHARED}/tests"]

    # -- what guest tests ask for --------------------------------------------------------------------------------

    def _monitor(self) -> Qmp:
        if self._qmp is None:
            self._qmp = Qmp(self._work / "qmp")
            self._cleanup.callback(self._qmp.close)
        return self._qmp

    def _trigger(self, device: str, message: dict[str, Any]) -> Any:
        """Sends one JSON line to the control socket of a device's server and returns its answer."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(10)
            control.connect(str(self._control(device)))
            control.sendall(json.dumps(message).encode() + b"\n")
            with control.makefile("r", encoding="utf-8") as answers:
                return json.loads(answers.readline())

    def _end_server(self, device: str) -> None:
        """Ends a device's server in the middle of whatever the guest does with it.

        By SIGTERM, on which it shuts its socket down first: QEMU 11.1 aborts when a server is killed outright.
        """
        server = self._servers[device]
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=10)

    def _unplug(self, device: str) -> None:
        """Unplugs a device and returns when QEMU says that the guest has let go of it."""
        self._monitor().command("device_del", id=device)
        self._monitor().event("DEVICE_DELETED", device=device)

    # -- results -------------------------------------------------------------------------------------------------

    def reports(self, test: str, seconds: float) -> list[dict[str, Any]]:
        """The serialised pytest reports of one test, setup to teardown, waiting for them as they come.

        Raises GuestError when the guest ends without them, or they do not come within `seconds` (and, for the
        guest's first, the time it takes to boot).
        """
        if not self.has_reported:
            seconds += _BOOT_SECONDS[self.accelerator.name]
        started = time.monotonic()
        while True:
            ended = self._process.poll() is not None
            for row in self._tail.take():
                self._take(row)
            done = self._pending.get(test, [])
            if done and done[-1]["when"] == "teardown":
                self.has_reported = True
                return self._pending.pop(test)
            if ended:
                raise GuestError(f"the guest ended without a result for this test\n{self.evidence()}")
            if time.monotonic() - started > seconds:
                raise GuestError(f"no result from the guest within {seconds:.0f} s\n{self.evidence()}")
            time.sleep(0.05)

    def _take(self, row: dict[str, Any]) -> None:
        if row.get("$report_type") == "TestReport":
            self._pending.setdefault(row["nodeid"], []).append(row)
        # a module that could not be imported in the guest shows in the output, and its tests get no report

    def evidence(self) -> str:
        """The end of what the guest with its kernel and the device servers said."""
        parts = []
        for path in (self._work / "output", *sorted(self._work.glob("*.out"))):
            if path.exists() and (said := path.read_text(errors="replace").strip()):
                parts.append(f"--- {path.name} ---\n" + "\n".join(said.splitlines()[-40:]))
        return "\n".join(parts)

    # -- ending --------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Waits until the guest has shut down by itself, then closes it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_END_SECONDS)
        self.close()

    def close(self) -> None:
        """Ends the guest and all that was started for it, and removes its folder."""
        self._cleanup.close()


def _place(number: int) -> tuple[int, int]:
    """Slot and function of a boot's device: one slot each, and where these do not suffice their further functions."""
    return _SLOTS[number % len(_SLOTS)], number // len(_SLOTS)


def _cached_places() -> str:
    """The shell commands that mount the checkout and this Python over themselves, from a share with a cache.

    The guest's own root, which virtme-ng mounts, caches nothing, and starting Python from there takes three times as
    long. It also makes them visible where the guest has hidden what was there, below ``/tmp`` for one.
    """
    options = "ro,trans=virtio,version=9p2000.L,msize=524288,cache=loose"
    commands = [f"mkdir -p {_CACHED}", f"mount -t 9p -o {options} uvirtio.cached {_CACHED}"]
    for place in dict.fromkeys((ROOT, Path(sys.prefix), Path(os.__file__).parent)):
        there, here = shlex.quote(f"{_CACHED}{place}"), shlex.quote(str(place))
        commands += [f"mkdir -p {here}", f"mount --bind {there} {here}"]
    return " && ".join(commands)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
