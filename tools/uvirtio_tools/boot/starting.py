"""What is started, from what a person has asked for: which image, which VMM, what the kernel is told."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from uvirtio.errors import UsageError
from uvirtio.programs import environment

from ..image.places import Image
from .guest import Limits, Wishes, boot
from .keyboard import passed_through
from .outcome import Outcome
from .vmms import Vmm, console_of, expanded, firecracker_config, kvm_there, program_of, tsc_khz

__all__ = ["Plan", "Starter"]

#: Seconds within which a guest is up under KVM where that runs it at all.
_KVM_READY = 20.0
#: Longest time for the command of an event, in seconds: less than the guest waits.
_EVENT = 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be started. ``kernel`` and ``initrd`` take the place of the image's."""

    vmm: Vmm
    arch: str
    image: Image | None
    kernel: str | None = None
    initrd: str | None = None
    binary: str | None = None
    memory: int = 512
    cpus: int = 1
    accelerator: str = "auto"
    append: str = ""
    config: str | None = None
    more: Sequence[str] = ()
    events: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    terminal: bool = False
    """Whether a shell or the interface gets this process's terminal."""

    def file(self, named: str | None, option: str, form: str) -> str:
        """The path of a file, absolute. Raises :class:`UsageError` for one that cannot be read."""
        if named is None:
            assert self.image is not None
            return str(self.image.file(form).absolute())
        try:
            with open(named, "rb") as file:
                file.read(1)
        except OSError as error:
            raise UsageError(f"{option} {named}: {error.strerror}") from error
        return str(Path(named).absolute())


class Starter:
    """Starts machines by a plan. Raises :class:`UsageError`, :class:`CannotRun` now for what cannot work."""

    def __init__(
        self, plan: Plan, stop: threading.Event, tell: Callable[[int, str, bool], None], keep: Path | None
    ) -> None:
        self._plan, self._stop, self._tell, self._keep = plan, stop, tell, keep
        self._program = program_of(plan.vmm, plan.arch, plan.binary)
        self._kernel = plan.file(plan.kernel, "--kernel", plan.vmm.forms[plan.arch])
        self._initrd = plan.file(plan.initrd, "--initrd", "initramfs")
        self._lock = threading.Lock()
        kvm = plan.vmm.accelerators and kvm_there(plan.arch)
        self._accelerators = [plan.accelerator] if plan.accelerator != "auto" else ["kvm", "tcg"] if kvm else ["tcg"]

    def cmdline(self, run: str) -> str:
        """What the kernel is told. Raises :class:`UsageError` for a run that cannot be told it."""
        if '"' in run:
            raise UsageError(f"--run {run}: the kernel keeps words together by \", so use ' in it")
        plan = self._plan
        words = [
            f"console={console_of(plan.arch)}",
            "quiet",
            "panic=-1",
            f'uvirtio.run="{run}"',
            f"uvirtio.end={plan.vmm.end}",
        ]
        if plan.events:
            words.append(f"uvirtio.events={','.join(plan.events)}")
        more = plan.vmm.parameters.replace("{tsc}", tsc_khz())
        return " ".join(filter(None, [*words, more, plan.append]))

    def command(self, run: str, number: int, folder: Path, accelerator: str) -> list[str]:
        """The command line of one machine."""
        plan = self._plan
        values = {
            "kernel": self._kernel, "initrd": self._initrd, "cmdline": self.cmdline(run), "memory": str(plan.memory),
            "cpus": str(plan.cpus), "accelerator": accelerator, "cpu": "host" if accelerator == "kvm" else "cortex-a57",
            "name": f"uvirtio-{number}", "folder": str(folder),
        }  # fmt: skip
        if plan.vmm.name == "firecracker":
            values["config"] = firecracker_config(folder, values, plan.config)
        return expanded(plan.vmm, self._program, values, plan.more)

    def start(self, number: int, run: str, *, again: bool) -> Outcome:
        """One machine, by the first accelerator that runs its kernel; what became of it."""
        while True:
            with self._lock:
                accelerator, others = self._accelerators[0], self._accelerators[1:]
            limits = self._plan.limits
            if others:
                limits = replace(limits, ready=min(limits.ready, _KVM_READY))
            outcome = self._once(number, run, accelerator, limits, again)
            if outcome.ready or not others or self._stop.is_set():
                return outcome
            with self._lock:
                if self._accelerators[0] == accelerator:
                    del self._accelerators[0]
            self._tell(number, f"KVM does not run this kernel here ({outcome.stopped}); once more without", True)

    def _once(self, number: int, run: str, accelerator: str, limits: Limits, again: bool) -> Outcome:
        with tempfile.TemporaryDirectory(prefix="uvirtio-boot-") as folder:
            command = self.command(run, number, Path(folder), accelerator)
            log = self._keep / f"{number + 1}{'-again' if again else ''}.console" if self._keep is not None else None
            with contextlib.ExitStack() as stack:
                keys = (
                    stack.enter_context(passed_through())
                    if run.split()[:1] in (["shell"], ["tui"]) and self._plan.terminal
                    else -1
                )
                tell = (lambda _line, _step: None) if keys >= 0 else (lambda line, step: self._tell(number, line, step))
                outcome = boot(command, run, limits, Wishes(tell, self._event, self._stop.is_set, log, keys))
        if self._keep is not None:
            for name, data in outcome.results.items():
                (self._keep / f"{number + 1}-{name}").write_bytes(data)
        return outcome

    def _event(self, name: str, arguments: str, pid: int) -> tuple[int, str]:
        command = self._plan.events.get(name)
        if command is None:
            return 1, f"the host has no --event {name}"
        world = environment(UVIRTIO_EVENT=name, UVIRTIO_ARGUMENTS=arguments, UVIRTIO_VMM_PID=str(pid))
        try:
            done = subprocess.run(
                ["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                timeout=_EVENT, env=world,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return 1, f"the command of --event {name} did not end within {_EVENT:g} s"
        said = (done.stdout.strip() or done.stderr.strip()).splitlines()
        return min(abs(done.returncode), 255), said[-1] if said else ""
